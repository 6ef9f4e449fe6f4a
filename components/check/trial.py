"""One trial: a component of its own, with keys and topics of its own, and the judge in the place of the bot.

It says what a bot would say, and what a bot never would. What it is told it believes only where it is signed.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from components.check.bot import Bot
from components.check.cable import Cable
from components.check.program import Program
from components.check.rule import Broken, Untried
from wire.birth import Birth, OnSilence
from wire.broker import Broker
from wire.enrolment import DiskKind, Enrolment
from wire.messages import Open, Shown, State

AT_ONCE_S = 2.0
"""What is to happen at once has so long, because the machine may be busy."""
CONNECT_S = 8.0
START_S = 20.0
ON_THE_WAY_S = 0.5
"""What was said so long after we have spoken is an answer to it."""
RHYTHM_S = 3.0
"""The longest pause between two questions: a quarter of ten seconds, and a fifth more."""
ENROLMENT = "enrolment.json"
UP = frozenset({Shown.READY, Shown.BUSY})
DOWN = frozenset({Shown.STOPPING, Shown.STOPPED})


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where components are judged, and how they are started."""

    broker: Broker
    folder: Path
    command: tuple[str, ...]
    job: str = ""
    """The command that is tried as a job, where somebody has named one."""
    arguments: Mapping[str, Any] | None = None
    wipes: bool = False
    """Its disk does not survive a restart."""


