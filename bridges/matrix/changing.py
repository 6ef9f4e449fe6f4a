"""What of a batch changes what was said before: edits, and what is taken back. It commands nothing.

Whatever a stranger has found, it costs one event at most, and what was asked before is void all the same.
"""

import dataclasses
from collections.abc import Iterable

import structlog
from nio import Event, MatrixRoom
from nio.crypto import Olm

from bot.words.message import Change, Place, Standing
from bot.words.people import Account
from bridges.matrix.enclosing import renewed
from bridges.matrix.reading import NETWORK, AnyEvent, Arrived, changed, new_words
from bridges.matrix.trust import Trust

log = structlog.get_logger(__name__)


def changes_in(events: Iterable[Arrived], me: str, trust: Trust, olm: Olm) -> tuple[list[Change], int]:
    """What others have edited or taken back, also where nobody can read into what; and how many are odd."""
    found: list[Change] = []
    odd = 0
    for event, room in events:
        bare = whole = None
        try:
            bare = _bare(event, room, me)
            whole = bare and _whole(bare, event, room, trust, olm)
        except Exception as error:  # noqa: BLE001 - whatever a stranger has found
            odd += 1
            log.warning("an odd change is not read", room=room.room_id, error=type(error).__name__)
        change = whole or bare
        found += [] if change is None else [change]
    return found, odd


def _bare(event: AnyEvent, room: MatrixRoom, me: str) -> Change | None:
    """That something was changed, and by whom."""
    change = changed(event)
    if change is None or change.by == me:
        return None
    return Change(Place(NETWORK, room.room_id), change.event, Account(NETWORK, change.by), removed=change.removed)


def _whole(change: Change, event: AnyEvent, room: MatrixRoom, trust: Trust, olm: Olm) -> Change:
    """The same with what stands there now, and how sure it is who has written that. What is odd, nobody has."""
    standing = trust.standing_of(event, room, olm)[0] if isinstance(event, Event) else Standing.UNPROVEN
    if change.removed:
        return dataclasses.replace(change, standing=standing)
    files, caption = renewed(event)
    return dataclasses.replace(change, text=new_words(event) or caption, standing=standing, files=files)
