"""Random histories of a bell with a real database: what two did not let go is not dropped, and lets nobody work.

The model beside it is what the room was promised, and nothing of how the bell does it.
"""

import asyncio
import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.stop import sending
from bot.store import Store
from bot.words.errors import StoreError
from bot.words.message import Lane
from bot.words.plain import to_plain
from tests.unit.tower import BOT_KEY, ORIGIN, TWO, Component, Tower, refuse, take_again, tower
from wire.envelope import unseal
from wire.issuer import ALL as EVERYBODY
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Lease, Shown, State, Target

GROUPS = {"crane": ("arms",), "hook": (), "walker": ("legs",)}
NAMES = tuple(GROUPS)
TARGETS = (Target(), Target(group="legs"), Target(group="arms"), *(Target(id=name) for name in NAMES))
STEPS = (
    "order",
    "talk",
    "talk",
    "talk",
    "ask",
    "deliver",
    "reset",
    "reset by name",
    "restart",
    "reboot",
    "join",
    "late",
)
DISK = ("cleared", "outbox")


class Played(Component):
    """A component with a disk, that can begin anew from it."""

    def __init__(self, name: str) -> None:
        super().__init__(name, *GROUPS[name])
        self.disk = Kept()
        self.boots()

    def boots(self) -> None:
        """From what its disk has."""
        self.latch = Latch(
            self.name,
            self.latch.groups,
            self.disk,
            trusted=Trusted(BOT_KEY.public),
            write=self._write,
            random=os.urandom,
        )
        self.latch.down = True

    def _write(self, kept: Kept) -> bool:
        self.disk = kept
        return True


