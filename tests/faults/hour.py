"""An hour as it goes: what happens to the bot, what people ask meanwhile, and jobs that are always there.

What happens when is drawn from a seed. Nobody orders a stop.
"""

import asyncio
import collections
import dataclasses
import itertools
import random
import time
from collections.abc import Callable

from tests.faults.hour_watch import MARGIN_S, Absence, Course
from tests.faults.hour_world import ASKER, COMPONENTS, World
from tests.faults.small_disk import full, impossible
from wire.clock import boot_clock
from wire.envelope import seal
from wire.latch import TTL_S
from wire.messages import ROOT, Shown
from wire.work import Called, Command, Status

SEED = 17
AT_WORK = 8
"""Components that have a job at all times."""
STEPS = (40, 160)
"""Of a job: ten to forty seconds."""
ANSWER_WITHIN_S = 330.0
"""A homeserver that is away for three minutes is tried every half minute."""
REPLY_WITHIN_S = 30.0
JOB_WITHIN_S = 180.0
BACK_WITHIN_S = 60.0
COMMAND_LASTS_MS = 30_000
PAUSES_S = (3.0, 12.0)
"""Between an answer and the next question."""
QUESTIONS = ("!status", "!drill", "!incident", "!picture", "!picture process", "!whoami")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What happens in how long."""

    lasts_s: float
    kills: tuple[bool, ...]
    """The restarts of the bot: killed, or asked to end."""
    homeserver_away_s: float
    disk_full_s: float
    report_every_s: float = 60.0
    eventful: float = 0.8
    """The part of the time in which things happen. What comes behind is the bot's longest life, to see it grow."""


@dataclasses.dataclass(slots=True)
class Tally:
    """What is counted beside the wire."""

    asked: int = 0
    answers: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter[str])
    refused_jobs: int = 0
    returns: list[float] = dataclasses.field(default_factory=list[float])
    """How long a bot that was started took until everybody had its lease."""
    memory: list[int] = dataclasses.field(default_factory=list[int])
    lags: list[float] = dataclasses.field(default_factory=list[float])
    """The longest in a minute that the bot's event loop kept a timer waiting."""
    absent_homeserver: int = 0
    full_disk: str = ""


