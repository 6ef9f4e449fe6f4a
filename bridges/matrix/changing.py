"""What of a batch changes what was said before: edits, and what is taken back. It commands nothing."""

from collections.abc import Iterable

from nio import Event, MatrixRoom
from nio.crypto import Olm

from bot.words.message import Change, Place, Standing
from bot.words.people import Account
from bridges.matrix.enclosing import renewed
from bridges.matrix.reading import NETWORK, AnyEvent, Arrived, changed
from bridges.matrix.trust import Trust


def changes_in(events: Iterable[Arrived], me: str, trust: Trust, olm: Olm) -> list[Change]:
    """What others have edited or taken back, also where nobody can read into what."""
    found: list[Change] = []
    for event, room in events:
        change = changed(event)
        if change is None or change.by == me:
            continue
        files, caption = renewed(event)
        found.append(
            Change(
                Place(NETWORK, room.room_id),
                change.event,
                Account(NETWORK, change.by),
                removed=change.removed,
                text=change.text or caption,
                standing=_standing_of(event, room, trust, olm),
                files=files,
            )
        )
    return found


def _standing_of(event: AnyEvent, room: MatrixRoom, trust: Trust, olm: Olm) -> Standing:
    """How sure it is who has written an event. What is odd, nobody has."""
    return trust.standing_of(event, room, olm)[0] if isinstance(event, Event) else Standing.UNPROVEN
