"""The one place that runs commands. Whatever becomes of one, its outcome is recorded and answered in one commit."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from bot.desk import grammar
from bot.desk.authority import Action, check
from bot.desk.call import Call
from bot.desk.command import Command
from bot.desk.grammar import Line
from bot.store import Store, Tx, audit, inbox, outbox
from bot.store.inbox import Received
from bot.system import System
from bot.words.document import Document, document, mono, text
from bot.words.errors import Refused, StoreError, TocsinError, UsageError
from bot.words.message import Lane, Message, Post
from bot.words.people import People, Person, Role

T = TypeVar("T")
log = structlog.get_logger(__name__)

OLDEST_S = 60.0
OLDEST_STOP_S = 600.0
HANDLER_MAY_TAKE_S = 10.0
MOST_AT_ONCE = 16
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STOP_LINE = "To stop everything, send: !shutdown all"


class Desk:
    """Takes what is in the inbox, in order, and deals with it."""

    def __init__(
        self,
        store: Store,
        people: People,
        system: System,
        *,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._people = people
        self._system = system
        self._queued = queued
        self._now = now
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    def wake(self) -> None:
        """There is something new in the inbox."""
        self._news.set()

    async def run(self) -> None:
        """Deal with the inbox until cancelled. What an earlier run left open comes first."""
        newest = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._news.clear()
                for received in await self._open_rows(newest):
                    newest = received.row
                    tasks.create_task(self._deal_with(received))
                await self._news.wait()

    async def stop_at_once(self, messages: Sequence[Message]) -> None:
        """Run the stops among messages that the disk does not take. They run again, under the same id, when it does."""
        for message in messages:
            line = grammar.parse(message.text, addressed=message.addressed)
            person = self._people.holder_of(message.account)
            command = self._system.catalogue.find(line.name) if line else None
            if line is None or person is None or command is None or command.action is not Action.STOP:
                continue
            received = Received(row=0, message=message, received=self._now(), running=False)
            result, _ = await self._run(received, line, person, command)
            log.warning("a stop went before the disk", id=received.id, result=result)

    async def _open_rows(self, after: int) -> list[Received]:
        return await self._patiently(lambda: self._store.read(lambda tx: inbox.open_rows(tx, after)))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the disk refuses now it takes later. What was done is not forgotten meanwhile."""
        wait = FIRST_WAIT_S
        while True:
            try:
                return await work()
            except StoreError as error:
                log.error("the database has to wait", error=str(error), seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)

    async def _deal_with(self, received: Received) -> None:
        try:
            await self._see_to(received)
        except Exception:  # one message never ends the bot
            log.exception("a message broke the desk", id=received.id)

    async def _see_to(self, received: Received) -> None:
        message = received.message
        line = grammar.parse(message.text, addressed=message.addressed)
        person = self._people.holder_of(message.account)
        if line is None and person is not None and grammar.sounds_like_a_stop(message.text):
            line = Line("", "")  # no command is called so, and the answer says what to send
        if line is None:
            await self._patiently(lambda: self._store.write(lambda tx: inbox.done(tx, received.row)))
            return
        command = self._system.catalogue.find(line.name)
        if person is None:  # they learn nothing, not even that there is a bot that takes commands
            record = functools.partial(_finish, received=received, command=command, result="refused: not listed")
            await self._patiently(lambda: self._store.write(record))
            return
        if command is not None and command.action is Action.STOP:
            await self._answer(received, line, person, command, Lane.STOP)
        else:
            async with self._slots:
                await self._answer(received, line, person, command, Lane.ANSWER)

    async def _answer(
        self, received: Received, line: Line, person: Person, command: Command | None, lane: Lane
    ) -> None:
        result, answer = await self._run(received, line, person, command)
        try:
            await self._conclude(received, person, command, lane, result, answer)
        except Exception:
            log.exception("a command gave no document", id=received.id)
            await self._conclude(
                received, person, command, lane, "failed", _broken(received, "Something broke inside.")
            )

    async def _conclude(
        self, received: Received, person: Person, command: Command | None, lane: Lane, result: str, answer: Document
    ) -> None:
        post = Post(received.message.place, answer, lane, reply_to=received.message.event)

        def conclude(tx: Tx) -> None:
            _finish(tx, received, command, result, person)
            outbox.queue(tx, post)

        await self._patiently(lambda: self._store.write(conclude))
        self._queued()

    async def _run(
        self, received: Received, line: Line, person: Person, command: Command | None
    ) -> tuple[str, Document]:
        """Run a command, or say why not. Returns what is recorded and what is answered."""
        try:
            if command is None:
                check(person, received.message.standing, Action.READ, Role.VIEWER)
                return "not understood", _sentence(self._unknown(line.name))
            check(person, received.message.standing, command.action, command.role)
            self._check_age(received, command)
            answer = await self._call(received, line, person, command)
        except Refused as error:
            return "refused", _sentence(error)
        except UsageError as error:
            return "not understood", _sentence(error)
        except TocsinError as error:
            log.warning("a command failed", id=received.id, error=str(error))
            return "failed", _sentence(error)
        except Exception as error:
            log.exception("a command broke", id=received.id)
            what = "It took too long." if isinstance(error, TimeoutError) else "Something broke inside."
            return "failed", _broken(received, what)
        return "done", answer

    async def _call(self, received: Received, line: Line, person: Person, command: Command) -> Document:
        arguments = _arguments(line, command)
        call = Call(received.id, person, received.message, self._system)
        if command.action is Action.READ:
            async with asyncio.timeout(HANDLER_MAY_TAKE_S):
                return await command.handler(call, **arguments)
        intent = asyncio.ensure_future(self._record_intent(received, command, person))
        try:  # a stop waits for no record
            return await command.handler(call, **arguments)
        finally:
            await intent

    async def _record_intent(self, received: Received, command: Command, person: Person) -> None:
        if received.running:  # it stands there from before a crash
            return
        try:
            await self._store.write(lambda tx: _begin(tx, received, command, person))
        except StoreError as error:
            log.error("a stop is not recorded yet", id=received.id, error=str(error))

    def _check_age(self, received: Received, command: Command) -> None:
        begun = received.running or any(each.id == received.id for each in self._system.bell.incidents())
        age = received.age_s(self._now())
        if begun:  # "not run" would be false
            return
        if age > (OLDEST_STOP_S if command.action is Action.STOP else OLDEST_S):
            raise Refused(
                f"Not run: this was sent {_span(age)} before I saw it.",
                hint="Send it again if it still holds.",
            )

    def _unknown(self, name: str) -> UsageError:
        if not name:
            return UsageError("Nothing was stopped.", hint=STOP_LINE)
        near = grammar.nearest(name, self._system.catalogue.names())
        found = near and self._system.catalogue.find(near)
        if found and found.action is Action.STOP:
            return UsageError(f"Nothing was stopped: there is no command {name!r}.", hint=STOP_LINE)
        hint = f"Did you mean !{near}?" if near else "!help lists what there is."
        return UsageError(f"There is no command {name!r}.", hint=hint)


