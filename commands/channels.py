"""`!channels`, `!link`, `!unlink`: which places are one conversation, and what waits for each of them."""

import time
from collections.abc import Sequence

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.store import outbox
from bot.words.document import Document, Span, Tone, document, mono, table, text
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.message import Lane, Place, Standing
from bot.words.people import Role
from bot.words.times import span

LONGEST_ERROR = 120
KEPT = "words kept back: encrypted"
"""Short, as it stands in a table. Below that stands where they do not go, and what to do."""


@command("channels", role=Role.VIEWER, action=Action.INSPECT, summary="Show which places are one conversation")
async def show(call: Call) -> Document:
    """Each place with what waits for it, for how long, and what keeps it."""
    channels = call.system.channels()
    if not channels:
        return document(
            text("No places are linked. To link an encrypted room with another place, in it: ", mono("!link PLACE"))
        )
    waits: dict[str, tuple[int, float]] = {}
    entries = [place for channel in channels for place in channel.places]
    for each in await call.system.store.read(outbox.waiting_at):
        name = _entry(entries, each.place)
        count, oldest = waits.get(name, (0, each.oldest))
        waits[name] = (count + each.count, min(oldest, each.oldest))
    refused = await _refused(call, entries)
    troubles = {
        _entry(entries, away.place): away.error for way_out in call.system.ways_out.values() for away in way_out.away()
    }
    now = time.time()
    rows: list[tuple[Span | str, ...]] = []
    for channel in channels:
        kept = {str(place) for place in call.system.linking.kept_back(channel)}
        for place in map(str, channel.places):
            count, oldest = waits.get(place, (0, now))
            error = cut(one_line(troubles.get(place) or refused.get(place, "")), LONGEST_ERROR)
            notes = (KEPT if place in kept else "", error or ("on its way" if count else ""))
            state = Span("; ".join(filter(None, notes)) or "up to date", tone=Tone.BAD if error else Tone.PLAIN)
            rows.append((channel.name, mono(place), str(count) if count else "–", span(now - oldest), state))
    told = [each for channel in channels for each in call.system.linking.told_of_kept_back(channel)]
    return document(table(("channel", "place", "waits", "for", ""), rows), *told)


@command(
    "link",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    summary="Make one conversation of this encrypted room and another place",
)
async def link(call: Call, place: str) -> Document:
    """Such as `!link zulip:5/lab`, in the encrypted room that it is linked with.

    What is said in encrypted rooms stays there, unless the configuration says so.
    """
    if call.message.standing is Standing.LOCAL:
        raise Refused(
            f"This would link your own terminal, {call.message.place}.",
            hint="Type it in the encrypted room that you mean, or have the configuration name both places in"
            " [channels.NAME], and then: tocsin reload",
        )
    there = _place(place)
    if there.network not in call.system.ways_out:
        networks = ", ".join(sorted(call.system.ways_out)) or "none"
        raise UsageError(f"There is no network {quoted(there.network)}.", hint=f"There is {networks}.")
    channel = await call.system.linking.link(call.system.store, call.message.place, there, call.person)
    done = text("Linked as ", mono(channel.name), ". To part it again: ", mono(f"!unlink {place}"))
    return document(done, *call.system.linking.told_of_kept_back(channel))


@command("unlink", role=Role.COMMANDER, action=Action.GOVERN, summary="Part a place that was linked from chat")
async def unlink(call: Call, place: str = "") -> Document:
    """This one, where none is named."""
    parted = _place(place) if place else call.message.place
    channel = await call.system.linking.unlink(call.system.store, parted, call.person)
    return document(text("Parted: ", mono(str(parted)), " is not in ", mono(channel.name), " any more."))


async def _refused(call: Call, entries: Sequence[Place]) -> dict[str, str]:
    """What each place refused last, as it is listed."""
    taken: dict[str, float] = {}
    for place, at in (await call.system.store.read(outbox.last_taken)).items():
        name = _entry(entries, place)
        taken[name] = max(at, taken.get(name, at))
    refused: dict[str, str] = {}
    for each in await call.system.store.read(outbox.refusals):
        # What people said is missing there. Words of the bot itself say no more than whether it can speak there.
        if each.lane is Lane.TALK or each.at > taken.get(_entry(entries, each.place), 0.0):
            refused.setdefault(_entry(entries, each.place), f"refused: {each.error}")
    return refused


def _entry(entries: Sequence[Place], place: Place) -> str:
    """The place as it is listed: a topic of a whole is one of its own only where it is listed, too."""
    wholes = (whole for whole in entries if whole.topic_of(place) is not None)
    return str(place if place in entries else next(wholes, place))


def _place(word: str) -> Place:
    try:
        return Place.parse(word)
    except ValueError as error:
        raise UsageError(f"{quoted(word)}: a place {error}.", hint="!channels shows some.") from error
