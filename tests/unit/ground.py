"""Components that keep their work, as the bot hears them: what the tests of jobs that go on stand on."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator

from bot.fleet.going_on import MOST_TIMES, GoingOn
from bot.fleet.helm import Helm
from bot.fleet.jobs import LOST_S
from bot.fleet.registry import Listed, Registry
from bot.store import Store, audit
from bot.store import jobs as rows
from bot.store.jobs import Job, State
from bot.words.people import Account, People, Person, Role
from tests.unit.tower import BOT_KEY, Component, tower
from tests.unit.yard import JOB, RUNNING, Yard, said
from wire.birth import Birth, Danger, Offer
from wire.envelope import unseal
from wire.messages import ROOT
from wire.work import Command

NAMES = ("walker", "crane")
WALK = Offer("Walk", {}, job=True, goes_on_by="walk-on")
WALK_ON = Offer("Walk on", {}, job=True, goes_on_by="walk-on")
COMMANDS = {"walk": WALK, "walk-on": WALK_ON}
HINT = "To go on where it was: !run walker walk-on"


@dataclasses.dataclass
class Ground:
    """Components that keep their work, and all that is asked before it goes on."""

    yard: Yard
    people: People
    helm: Helm
    remarks: dict[str, str]
    commands: dict[str, Offer] = dataclasses.field(default_factory=lambda: dict(COMMANDS))

    @property
    def store(self) -> Store:
        return self.yard.tower.store

    async def walks(self, *names: str) -> None:
        """A job that is at work, and then nothing more is heard of its components."""
        await self.yard.order(*names or ("walker",))
        await self.yard.hears(*(said(name, 1, RUNNING) for name in names or ("walker",)))

    async def anew(self, *names: str, lets: bool = True) -> Component:
        """They have begun anew, and the time is over in which their ends may still come. Returns the last."""
        components = [Component(name) for name in names or ("walker",)]
        for each in components:
            self.born(each)
            await self.talks(each, rounds=3 if lets else 1)
        await self.looks()
        return components[-1]

    def born(self, component: Component, session: str = "") -> None:
        """Its birth is heard, in the session in which it is."""
        session = session or component.latch.session
        self.yard.registry.born(Birth(component.name, session, "One", "demo", "1", (), self.commands))

    async def talks(self, component: Component, rounds: int = 3) -> None:
        """It asks, hears what was published, and says what it is then."""
        for round_ in range(rounds):
            if round_:
                self.yard.tower.deliver(component)
            heard = await self.yard.tower.bell.heard(component.name, component.asks())
            self.yard.registry.heard(heard.state)

    async def looks(self) -> None:
        await self.yard.later(0)
        await self.yard.later(LOST_S + 1)

    def sent(self, name: str = "walker") -> list[Command]:
        """What it was told after its order."""
        envelopes = self.yard.tower.broker.to("cmd", name)[1:]
        return [Command.parse(unseal(each, ROOT, "cmd", BOT_KEY.public)) for each in envelopes]

    def job(self, name: str = "walker") -> Job:
        (job,) = [each for each in self.yard.jobs.of(JOB) if each.component == name]
        return job

    async def row(self) -> Job:
        (row,) = await self.store.read(lambda tx: rows.of(tx, JOB))
        return row

    async def went_on(self) -> list[dict[str, audit.Value]]:
        """What the record says of it."""
        entries = await self.store.read(lambda tx: audit.last(tx, 1000))
        return [dict(each.all) for each in entries if each.all["kind"] == "goes on"]

    def is_lost(self, why: str) -> bool:
        """Nobody was told to go on, and people know why."""
        return self.yard.state() is State.LOST and why in self.job().message and not self.sent()


@contextlib.asynccontextmanager
async def ground_of(
    store: Store, *names: str, danger: dict[str, Danger] | None = None, may_go_on: int = MOST_TIMES
) -> AsyncGenerator[Ground]:
    people = People(tuple(Person(name, Role.OPERATOR, frozenset({Account("chat", name)})) for name in ("olga", "otto")))
    async with tower(store, *map(Component, names)) as t:
        time = [1_000_000.0]
        registry = Registry({name: Listed(frozenset(), danger or {}) for name in names})
        helm, remarks = Helm(store, people, queued=lambda: None, now=lambda: time[0]), dict[str, str]()
        goes_on = GoingOn(registry, people, helm, lambda name: remarks.get(name, ""))
        yard = Yard(t, registry, time, goes_on, may_go_on)
        async with yard.open():
            yield Ground(yard, people, helm, remarks)