class Trial(Bot):
    """One component, and all that can be said to it and heard from it."""

    def __init__(self, place: Place, name: str, *, enrolled_kept: bool) -> None:
        mark = os.urandom(4).hex()
        super().__init__(place.broker, mark)
        self.place = place
        self.folder = place.folder / f"{name}-{mark}"
        self.latch = self.folder / "latch"
        self.place_read = 0
        """What was said before has been looked at."""
        self.cable = Cable(place.broker)
        self._kept = enrolled_kept
        words = {"{enrolment}": str(self.folder / ENROLMENT), "{latch}": str(self.latch)}
        command = tuple(words.get(each) or _replaced(each, words) for each in place.command)
        self.program = Program(command, self.folder / "program.log")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Be there, and leave nothing behind: no process, nothing that the broker keeps."""
        self.folder.mkdir(mode=0o700)
        async with self.cable, self.there(CONNECT_S):
            self._enrol()
            try:
                yield
            finally:
                await self.program.stop()

    @property
    def has_cable(self) -> bool:
        """Whether the component can be cut off. A certificate names the broker's host, not ours."""
        return self.place.broker.tls is None

    @property
    def birth(self) -> Birth:
        """The newest birth."""
        births = list(self.heard.births())
        if not births:
            raise Untried("it has published no valid birth")
        return births[-1][1]

    async def said(self, match: Callable[[State], bool], within: float = AT_ONCE_S) -> State | None:
        """The next statement that matches; None where there is none in time. What came before it is over."""
        deadline = self._loop.time() + within
        while True:
            self.heard.changed.clear()
            for place, state, _ in self.heard.states(self.place_read):
                if match(state):
                    self.place_read = place + 1
                    return state
            if not await self.more(deadline):
                return None

    async def more(self, deadline: float) -> bool:
        """Wait until anything more is said. False when it is too late. A program that has ended is an error."""
        self.look_alive()
        news, end = asyncio.ensure_future(self.heard.changed.wait()), asyncio.ensure_future(self.program.changed.wait())
        try:
            left = max(0.0, deadline - self._loop.time())
            await asyncio.wait([news, end], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            end.cancel()
        self.look_alive()
        return self._loop.time() < deadline

    def look_alive(self) -> None:
        """Raises Broken where the program has ended by itself."""
        if self.program.began and not self.program.alive:
            raise Broken("that it lives on", self.program.last_words())

    async def expect(self, what: str, match: Callable[[State], bool], within: float = AT_ONCE_S) -> State:
        """The next statement that matches. Raises Broken where there is none in time."""
        began = self.place_read
        state = await self.said(match, within)
        if state is None:
            self.broken(what, began)
        return state

    async def need(self, what: str, match: Callable[[State], bool], within: float = AT_ONCE_S) -> State:
        """The same for what another rule is about: without it this rule cannot be tried."""
        began = self.place_read
        state = await self.said(match, within)
        if state is None:
            raise Untried(f"it never came so far: {what}. It said: {self.heard.summary(began)}")
        return state

    def broken(self, expected: str, after: int | None = None) -> NoReturn:
        """What was expected was not said; the statements from this place on were."""
        foul = f"; {self.heard.foul[-1]}" if self.heard.foul else ""
        raise Broken(expected, self.heard.summary(self.place_read if after is None else after) + foul)

    async def first(self) -> State:
        """Start it, and hear its first statement."""
        self.place_read = len(self.heard.said)
        await self.program.start()
        return await self.need("a first statement that is valid and signed", lambda _: True, START_S)

    async def restart(self) -> State:
        """Kill it, start it again, and hear its first statement."""
        await self.program.kill()
        lost = len(self.heard.said)
        await self.program.start()
        self.place_read = lost
        return await self.need("a first statement", lambda state: state.shown is not Shown.LOST, START_S)

    async def ready(self) -> State:
        """Start it, and let it work from now on."""
        state = await self.first()
        self.answers = True
        await self.lease(state)
        return await self.need("ready after a lease", lambda state: state.shown in UP, RHYTHM_S + AT_ONCE_S)

    async def down(self, count: int = 1, topic: str = "all") -> tuple[State, list[str]]:
        """Stop it by so many incidents, and wait until it is down."""
        incidents = [(await self.stop(topic))[0] for _ in range(count)]
        named = frozenset(incidents)
        state = await self.need(
            "stopped by a stop",
            lambda state: state.shown is Shown.STOPPED and named <= names(state),
            RHYTHM_S + AT_ONCE_S + self.birth.stop_deadline_ms / 1000,
        )
        return state, incidents

    async def settled(self) -> State:
        """A statement that was made after all that was sent so far. A new roster makes it speak; else we wait."""
        began = len(self.heard.said)
        sent = self._loop.time()
        serial = self.serial + 1
        await self.roster(serial, self.keys.stop)

        def is_newer(state: State) -> bool:
            late = {each.nonce for _, each, at in self.heard.states(began) if at - sent > ON_THE_WAY_S}
            return state.shown is not Shown.LOST and (state.roster >= serial or state.nonce in late)

        self.place_read = began
        return await self.need("a statement at its time", is_newer, RHYTHM_S + AT_ONCE_S)

    def silenced(self, state: State) -> bool:
        """Whether it is what a component is when its time has run out."""
        if self.birth.on_silence is OnSilence.LATCH:
            return state.shown in DOWN and any(each.startswith("own-") for each in names(state))
        return state.shown is Shown.HELD

    def _enrol(self) -> None:
        """Write the enrolment. The component reaches the broker through our cable where it can."""
        broker = self.place.broker
        if self.has_cable:
            broker = dataclasses.replace(broker, host="127.0.0.1", port=self.cable.port)
        stop_keys, disk = (self.keys.stop.public,), DiskKind.KEPT if self._kept else DiskKind.NEW
        enrolment = Enrolment(
            self.root, self.id, (self.group,), broker, self.bot.public, stop_keys, self.keys.seed, disk
        )
        enrolment.save(self.folder / ENROLMENT)


def names(state: State) -> frozenset[str]:
    """The incidents that a statement names."""
    return frozenset(each.incident for each in state.incidents)


def proof(state: State, incident: str) -> bytes | None:
    """The signed stop that a statement shows for an incident."""
    found: Iterable[Open] = (each for each in state.incidents if each.incident == incident)
    return next((each.stop for each in found), None)


def _replaced(word: str, words: Mapping[str, str]) -> str:
    for mark, text in words.items():
        word = word.replace(mark, text)
    return word
