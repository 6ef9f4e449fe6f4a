"""Runs one handler. Whatever becomes of it is a result for the record and a document for the one who asked."""

import asyncio
import dataclasses

import structlog

from bot.desk.authority import Action
from bot.desk.call import Call, Work
from bot.desk.command import Command
from bot.desk.intent import Late, NoRecord
from bot.desk.signature import Bound
from bot.words import packed
from bot.words.document import Document, document, mono, text
from bot.words.errors import Refused, TocsinError, UsageError

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command."""

    result: str
    """As it stands in the record: done, refused, not understood, failed, overran."""
    answer: Document
    begun: Work | None = None
    """Its intent, where no disk has it yet."""


async def run(command: Command, call: Call, bound: Bound) -> Ran:
    """Run it, within its time. A stop has no time limit: it is not broken off."""
    limit = asyncio.timeout(None if command.action is Action.STOP else command.may_take_s)
    try:
        async with limit:
            answer = await command.handler(call, *bound.args, **bound.kwargs)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # it is we who are to end
            raise
        return failed(call.id, error)
    except Exception as error:  # noqa: BLE001 - a handler may raise anything
        return _overran(command, call) if limit.expired() else failed(call.id, error)
    if not isinstance(answer, Document):  # pyright: ignore[reportUnnecessaryIsInstance] - a plug-in need not be typed
        return failed(call.id, TypeError(f"{command.name} gave {type(answer).__name__} and no document"))
    return Ran("done", answer)


def _overran(command: Command, call: Call) -> Ran:
    log.error("a command took too long", id=call.id, command=command.name, seconds=command.may_take_s)
    changed = "" if command.action in (Action.READ, Action.INSPECT) else " What it has done by then is not known."
    return Ran("overran", broken(call.id, f"It took too long and was given up.{changed}"))


def shown(call: Call, ran: Ran) -> Ran:
    """The same, with an answer that can be written. What ran has run, whatever its handler returned."""
    try:
        packed.dump(ran.answer)
    except Exception:  # a plug-in's document need not be one
        log.exception("an answer cannot be shown", id=call.id)
        return Ran(ran.result, broken(call.id, "It ran, but its answer cannot be shown."))
    return ran


def failed(call_id: str, error: BaseException) -> Ran:
    """What an error means for the one who asked."""
    match error:
        case Late():
            return Ran("refused: late", sentence(error))
        case NoRecord():
            return Ran("refused: no record", sentence(error))
        case Refused():
            return Ran("refused", sentence(error))
        case UsageError():
            return Ran("not understood", sentence(error))
        case TocsinError():
            log.warning("a command failed", id=call_id, error=str(error))
            return Ran("failed", sentence(error))
        case _:
            log.error("a command broke", id=call_id, exc_info=error)
            return Ran("failed", broken(call_id, "Something broke inside."))


def sentence(error: TocsinError) -> Document:
    """What happened, and what to do next."""
    return document(text(error.what, *((" ", error.hint) if error.hint else ())))


def broken(call_id: str, what: str) -> Document:
    """One clear sentence, with the reference that stands in the log too."""
    return document(text(f"{what} The log has the details under ", mono(call_id[:8]), "."))