@dataclasses.dataclass
class History:
    """What was done, and what must hold because of it."""

    store: Store
    components: dict[str, Played]
    stack: contextlib.AsyncExitStack = dataclasses.field(default_factory=contextlib.AsyncExitStack)
    t: Tower = dataclasses.field(init=False)
    ordered: dict[str, Target] = dataclasses.field(default_factory=dict[str, Target])
    cleared: set[tuple[str, str]] = dataclasses.field(default_factory=set[tuple[str, str]])
    groups: dict[str, set[str]] = dataclasses.field(default_factory=dict[str, set[str]])
    """Those that the bot has heard of: of a component they only grow while it runs."""
    affected: set[tuple[str, str]] = dataclasses.field(default_factory=set[tuple[str, str]])
    said: dict[str, State] = dataclasses.field(default_factory=dict[str, State])
    """What each said last to this process."""
    seen: int = 0
    """Of what was published."""
    leases: int = 0
    news: int = 0
    refused: str = ""

    async def begin(self) -> None:
        """A process begins."""
        await self.stack.aclose()
        self.groups = {name: set(GROUPS[name]) for name in NAMES}
        self.said.clear()
        self.seen = 0
        self.t = await self.stack.enter_async_context(tower(self.store, *self.components.values()))

    async def step(self, what: str, a: int, b: int) -> None:  # noqa: C901 - a table
        """One thing happens."""
        component = self.components[NAMES[a % len(NAMES)]]
        match what:
            case "order":
                await self._order(f"{a % 5 + 1:x}" * 32, TARGETS[b % len(TARGETS)])
            case "talk":
                await self._ask(component)
                self.t.deliver(component)
            case "ask":
                await self._ask(component)
            case "deliver":
                self.t.deliver(component)
            case "reset":
                await self._reset(a, None)
            case "reset by name":
                await self._reset(a, frozenset({NAMES[b % len(NAMES)]}))
            case "begin":
                await self.begin()
            case "boot":
                component.boots()
            case "join":
                component.latch.groups = (*GROUPS[component.name], ("legs", "arms")[b % 2])
            case _:
                self.t.time[0] += b
        self._spread()
        for course in self.t.bell.followed():
            course.to_tell.set()
        for _ in range(3):
            await self.store.write(lambda _: None)
        await self.holds()

    async def disk(self, what: str) -> None:
        """From now on the disk refuses this, or nothing."""
        if self.refused:
            await take_again(self.store, self.refused)
        if what:
            await refuse(self.store, what)
        self.refused = what

    async def _order(self, incident: str, target: Target) -> None:
        placed = await self.t.bell.order(incident, target, ORIGIN)
        assert placed.target == target
        if placed.id != incident or incident in self.ordered:
            assert self.ordered.setdefault(placed.id, target) == target
        self.ordered[placed.id] = target

    async def _ask(self, component: Played) -> None:
        state = component.latch.ask(0.0)
        self.groups[component.name] |= set(state.groups)
        self.said[component.name] = state
        self._spread()
        await self.t.bell.heard(component.name, component.says(state.to_bytes()))

    async def _reset(self, which: int, components: frozenset[str] | None) -> None:
        opened = sorted(each.id for each in self.t.bell.incidents())
        if not opened:
            return
        incident = opened[which % len(opened)]
        if components is not None and (incident, *components) not in self.affected:
            return  # the command refuses that
        try:
            await self.t.reset(incident, components, TWO)
        except StoreError:
            assert self.refused == "cleared"
            return
        assert self.refused != "cleared"
        self.cleared |= {(incident, each) for each in components or [EVERYBODY]}
        for name in components or NAMES:
            self.said.pop(name, None)  # what it said before the reset shows nothing

    def _spread(self) -> None:
        self.affected |= {
            (incident, name)
            for incident, target in self.ordered.items()
            if (incident, EVERYBODY) not in self.cleared
            for name in NAMES
            if target.meets(name, frozenset(self.groups[name]))
        }

    def _is_let_off(self, incident: str, name: str) -> bool:
        return not {(incident, name), (incident, EVERYBODY)}.isdisjoint(self.cleared)

    async def holds(self) -> None:
        """What was promised."""
        stops = {(each, name) for each, name in self.affected if not self._is_let_off(each, name)}
        assert {incident for incident, _ in stops} <= {each.id for each in self.t.bell.incidents()}
        for name in NAMES:
            mine = {incident for incident, each in stops if each == name}
            assert mine <= set(self.t.bell.stopping(name))
        self._look_at_leases(stops)
        for name, component in self.components.items():
            latched = {each.incident for each in component.latch.open}
            assert not (component.works and latched)
            assert not {each for each in component.latch.open if self._is_let_off(each.incident, name)} or latched
            for incident in component.disk.reset:
                assert self._is_let_off(incident, name)
        posts = [to_plain(each.document) for each in await self.t.posts(Lane.STOP)]
        for words in posts[self.news :]:
            self._look_at_news(words)
        self.news = len(posts)

    def _look_at_leases(self, stops: set[tuple[str, str]]) -> None:
        """Those that were given in this step."""
        for topic, payload in self.t.broker.sent[self.seen :]:
            kind, _, name = topic.removeprefix(f"{ROOT}/").partition("/")
            if kind == "lease":
                lease = Lease.parse(unseal(payload, ROOT, "lease", BOT_KEY.public))
                assert {incident for incident, each in stops if each == name} <= set(lease.stops)
                assert all(self._is_let_off(incident, name) for incident in lease.cleared)
                self.leases += 1
        self.seen = len(self.t.broker.sent)

    def _look_at_news(self, words: str) -> None:
        incident = next((each for each in self.ordered if f"Incident {each[:8]}." in words), None)
        if incident is None:
            return
        whom = {name for each, name in self.affected if each == incident}
        if words.startswith("READY"):
            assert all(self._is_let_off(incident, name) for name in whom)
            for name in whom:
                assert incident not in {each.incident for each in self.said[name].incidents}
                assert self.said[name].re is not None
        elif words.startswith("STOPPED"):
            for name in whom:
                if not self._is_let_off(incident, name):
                    assert self.said[name].shown is Shown.STOPPED
                    assert incident in {each.incident for each in self.said[name].incidents}


Things = st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(0, 7))
Happenings = st.lists(st.one_of(Things, Things, Things, st.sampled_from(("", *DISK))), min_size=5, max_size=25)


async def play(happenings: list[tuple[str, int, int] | str]) -> History:
    with tempfile.TemporaryDirectory() as folder:
        async with Store.opened(Path(folder) / "tocsin.db") as store:
            history = History(store, {name: Played(name) for name in NAMES})
            await history.begin()
            try:
                for each in happenings:
                    if isinstance(each, str):
                        await history.disk(each)
                    else:
                        await history.step(*each)
            finally:
                await history.stack.aclose()
            return history


@given(Happenings)
@settings(max_examples=30, deadline=None)
def test_what_two_persons_did_not_let_go_is_never_dropped(happenings: list[tuple[str, int, int] | str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sending, "AGAIN_S", (0.001, 0.001))
        history = asyncio.run(play(happenings))
    assert history.refused in ("", *DISK)


def test_a_history_that_has_everything_comes_to_its_end() -> None:
    talks = [("talk", number, 0) for number in range(3)] * 4
    script = [("order", 0, 0), *talks, ("reset", 0, 0), "outbox", *talks, "", *talks, ("begin", 0, 0), *talks]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sending, "AGAIN_S", (0.001, 0.001))
        history = asyncio.run(play(script))
    assert (history.news, history.leases) == (2, 48)
    assert all(component.works for component in history.components.values())
