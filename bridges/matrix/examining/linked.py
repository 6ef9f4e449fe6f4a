"""The rooms that are places of channels: whether the bot is in each. Elsewhere it neither hears nor says anything."""

from collections.abc import Sequence

from bot.findings import Findings, bad, good
from bot.words.message import Place
from bridges.matrix.examining.rooms import joined_rooms
from bridges.matrix.reading import NETWORK
from bridges.matrix.session import Session


async def linked(session: Session, places: Sequence[Place]) -> Findings:
    """A finding for each room that the bot is not in, or one for all of them."""
    here = [each for each in places if each.network == NETWORK]
    if not here:
        return
    joined = frozenset(await joined_rooms(session))
    away = [each for each in here if each.id not in joined]
    for each in away:
        what = f"The bot is not in {each}, a place in [channels]: nothing is heard there, and nothing brought there."
        yield bad("places", what, "Invite it there, as somebody on the list.")
    if not away:
        yield good("places", f"The bot is in each room of [channels]: {len(here)}.")
