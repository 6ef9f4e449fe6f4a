"""Why a key was kept from us, where the writer's app says so. It is a hint and proves nothing.

Of what the app says only the code counts: no word of it is ever shown.
"""

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import structlog
from nio import BadEvent, Event, RoomKeyEvent, UnknownBadEvent, UnknownToDeviceEvent

from bot.bridge import Cause
from bridges.matrix.reading import is_name

MOST_REMEMBERED = 1000
AGAIN = "write it again, as a new message"
CAUSES = {
    "m.unverified": Cause(
        "it sends keys to verified devices only, and mine is not verified there",
        "in the security settings of your app, let messages go to devices that are not verified. "
        f"Then {AGAIN}, or write with another app.",
    ),
    "m.blacklisted": Cause(
        "it is told to keep keys from my device",
        f"lift the block of my device in your app. Then {AGAIN}, or write with another app.",
    ),
    "m.unauthorised": Cause(
        "it takes me for somebody who may not read there",
        f"look whether I am in the room, and invite me anew if not. Then {AGAIN}, or write with another app.",
    ),
    "m.unavailable": Cause(
        "it does not have the key any more",
        f"{AGAIN}, or write with another app.",
    ),
    "m.no_olm": Cause(
        "it found no way to send the key to my device",
        f"{AGAIN}: the way may be open by now. If not, log in anew in your app, or write with another app.",
    ),
}
OTHER = Cause("it keeps the key from me, for a reason that I do not know", f"{AGAIN}, or write with another app.")

Name = tuple[str, str, str]
"""A sender, a room and a session; or a sender, nothing, and the key of a device that got no channel to ours."""

log = structlog.get_logger(__name__)


class Withheld:
    """What the apps of listed people have said of keys that they kept back."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self._causes: collections.OrderedDict[Name, Cause] = collections.OrderedDict()
        """The longest known first."""
        self._latest: collections.OrderedDict[tuple[str, str], tuple[str, Cause]] = collections.OrderedDict()
        """By user and room: what was said last, and by the device with which key. What it has given since ends that."""

    def note(self, events: Iterable[object]) -> None:
        """Some of these may be about keys that were kept back, or bring keys after all."""
        for event in events:
            if isinstance(event, RoomKeyEvent):
                self._came(event)
            if not (isinstance(event, UnknownToDeviceEvent) and event.type == "m.room_key.withheld"):
                continue
            code, name = event.source["content"].get("code"), _name(event)
            if name is None or not isinstance(code, str) or not self._counts(event.sender):
                continue
            log.warning("a key is kept from this device", sender=event.sender, code=code, room=name[1])
            self._causes[name] = CAUSES.get(code, OTHER)
            self._causes.move_to_end(name)
            self._latest[event.sender, name[1]] = str(event.source["content"].get("sender_key")), self._causes[name]
            self._latest.move_to_end((event.sender, name[1]))
        for known in (self._causes, self._latest):
            while len(known) > MOST_REMEMBERED:
                known.popitem(last=False)

    def _came(self, key: RoomKeyEvent) -> None:
        """A device gives its keys: what it said before explains only what it wrote before."""
        for name in ((key.sender, key.room_id), (key.sender, "")):
            if name in self._latest and self._latest[name][0] == key.sender_key:
                del self._latest[name]

    def latest(self, user: str, room: str) -> tuple[str, Cause] | None:
        """Why a key of a user was kept back last, for a room or for all, and the key of the device that said so."""
        return self._latest.get((user, room)) or self._latest.get((user, ""))

    def why(self, event: Event | BadEvent | UnknownBadEvent, room: str) -> Cause | None:
        """Why this cannot be read, where its sender's app said so."""
        sender, content = event.source.get("sender"), event.source.get("content")
        if not isinstance(sender, str) or not isinstance(content, dict):
            return None
        said = cast("Mapping[str, object]", content)
        names = (sender, room, str(said.get("session_id"))), (sender, "", str(said.get("sender_key")))
        return next((self._causes[name] for name in names if name in self._causes), None)


def _name(event: UnknownToDeviceEvent) -> Name | None:
    """What a notice is about."""
    content = event.source["content"]
    room, about = content.get("room_id"), content.get("session_id")
    if content.get("code") == "m.no_olm":
        room, about = "", content.get("sender_key")
    elif not is_name(room):
        return None
    return (event.sender, room, about) if is_name(about) else None
