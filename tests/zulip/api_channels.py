"""Endpoints of channels: lists, subscriptions, topics, renaming and archiving."""

from typing import Any, cast

from tests.zulip import wire
from tests.zulip.call import Call
from tests.zulip.markup import render
from tests.zulip.refusal import Refusal, no_such_channel
from tests.zulip.routes import route
from tests.zulip.sending import notice, unique
from tests.zulip.things import Channel, Json, User

EVENTS_TOPIC = "channel events"
LONGEST_NAME = 60
ANNOUNCEMENTS = 3


@route("GET", "/streams")
def channels(call: Call) -> Json:
    public = call.yes("include_public", default=True)
    of_owner = call.yes("include_owner_subscribed")
    who = {call.user.id, call.user.owner_id} if of_owner else {call.user.id}
    return {
        "streams": [
            wire.channel(each)
            for each in sorted(call.realm.channels.values(), key=lambda channel: channel.name.lower())
            if not each.archived and (who & set(each.members) or (public and not each.private))
        ]
    }


@route("GET", r"/streams/(\d+)")
def one_channel(call: Call, channel_id: str) -> Json:
    return {"stream": wire.channel(call.channel(channel_id))}


@route("GET", r"/streams/(\d+)/members")
def members(call: Call, channel_id: str) -> Json:
    return {"subscribers": sorted(call.realm.members(call.channel(channel_id).id))}


@route("GET", "/get_stream_id")
def find_channel_id(call: Call) -> Json:
    name = call.need("stream")
    found = call.realm.channel_by_name(name)
    if found is None or not call.realm.may_read(call.user, found):
        raise Refusal(f"Invalid channel name '{name}'")
    return {"stream_id": found.id}


@route("GET", r"/users/me/(\d+)/topics")
def topics(call: Call, channel_id: str) -> Json:
    """The name of a topic is that of its newest message."""
    found = call.channel(channel_id)
    newest: dict[str, tuple[int, str]] = {}
    for message in call.realm.messages.values():
        if message.channel_id == found.id:
            key = message.topic.lower()
            newest[key] = max(newest.get(key, (0, "")), (message.id, message.topic))
    return {"topics": [{"name": name, "max_id": last} for last, name in sorted(newest.values(), reverse=True)]}


@route("GET", "/users/me/subscriptions")
def subscriptions(call: Call) -> Json:
    with_subscribers = call.yes("include_subscribers")
    return {
        "subscriptions": [
            wire.subscription(each) | ({"subscribers": sorted(call.realm.members(each.id))} if with_subscribers else {})
            for each in sorted(call.realm.channels.values(), key=lambda channel: channel.name.lower())
            if call.user.id in each.members and not each.archived
        ]
    }


@route("POST", "/users/me/subscriptions")
def subscribe(call: Call) -> Json:
    """Subscribes, and makes the channels that are not there yet."""
    people = _principals(call) or [call.user]
    private, fatal = call.yes("invite_only"), call.yes("authorization_errors_fatal", default=True)
    announced = call.yes("announce")
    wanted, refused = _wanted(call)
    if refused and fatal:
        raise Refusal(f"Unable to access channel ({', '.join(refused)}).")
    added: dict[str, list[str]] = {}
    already: dict[str, list[str]] = {}
    for each, description in wanted:
        found = each if isinstance(each, Channel) else _make(call, each, description, people, private=private)
        new = people if isinstance(each, str) else [user for user in people if user.id not in found.members]
        for user in people:
            (added if user in new else already).setdefault(user.email, []).append(found.name)
        if new:
            _join(call, found, new)
        if isinstance(each, str):
            _tell_of_new(call, found, announced=announced and not private)
    answer: Json = {"subscribed": added, "already_subscribed": already}
    return answer if fatal else answer | {"unauthorized": refused}


def _wanted(call: Call) -> tuple[list[tuple[Channel | str, str]], list[str]]:
    wanted: list[tuple[Channel | str, str]] = []
    refused: list[str] = []
    for number, each in enumerate(cast("list[Any]", call.data("subscriptions") or [])):
        if not isinstance(each, dict):
            known = "Input should be a valid dictionary or instance of AddSubscriptionData"
            raise Refusal(f"Invalid subscriptions[{number}]: {known}")
        asked = cast("Json", each)
        name = str(asked["name"]).strip()
        if not name:
            raise Refusal("Channel name can't be empty.")
        if len(name) > LONGEST_NAME:
            raise Refusal(f"Channel name too long (limit: {LONGEST_NAME} characters).")
        found = call.realm.channel_by_name(name)
        if found is not None and not call.realm.may_read(call.user, found):
            refused.append(name)
        else:
            wanted.append((found or name, str(asked.get("description", ""))))
    return wanted, refused


def _principals(call: Call) -> list[User]:
    found: list[User] = []
    for each in cast("list[Any]", call.data("principals") or []):
        user = call.realm.users.get(each) if isinstance(each, int) else call.realm.user_by_email(str(each))
        if user is None:
            raise Refusal("No such user")
        found.append(user)
    return found


def _make(call: Call, name: str, description: str, people: list[User], *, private: bool) -> Channel:
    new = Channel(
        id=call.realm.next_id(Channel),
        name=name,
        description=description,
        rendered_description=render(call.realm, call.world.url, description).html,
        private=private,
        creator_id=call.user.id,
        created=call.world.clock.now(),
        members=[user.id for user in people],
    )
    call.realm.keep(new)
    call.world.teller.some({"type": "stream", "op": "create", "streams": [wire.channel(new)]}, _audience(call, new))
    return new


def _audience(call: Call, told: Channel) -> list[int]:
    """Admins know of private channels too."""
    if not told.private:
        return list(call.realm.users)
    return [user.id for user in call.realm.users.values() if user.id in told.members or user.is_admin]