class Hour:
    """The hour as it goes."""

    def __init__(self, world: World, plan: Plan, show: Callable[[str], None]) -> None:
        self._world = world
        self.plan = plan
        self._show = show
        self._dice = random.Random(SEED)
        self._over = asyncio.Event()
        self.began = boot_clock()
        self.database = world.database_bytes
        """How large it was."""
        self._full_until = float("-inf")
        """Until when a question may have come too old, because no disk took it in."""
        self.tally = Tally()

    async def run(self) -> None:
        """All of it."""
        walkers = sorted(self._world.walkers)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._report())
            tasks.create_task(self._talk())
            for name in walkers[:AT_WORK]:
                tasks.create_task(self._keep_at_work(name, random.Random(f"{SEED} {name}")))
            await self._events()
            await self._waited(self.began + self.plan.lasts_s - boot_clock())
            self._over.set()

    async def _events(self) -> None:
        """One thing after the other, each somewhere in its part of the time. One restart is while nobody can chat."""
        *kills, in_the_dark = self.plan.kills
        # Every second one, of either kind, stays away for so long that everybody comes to be held.
        restarts = [
            lambda kill=kill, n=n: self._restart(kill=kill, long=n % 4 in (1, 2)) for n, kill in enumerate(kills)
        ]
        events = [*restarts, lambda: self._homeserver_away(kill=in_the_dark), self._disk_full]
        self._dice.shuffle(events)
        part = self.plan.lasts_s * self.plan.eventful / len(events)
        for number, event in enumerate(events):
            await self._waited(self.began + part * (number + self._dice.uniform(0.1, 0.3)) - boot_clock())
            await event()

    async def _restart(self, *, kill: bool, long: bool) -> None:
        world, watch = self._world, self._world.watch
        absence = Absence(boot_clock())
        watch.absences.append(absence)
        await (world.bot.kill() if kill else world.bot.stop(grace=BACK_WITHIN_S))
        if long:
            await watch.until(lambda: watch.all_say(Shown.HELD), "everybody is held", within=TTL_S + MARGIN_S)
        await world.bot.start()
        absence.started = boot_clock()
        await watch.until(lambda: watch.all_leased(absence.started), "all are served", within=BACK_WITHIN_S)
        self.tally.returns.append(boot_clock() - absence.started)

    async def _homeserver_away(self, *, kill: bool) -> None:
        await self._world.homeserver.stop()
        await self._waited(self.plan.homeserver_away_s / 2)
        await self._restart(kill=kill, long=False)
        await self._waited(self.plan.homeserver_away_s / 2)
        await self._world.homeserver.start()
        self.tally.absent_homeserver += 1

    async def _disk_full(self) -> None:
        if reason := impossible():
            self.tally.full_disk = f"left out: {reason}"
            self._show(f"No full disk: {reason}.")
            return
        began, self._full_until = boot_clock(), float("inf")
        with full(self._world.state):
            await self._waited(self.plan.disk_full_s)
            watch = self._world.watch
            await watch.until(lambda: watch.all_leased(boot_clock() - TTL_S), "all are served", within=TTL_S)
        self._full_until = boot_clock()
        self.tally.full_disk = f"for {boot_clock() - began:.0f} s"

    async def _talk(self) -> None:
        """Alice asks one thing after the other, and every answer comes, once the bot is back if need be."""
        world, dice = self._world, random.Random(f"{SEED} talk")
        for question in itertools.cycle(QUESTIONS):
            if self._over.is_set():
                return
            asked = boot_clock()
            event = await world.alice.say(world.room, question)
            self.tally.asked += 1
            answer = (await world.alice.answer_to(event, within=ANSWER_WITHIN_S)).body
            excused = asked <= self._full_until or any(map(world.watch.is_excused, (asked, boot_clock())))
            self._judge(question, answer, disturbed=excused)
            await self._waited(dice.uniform(*PAUSES_S))

    def _judge(self, question: str, answer: str, *, disturbed: bool) -> None:
        expected = {
            "!drill": f"DRILL PASSED everything: {COMPONENTS} of {COMPONENTS} heard it",
            "!incident": "Nothing was ever stopped",
            "!picture": "RENDERED in a thread",
            "!picture process": "RENDERED in a process",
            "!whoami": "alice",
            "!status": "walk-01",
        }[question]
        good = expected in answer
        self.tally.answers["as wanted" if good else "otherwise"] += 1
        if not good:
            self._show(f"{question} was answered with: {answer.splitlines()[0][:150]}")
            if not disturbed:
                self._world.watch.note(f"{question} was answered with {answer[:300]!r}")

    async def _keep_at_work(self, name: str, dice: random.Random) -> None:
        """One job after the other. What was accepted must end, whatever becomes of the bot meanwhile."""
        world, watch = self._world, self._world.watch
        while not self._over.is_set():
            await watch.until(lambda: watch.at_work(name) is not None, f"{name} may work", within=JOB_WITHIN_S)
            session = watch.at_work(name)
            assert session is not None
            job = dice.randbytes(16).hex()
            course = watch.jobs[job] = Course(name, session)
            expires = time.time_ns() // 1_000_000 + COMMAND_LASTS_MS
            command = Command(
                job, "walk", {"steps": dice.randint(*STEPS)}, (Called(name, session),), ASKER, expires, "a test"
            )
            sealed = seal(world.key, ROOT, "cmd", command.to_bytes())
            await world.link.publish(f"{ROOT}/cmd/{name}", sealed, qos=1)
            await watch.until(lambda: course.reply is not None, f"{name} answers", within=REPLY_WITHIN_S)  # noqa: B023 - awaited here
            assert course.reply is not None
            if course.reply.status is Status.ACCEPTED:
                await watch.until(lambda: bool(course.ends), f"{name} ends its job", within=JOB_WITHIN_S)  # noqa: B023 - the same
            else:
                self.tally.refused_jobs += 1
                await self._waited(dice.uniform(*PAUSES_S))

    async def _report(self) -> None:
        """A line now and then. A bot that is dead ends the hour."""
        watch = self._world.watch
        while not self._over.is_set():
            if not watch.absences or watch.absences[-1].started < float("inf"):
                self._world.bot.check()
            if memory := self._world.memory_bytes:
                self.tally.memory.append(memory)
            if (lag := await self._world.lag()) is not None:
                self.tally.lags.append(lag)
            self._show(
                f"{(boot_clock() - self.began) / 60:4.1f} min  restarts {len(watch.absences)}  {watch.shown()}  "
                f"jobs {watch.jobs_done()}  spare {min(watch.spares, default=TTL_S):.2f} s "
                f"({min(watch.thin, default=TTL_S):.2f} s around restarts)  "
                f"bot {memory / 2**20:.0f} MiB  lag {lag or 0:.2f} s  wrong {len(watch.wrong)}"
            )
            await self._waited(self.plan.report_every_s)

    async def _waited(self, seconds: float) -> None:
        """Let time pass, or the end come. That time passes is what this test is about."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._over.wait()
        except TimeoutError:
            return
