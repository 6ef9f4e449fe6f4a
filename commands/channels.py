"""`!channels`: which places are one conversation, and what waits for each of them."""

import time

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.store import outbox
from bot.words.document import Document, Span, Tone, document, mono, table
from bot.words.glyphs import cut, one_line
from bot.words.people import Role
from bot.words.times import span

LONGEST_ERROR = 120


@command("channels", role=Role.VIEWER, action=Action.INSPECT, summary="Show which places are one conversation")
async def show(call: Call) -> Document:
    """Each place with what waits for it, for how long, and what keeps it."""
    channels = call.system.channels()
    if not channels:
        return document("No channel is configured.")
    waits: dict[str, tuple[int, float]] = {}
    for each in await call.system.store.read(outbox.waiting_at):
        count, oldest = waits.get(str(each.place), (0, each.oldest))
        waits[str(each.place)] = (count + each.count, min(oldest, each.oldest))
    troubles = {str(away.place): away.error for way_out in call.system.ways_out.values() for away in way_out.away()}
    now = time.time()
    rows: list[tuple[Span | str, ...]] = []
    for channel in channels:
        for place in map(str, channel.places):
            count, oldest = waits.get(place, (0, now))
            error = cut(one_line(troubles.get(place, "")), LONGEST_ERROR)
            state = Span(error, tone=Tone.BAD) if error else Span("up to date" if not count else "on its way")
            rows.append((channel.name, mono(place), str(count) if count else "–", span(now - oldest), state))
    return document(table(("channel", "place", "waits", "for", ""), rows))
