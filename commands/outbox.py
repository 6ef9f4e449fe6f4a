"""`!outbox`: what waits to be said, and where; what a network refused for good."""

import time
from typing import Annotated

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.kinds import Between
from bot.outgoing import Away
from bot.store import outbox
from bot.store.outbox import Failure
from bot.words.document import Block, Document, Items, Span, Text, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.message import Place
from bot.words.people import Role
from bot.words.times import span

MOST_FAILURES = 20
MOST_OF_AN_ERROR = 120
LARGEST_NUMBER = 2**63 - 1
"""Of a row: the database counts no further."""


@command("outbox", role=Role.OPERATOR, action=Action.INSPECT, summary="Show what waits to be said, and what cannot be")
async def show_outbox(call: Call) -> Document:
    """Each place with its queue, which places are away, then what a network refused."""
    system = call.system
    waiting = await system.store.read(outbox.waiting_at)
    failures = await system.store.read(lambda tx: outbox.failures(tx, MOST_FAILURES))
    if not waiting and not failures:
        return document("Nothing waits, and nothing was refused.")
    now = time.time()
    blocks: list[Block] = []
    if waiting:
        rows = [
            (mono(str(each.place)), each.lane.name.lower(), str(each.count), span(now - each.oldest))
            for each in waiting
        ]
        blocks.append(table(("place", "lane", "waiting", "oldest"), rows))
        places = {each.place for each in waiting}
        away = [each for out in system.ways_out.values() for each in out.away() if each.place in places]
        if away:
            blocks += [text(strong("Away", Tone.WARN)), Items(tuple(map(_absence, away)))]
    if failures:
        blocks += [text(strong("Refused for good", Tone.BAD)), Items(tuple(map(_failure, failures)))]
        blocks.append(text("Once more: ", mono("!outbox retry NUMBER"), ". Drop it: ", mono("!outbox discard NUMBER")))
    return document(*blocks)


@command("outbox retry", role=Role.OPERATOR, action=Action.RUN, summary="Send again what was refused: one, or all")
async def retry(call: Call, number: Annotated[int, Between(1, LARGEST_NUMBER)] | None = None) -> Document:
    """Queue it again, under the key that it had."""
    count = await call.system.store.write(lambda tx: outbox.retry(tx, number))
    if not count:
        raise UsageError(
            "Nothing was refused that can be sent again." if number is None else f"{number} cannot be sent again.",
            hint="!outbox shows what was refused. Its words are kept for a day.",
        )
    return document(text(strong("Queued again", Tone.GOOD), f": {_messages(count)}."))


@command("outbox discard", role=Role.OPERATOR, action=Action.RUN, summary="Drop a refused message, or a place's queue")
async def discard(call: Call, number_or_place: str) -> Document:
    """The words go; that they were there stays on record. What tells of a stop is never dropped."""
    which = _which(call, number_or_place)
    count = await call.system.store.write(lambda tx: outbox.discard(tx, which))
    if not count:
        raise UsageError(
            f"Nothing was dropped of {quoted(number_or_place)}.",
            hint="What tells of a stop stays, and so does the first that waits: it may be on its way.",
        )
    return document(text(strong("Dropped", Tone.WARN), f": {_messages(count)}."))


def _which(call: Call, word: str) -> list[int] | Place:
    if word.isdecimal() and 0 < int(word) <= LARGEST_NUMBER:
        return [int(word)]
    try:
        place = Place.parse(word)
    except ValueError:
        place = None
    if place is None or place.network not in call.system.ways_out:
        raise UsageError(
            f"{quoted(word)} is neither the number of a message nor a place.", hint="!outbox shows numbers and places."
        )
    return place


def _absence(away: Away) -> Text:
    return text(mono(str(away.place)), f" again in {span(away.next_try_in_s)}: {_short(away.error)}")


def _failure(failure: Failure) -> Text:
    error = Span(_short(failure.error), tone=Tone.BAD)
    return text(mono(str(failure.row)), " ", mono(str(failure.place)), f" {quoted(failure.words)}: ", error)


def _short(error: str) -> str:
    return cut(one_line(error), MOST_OF_AN_ERROR)


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