def _arguments(line: Line, command: Command) -> Mapping[str, str]:
    try:
        return command.bind(line.words())
    except UsageError as error:
        if command.action is not Action.STOP:
            raise UsageError(f"Not run: {error.what}", hint=error.hint) from error
        raise UsageError(f"Nothing was stopped: {error.what}", hint=STOP_LINE) from error


def _begin(tx: Tx, received: Received, command: Command, person: Person) -> None:
    inbox.begin(tx, received.row)
    audit.record(tx, "intent", **_about(received, command, person))


def _finish(tx: Tx, received: Received, command: Command | None, result: str, person: Person | None = None) -> None:
    inbox.done(tx, received.row)
    audit.record(tx, "outcome", result=result, **_about(received, command, person))


def _about(received: Received, command: Command | None, person: Person | None) -> dict[str, audit.Value]:
    """Who said what, where and how. The words themselves are not logged."""
    message = received.message
    return {
        "id": received.id,
        "command": command.name if command else None,  # what is no command is somebody's words
        "person": person.name if person else None,
        "account": str(message.account),
        "device": message.device,
        "standing": message.standing,
        "place": str(message.place),
        "event": message.event,
        "text": audit.digest(message.text),
    }


def _span(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004 - two minutes


def _broken(received: Received, what: str) -> Document:
    return document(text(f"{what} The log has the details under ", mono(received.id[:8]), "."))


def _sentence(error: TocsinError) -> Document:
    return document(text(error.what, *((" ", error.hint) if error.hint else ())))
