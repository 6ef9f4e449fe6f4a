"""Moving messages to another topic or channel: who loses them, who hears of it, and the notices left behind."""

from dataclasses import dataclass

from tests.zulip.call import Call
from tests.zulip.inline import channel_in_address, in_address
from tests.zulip.refusal import Refusal
from tests.zulip.sending import clean_topic, notice, participants
from tests.zulip.things import Change, Channel, Json, Message
from tests.zulip.world import World

RESOLVED = "✔ "
UNDO_GRACE_S = 60
EDIT_GRACE_S = 20
MODES = ("change_one", "change_later", "change_all")


@dataclass(frozen=True)
class Move:
    """From where to where; `topic` and `channel` are the new ones, changed or not."""

    message: Message
    mode: str
    old_channel: Channel
    channel: Channel
    old_topic: str
    topic: str

    @property
    def place(self) -> str:
        return f"#**{self.channel.name}>{self.topic}**"

    @property
    def old_place(self) -> str:
        return f"#**{self.old_channel.name}>{self.old_topic}**"

    @property
    def resolution(self) -> str | None:
        """What became of the topic, if the prefix alone came or went."""
        if self.channel.id != self.old_channel.id:
            return None
        if not self.old_topic.startswith(RESOLVED) and clean_topic(RESOLVED + self.old_topic) == self.topic:
            return "resolved"
        if not self.topic.startswith(RESOLVED) and clean_topic(RESOLVED + self.topic) == self.old_topic:
            return "unresolved"
        return None


def messages_to_move(world: World, move: Move) -> list[Message]:
    if move.mode == "change_one":
        return [move.message]
    topic = world.realm.in_topic(move.old_channel.id, move.old_topic)
    return topic if move.mode == "change_all" else [each for each in topic if each.id >= move.message.id]


def check_age(call: Call, move: Move, moved: list[Message]) -> None:
    """Owners, admins and moderators may move what is old."""
    within = move.channel.id == move.old_channel.id
    settings = call.realm.settings
    limit = (
        settings.move_messages_within_stream_limit_seconds
        if within
        else settings.move_messages_between_streams_limit_seconds
    )
    if limit is None or call.user.is_admin:
        return
    now = call.world.clock.now()
    if within and now - move.message.sent > limit + EDIT_GRACE_S:
        raise Refusal("The time limit for editing this message's topic has passed.")
    young = [each for each in moved if now - each.sent <= limit + EDIT_GRACE_S]
    if len(young) < len(moved):
        raise Refusal(
            f"You only have permission to move the {len(young)}/{len(moved)} most recent messages in this topic.",
            "MOVE_MESSAGES_TIME_LIMIT_EXCEEDED",
            first_message_id_allowed_to_move=min(each.id for each in young),
            total_messages_in_topic=len(moved),
            total_messages_allowed_to_move=len(young),
        )


def carry_out(call: Call, move: Move, moved: list[Message], event: Json) -> None:
    """`event` tells of an edit of the content already, if there was one."""
    world, realm = call.world, call.realm
    new_channel = move.channel.id != move.old_channel.id
    new_topic = move.topic != move.old_topic
    remaining = len(realm.in_topic(move.old_channel.id, move.old_topic)) - len(moved)
    was_there = len(realm.in_topic(move.channel.id, move.topic)) - (0 if new_channel else _overlap(move, moved))
    hearers = {*realm.members(move.old_channel.id), *(each for one in moved for each in one.rows)}
    losers = {each for each in hearers if new_channel and _loses(move.channel, each)}
    _rewrite(call, move, moved)
    event |= {"propagate_mode": move.mode, "orig_subject": move.old_topic}
    if new_channel:
        event["new_stream_id"] = move.channel.id
    if new_topic:
        event |= {"subject": move.topic, "topic_links": []}
    event["message_ids"] = [each.id for each in moved]
    world.teller.update(event, hearers - losers, move.message.rows)
    if losers:
        _tell_losers(world, move, moved, losers)
    whole = remaining == 0
    if whole and move.resolution is not None:
        _tell_resolution(call, move)
        return
    _tell_of_move(call, move, moved, whole=whole, joined=was_there > 0)


def _overlap(move: Move, moved: list[Message]) -> int:
    return len(moved) if move.topic.lower() == move.old_topic.lower() else 0


def _loses(channel: Channel, user_id: int) -> bool:
    return channel.private and user_id not in channel.members


def _rewrite(call: Call, move: Move, moved: list[Message]) -> None:
    """Who was in the old channel and is not in the new one loses the messages' rows, and with them their edits."""
    gone = set(move.old_channel.members) - set(move.channel.members)
    now = call.world.clock.now()
    for each in moved:
        change = Change(user_id=call.user.id, at=now)
        if move.topic != move.old_topic:
            change.topic = each.topic
        if move.channel.id != move.old_channel.id:
            change.channel_id = move.old_channel.id
            each.rows = {user_id: flags for user_id, flags in each.rows.items() if user_id not in gone}
        last = each.changes[-1] if each.changes else None
        if each is move.message and last is not None and last.at == now and last.content is not None:
            last.topic, last.channel_id = change.topic, change.channel_id
        else:
            each.changes.append(change)
        each.topic, each.channel_id, each.last_edit = move.topic, move.channel.id, now
        call.realm.keep(each)


def _tell_losers(world: World, move: Move, moved: list[Message], losers: set[int]) -> None:
    """To them the messages are deleted, also those that they never saw."""
    where_they_were = [
        each.model_copy(update={"channel_id": move.old_channel.id, "topic": move.old_topic}) for each in moved
    ]
    world.teller.gone(where_they_were, losers)


def _tell_resolution(call: Call, move: Move) -> None:
    """Whoever takes it back soon takes the last notice away instead of leaving a second one."""
    world = call.world
    topic = world.realm.in_topic(move.channel.id, move.topic)
    last = max(topic, key=lambda each: each.id)
    if last.resolves and world.clock.now() - last.sent < UNDO_GRACE_S:
        world.realm.delete(last)
        world.teller.deleted([last])
        return
    text = f"@_**{call.user.full_name}|{call.user.id}** has marked this topic as {move.resolution}."
    strangers = set(move.channel.members) - participants(world, last)
    told = notice(world, move.channel, move.topic, text, read_for=strangers)
    told.resolves = True
    world.realm.keep(told)


def _tell_of_move(call: Call, move: Move, moved: list[Message], *, whole: bool, joined: bool) -> None:
    by = f"by @_**{call.user.full_name}|{call.user.id}**."
    if call.yes("send_notification_to_new_thread", default=True):
        if len(moved) == 1:
            what = f"[A message]({address(call.world, move.channel, move.topic, moved[0])}) was"
        elif whole and not joined:
            what = "This topic was"
        else:
            what = f"{len(moved)} messages were"
        notice(call.world, move.channel, move.topic, f"{what} moved here from {move.old_place} {by}")
    if call.yes("send_notification_to_old_thread"):
        if whole:
            text = f"This topic was moved to {move.place} {by}"
        else:
            what = "A message was" if len(moved) == 1 else f"{len(moved)} messages were"
            text = f"{what} moved from this topic to {move.place} {by}"
        notice(call.world, move.old_channel, move.old_topic, text)


def address(world: World, channel: Channel, topic: str, message: Message) -> str:
    place = channel_in_address(channel.id, channel.name)
    return f"{world.url}/#narrow/stream/{place}/topic/{in_address(topic)}/near/{message.id}"
