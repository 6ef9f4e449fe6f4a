"""How long the key of a room serves: as the room wants it, and never longer than is good for any room."""

import dataclasses
import datetime as dt
from collections.abc import Iterable

from nio import RoomEncryptionEvent
from nio.crypto import OutboundGroupSession

MOST_MESSAGES = 100
LONGEST = dt.timedelta(days=7)
SHORTEST = dt.timedelta(hours=1)
"""A key must live until it is shared, however slow the homeserver is. Other clients do not go below this either."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rotation:
    """After how many messages, and after what time, a room has a new key."""

    messages: int = MOST_MESSAGES
    age: dt.timedelta = LONGEST

    def rule(self, key: OutboundGroupSession) -> None:
        """Have a key expire accordingly, also one that serves already."""
        key.max_messages = self.messages
        key.max_age = self.age


def rotation_of(events: Iterable[object]) -> Rotation | None:
    """What the last of a room's own words on its encryption asks for; nothing where there are none."""
    found: Rotation | None = None
    for event in events:
        if isinstance(event, RoomEncryptionEvent) and not event.decrypted and event.source.get("state_key") == "":
            content = event.source["content"]
            messages = _number(content.get("rotation_period_msgs"), MOST_MESSAGES)
            age_ms = _number(content.get("rotation_period_ms"), LONGEST // dt.timedelta(milliseconds=1))
            found = Rotation(messages, max(SHORTEST, dt.timedelta(milliseconds=age_ms)))
    return found


def _number(value: object, most: int) -> int:
    """A number of at least one, up to a bound; the bound where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        return most
    return min(value, most)
