"""PATCH of a message: its content, its topic, its channel; and its deletion."""

from tests.zulip.call import Call
from tests.zulip.markup import Rendered, render
from tests.zulip.moving import EDIT_GRACE_S, MODES, Move, carry_out, check_age, messages_to_move
from tests.zulip.refusal import Refusal
from tests.zulip.routes import route
from tests.zulip.sending import clean_content, clean_topic
from tests.zulip.things import Change, Json, Message

EVERYBODY, NOBODY, ADMINS = 5, 6, 2
DELETED = "(deleted)"


@route("PATCH", r"/messages/(\d+)")
def edit(call: Call, message_id: str) -> Json:
    message = call.message(message_id)
    content, topic = call.maybe("content"), call.maybe("topic")
    move = _wanted_move(call, message, content, None if topic is None else clean_topic(topic))
    moved = messages_to_move(call.world, move) if move else []
    if move:
        check_age(call, move, moved)
    event = _start_of_event(call, message)
    if content is not None:
        event |= _change_content(call, message, clean_content(content) or DELETED)
    if move:
        carry_out(call, move, moved, event)
    else:
        event["message_ids"] = [message.id]
        call.world.teller.update(event, call.world.teller.hearers(message), message.rows)
    return {}


def _wanted_move(call: Call, message: Message, content: str | None, topic: str | None) -> Move | None:
    """Refuses what may not be done, of the content too, in the order of a real server."""
    to_channel, mode = call.maybe("stream_id"), call.maybe("propagate_mode") or "change_one"
    call.maybe("send_notification_to_old_thread")
    call.maybe("send_notification_to_new_thread")
    if mode not in MODES:
        raise Refusal("Invalid propagate_mode")
    if not call.realm.settings.allow_message_editing:
        raise Refusal("Your organization has turned off message editing")
    moves = to_channel is not None or (topic is not None and topic != message.topic)
    if content is None and not moves:
        raise Refusal("Nothing to change")
    if content is not None and to_channel is not None:
        raise Refusal("Cannot change message content while changing channel")
    if content is not None:
        _check_content(call, message)
    return _move(call, message, topic, to_channel, mode) if moves else None


def _check_content(call: Call, message: Message) -> None:
    if message.sender_id != call.user.id:
        raise Refusal("You don't have permission to edit this message")
    limit = call.realm.settings.message_content_edit_limit_seconds
    if limit is not None and call.world.clock.now() - message.sent > limit + EDIT_GRACE_S:
        raise Refusal("The time limit for editing this message has passed")


def _move(call: Call, message: Message, topic: str | None, to_channel: str | None, mode: str) -> Move:
    settings = call.realm.settings
    if message.channel_id is None:
        raise Refusal("Direct messages cannot have topics.")
    if topic is not None and topic != message.topic and not _may(call, settings.edit_topic_policy):
        raise Refusal("You don't have permission to edit this message")
    channel = old_channel = call.realm.channels[message.channel_id]
    if to_channel is not None:
        if not _may(call, settings.move_messages_between_streams_policy):
            raise Refusal("You don't have permission to move this message")
        channel = call.channel(to_channel)
    return Move(message, mode, old_channel, channel, message.topic, message.topic if topic is None else topic)


def _may(call: Call, policy: int) -> bool:
    return policy != NOBODY and (policy != ADMINS or call.user.is_admin)


def _start_of_event(call: Call, message: Message) -> Json:
    event: Json = {
        "type": "update_message",
        "user_id": call.user.id,
        "edit_timestamp": int(call.world.clock.now()),
        "message_id": message.id,
        "rendering_only": False,
    }
    if message.channel_id is not None:
        channel = call.realm.channels[message.channel_id]
        event |= {"stream_name": channel.name, "stream_id": channel.id}
    return event


def _change_content(call: Call, message: Message, content: str) -> Json:
    """An edit that changes nothing is an edit like any other."""
    now = call.world.clock.now()
    before = {"orig_content": message.content, "orig_rendered_content": message.rendered}
    message.changes.append(Change(user_id=call.user.id, at=now, content=message.content, rendered=message.rendered))
    called = render(call.realm, call.world.url, content)
    message.content, message.rendered, message.last_edit = content, called.html, now
    _flag_again(message, called)
    call.realm.keep(message)
    return before | {
        "content": content,
        "rendered_content": called.html,
        "prev_rendered_content_version": 1,
        "is_me_message": content.startswith("/me "),
    }


def _flag_again(message: Message, called: Rendered) -> None:
    """A person's mention comes and goes with an edit; a call to everybody comes and stays."""
    for user_id, flags in message.rows.items():
        kept = [flag for flag in flags if flag != "mentioned"]
        if called.everybody and "stream_wildcard_mentioned" not in kept:
            kept.append("stream_wildcard_mentioned")
        at = 1 if kept[:1] == ["read"] else 0
        if user_id in called.people:
            kept.insert(at, "mentioned")
        message.rows[user_id] = kept


@route("DELETE", r"/messages/(\d+)")
def delete(call: Call, message_id: str) -> Json:
    message = call.message(message_id)
    settings = call.realm.settings
    if not call.user.is_admin:
        if message.sender_id != call.user.id or not _may(call, settings.delete_own_message_policy):
            raise Refusal("You don't have permission to delete this message")
        limit = settings.message_content_delete_limit_seconds
        if limit is not None and call.world.clock.now() - message.sent > limit:
            raise Refusal("The time limit for deleting this message has passed")
    call.realm.delete(message)
    call.world.teller.deleted([message])
    return {}


@route("POST", r"/streams/(\d+)/delete_topic")
def delete_topic(call: Call, channel_id: str) -> Json:
    call.only_admins()
    channel = call.channel(channel_id)
    messages = sorted(call.realm.in_topic(channel.id, call.need("topic_name")), key=lambda each: -each.id)
    for message in messages:
        call.realm.delete(message)
    if messages:
        call.world.teller.deleted(messages)
    return {"complete": True}
