"""The way of one message through the desk: parse, who, may they, how much, agreed by two, run, outcome.

It writes no outcome itself, and never runs again what a crash cut off, except a stop and what only reads.
"""

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Callable

import structlog

from bot.desk import grammar, intent, running
from bot.desk.authority import Action, Demand, Verdict
from bot.desk.call import Call, Work
from bot.desk.command import Command
from bot.desk.grammar import Line
from bot.desk.lately import Lately
from bot.desk.limits import Limits, TooMany
from bot.desk.outcome import Outcome, described, resolved, said_by
from bot.desk.rest import LONGEST_ANSWER
from bot.desk.running import Ran
from bot.desk.signature import Bound
from bot.store import Tx, audit, inbox, outbox
from bot.store.inbox import Received
from bot.system import System
from bot.words.document import Document, Tone, document, mono, strong, text
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, quoted
from bot.words.message import Lane, Message, Place, Post
from bot.words.pages import split
from bot.words.people import Person, Role
from bot.words.times import span

OLDEST_S = 60.0
OLDEST_STOP_S = 600.0
LONGEST_NAME = 64
MOST_AT_ONCE = 16
"""Handlers that run. What stops or decides over others waits for none of them."""
MOST_OF_ONE = 4
"""Of those, handlers of one person: nobody fills all of it."""
AGAIN = "Send it again if it still holds."
STOP_LINE = "To stop everything, send: !shutdown all"

log = structlog.get_logger(__name__)


