"""`!audit` and what begins so: what is recorded, and whether it still is what was signed."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Annotated, TypeVar

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.kinds import Between
from bot.desk.rest import LONGEST_ANSWER
from bot.record import finding, held_keys, proving, showing
from bot.record.opening import PUBLIC
from bot.record.verifying import verify
from bot.record.witnesses.aside import Aside
from bot.store import Tx, searching
from bot.store.searching import Record
from bot.words.document import Document, code, document, mono, text
from bot.words.errors import UsageError
from bot.words.people import Role

NEWEST = 10
MOST_AT_ONCE = 200
LARGEST_NUMBER = 2**53 - 1
MAY_TAKE_S = 120.0
"""A record of many million entries is not checked here, but at the machine."""

T = TypeVar("T")
_ASIDE = Aside("record")


@command("audit", role=Role.OPERATOR, action=Action.INSPECT, summary="Show what was recorded last")
async def show_newest(call: Call, count: Annotated[int, Between(1, MOST_AT_ONCE)] = NEWEST) -> Document:
    """The newest entries, oldest first."""
    entries = await call.system.store.read(lambda tx: Record(tx).newest(count))
    if not entries:
        return document("Nothing is recorded yet.")
    return Document(
        (
            *showing.listed(entries, dt.datetime.now(dt.UTC)).blocks,
            text("All that came of one: ", mono("!audit show ID")),
        )
    )


@command(
    "audit show",
    role=Role.OPERATOR,
    action=Action.INSPECT,
    may_take_s=MAY_TAKE_S,
    summary="Show all that came of a command or an incident",
)
async def show_one(call: Call, id_or_number: str) -> Document:
    """By the first letters of its id; or one entry by its number."""
    found = await _aside(call, lambda tx: finding.meant(Record(tx), id_or_number))
    return showing.answer(found)


@command(
    "audit verify",
    role=Role.OPERATOR,
    action=Action.INSPECT,
    may_take_s=MAY_TAKE_S,
    summary="Check whether the record is the one that was signed",
)
async def check(call: Call) -> Document:
    """Against its own signatures, and what those witnesses hold that can be asked from here."""
    path = call.system.store.path
    keys = await asyncio.to_thread(held_keys.in_file, path.with_name(PUBLIC))
    witnessed = await call.system.witnessed()  # before the record is read: it goes on growing
    return showing.judged(await _alone(lambda: verify(path, keys, witnessed)))


@command("audit prove", role=Role.OPERATOR, action=Action.INSPECT, summary="Make a proof of one entry, by its number")
async def prove(call: Call, number: Annotated[int, Between(1, LARGEST_NUMBER)]) -> Document:
    """It stands alone, and opens no box: whom the entry names stays with us."""
    proof = code(await _aside(call, lambda tx: proving.prove(tx, number)), "json")
    kept = text("Kept in a file it is checked anywhere: ", mono("tocsin audit check-proof FILE"))
    if LONGEST_ANSWER.holds(proof, kept):
        return Document((proof, kept))
    return document(
        text(
            f"The proof of entry {number} is too long for a message. On the machine: ",
            mono(f"tocsin audit prove {number} -o FILE"),
        )
    )


async def _aside(call: Call, work: Callable[[Tx], T]) -> T:
    """Read with a connection of its own: looking through all entries must keep nobody from the store."""

    def read() -> T:
        with searching.opened(call.system.store.path) as tx:
            return work(tx)

    return await _alone(read)


async def _alone(work: Callable[[], T]) -> T:
    """In a thread of its own, one at a time: what takes long here must hold up neither the bridges nor the end."""
    if _ASIDE.is_at_work:
        raise UsageError("Somebody is looking through the record just now.", hint="Ask again in a moment.")
    return await _ASIDE.run(work)
