"""Endpoints of messages: sending, reading, reactions, flags and typing."""

from typing import Any

from tests.zulip import emoji, wire
from tests.zulip.call import Call
from tests.zulip.markup import render
from tests.zulip.narrow import Narrow, terms
from tests.zulip.refusal import Refusal
from tests.zulip.routes import route
from tests.zulip.sending import (
    channel_to_send_to,
    clean_content,
    clean_topic,
    draft,
    people_to_send_to,
    post,
    unique,
)
from tests.zulip.things import Json, Message, Reaction

NEWEST = 10_000_000_000_000_000
MOST_MESSAGES = 5000
FOLLOWED = 3


@route("POST", "/messages")
def send(call: Call) -> Json:
    """The same message twice is two messages: a real server knows no repetition."""
    kind = call.need("type")
    to, topic = call.maybe("to"), call.maybe("topic")
    alias = call.maybe("subject")
    topic = alias if topic is None else topic
    content = call.need("content")
    queue_id, local_id = call.maybe("queue_id") or "", call.maybe("local_id") or ""
    read = call.yes("read_by_sender")
    message = draft(call.world, call.user, "", call.client)
    if kind in {"stream", "channel"}:
        if to is None:
            raise Refusal("Missing channel")
        if topic is None:
            raise Refusal("Missing topic")
        message.channel_id = channel_to_send_to(call, to).id
        message.topic = clean_topic(topic)
    elif kind in {"direct", "private"}:
        message.people = people_to_send_to(call, to or "[]")
    else:
        raise Refusal("Invalid type")
    message.content = clean_content(content)
    if not message.content:
        raise Refusal("Message must not be empty")
    starts_topic = message.channel_id is not None and not call.realm.in_topic(message.channel_id, message.topic)
    post(call.world, message, queue_id, local_id, read_for=[call.user.id] if read else [])
    follows = (call.user.id, message.channel_id or 0, message.topic.lower())
    if starts_topic and not call.user.is_bot and follows not in call.world.followed:
        call.world.followed.add(follows)
        return {"id": message.id, "automatic_new_visibility_policy": FOLLOWED}
    return {"id": message.id}


@route("GET", "/messages")
def read_many(call: Call) -> Json:
    before, after = call.number("num_before"), call.number("num_after")
    if before + after > MOST_MESSAGES:
        raise Refusal(f"Too many messages requested (maximum {MOST_MESSAGES}).")
    narrow = Narrow(call.realm, call.user, terms(call.data("narrow", told_as="{} is not valid JSON") or []))
    rendered = call.yes("apply_markdown", default=True)
    gravatar = call.yes("client_gravatar", default=True)
    found = [each for each in _in_reach(call, narrow) if narrow.takes(each)]
    anchor = _anchor(call, found)
    with_anchor = call.yes("include_anchor", default=True)
    exact = [each for each in found if each.id == anchor] if with_anchor else []
    older = [each for each in found if each.id < anchor]
    newer = [each for each in found if each.id > anchor]
    first = older[-before:] if before else []
    last = newer[: max(after, 0)]
    return {
        "messages": [_read(call, each, rendered=rendered, gravatar=gravatar) for each in [*first, *exact, *last]],
        "found_anchor": bool(exact),
        "found_oldest": anchor <= 0 or len(first) < before,
        "found_newest": anchor >= NEWEST or len(last) < after,
        "history_limited": False,
        "anchor": anchor,
    }


def _in_reach(call: Call, narrow: Narrow) -> list[Message]:
    """What was given to this person, or all of a channel that is asked for. What may not be read is not there."""
    everything = sorted(call.realm.messages.values(), key=lambda each: each.id)
    seen = [each for each in everything if call.realm.may_see(call.user, each)]
    if narrow.channel_id is not None:
        return [each for each in seen if each.channel_id == narrow.channel_id]
    return [each for each in seen if call.user.id in each.rows or narrow.reaches_history]


def _anchor(call: Call, found: list[Message]) -> int:
    text = call.maybe("anchor")
    if call.yes("use_first_unread_anchor"):
        text = "first_unread"
    if text is None:
        raise Refusal("Missing 'anchor' argument.")
    if text == "newest":
        return NEWEST
    if text == "oldest":
        return 0
    if text == "first_unread":
        unread = [each.id for each in found if "read" not in each.rows.get(call.user.id, ["read"])]
        return min(unread, default=NEWEST)
    try:
        anchor = int(text)
    except ValueError:
        raise Refusal("Invalid anchor") from None
    return min(max(anchor, 0), NEWEST)