class Way:
    """Takes one message to its outcome."""

    def __init__(
        self,
        system: System,
        *,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        after_a_crash: bool = False,
    ) -> None:
        self._system = system
        self._began = now() if after_a_crash else 0.0
        self._limits = limits or Limits()
        self._now = now
        self._all_slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._slots = collections.defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(MOST_OF_ONE))
        """By person."""
        self._hurried = Lately()
        """The commands that were run before the disk had their message."""

    def waits_for_nothing(self, message: Message) -> bool:
        """Whether this stops something, or takes rights away, and is said by somebody who may."""
        person = self._system.people.holder_of(message.account)
        command = self._meant(message)
        if person is None or command is None or not (command.action is Action.STOP or command.urgent):
            return False
        authority = self._system.authority
        return authority.judge(person, message.standing, message.place.network, command.demand).allowed

    def commands(self, message: Message) -> bool:
        """Whether somebody who may at least look says a command, or what sounds like one."""
        line = grammar.parse(message.text, addressed=message.addressed) or _what_else(message)
        person = self._system.people.holder_of(message.account)
        if line is None or person is None:
            return False
        look = Demand(Action.READ, Role.VIEWER)
        return self._system.authority.judge(person, message.standing, message.place.network, look).allowed

    def may_run_again(self, message: Message) -> bool:
        """Whether it does no harm twice."""
        command = self._meant(message)
        return command is None or command.may_run_again

    async def hurry(self, message: Message) -> None:
        """Run what waits for nothing before the disk has its message. It runs again, under the same id, when it has."""
        received = self.unwritten(message, "It takes long.")
        outcome = await self.take(received)
        if outcome.result == "done":
            self._hurried.add(received.id)
        log.warning("a command went before the disk", id=received.id, result=outcome.result)

    def unwritten(self, message: Message, trouble: str) -> Received:
        """A message that came just now, and that no disk has."""
        return Received(row=0, message=message, received=self._now(), running=False, unwritten=trouble)

    async def take(self, received: Received) -> Outcome:
        """What becomes of a message."""
        message = received.message
        line = grammar.parse(message.text, addressed=message.addressed)
        person = self._system.people.holder_of(message.account)
        if line is None and person is not None:
            line = _what_else(message)
        if line is None:
            return Outcome("", recorded=False)
        command, rest = self._system.catalogue.find(line) or (None, "")
        if received.running or received.id in self._hurried:  # it was begun: "refused" would be false now
            person = self._system.people.owner_of(message.account)
            if person is None or command is None or not command.may_run_again:
                return _cut_off(received, command, person)
        if person is None:  # they learn nothing, not even that there is a bot that takes commands
            recorded = self._limits.records.take(message.place)
            return Outcome("refused: not listed", command=command, recorded=recorded)
        try:
            if command is None:
                return self._not_found(message, person, line)
            return await self._ordered(received, person, command, rest)
        except TooMany as error:
            answer = running.sentence(error) if error.first else None
            recorded = self._limits.records.take(person.name)
            return Outcome("refused: too many", answer, command=command, person=person, recorded=recorded)

    def _meant(self, message: Message) -> Command | None:
        line = grammar.parse(message.text, addressed=message.addressed)
        found = self._system.catalogue.find(line) if line else None
        return None if found is None else found[0]

    def _not_found(self, message: Message, person: Person, line: Line) -> Outcome:
        self._limits.charge(person, message.place)
        try:
            demand = Demand(Action.READ, Role.VIEWER)
            self._system.authority.check(person, message.standing, message.place.network, demand)
        except Refused as error:
            return Outcome("refused", running.sentence(error), person=person)
        return Outcome("not understood", running.sentence(self._unknown(message, person, line)), person=person)

    async def _ordered(self, received: Received, person: Person, command: Command, rest: str) -> Outcome:
        """What becomes of a command. What waits for nothing counts against the limits only where it does nothing."""
        message = received.message
        is_stop = command.action is Action.STOP
        if not (is_stop or command.urgent or message.planned_by):  # of those a person has so many, and no more
            self._limits.charge(person, message.place)
        call = Call(received.id, person, message, self._system)
        where = (person, message.standing, message.place.network, command.demand)
        verdict = self._system.authority.judge(*where)
        try:
            if not (received.running or received.id in self._hurried):
                self._system.authority.check(*where)
                self._check_it_holds(received, command)
            with self._system.attending(message):
                ran = await self._run(received, call, command, rest)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            ran = running.failed(call.id, error)
        if is_stop and ran.result != "done":
            answer = self._unless_too_many(person, message.place, _of_no_stop(ran, verdict))
            return Outcome(ran.result, answer, command=command, person=person, begun=ran.begun)
        late = received.id in self._hurried
        along: list[Work] = [*call.written_along] if ran.result in ("done", "asked") else []
        if is_stop and not self._limits.stops.take(person.name):  # it is done; the room has been told often enough
            return Outcome(ran.result, None, Lane.STOP, command, person, along, begun=ran.begun, late=late)
        if verdict.alarm:
            along.append(functools.partial(_alarm, call, self._system.alarms))
        lane = Lane.STOP if is_stop else Lane.ANSWER
        answer = self._first_page(call, ran.answer)
        subject = next(iter(call.subjects), None)
        return Outcome(ran.result, answer, lane, command, person, along, subject=subject, begun=ran.begun, late=late)

    def _unless_too_many(self, person: Person, place: Place, answer: Document) -> Document | None:
        """What stops nothing is answered as often as any command, and always recorded: its intent is."""
        try:
            self._limits.charge(person, place)
        except TooMany as error:
            return running.sentence(error) if error.first else None
        return answer

    async def _run(self, received: Received, call: Call, command: Command, rest: str) -> Ran:
        try:
            bound = command.signature.bind(rest, self._system.names)
        except UsageError as error:
            return running.failed(call.id, _not_run(error, command))
        if command.action in (Action.STOP, Action.GOVERN) or command.urgent:
            return await self._perform(received, call, command, bound)
        async with self._slots[call.person.name], self._all_slots:
            if not received.running:
                self._check_still(call, command)
            return await self._perform(received, call, command, bound)

    async def _perform(self, received: Received, call: Call, command: Command, bound: Bound) -> Ran:
        if received.unwritten and not command.may_run_again:
            raise intent.NoRecord(received.unwritten)
        if command.demand.two_persons or await command.takes_two(call, *bound.args, **bound.kwargs):
            if call.message.planned_by:  # whoever agrees must see what it hits, and it has changed since
                raise Refused("Not run: by now two persons must agree to it.", hint="Give it anew.")
            return Ran("asked", await self._system.approvals.ask(call, command, bound))
        if command.action in (Action.READ, Action.INSPECT):
            return await running.run(command, call, bound)
        if command.action is Action.STOP or command.urgent:
            if received.running:  # its intent stands there from before a crash
                return await running.run(command, call, bound)
            if received.unwritten:
                ran = await running.run(command, call, bound)
                return dataclasses.replace(ran, begun=self._intent(received, call, command, bound))
            writing = asyncio.ensure_future(
                intent.beside(self._system.store, self._intent(received, call, command, bound))
            )
            try:
                return await running.run(command, call, bound)
            finally:
                await writing
        await intent.before(self._system.store, self._intent(received, call, command, bound))
        self._check_still(call, command)
        return await running.run(command, call, bound)

    def _check_still(self, call: Call, command: Command) -> None:
        """While it waited for others, or for the disk, rights may have been taken away."""
        message = call.message
        person = self._system.people.holder_of(message.account)
        if person is None or person.name != call.person.name:
            raise Refused(f"Not run: {call.person.name} was suspended just now.")
        now = self._system.catalogue.called(command.name) or command
        if now.demand.two_persons and not command.demand.two_persons:
            raise Refused("Not run: by now two persons must agree to it.", hint="Give it anew.")
        self._system.authority.check(person, message.standing, message.place.network, now.demand)

    def _intent(self, received: Received, call: Call, command: Command, bound: Bound) -> Work:
        def write(tx: Tx) -> None:
            if command.action is not Action.STOP and inbox.was_edited(tx, received.row):
                raise Edited
            inbox.begin(tx, received.row)
            fields = described(call.id, call.message, command)
            by = said_by(call.message, call.person, resolved=resolved(command, bound))
            audit.record(tx, "intent", by, **fields)

        return write

    def _check_it_holds(self, received: Received, command: Command) -> None:
        """Nobody has changed it, and it is not too old."""
        is_stop = command.action is Action.STOP
        if received.edited and not is_stop:
            raise Edited
        if any(each.id == received.id for each in self._system.bell.incidents()):  # "not run" would be false
            return
        now = self._now()
        is_new = received.received >= self._began
        if is_new and received.received - received.message.age_s < self._began and not command.may_run_again:
            raise Refused("Not run: it was sent before I began, and the run before may have broken off.", hint=AGAIN)
        if now < received.received - 1 and not is_stop:
            raise Refused(
                "Not run: the clock was set back since this came in.", hint="Send it again if it still holds."
            )
        age = received.age_s(now)
        if age > (OLDEST_STOP_S if is_stop else OLDEST_S):
            raise Refused(f"Not run: this was sent {span(age)} before I saw it.", hint=AGAIN)

    def _first_page(self, call: Call, answer: Document) -> Document:
        try:
            first, rest = split(answer, LONGEST_ANSWER)
        except Exception:  # a plug-in's document need not be one
            log.exception("an answer cannot be shown", id=call.id)
            return running.broken(call.id, "It ran, but its answer cannot be shown.")
        if rest is None:
            return first
        self._system.rest.keep(call.person.name, call.message.place, rest)
        return Document((*first.blocks, text("There is more: ", mono("!more"))))

    def _unknown(self, message: Message, person: Person, line: Line) -> UsageError:
        if not line.name:
            return UsageError("Nothing was stopped.", hint=STOP_LINE)

        def may(command: Command) -> bool:
            authority = self._system.authority
            return authority.judge(person, message.standing, message.place.network, command.demand).allowed

        catalogue = self._system.catalogue
        near = catalogue.near(line, may)
        found = near and catalogue.called(near)
        if found and found.action is Action.STOP:
            return UsageError(f"Nothing was stopped: there is no command {quoted(line.name)}.", hint=STOP_LINE)
        return catalogue.unknown(line, may)


