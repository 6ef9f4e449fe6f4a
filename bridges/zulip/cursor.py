"""How far the bot has heard a server: its queue there, the last event of it, and the highest message."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Self

from bridges.zulip.answers import LARGEST_ID, LEAST_MESSAGE, LEAST_TOPIC, Message
from bridges.zulip.realm import LONGEST_MESSAGE, LONGEST_TOPIC

UNKNOWN = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on. It is kept as a text."""

    site: str
    queue: str
    last: int
    """The event of the queue that is acknowledged by the next poll."""
    newest: int
    """The highest id of a message that came. Lower ones may still come."""
    first: int
    """The newest message when the bot was first there. What is older was never said to it."""
    longest_message: int = LONGEST_MESSAGE
    longest_topic: int = LONGEST_TOPIC
    """What the server does not cut, as it said when the queue was made."""
    account: int = UNKNOWN
    name: str = ""
    """Whose queue it is."""
    newest_s: float = 0.0
    """When the latest message that came was sent, on the server's clock."""
    known_from: int = LARGEST_ID
    """From this message on the bot knows where each stands. Older ones may have been moved without its knowing."""

    def past(self, said: Iterable[Message]) -> Self:
        """The cursor once these have come."""
        newest = max((each.id for each in said), default=-1)
        newest_s = max((each.timestamp for each in said), default=0.0)
        return dataclasses.replace(self, newest=max(self.newest, newest), newest_s=max(self.newest_s, newest_s))

    def __str__(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, kept: str | None, site: str) -> Self | None:
        """The cursor that was kept; nothing where it is of another server."""
        try:
            known = json.loads(kept or "")
            cursor = cls(
                str(known["site"]),
                str(known["queue"]),
                *(int(known[name]) for name in ("last", "newest", "first", "longest_message", "longest_topic")),
                account=int(known.get("account", UNKNOWN)),
                name=str(known.get("name", "")),
                newest_s=float(known.get("newest_s", 0.0)),
                known_from=int(known.get("known_from", int(known["newest"]) + 1)),
            )
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
            return None
        if cursor.longest_message < LEAST_MESSAGE or cursor.longest_topic < LEAST_TOPIC:
            return None
        if cursor.site != site or not all(-1 <= each <= LARGEST_ID for each in (cursor.last, cursor.newest)):
            return None
        return cursor
