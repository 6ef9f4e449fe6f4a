"""Endpoints of events: /register and the long poll."""

from collections.abc import Callable
from typing import Any, cast

from tests.zulip import emoji, wire
from tests.zulip.call import Call
from tests.zulip.queues import USUAL_LIFESPAN_S, Queue, bad_queue
from tests.zulip.refusal import Refusal, bad_gateway, missing
from tests.zulip.routes import route
from tests.zulip.sending import LONGEST_CONTENT, LONGEST_TOPIC
from tests.zulip.things import Json, User

_OPERATORS = {"stream", "channel", "topic", "sender", "is", "dm", "has", "search", "near", "id", "pm-with"}


@route("POST", "/register")
def register(call: Call) -> Json:
    if call.world.broken.events_are_down:
        raise _broken_inside()
    event_types = call.strings("event_types")
    fetched = call.strings("fetch_event_types")
    queue = _queue(call, event_types)
    state = _state(call, event_types if fetched is None else fetched)
    told = event_types if fetched is None else fetched
    if told is None or "message" in told:
        ids = [each.id for each in call.realm.messages.values() if call.user.id in each.rows]
        state["max_message_id"] = max(ids, default=-1)
    call.world.queues.add(queue)
    return {"queue_id": queue.id, **wire.version(), **state, "last_event_id": -1}


def _queue(call: Call, event_types: list[str] | None) -> Queue:
    lifespan = call.data("queue_lifespan_secs")
    if isinstance(lifespan, int) and lifespan < 0:
        raise _broken_inside()
    return Queue(
        call.user.id,
        event_types,
        apply_markdown=call.yes("apply_markdown", default=False),
        client_gravatar=call.yes("client_gravatar", default=True),
        all_public=call.yes("all_public_streams"),
        narrow=_narrow(call),
        capabilities=_capabilities(call),
        lifespan=lifespan or USUAL_LIFESPAN_S,
    )


def _broken_inside() -> Refusal:
    refusal = Refusal("Internal server error", status=500)
    del refusal.body["code"]
    return refusal


def _narrow(call: Call) -> list[list[str]]:
    narrow: list[Any] = call.data("narrow") or []
    for number, each in enumerate(narrow):
        if not isinstance(each, list):
            raise Refusal(f"narrow[{number}] is not a list")
        operator = str(cast("list[Any]", each)[0])
        if operator not in _OPERATORS:
            raise Refusal(f"Operator {operator} not supported.")
    return narrow


def _capabilities(call: Call) -> Json:
    capabilities: Json = call.data("client_capabilities") or {}
    if capabilities and "notification_settings_null" not in capabilities:
        raise Refusal("notification_settings_null key is missing from client_capabilities")
    return capabilities


def _state(call: Call, types: list[str] | None) -> Json:
    """What a bridge looks at of the many things that a real server tells."""
    kinds: dict[str, Callable[[Call], Json]] = {
        "realm": _realm,
        "realm_user": _people,
        "subscription": _subscriptions,
        "stream": _streams,
        "realm_user_groups": _groups,
        "realm_emoji": lambda asking: {"realm_emoji": emoji_list(asking)},
        "realm_linkifiers": lambda _: {"realm_linkifiers": list[Json]()},
    }
    state: Json = {}
    for name, tell in kinds.items():
        if types is None or name in types:
            state |= tell(call)
    call.maybe("include_subscribers")
    call.maybe("slim_presence")
    return state


def _streams(call: Call) -> Json:
    known = (each for each in call.realm.channels.values() if call.realm.may_read(call.user, each))
    return {"streams": [wire.channel(each) for each in known]}


def _groups(call: Call) -> Json:
    return {"realm_user_groups": [wire.group(each) for each in call.realm.groups.values()]}


def _realm(call: Call) -> Json:
    settings = call.realm.settings.model_dump()
    return {f"realm_{name}": value for name, value in settings.items()} | {
        "realm_name": "Lab",
        "realm_url": call.world.url,
        "realm_uri": call.world.url,
        "realm_wildcard_mention_policy": 5,
        "realm_message_retention_days": -1,
        "max_message_length": LONGEST_CONTENT,
        "max_topic_length": LONGEST_TOPIC,
        "max_stream_name_length": 60,
        "max_file_upload_size_mib": 25,
        "event_queue_longpoll_timeout_seconds": 90,
        "server_emoji_data_url": f"{call.world.url}{emoji.TABLE}",
        "server_generation": call.world.generation,
    }


def _people(call: Call) -> Json:
    known = [each for each in call.realm.users.values() if not each.of_the_server]
    own = wire.person(call.user)
    return {name: own[name] for name in ("is_admin", "is_owner", "user_id", "email", "delivery_email", "full_name")} | {
        "realm_users": [_at_register(each) for each in known if each.is_active],
        "realm_non_active_users": [_at_register(each) for each in known if not each.is_active],
        "cross_realm_bots": [
            wire.person(each) | {"is_system_bot": True} for each in call.realm.users.values() if each.of_the_server
        ],
    }


def _at_register(user: User) -> Json:
    known = wire.person(user)
    del known["is_active"]
    return known if user.is_bot else known | {"profile_data": {}}


def _subscriptions(call: Call) -> Json:
    with_subscribers = call.yes("include_subscribers")
    mine: list[Json] = []
    others: list[Json] = []
    for channel in call.realm.channels.values():
        if channel.archived:
            continue
        who: Json = {"subscribers": call.realm.members(channel.id)} if with_subscribers else {}
        if call.user.id in channel.members:
            mine.append(wire.subscription(channel, at_register=True) | who)
        elif not channel.private:
            others.append(wire.channel(channel) | who)
    return {"subscriptions": mine, "unsubscribed": list[Json](), "never_subscribed": others}


def emoji_list(call: Call) -> Json:
    return {
        str(each.id): {
            "id": str(each.id),
            "name": each.name,
            "source_url": f"/user_avatars/2/emoji/images/{each.id}.png",
            "deactivated": each.deactivated,
            "author_id": each.author_id,
            "still_url": None,
        }
        for each in call.realm.emoji.values()
    }


@route("GET", "/events")
async def poll(call: Call) -> Json:
    """Answers at once with what is not acknowledged yet, or waits. Only an answer that waited tells the queue's id."""
    queue_id, last = call.maybe("queue_id"), call.data("last_event_id")
    dont_block = call.yes("dont_block")
    event_types = call.strings("event_types")
    if queue_id is None:
        if event_types is None:
            raise _missing_here("queue_id")
        queue = call.world.queues.add(Queue(call.user.id, event_types))
        return {"events": list[Json](), "queue_id": queue.id}
    if last is None:
        raise _missing_here("last_event_id")
    queue = call.world.queues.find(queue_id, call.user.id)
    queue.last_seen = call.world.clock.now()
    queue.acknowledge(int(last))
    if queue.events or dont_block:
        queue.release()
        return {"events": queue.events}
    call.waited = True
    await call.world.queues.wait(queue)
    if call.world.broken.events_are_down:
        raise bad_gateway()
    return {"events": list(queue.events), "queue_id": queue.id}


def _missing_here(name: str) -> Refusal:
    """The event server's own words."""
    refusal = missing(name)
    del refusal.body["var_name"]
    return Refusal(refusal.body["msg"])


@route("DELETE", "/events")
def stop_listening(call: Call) -> Json:
    queue_id = call.need("queue_id")
    if not queue_id:
        raise bad_queue(queue_id)
    call.world.queues.remove(call.world.queues.find(queue_id, call.user.id))
    return {}