class Edited(Refused):
    """What was said is not what stands there now."""

    def __init__(self) -> None:
        super().__init__("Not run: the message was edited or removed.", hint="Send it as a new one.")


def _what_else(message: Message) -> Line | None:
    """No command is called so: the answer says what to send instead."""
    if grammar.sounds_like_a_stop(message.text):
        return Line("", "")
    if message.addressed:
        return Line(next(iter(message.text.split(maxsplit=1)), "…"), "")
    return None


def _cut_off(received: Received, command: Command | None, person: Person | None) -> Outcome:
    log.warning("a command was cut off by a crash", id=received.id)
    words = text(
        strong("I was interrupted", Tone.WARN),
        " while this ran, and do not know what became of it. Look before you send it again.",
    )
    return Outcome("unknown after crash", document(words), command=command, person=person)


def _not_run(error: UsageError, command: Command) -> UsageError:
    if command.action is not Action.STOP:
        return UsageError(f"Not run: {error.what}", hint=error.hint)
    return UsageError(f"Nothing was stopped: {error.what}", hint=STOP_LINE)


def _of_no_stop(ran: Ran, verdict: Verdict) -> Document:
    """Who proves nothing is not told what could be stopped."""
    if verdict.alarm and ran.result == "not understood":
        return running.sentence(UsageError("Nothing was stopped.", hint=STOP_LINE))
    return ran.answer


def _alarm(call: Call, alarms: tuple[Place, ...], tx: Tx) -> None:
    """A stop counts even where nothing proves who asked for it; but everybody hears of it."""
    message = call.message
    device = (" on the device ", mono(cut(message.device, LONGEST_NAME))) if message.device else ()
    words = document(
        text(
            strong("ALARM", Tone.BAD),
            ": a stop came from ",
            mono(cut(message.account.id, LONGEST_NAME)),
            *device,
            f", and nothing proves that it was {call.person.name}. It was carried out. If it was somebody else: ",
            mono(f"!person suspend {call.person.name}"),
        )
    )
    who = audit.about(call.person.name, person=call.person.name)
    audit.record(tx, "alarm", who, id=call.id, why="a stop that nothing proves")
    for place in dict.fromkeys((message.place, *alarms)):
        outbox.queue(tx, Post(place, words, Lane.ALERT))