def _join(call: Call, joined: Channel, people: list[User]) -> None:
    joined.members = unique([*joined.members, *(user.id for user in people)])
    call.realm.keep(joined)
    known = wire.subscription(joined) | {"subscribers": call.realm.members(joined.id)}
    for user in people:
        call.world.teller.some({"type": "subscription", "op": "add", "subscriptions": [known]}, [user.id])
    _tell_others(call, joined, people, "peer_add")


def _tell_others(call: Call, about: Channel, people: list[User], op: str) -> None:
    ids = [user.id for user in people]
    event = {"type": "subscription", "op": op, "stream_ids": [about.id], "user_ids": ids}
    call.world.teller.some(event, set(_audience(call, about)) - set(ids))


def _tell_of_new(call: Call, new: Channel, *, announced: bool) -> None:
    by = _by(call)
    creator = [call.user.id]
    if announced:
        general = call.realm.channels[ANNOUNCEMENTS]
        text = f"{by} created a new channel #**{new.name}**."
        notice(call.world, general, "new channels", text, read_for=creator)
    shown = f"```` quote\n{new.description or '*No description.*'}\n````"
    text = f"**{new.kind}** channel created by {by}. **Description:**\n{shown}"
    notice(call.world, new, EVENTS_TOPIC, text, read_for=creator)


@route("DELETE", "/users/me/subscriptions")
def unsubscribe(call: Call) -> Json:
    people = _principals(call)
    if any(user.id != call.user.id for user in people) and not call.user.is_admin:
        raise Refusal("Insufficient permission")
    names = call.strings("subscriptions") or []
    found = {name: call.realm.channel_by_name(name) for name in names}
    unknown = [name for name, each in found.items() if each is None]
    if unknown:
        raise Refusal(f"Channel(s) ({', '.join(unknown)}) do not exist")
    removed: list[str] = []
    kept: list[str] = []
    for each in found.values():
        for user in people or [call.user]:
            if each is not None:
                (removed if _leave(call, each, user) else kept).append(each.name)
    return {"removed": removed, "not_removed": kept}


def _leave(call: Call, left: Channel, user: User) -> bool:
    if user.id not in left.members:
        return False
    left.members.remove(user.id)
    call.realm.keep(left)
    teller = call.world.teller
    known = [{"name": left.name, "stream_id": left.id}]
    teller.some({"type": "subscription", "op": "remove", "subscriptions": known}, [user.id])
    if left.private:
        teller.some({"type": "stream", "op": "delete", "streams": [wire.channel(left)]}, [user.id])
    _tell_others(call, left, [user], "peer_remove")
    return True


def _any_channel(call: Call, channel_id: str) -> Channel:
    """Admins change and archive channels that they are not in."""
    found = call.realm.channels.get(int(channel_id))
    if found is None or found.archived:
        raise no_such_channel()
    return found


@route("PATCH", r"/streams/(\d+)")
def change(call: Call, channel_id: str) -> Json:
    call.only_admins()
    changed = _any_channel(call, channel_id)
    new_name, description, private = call.maybe("new_name"), call.maybe("description"), call.data("is_private")
    if new_name is not None:
        _rename(call, changed, new_name)
    if description is not None:
        _describe(call, changed, description)
    if private is not None:
        _open_or_close(call, changed, private=bool(private))
    return {}


def _by(call: Call) -> str:
    return f"@_**{call.user.full_name}|{call.user.id}**"


def _describe(call: Call, described: Channel, description: str) -> None:
    old, described.description = described.description, description
    described.rendered_description = render(call.realm, call.world.url, description).html
    call.realm.keep(described)
    news: Json = {"property": "description", "value": description}
    _tell_update(call, described, news | {"rendered_description": described.rendered_description})
    was, now = (f"```` quote\n{each}\n````" for each in (old, description))
    text = f"{_by(call)} changed the description for this channel.\n\n* **Old description:**\n{was}"
    notice(call.world, described, EVENTS_TOPIC, f"{text}\n* **New description:**\n{now}")


def _open_or_close(call: Call, changed: Channel, *, private: bool) -> None:
    old = changed.kind
    changed.private = private
    call.realm.keep(changed)
    news: Json = {"property": "invite_only", "value": private, "is_web_public": False}
    _tell_update(call, changed, news | {"history_public_to_subscribers": not private})
    what = "[access permissions](/help/channel-permissions)"
    text = f"{_by(call)} changed the {what} for this channel from **{old}** to **{changed.kind}**."
    notice(call.world, changed, EVENTS_TOPIC, text)


def _rename(call: Call, renamed: Channel, new_name: str) -> None:
    old_name = renamed.name
    same = call.realm.channel_by_name(new_name)
    if same is not None and same.id != renamed.id:
        raise Refusal("Channel name already in use.")
    _tell_update(call, renamed, {"property": "name", "value": new_name})
    renamed.name = new_name
    call.realm.keep(renamed)
    notice(call.world, renamed, EVENTS_TOPIC, f"{_by(call)} renamed channel **{old_name}** to **{new_name}**.")


def _tell_update(call: Call, changed: Channel, news: Json) -> None:
    event: Json = {"op": "update", "type": "stream", **news, "stream_id": changed.id, "name": changed.name}
    call.world.teller.some(event, _audience(call, changed))


@route("DELETE", r"/streams/(\d+)")
def archive(call: Call, channel_id: str) -> Json:
    call.only_admins()
    archived = _any_channel(call, channel_id)
    event = {"type": "stream", "op": "delete", "streams": [wire.channel(archived)]}
    call.world.teller.some(event, _audience(call, archived))
    archived.archived, archived.private = True, True
    call.realm.keep(archived)
    return {}
