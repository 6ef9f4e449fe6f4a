"""What of the recordings is not played against the stand-in, each with its reason; and what must happen between steps.

A step is named by how its name begins.
"""

from collections.abc import Callable

from tests.zulip import lab
from tests.zulip.world import World

_NO_LOGIN = "a bridge has a key and never logs in"
_NO_WIDGETS = "a bridge sends no widgets"
_NO_HISTORY = "a bridge does not ask for the history of one message"
_NO_LIST = "a bridge keeps no list of its uploads"
_NO_PRESENCE = "the presence of people is not relayed"
_NO_LINKIFIERS = "the stand-in has no linkifiers"
_PLAIN_MARKUP = "the stand-in shows lists, headings, tables and colours of code as plain text"
_AT_ONCE = "recorded while somebody else asked at the same time: see the stand-in's own tests"
_SETTINGS = "a bridge does not change a channel's settings"
_FLAGS = "a bridge marks nothing but what it has read"
_STRANGERS = "the limits of strangers are not kept"
_NEW_USERS = "a bridge does not look after roles, bots, names in use twice, statuses and groups"

LEFT_OUT: dict[str, dict[str, str]] = {
    "01-auth": {
        "wrong-host-header": "the stand-in is reached through proxies of tests, under other addresses",
        "fetch-api-key": _NO_LOGIN,
        "options": "a bridge never asks",
        "root-page": "the address of a login page is the server's own affair",
    },
    "03-send": {
        "widget-content": _NO_WIDGETS,
        "poll": _NO_WIDGETS,
        "get-stored-me": _NO_WIDGETS,
    },
    "04-edit": {"history": _NO_HISTORY},
    "05-delete": {"history": _NO_HISTORY},
    "08-upload": {
        "raw-anon": _STRANGERS,
        "temp-url-tampered": "the recording does not tell how the address was changed: see the stand-in's own tests",
        "attachment": _NO_LIST,
        "raw-after-delete": _NO_LIST,
    },
    "09-get-messages": {"matches-narrow": "a bridge never asks"},
    "12-subscriptions": {
        "sub-status": "a bridge looks at its own subscriptions only",
        "announce-only": _SETTINGS,
        "post-to-announce-only": _SETTINGS,
        "retention": _SETTINGS,
        "mute": _SETTINGS,
        "default-stream": _SETTINGS,
    },
    "14-typing-presence-flags": {
        "follow-topic": _SETTINGS,
        "presence": _NO_PRESENCE,
        "bad-": _FLAGS,
        "not-editable-flag": _FLAGS,
        "flags-narrow": _FLAGS,
        "mark-": _FLAGS,
        "receipts": _FLAGS,
    },
    "15-concurrent": {
        "concurrent": "six writers at once have no order that could be repeated: see the stand-in's own tests"
    },
    "10-event-queue": {
        "two-pollers-first": _AT_ONCE,
        "two-pollers-second": _AT_ONCE,
        "poll-released-by-delete": _AT_ONCE,
        "heartbeat": _AT_ONCE,
    },
    "13-users": {
        "bots-of-owner": _NEW_USERS,
        "avatar": _NEW_USERS,
        "status": _NEW_USERS,
        "presence": _NO_PRESENCE,
        "group-": _NEW_USERS,
        "groups-by-human": _NEW_USERS,
        "bot2": _NEW_USERS,
        "bot-create": _NEW_USERS,
    },
    "16-restart": {
        "SIGTERM-poll-in-flight": _AT_ONCE,
        "SIGKILL-poll-in-flight": _AT_ONCE,
    },
    "18-mention-flags": {"mute-topic": _SETTINGS},
    "20-linkifiers-emoji": {"linkif": _NO_LINKIFIERS, "emoji-names-data": "the table of emoji is the server's own"},
}

SHOWN_OTHERWISE = {
    **dict.fromkeys(
        (
            "list", "list-after-text", "heading", "table", "fence-lang", "backslash", "link-www", "link-bad-scheme",
            "link-brackets", "link-title", "image-syntax", "emphasis", "entities",
        ),
        _PLAIN_MARKUP,
    ),
    "share-image": "thumbnails are not made",
    "share-image-bang": "thumbnails are not made",
    "share-absolute": "thumbnails are not made",
}  # fmt: skip
"""Steps whose rendered HTML is not compared; what was typed still is."""


def _later(seconds: float) -> Callable[[World], None]:
    def go_on(world: World) -> None:
        world.clock.ahead += seconds

    return go_on


def _stop_events(world: World) -> None:
    world.broken.events_are_down = True
    world.queues.sleep()


def _kill_events(world: World) -> None:
    world.broken.events_are_down = True
    world.queues.forget_all()


def _start_events(world: World) -> None:
    world.broken.events_are_down = False
    world.start_again()


def _web_down(world: World) -> None:
    world.broken.web_is_down = True


def _web_up(world: World) -> None:
    world.broken.web_is_down = False


def _hearts_beat_fast(world: World) -> None:
    world.queues.heartbeat_s = 0.02


def _topics_of_a_first_try(world: World) -> None:
    """Before this recording there was another, which was thrown away; its topics were followed already."""
    for topic in ("rec13", "rec20"):
        world.followed |= {(user_id, lab.INCIDENTS, topic) for user_id in (lab.ALICE, lab.BOB)}


BEFORE: dict[tuple[str, str], Callable[[World], None]] = {
    ("04-edit", "limit-new-bob-message"): _later(30),
    ("04b-edit-limits", "edit-too-late"): _later(30),
    ("05-delete", "delete-too-late"): _later(5),
    ("10-event-queue", "expiry-poll-after-71s"): _later(71),
    ("10-event-queue", "expiry-poll-after-90s"): _later(90),
    ("10b-heartbeat", "narrowed-messages-register"): _hearts_beat_fast,
    ("13-users", "register"): _topics_of_a_first_try,
    ("16-restart", "SIGTERM-poll-while-down"): _stop_events,
    ("16-restart", "SIGTERM-first-answer-after-start"): _start_events,
    ("16-restart", "SIGKILL-poll-while-down"): _kill_events,
    ("16-restart", "SIGKILL-first-answer-after-start"): _start_events,
    ("16-restart", "django-down-post"): _web_down,
    ("18-mention-flags", "register"): _web_up,
}


def is_left_out(recording: str, step: str) -> bool:
    return any(step.startswith(name) for name in LEFT_OUT.get(recording, {}))


def is_shown_otherwise(step: str) -> bool:
    return step in SHOWN_OTHERWISE
