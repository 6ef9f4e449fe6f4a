"""What comes in of a verification: by messages to our device, or as events of a room.

Some clients send both in clear, in encrypted rooms, too. That costs nothing: what people compare proves who speaks.
"""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, cast

from nio import Event, SyncResponse

from bridges.matrix.connection import age_s
from bridges.matrix.reading import LATEST_MS, content_of, is_name, relation_of

KIND = "m.key.verification."


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A message of a verification, as it came."""

    user: str
    kind: str
    """`request`, `ready`, `start` and so on."""
    content: Mapping[str, Any]
    transaction: str
    room: str | None
    """Nothing, where it came to the device alone."""
    age_s: float = 0.0


def heard_in(response: SyncResponse, me: str) -> list[Heard]:
    """All that a batch brings."""
    sources: list[object] = [getattr(event, "source", None) for event in response.to_device_events]
    found = [heard_by_device(cast("Mapping[str, Any]", each)) for each in sources if isinstance(each, dict)]
    for room, info in response.rooms.join.items():
        for event in info.timeline.events:
            if isinstance(event, Event):
                age = age_s(response, event.server_timestamp, since_received=0.0)
                found.append(heard_in_room(event.source, room, me, age))
    return [each for each in found if each is not None]


def heard_by_device(source: Mapping[str, Any]) -> Heard | None:
    """What a message to our device says of a verification."""
    content, kind, user = content_of(source), source.get("type"), source.get("sender")
    transaction, sent = content.get("transaction_id"), content.get("timestamp")
    if not isinstance(kind, str) or not kind.startswith(KIND) or not is_name(user) or not is_name(transaction):
        return None
    age_s = time.time() - min(max(0, sent), LATEST_MS) / 1000 if isinstance(sent, int) else 0.0
    return Heard(user, kind.removeprefix(KIND), content, transaction, None, age_s)


def heard_in_room(source: Mapping[str, Any], room: str, me: str, age_s: float) -> Heard | None:
    """What an event of somebody else says of a verification with us."""
    content, kind, user, event = content_of(source), source.get("type"), source.get("sender"), source.get("event_id")
    if not isinstance(kind, str) or not is_name(user) or not is_name(event) or user == me:
        return None
    if kind == "m.room.message" and content.get("msgtype") == KIND + "request" and content.get("to") == me:
        return Heard(user, "request", content, event, room, age_s)
    about = relation_of(source).get("event_id")
    if not kind.startswith(KIND) or not is_name(about):
        return None
    return Heard(user, kind.removeprefix(KIND), content, about, room, age_s)
