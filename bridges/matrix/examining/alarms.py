"""The rooms where the bot raises alarms: whether it can, and whether each hears them once."""

import collections
from collections.abc import Sequence

from bot.findings import Findings, bad, good, warn
from bot.words.errors import NetworkError, Unreachable
from bot.words.glyphs import quoted
from bot.words.message import Place
from bridges.matrix.examining.rooms import MOST_ROOMS, joined_rooms, name_of
from bridges.matrix.reading import NETWORK
from bridges.matrix.rooms import by_alias
from bridges.matrix.session import Session

AGAIN = "and run `tocsin reload`"


async def alarms(session: Session, places: Sequence[Place]) -> Findings:
    """A finding for each place with which something is wrong, or one for all of them."""
    here = [each.id for each in places if each.network == NETWORK]
    if not here:
        return
    joined = await joined_rooms(session)
    called: collections.defaultdict[str, list[str]] = collections.defaultdict(list)
    """By room: how the file calls it."""
    for place in here:
        try:
            found = await _meant(session, place, joined)
        except Unreachable:
            raise
        except NetworkError as error:
            yield bad("alarms", error.what, f"Mend `alarms` in [bot], {AGAIN}.")
            continue
        if len(found) > 1:
            what = f"The bot is in {len(found)} rooms that are called {quoted(place)}: alarms may wait for ever."
            yield bad("alarms", what, f"Name it in `alarms` of [bot] by its id, {' or '.join(found)}, {AGAIN}.")
        elif not found or found[0] not in joined:
            what = f"The bot is not in {quoted(place)}: no alarm gets there."
            yield bad("alarms", what, "Invite it there, as somebody on the list.")
        else:
            called[found[0]].append(place)
    for room, names in called.items():
        if len(names) > 1:
            what = f"{' and '.join(map(quoted, names))} are one room: each alarm is said there {len(names)} times."
            yield warn("alarms", what, f"Leave one of them in `alarms` of [bot], best {room}, {AGAIN}.")
    if len(called) == len(here):
        yield good("alarms", f"The bot is in each room where it raises them: {len(here)}.")


async def _meant(session: Session, called: str, joined: Sequence[str]) -> list[str]:
    """The rooms that may be meant. Among those of one name only rooms that the bot is in."""
    if called.startswith("!"):
        return [called]
    if called.startswith("#"):
        return [await by_alias(session, called)]
    return [room for room in joined[:MOST_ROOMS] if await name_of(session, room) == called]