def _read(call: Call, message: Message, *, rendered: bool, gravatar: bool = True) -> dict[str, Any]:
    shown = wire.message(call.realm, message, rendered=rendered, with_picture=not gravatar)
    return shown | {"flags": wire.flags(message, call.user.id)}


@route("GET", r"/messages/(\d+)")
def read_one(call: Call, message_id: str) -> Json:
    message = call.message(message_id)
    rendered = call.yes("apply_markdown", default=True)
    return {"message": _read(call, message, rendered=rendered), "raw_content": message.content}


@route("POST", "/messages/render")
def show(call: Call) -> Json:
    return {"rendered": render(call.realm, call.world.url, call.need("content")).html}


@route("POST", r"/messages/(\d+)/reactions")
def react(call: Call, message_id: str) -> Json:
    """A second name of a code is the same reaction, and is kept under the name that came first."""
    message = call.message(message_id)
    name = call.need("emoji_name")
    code, kind = call.maybe("emoji_code"), call.maybe("reaction_type")
    if code is None or kind is None:
        code, kind = emoji.find(call.realm, name)
    elif kind not in {"unicode_emoji", "realm_emoji", "zulip_extra_emoji"}:
        raise Refusal("Invalid emoji type.")
    alike = [each for each in message.reactions if (each.code, each.kind) == (code, kind)]
    if any(each.user_id == call.user.id for each in alike):
        raise Refusal("Reaction already exists.", "REACTION_ALREADY_EXISTS")
    if not alike and kind == "unicode_emoji":
        emoji.check(name, code)
    reaction = Reaction(user_id=call.user.id, name=alike[0].name if alike else name, code=code, kind=kind)
    message.reactions.append(reaction)
    message.rows.setdefault(call.user.id, ["read", "historical"])
    call.realm.keep(message)
    call.world.teller.reaction("add", message, reaction)
    return {}


@route("DELETE", r"/messages/(\d+)/reactions")
def unreact(call: Call, message_id: str) -> Json:
    message = call.message(message_id)
    name, code, kind = call.maybe("emoji_name"), call.maybe("emoji_code"), call.maybe("reaction_type")
    if code is None or kind is None:
        code, kind = emoji.find(call.realm, name or "")
    mine = [each for each in message.reactions if (each.user_id, each.code, each.kind) == (call.user.id, code, kind)]
    if not mine:
        raise Refusal("Reaction doesn't exist.", "REACTION_DOES_NOT_EXIST")
    message.reactions.remove(mine[0])
    call.realm.keep(message)
    call.world.teller.reaction("remove", message, mine[0])
    return {}


@route("POST", "/messages/flags")
def flag(call: Call) -> Json:
    """Ids that nobody knows are taken without a word."""
    ids: list[int] = call.data("messages") or []
    op, name = call.need("op"), call.need("flag")
    changed: list[int] = []
    for message_id in ids:
        message = call.realm.messages.get(message_id)
        flags = message.rows.get(call.user.id) if message else None
        if message is None or flags is None or (name in flags) == (op == "add"):
            continue
        if op == "add":
            flags.append(name)
        else:
            flags.remove(name)
        changed.append(message_id)
        call.realm.keep(message)
    event = {"type": "update_message_flags", "op": op, "operation": op, "flag": name, "messages": changed, "all": False}
    call.world.teller.some(event, [call.user.id])
    return {"messages": ids}


@route("POST", "/typing")
def typing(call: Call) -> Json:
    op, kind = call.need("op"), call.maybe("type") or "direct"
    sender = {"user_id": call.user.id, "email": call.user.email}
    to, channel_id, topic = call.data("to"), call.maybe("stream_id"), call.maybe("topic")
    if op not in {"start", "stop"}:
        raise Refusal("Invalid op")
    event: Json = {"type": "typing", "message_type": "direct", "op": op, "sender": sender}
    if kind in {"stream", "channel"}:
        if topic is None:
            raise Refusal("Missing topic")
        channel = call.channel(channel_id or 0)
        event |= {"message_type": "stream", "stream_id": channel.id, "topic": topic}
        call.world.teller.typing(event, call.realm.members(channel.id))
        return {}
    ids: list[int] = [*(to or []), call.user.id]
    people = [call.realm.users[each] for each in unique(ids)]
    event["recipients"] = [{"user_id": each.id, "email": each.email} for each in people]
    call.world.teller.typing(event, [each.id for each in people])
    return {}
