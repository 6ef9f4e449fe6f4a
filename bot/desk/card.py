"""What a second person agrees to: the command as it was understood, and all that it hits, as it is just now."""

import asyncio
import hashlib

import rfc8785

from bot.desk.authority import a
from bot.desk.call import Call
from bot.desk.command import Command, Stakes
from bot.desk.signature import Bound
from bot.store.requests import Request
from bot.words.document import Block, Document, Span, Tone, Words, mono, strong, table, text
from bot.words.message import Message, Standing
from bot.words.people import Person, Role
from bot.words.times import clock, span

MOST_IN_THE_TABLE = 20


async def stakes_of(command: Command, call: Call, bound: Bound) -> Stakes:
    """What the command would hit. It says so without touching it, and within its time."""
    if command.preview is None:
        return Stakes(())
    async with asyncio.timeout(command.may_take_s):
        return await command.preview(call, *bound.args, **bound.kwargs)


def line_of(command: Command, bound: Bound) -> str:
    """The command as it was understood, in one line."""
    return f"!{command.name} {bound.text}".rstrip()


def digest_of(person: Person, message: Message, asked: str, stakes: Stakes) -> str:
    """Of all that an approval is for: who asks, by which message, for exactly what, and how all that it hits is now."""
    bound_to = {
        "person": person.name,
        "account": str(message.account),
        "event": message.event,
        "asked": asked,
        "hits": [[hit.target, hit.now] for hit in stakes.hits],
        "note": stakes.note,
    }
    return hashlib.sha256(rfc8785.dumps(bound_to)).hexdigest()


def card_of(request: Request, command: Command, stakes: Stakes) -> Document:
    """What is shown to those who may agree."""
    rows: list[tuple[Words, Words]] = [
        ("command", mono(request.asked)),
        ("asked by", f"{request.person}, as {request.message.account.id}"),
        ("until", f"{clock(request.expires, request.made)}, {span(request.expires - request.made)} from now"),
    ]
    blocks: list[Block] = [
        text(strong("A second person must agree", Tone.WARN), ": ", mono(request.code)),
        table(("", ""), rows),
    ]
    if stakes.hits:
        shown, others = stakes.hits[:MOST_IN_THE_TABLE], stakes.hits[MOST_IN_THE_TABLE:]
        blocks.append(table((f"it hits {len(stakes.hits)}", "now"), [(mono(hit.target), hit.now) for hit in shown]))
        if others:
            blocks.append(text("and ", mono(", ".join(hit.target for hit in others))))
    if stakes.note:
        blocks.append(text(Span(stakes.note, tone=Tone.WARN)))
    role = max(command.role, Role.OPERATOR)
    # Of the two only one may be at the console. Who reads the card there learns it now, and not by a refusal.
    where = ", and not at the console" if request.message.standing is Standing.LOCAL else ""
    blocks.append(
        text(
            f"Another person, {a(role)}{where}: ",
            mono(f"!approve {request.code}"),
            " or ",
            mono(f"!deny {request.code}"),
            ". Editing the request voids it.",
        )
    )
    return Document(tuple(blocks))
