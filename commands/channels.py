"""`!channels`, `!link`, `!unlink`: which places are one conversation, and what waits for each of them."""

import time
from collections.abc import Sequence

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.store import outbox
from bot.words.document import Document, Span, Tone, document, mono, table, text
from bot.words.errors import UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.message import Lane, Place
from bot.words.people import Role
from bot.words.times import span

LONGEST_ERROR = 120
MOST_FAILURES = 200


@command("channels", role=Role.VIEWER, action=Action.INSPECT, summary="Show which places are one conversation")
async def show(call: Call) -> Document:
    """Each place with what waits for it, for how long, and what keeps it."""
    channels = call.system.channels()
    if not channels:
        return document(text("No places are linked. To link this one with another: ", mono("!link PLACE")))
    waits: dict[str, tuple[int, float]] = {}
    entries = [place for channel in channels for place in channel.places]
    for each in await call.system.store.read(outbox.waiting_at):
        name = _entry(entries, each.place)
        count, oldest = waits.get(name, (0, each.oldest))
        waits[name] = (count + each.count, min(oldest, each.oldest))
    refused: dict[str, str] = {}
    for failure in await call.system.store.read(lambda tx: outbox.failures(tx, MOST_FAILURES)):
        if failure.lane is Lane.TALK:
            refused.setdefault(_entry(entries, failure.place), f"refused: {failure.error}")
    troubles = {
        _entry(entries, away.place): away.error for way_out in call.system.ways_out.values() for away in way_out.away()
    }
    now = time.time()
    rows: list[tuple[Span | str, ...]] = []
    for channel in channels:
        for place in map(str, channel.places):
            count, oldest = waits.get(place, (0, now))
            error = cut(one_line(troubles.get(place) or refused.get(place, "")), LONGEST_ERROR)
            state = Span(error, tone=Tone.BAD) if error else Span("up to date" if not count else "on its way")
            rows.append((channel.name, mono(place), str(count) if count else "–", span(now - oldest), state))
    return document(table(("channel", "place", "waits", "for", ""), rows))


@command("link", role=Role.COMMANDER, action=Action.GOVERN, summary="Make one conversation of this place and another")
async def link(call: Call, place: str) -> Document:
    """Such as `!link zulip:5/lab`. What is said in encrypted rooms stays there, unless the configuration says so."""
    there = _place(place)
    if there.network not in call.system.ways_out:
        networks = ", ".join(sorted(call.system.ways_out)) or "none"
        raise UsageError(f"There is no network {quoted(there.network)}.", hint=f"There is {networks}.")
    channel = await call.system.linking.link(call.system.store, call.message.place, there, call.person)
    return document(text("Linked as ", mono(channel.name), ". To part it again: ", mono(f"!unlink {place}")))


@command("unlink", role=Role.COMMANDER, action=Action.GOVERN, summary="Part a place that was linked from chat")
async def unlink(call: Call, place: str = "") -> Document:
    """This one, where none is named."""
    parted = _place(place) if place else call.message.place
    channel = await call.system.linking.unlink(call.system.store, parted, call.person)
    return document(text("Parted: ", mono(str(parted)), " is not in ", mono(channel.name), " any more."))


def _entry(entries: Sequence[Place], place: Place) -> str:
    """The place as it is listed: a topic of a whole is one of its own only where it is listed, too."""
    wholes = (whole for whole in entries if whole.topic_of(place) is not None)
    return str(place if place in entries else next(wholes, place))


def _place(word: str) -> Place:
    try:
        return Place.parse(word)
    except ValueError as error:
        raise UsageError(f"{quoted(word)}: a place {error}.", hint="!channels shows some.") from error
