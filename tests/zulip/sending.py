"""A new message: whether it may be sent, what is cut from it, and who is given it."""

import hashlib
import json
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any, cast

from tests.zulip.call import Call
from tests.zulip.markup import Rendered, render
from tests.zulip.realm import NOTIFICATION_BOT
from tests.zulip.refusal import Refusal
from tests.zulip.things import Channel, Message, User
from tests.zulip.world import World

LONGEST_CONTENT, LONGEST_TOPIC = 10_000, 60
CUT = "\n[message truncated]"
WARNING_PAUSE_S = 60
_UNSEEN = {"Cc", "Cs", "Cn"}


def clean_content(content: str) -> str:
    """Longer content is cut without a word, in the middle of a fence if need be."""
    if "\0" in content:
        raise Refusal("Message must not contain null bytes")
    content = content.lstrip("\n").rstrip()
    if len(content) > LONGEST_CONTENT:
        return content[: LONGEST_CONTENT - len(CUT)] + CUT
    return content


def clean_topic(topic: str) -> str:
    topic = topic.strip()
    if not topic:
        raise Refusal("Topic can't be empty!")
    for place, each in enumerate(topic, start=1):
        if unicodedata.category(each) in _UNSEEN:
            raise Refusal(f"Invalid character in topic, at position {place}!")
    return topic if len(topic) <= LONGEST_TOPIC else topic[: LONGEST_TOPIC - 3] + "..."


def flags_of(world: World, message: Message, called: Rendered, user_id: int) -> list[str]:
    flags = ["mentioned"] if user_id in called.people else []
    if called.everybody:
        flags.append("stream_wildcard_mentioned")
    if called.everybody_in_topic and user_id in participants(world, message):
        flags.append("topic_wildcard_mentioned")
    return flags


def participants(world: World, message: Message) -> set[int]:
    if message.channel_id is None:
        return set(message.people)
    told = world.realm.in_topic(message.channel_id, message.topic)
    reacted = {reaction.user_id for each in told for reaction in each.reactions}
    return {each.sender_id for each in told} | reacted | {message.sender_id}


def post(
    world: World, message: Message, queue_id: str = "", local_id: str = "", *, read_for: Collection[int] = ()
) -> Message:
    """Gives the message an id, keeps it, and tells of it: who is mentioned is given it from any channel."""
    realm = world.realm
    message.id = realm.next_id(Message)
    called = render(realm, world.url, message.content)
    message.rendered = called.html
    reached = set(message.people) if message.is_direct else {*realm.members(message.channel_id), *called.people}
    message.rows = {
        user_id: flags_of(world, message, called, user_id)
        for user_id in realm.active(reached)
        if not realm.users[user_id].of_the_server
    }
    for user_id in set(read_for) & set(message.rows):
        message.rows[user_id].insert(0, "read")
    if message.channel_id is not None:
        channel = realm.channels[message.channel_id]
        if channel.first_message_id is None:
            channel.first_message_id = message.id
            realm.keep(channel)
    realm.keep(message)
    world.teller.message(message, queue_id, local_id)
    return message


def draft(world: World, sender: User, content: str, client: str) -> Message:
    return Message(id=0, sender_id=sender.id, content=content, rendered="", sent=world.clock.now(), client=client)


def notice(world: World, channel: Channel, topic: str, content: str, *, read_for: Collection[int] = ()) -> Message:
    """A message of the notification bot."""
    message = draft(world, world.realm.users[NOTIFICATION_BOT], content, "Internal")
    message.channel_id, message.topic = channel.id, topic
    return post(world, message, read_for=read_for)


def notice_to(world: World, user: User, content: str) -> Message:
    message = draft(world, world.realm.users[NOTIFICATION_BOT], content, "Internal")
    message.people = [user.id, NOTIFICATION_BOT]
    return post(world, message)


def channel_to_send_to(call: Call, to: str) -> Channel:
    """The channel, by name or id, in all the forms that a real server takes. Its owner's rights are the bot's too."""
    realm = call.realm
    value = _plain(to)
    if isinstance(value, int):
        channel = realm.channels.get(value)
        unknown = Refusal(f"Channel with ID '{value}' does not exist", "STREAM_DOES_NOT_EXIST", stream_id=value)
    else:
        name = str(value).strip()
        if not name:
            raise Refusal("Channel name can't be empty.")
        channel = realm.channel_by_name(name)
        shown = _escaped(name)
        unknown = Refusal(f"Channel '{shown}' does not exist", "STREAM_DOES_NOT_EXIST", stream=shown)
    if channel is None:
        _warn_owner(call, value)
        raise unknown
    people = {call.user.id, call.user.owner_id}
    if channel.archived or (channel.private and not people & set(channel.members)) or not _may_post(call, channel):
        raise Refusal(f"Not authorized to send to channel '{_escaped(name_of(channel))}'")
    return channel


def name_of(channel: Channel) -> str:
    """An archived channel's name shows that it is: an error tells it to whom it may concern."""
    if not channel.archived:
        return channel.name
    return f"{hashlib.sha256(str(channel.id).encode()).hexdigest()[:7]}!DEACTIVATED:{channel.name}"


def _may_post(call: Call, channel: Channel) -> bool:
    owner = call.realm.users.get(call.user.owner_id or 0)
    return channel.post_policy == 1 or call.user.is_admin or (owner is not None and owner.is_admin)


def _plain(to: str) -> Any:
    try:
        value = json.loads(to)
    except ValueError:
        return to
    if isinstance(value, list):
        several = cast("list[Any]", value)
        if len(several) != 1:
            raise Refusal("Expected exactly one channel")
        return several[0]
    return value


def _escaped(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _warn_owner(call: Call, asked: object) -> None:
    """The owner of a bot hears of its post to a channel that is not there, once in a while."""
    world, owner_id = call.world, call.user.owner_id
    last = world.warned_owner_at.get(call.user.id)
    if owner_id is None or (last is not None and world.clock.now() - last < WARNING_PAUSE_S):
        return
    world.warned_owner_at[call.user.id] = world.clock.now()
    where = f"channel ID {asked}" if isinstance(asked, int) else f"channel #**{asked}**"
    notice_to(
        world,
        world.realm.users[owner_id],
        f"Your bot `{call.user.email}` tried to send a message to {where}, but that channel does not exist."
        + ("" if isinstance(asked, int) else " Click [here](#channels/new) to create it."),
    )


def people_to_send_to(call: Call, to: str) -> list[int]:
    try:
        value = json.loads(to)
    except ValueError:
        value = to.split(",")
    if not isinstance(value, list):
        raise Refusal("Invalid data type for recipients")
    asked = cast("list[Any]", value)
    if not asked:
        raise Refusal("Message must have recipients")
    if len({isinstance(each, int) for each in asked}) > 1:
        raise Refusal("Recipient lists may contain emails or user IDs, but not both.")
    people = [_person(call, each) for each in asked]
    for user in people:
        if not user.is_active:
            raise Refusal(f"'{user.email}' is no longer using Zulip.")
    return unique([*(user.id for user in people), call.user.id])


def _person(call: Call, each: Any) -> User:
    if isinstance(each, int):
        user = call.realm.users.get(each)
        if user is None:
            raise Refusal(f"Invalid user ID {each}")
        return user
    user = call.realm.user_by_email(str(each).strip())
    if user is None:
        raise Refusal(f"Invalid email '{each}'")
    return user


def unique(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))
