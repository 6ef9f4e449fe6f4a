"""A component on the bare contract, with one guard taken out on request. It is there to be judged, never for real use.

`python bad_component.py ENROLMENT --latch FILE [--flaw NAME] [--on-silence latch] [--danger high]`. No flaw: good.
"""

import argparse
import asyncio
import contextlib
import enum
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.disk import Disk
from wire.birth import Birth, Danger, Offer, OnSilence
from wire.chain import KIND, read_hand_over
from wire.clock import boot_clock
from wire.enrolment import DiskKind, Enrolment
from wire.envelope import PublicKey, read_unproven, seal, unseal
from wire.errors import BadMessage, Rejected, WireError
from wire.fields import Fields
from wire.latch import Kept, Latch, Trusted
from wire.messages import Drill, HandOver, Lease, Roster, Shown, State, Stop
from wire.mqtt import Delivery, Link, Will
from wire.picture import MediaType, PictureNamed
from wire.work import CANCEL, Called, Command, Job, JobState, Reply, Status

TICK_S = 0.02
PROGRESS_S = 0.5
TTL_S = 10.0
LARGE = 100_000
WAY = bytes(LARGE)
PICTURE = PictureNamed.of("The way", MediaType.PNG, WAY)
MOST = 8 * 1024 * 1024
SLOW_S = 1.5
"""How long the work takes to go down where a flaw needs to be seen meanwhile."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"steps": {"type": "integer", "minimum": 1, "maximum": 100_000}},
    "required": ["steps"],
    "additionalProperties": False,
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Flaw(enum.StrEnum):
    """One guard each that is missing."""

    NONE = "none"
    STATE_BEFORE_BIRTH = "state-before-birth"
    BIRTH_NOT_KEPT = "birth-not-kept"
    BIRTH_OF_ANOTHER_SESSION = "birth-of-another-session"
    WORKS_AT_ONCE = "works-at-once"
    GROUPS_UNTOLD = "groups-untold"
    LAZY = "lazy"
    ONE_NONCE = "one-nonce"
    BIRTH_UNSIGNED = "birth-unsigned"
    SESSION_KEPT = "session-kept"
    NO_WILL = "no-will"
    LEASE_UNNAMED = "lease-unnamed"
    NO_END = "no-end"
    TIME_FROM_ARRIVAL = "time-from-arrival"
    NO_CAP = "no-cap"
    ANY_NONCE = "any-nonce"
    OLD_NONCES = "old-nonces"
    ANY_LEASE_KEY = "any-lease-key"
    ANY_LEASE_KIND = "any-lease-kind"
    ANY_LEASE_ROOT = "any-lease-root"
    NO_SILENCE = "no-silence"
    DEAF_TO_GROUP = "deaf-to-group"
    NO_STOP_KEYS = "no-stop-keys"
    ANY_STOP = "any-stop"
    TOPIC_COUNTS = "topic-counts"
    SLOW_DOWN = "slow-down"
    STOP_UNSHOWN = "stop-unshown"
    LATE_SUBSCRIBER = "late-subscriber"
    LEASE_RESETS = "lease-resets"
    EMPTY_RESETS = "empty-resets"
    FORGETS_LATCH = "forgets-latch"
    LEASE_STOPS_IGNORED = "lease-stops-ignored"
    DAMAGED_IS_NEW = "damaged-is-new"
    MISSING_IS_NEW = "missing-is-new"
    NO_RESET = "no-reset"
    RESETS_ALL = "resets-all"
    RESETS_WHAT_STOPS = "resets-what-stops"
    RESETS_EARLY = "resets-early"
    OLD_SESSION = "old-session"
    NO_NEW_BIRTH = "no-new-birth"
    JOB_GOES_ON = "job-goes-on"
    KEEPS_QUESTIONS = "keeps-questions"
    FORGETS_RESET = "forgets-reset"
    RESET_IS_FOREVER = "reset-is-forever"
    RESET_UNWRITTEN = "reset-unwritten"
    KEY_IGNORED = "key-ignored"
    OLD_KEY_COUNTS = "old-key-counts"
    ONE_SIGNATURE = "one-signature"
    KEY_UNWRITTEN = "key-unwritten"
    KEY_KEEPS_QUESTIONS = "key-keeps-questions"
    ROSTER_ADDS = "roster-adds"
    ANY_SERIAL = "any-serial"
    ANY_ROSTER = "any-roster"
    ROSTER_UNWRITTEN = "roster-unwritten"
    DEAF_TO_COMMANDS = "deaf-to-commands"
    UNKNOWN_RUNS = "unknown-runs"
    ANY_ARGUMENTS = "any-arguments"
    RUNS_EXPIRED = "runs-expired"
    WALL_CLOCK = "wall-clock"
    ANY_SESSION = "any-session"
    ANY_TARGET = "any-target"
    RUNS_TWICE = "runs-twice"
    ANY_COMMAND = "any-command"
    RUNS_HELD = "runs-held"
    RUNS_STOPPED = "runs-stopped"
    CHATTERS = "chatters"
    NO_CANCEL = "no-cancel"
    END_NOT_KEPT = "end-not-kept"
    JOB_IS_DONE = "job-is-done"
    JOB_DIES_HELD = "job-dies-held"
    DIES_OF_RUBBISH = "dies-of-rubbish"
    DIES_OF_SIGNED = "dies-of-signed"
    DIES_OF_LARGE = "dies-of-large"
    DIES_WITHOUT_BROKER = "dies-without-broker"
    NEW_SESSION_AT_CONNECT = "new-session-at-connect"
    STATE_KEPT = "state-kept"
    DRILL_UNHEARD = "drill-unheard"
    DRILL_STOPS = "drill-stops"
    ANY_DRILL = "any-drill"
    NEW_KEY_STOPS_NOTHING = "new-key-stops-nothing"
    FIRST_SESSION_COUNTS = "first-session-counts"
    DOWN_TOO_SOON = "down-too-soon"
    PICTURE_LATE = "picture-late"
    PICTURE_OTHER = "picture-other"
    PICTURE_NOT_KEPT = "picture-not-kept"


class BadLatch(Latch):
    """The latch, wrong where it is asked to be."""

    def __init__(self, flaw: Flaw, *arguments: Any, **named: Any) -> None:
        self.flaw = flaw
        self.drawn: dict[str, float] = {}
        super().__init__(*arguments, **named)
        self.first = self.session

    def may_work(self, now: float) -> bool:
        if self.flaw is Flaw.WORKS_AT_ONCE or (self.flaw is Flaw.NO_END and self.re is not None):
            return not self.open
        return super().may_work(now)

    def shown(self, now: float) -> Shown:
        if not self.open and self.may_work(now):
            return Shown.BUSY if self.busy else Shown.READY
        return super().shown(now)

    def ask(self, now: float) -> State:
        state = super().ask(now)
        self.drawn[state.nonce] = now
        return state

    def stop(self, stop: Stop, signed: bytes) -> bool:
        if self.flaw is Flaw.TOPIC_COUNTS:
            stop = Stop(stop.incident, type(stop.target)(), stop.issued_ms)
        return super().stop(stop, signed)

    def lease(self, lease: Lease, now: float) -> bool:
        before = dict(self._nonces)
        self._bring_up(lease.nonce, now)
        if self.flaw is Flaw.RESETS_EARLY and lease.cleared:
            self.down = True
        changed = super().lease(self._misread(lease), now)
        if self.flaw is Flaw.FORGETS_RESET:
            self._reset.clear()
        if self.flaw is Flaw.LEASE_UNNAMED:
            self.re = None
        if self.flaw is Flaw.KEEPS_QUESTIONS:
            self._nonces |= before
        return changed

    def _bring_up(self, nonce: str, now: float) -> None:
        """Questions that should be closed, open again; or younger than they are."""
        if self.flaw is Flaw.ANY_NONCE:
            self._nonces.setdefault(nonce, now)
        if self.flaw is Flaw.OLD_NONCES:
            self._nonces |= self.drawn
        if self.flaw in (Flaw.KEEPS_QUESTIONS, Flaw.KEY_KEEPS_QUESTIONS):
            self._nonces |= {each: drawn for each, drawn in self.drawn.items() if self._is_recent(each)}
        if self.flaw is Flaw.TIME_FROM_ARRIVAL and nonce in self._nonces:
            self._nonces[nonce] = now

    def _misread(self, lease: Lease) -> Lease:
        """The lease with other incidents than it has."""
        stops, cleared = lease.stops, lease.cleared
        match self.flaw:
            case Flaw.LEASE_STOPS_IGNORED:
                stops = ()
            case Flaw.RESET_IS_FOREVER:
                stops = tuple(each for each in stops if each not in self._reset)
            case Flaw.RESETS_WHAT_STOPS:
                stops = tuple(each for each in stops if each not in cleared)
            case Flaw.NO_RESET:
                cleared = ()
            case Flaw.LEASE_RESETS | Flaw.RESETS_ALL if not stops and (cleared or self.flaw is Flaw.LEASE_RESETS):
                cleared = tuple(each.incident for each in self.open)
            case _:
                pass
        return Lease(lease.nonce, lease.n, lease.t_ms, lease.ttl_ms, stops, cleared)

    def let_go(self) -> None:
        self._open.clear()

    def _is_recent(self, nonce: str) -> bool:
        return boot_clock() - self.drawn[nonce] <= self.ttl_s

    def hand_over(self, hand_over: HandOver) -> bool:
        return self.flaw is not Flaw.KEY_IGNORED and super().hand_over(hand_over)

    def take_roster(self, roster: Roster) -> bool:
        if self.flaw is Flaw.ROSTER_ADDS:
            roster = Roster(roster.serial, (*self.roster.stop_keys, *roster.stop_keys))
        if self.flaw is Flaw.ANY_SERIAL:
            self.roster = Roster(0, self.roster.stop_keys)
        return super().take_roster(roster)

    def take(self, command: Command, now: float) -> None:
        flaw, heard = self.flaw, self._heard
        if flaw is Flaw.FIRST_SESSION_COUNTS and any(each.session == self.first for each in command.targets):
            command = _for(command, (Called(self.component, self.session),), command.expires_ms)
        if flaw in (Flaw.ANY_SESSION, Flaw.ANY_TARGET):
            wrong = any((each.id == self.component) is (flaw is Flaw.ANY_SESSION) for each in command.targets)
            targets = (Called(self.component, self.session),) if wrong else command.targets
            command = _for(command, targets, command.expires_ms)
        if flaw is Flaw.RUNS_EXPIRED:
            command = _for(command, command.targets, 2**52)
        if flaw is Flaw.WALL_CLOCK and heard is not None:
            self._heard = (heard[0] + 10**12, heard[1])
        if flaw is Flaw.RUNS_TWICE:
            self._commands.clear()
        held = flaw is Flaw.RUNS_HELD and not self.open
        if held or (flaw is Flaw.RUNS_STOPPED and self.open):
            return
        try:
            super().take(command, now)
        finally:
            self._heard = heard

    def _begin_anew(self) -> None:
        session = self.session
        super()._begin_anew()
        if self.flaw is Flaw.OLD_SESSION:
            self.session = session


def _for(command: Command, targets: tuple[Called, ...], expires_ms: int) -> Command:
    return Command(command.id, command.command, command.args, targets, command.reply_to, expires_ms, command.actor)


class Walk:
    """The one job that runs."""

    def __init__(self, job: str, steps: int) -> None:
        self.job, self.steps, self.done, self.seq = job, steps, 0, 0
        self.cancelled = False
        self.told = float("-inf")


class BadComponent:
    """All of a component in one class, so that one can see what it needs."""

    def __init__(
        self, enrolment: Enrolment, latch_file: Path, flaw: Flaw, on_silence: OnSilence, danger: Danger
    ) -> None:
        self.enrolment, self.flaw, self.on_silence, self.danger = enrolment, flaw, on_silence, danger
        self.disk = Disk(latch_file)
        known = self.disk.read()
        if enrolment.disk is DiskKind.KEPT and self.disk.is_missing() and flaw is not Flaw.MISSING_IS_NEW:
            known = None
        if known is None and flaw is Flaw.DAMAGED_IS_NEW and not self.disk.is_missing():
            known = Kept()
        trusted = Trusted(enrolment.bot_key, tuple(str(each) for each in enrolment.stop_keys))
        self.latch = BadLatch(
            flaw,
            enrolment.id,
            enrolment.groups,
            known,
            trusted=trusted,
            write=self._write,
            random=os.urandom,
            on_silence=OnSilence.HOLD if flaw is Flaw.NO_SILENCE else on_silence,
            ttl_s=3600 if flaw is Flaw.NO_CAP else TTL_S,
        )
        if flaw is Flaw.SESSION_KEPT:
            self.latch.session = "5e55"
        self.ask_now = asyncio.Event()
        self.walks: list[Walk] = []
        self.ended: list[tuple[Walk, JobState]] = []
        self.down_at = self.over_at = float("inf")
        self.was = Shown.HELD
        self.link = Link(
            enrolment.broker, f"component-{enrolment.id}", receive=self._receive, on_connect=self._greet,
            will=None if flaw is Flaw.NO_WILL else self._will, draw=lambda: random.uniform(0.3, 1.0),
            largest=MOST,
        )  # fmt: skip
        self.greeted = False

    async def run(self) -> None:
        own = [f"{kind}/{self.enrolment.id}" for kind in ("lease", "key", "roster", "cmd", "stop/id")]
        groups = [] if self.flaw is Flaw.DEAF_TO_GROUP else [f"stop/group/{each}" for each in self.enrolment.groups]
        async with asyncio.TaskGroup() as tasks:
            for topic in ("stop/all", *own, *groups):
                await self.link.subscribe(f"{self.enrolment.root}/{topic}", 1)
            tasks.create_task(self.link.run())
            tasks.create_task(self._ask())
            tasks.create_task(self._work())

    async def _greet(self) -> None:
        if self.greeted and self.flaw is Flaw.DIES_WITHOUT_BROKER:
            sys.exit("the broker was gone")
        if self.greeted and self.flaw is Flaw.NEW_SESSION_AT_CONNECT:
            self.latch.session = os.urandom(16).hex()
        self.greeted = True
        if self.flaw is Flaw.STATE_BEFORE_BIRTH:
            await self._say_state()
        await self._be_born()
        self.ask_now.set()

    async def _be_born(self) -> None:
        session = "ab" if self.flaw is Flaw.BIRTH_OF_ANOTHER_SESSION else self.latch.session
        commands = {
            "walk": Offer("Walk", SCHEMA, job=True, danger=self.danger),
            "where": Offer("Where it is", NOTHING, danger=self.danger),
        }
        payload = Birth(
            self.enrolment.id, session, "A walker with a flaw", "test", "1", self.enrolment.groups,
            commands, stop_deadline_ms=500, on_silence=self.on_silence,
        ).to_bytes()  # fmt: skip
        birth = payload if self.flaw is Flaw.BIRTH_UNSIGNED else self._seal("birth", payload)
        await self._say("birth", birth, qos=1, retain=self.flaw is not Flaw.BIRTH_NOT_KEPT)

    def _will(self) -> Will:
        return Will(self._topic("state"), self._seal("state", self.latch.last_words().to_bytes()))

    async def _say_state(self) -> None:
        state = self.latch.ask(boot_clock())
        nonce = "00" if self.flaw is Flaw.ONE_NONCE else state.nonce
        opened = tuple(type(each)(each.incident) for each in state.incidents)
        shown = opened if self.flaw is Flaw.STOP_UNSHOWN else state.incidents
        groups = () if self.flaw is Flaw.GROUPS_UNTOLD else state.groups
        said = State(
            state.id, state.session, nonce, state.re, state.shown, shown, groups, state.key, state.roster, state.drill
        )
        await self._say("state", self._seal("state", said.to_bytes()), retain=self.flaw is Flaw.STATE_KEPT)

    async def _ask(self) -> None:
        await self.link.ready()
        while True:
            self.ask_now.clear()
            await self._say_state()
            pause = TTL_S / 4 * random.uniform(0.8, 1.2) * (3 if self.flaw is Flaw.LAZY else 1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.ask_now.wait()

    async def _work(self) -> None:
        """Ten times in a fifth of a second: look whether anything changed, and take a step where it may."""
        while True:
            now = boot_clock()
            if self.latch.silence(now):
                self._halt()
            if self.latch.open and not self.latch.down and now >= self.down_at:
                self.latch.down = True
                self.ask_now.set()
            await self._tell_ends()
            if now >= self.over_at:
                self.ended += [(walk, JobState.STOPPED) for walk in self.walks]
                self.walks.clear()
            if self.walks:
                await self._step(self.walks[0], now)
            self.latch.busy = bool(self.walks)
            if (shown := self.latch.shown(now)) is not self.was:
                self.was = shown
                self.ask_now.set()
            await asyncio.sleep(TICK_S)

    async def _step(self, walk: Walk, now: float) -> None:
        may = self.latch.may_work(now) or self.over_at < float("inf")
        if walk.cancelled:
            self.walks.remove(walk)
            self.ended.append((walk, JobState.CANCELLED))
            return
        if not may and self.flaw is Flaw.JOB_DIES_HELD:
            self.walks.remove(walk)
            self.ended.append((walk, JobState.FAILED))
            return
        walk.done += may
        if walk.done >= walk.steps:
            self.walks.remove(walk)
            self.ended.append((walk, JobState.DONE))
        elif now - walk.told >= (0 if self.flaw is Flaw.CHATTERS else PROGRESS_S):
            walk.told = now
            await self._say_job(walk, JobState.RUNNING if may else JobState.HELD)

    async def _tell_ends(self) -> None:
        while self.ended:
            walk, end = self.ended.pop(0)
            await self._say_job(walk, end)

    async def _say_job(self, walk: Walk, state: JobState) -> None:
        walk.seq += 1
        over, pictures = state.is_over, (PICTURE,) if state.is_over else ()
        job = Job(
            self.enrolment.id, walk.job, self.latch.session, walk.seq, state, walk.done / walk.steps, pictures=pictures
        )
        if over and self.flaw is not Flaw.PICTURE_LATE:
            await self._show()
        await self._say(
            "job", self._seal("job", job.to_bytes()), f"/{walk.job}", qos=1 if over else 0,
            retain=over and self.flaw is not Flaw.END_NOT_KEPT,
        )  # fmt: skip
        if over and self.flaw is Flaw.PICTURE_LATE:
            await self._show()

    async def _show(self) -> None:
        data = b"another" if self.flaw is Flaw.PICTURE_OTHER else WAY
        await self._say("picture", data, f"/{PICTURE.sha256}", qos=1, retain=self.flaw is not Flaw.PICTURE_NOT_KEPT)

    def _halt(self) -> None:
        """A stop: nothing moves any more, and the jobs are over."""
        slow = {Flaw.SLOW_DOWN: 20.0, Flaw.RESETS_EARLY: SLOW_S}.get(self.flaw, 0.0)
        self.down_at = boot_clock() + slow
        if self.flaw is Flaw.DOWN_TOO_SOON:
            self.over_at = boot_clock() + SLOW_S
        elif self.flaw is not Flaw.JOB_GOES_ON:
            end = JobState.DONE if self.flaw is Flaw.JOB_IS_DONE else JobState.STOPPED
            self.ended += [(walk, end) for walk in self.walks]
            self.walks.clear()
        self.ask_now.set()

    async def _receive(self, delivery: Delivery) -> None:
        kind = delivery.topic.removeprefix(f"{self.enrolment.root}/").partition("/")[0]
        if self.flaw is Flaw.DIES_OF_LARGE and len(delivery.payload) > LARGE:
            os._exit(1)
        if self.flaw is Flaw.LATE_SUBSCRIBER and delivery.retain:
            return
        take: Callable[[bytes], Any] = getattr(self, f"_take_{kind}")
        try:
            answer = take(delivery.payload)
            if answer is not None:
                await answer
        except BadMessage:
            signed = b"vnd.tocsin" in delivery.payload
            if self.flaw is (Flaw.DIES_OF_SIGNED if signed else Flaw.DIES_OF_RUBBISH):
                os._exit(1)

    def _take_stop(self, envelope: bytes) -> None:
        if not envelope:
            if self.flaw is Flaw.EMPTY_RESETS and self.latch.open:
                self.latch.let_go()
                self.ask_now.set()
            return
        stop_keys = [PublicKey.parse(each) for each in self.latch.roster.stop_keys]
        keys = [*self._bot_keys(), *([] if self.flaw is Flaw.NO_STOP_KEYS else stop_keys)]
        if self.flaw is Flaw.ANY_STOP:
            payload = read_unproven(envelope, self.enrolment.root, "stop")
        else:
            if self._take_drill(envelope, keys):
                return
            if self.flaw is Flaw.NEW_KEY_STOPS_NOTHING and self.latch.key != self.enrolment.bot_key:
                keys = stop_keys
            payload = unseal(envelope, self.enrolment.root, "stop", *keys)
        if self.latch.stop(Stop.parse(payload), envelope):
            self._halt()

    def _take_drill(self, envelope: bytes, keys: list[PublicKey]) -> bool:
        if self.flaw is Flaw.DRILL_UNHEARD:
            return False
        who = keys if self.flaw is Flaw.ANY_DRILL else self._bot_keys()
        try:
            drill = Drill.parse(unseal(envelope, self.enrolment.root, "drill", *who))
        except BadMessage:
            return False
        if self.latch.drill(drill):
            if self.flaw is Flaw.DRILL_STOPS and self.latch.stop(Stop(drill.id, drill.target, 0), b""):
                self._halt()
            self.ask_now.set()
        return True

    async def _take_lease(self, envelope: bytes) -> None:
        was_open = bool(self.latch.open)
        session = self.latch.session
        if self.latch.lease(Lease.parse(self._lease_payload(envelope)), boot_clock()):
            if self.latch.open and not was_open:
                self._halt()
            if self.flaw is not Flaw.NO_NEW_BIRTH and self.latch.session != session:
                await self._be_born()
            self.ask_now.set()

    def _lease_payload(self, envelope: bytes) -> bytes:
        root = self.enrolment.root
        if self.flaw is Flaw.ANY_LEASE_KEY:
            return read_unproven(envelope, root, "lease")
        tries = [(root, "lease")]
        if self.flaw is Flaw.ANY_LEASE_KIND:
            tries += [(root, each) for each in ("state", "stop", "roster", "cmd")]
        if self.flaw is Flaw.ANY_LEASE_ROOT:
            tries += [("another/v1", "lease")]
        for place, kind in tries:
            with contextlib.suppress(BadMessage):
                return unseal(envelope, place, kind, *self._bot_keys())
        raise BadMessage("no lease")

    def _bot_keys(self) -> list[PublicKey]:
        return [self.latch.key, *([self.enrolment.bot_key] if self.flaw is Flaw.OLD_KEY_COUNTS else [])]

    def _take_key(self, envelope: bytes) -> None:
        if self.flaw is Flaw.ONE_SIGNATURE:
            link = HandOver.parse(unseal(envelope, self.enrolment.root, KIND, self.latch.key))
        else:
            link = read_hand_over(envelope, self.enrolment.root, self.latch.key)
        if self.latch.hand_over(link):
            self.ask_now.set()

    def _take_roster(self, envelope: bytes) -> None:
        if self.flaw is Flaw.ANY_ROSTER:
            payload = read_unproven(envelope, self.enrolment.root, "roster")
        else:
            payload = unseal(envelope, self.enrolment.root, "roster", *self._bot_keys())
        if self.latch.take_roster(Roster.parse(payload)):
            self.ask_now.set()

    async def _take_cmd(self, envelope: bytes) -> None:
        if self.flaw is Flaw.DEAF_TO_COMMANDS:
            return
        if self.flaw is Flaw.ANY_COMMAND:
            payload = read_unproven(envelope, self.enrolment.root, "cmd")
        else:
            payload = unseal(envelope, self.enrolment.root, "cmd", *self._bot_keys())
        command = Command.parse(payload)
        try:
            self.latch.take(command, boot_clock())
            reply = self._carry_out(command)
        except Rejected as reason:
            reply = Reply(command.id, self.enrolment.id, Status.REJECTED, error=str(reason))
        sealed = self._seal("reply", reply.to_bytes())
        await self.link.publish(f"{self.enrolment.root}/reply/{command.reply_to}", sealed, qos=1)

    def _carry_out(self, command: Command) -> Reply:
        status, result = Status.DONE, dict[str, Any]()
        if command.command == "walk":
            self.walks.append(Walk(command.id, self._steps(command.args)))
            status = Status.ACCEPTED
        elif command.command == CANCEL:
            for walk in self.walks:
                walk.cancelled = walk.job == command.args.get("job") and self.flaw is not Flaw.NO_CANCEL
        elif command.command == "where":
            if command.args and self.flaw is not Flaw.ANY_ARGUMENTS:
                raise Rejected("'where' takes no arguments")
            result = {"place": 0}
        elif self.flaw is not Flaw.UNKNOWN_RUNS:
            raise Rejected(f"there is no command {command.command!r}")
        return Reply(command.id, self.enrolment.id, status, result)

    def _steps(self, arguments: Mapping[str, Any]) -> int:
        if self.flaw is Flaw.ANY_ARGUMENTS:
            return 1000
        try:
            return Fields(dict(arguments), "walk").number("steps", least=1, most=100_000)
        except BadMessage as error:
            raise Rejected(str(error)) from error

    def _write(self, kept: Kept) -> bool:
        flaw = self.flaw
        opened = () if flaw is Flaw.FORGETS_LATCH else kept.open
        reset = () if flaw is Flaw.RESET_UNWRITTEN else kept.reset
        key = None if flaw is Flaw.KEY_UNWRITTEN else kept.key
        roster = None if flaw is Flaw.ROSTER_UNWRITTEN else kept.roster
        return self.disk.write(Kept(opened, reset, kept.enrolled, key, roster))

    def _seal(self, kind: str, payload: bytes) -> bytes:
        return seal(self.enrolment.key, self.enrolment.root, kind, payload)

    async def _say(self, kind: str, payload: bytes, more: str = "", *, qos: Any = 0, retain: bool = False) -> None:
        with contextlib.suppress(WireError):
            await self.link.publish(self._topic(kind) + more, payload, qos=qos, retain=retain)

    def _topic(self, kind: str) -> str:
        return f"{self.enrolment.root}/{kind}/{self.enrolment.id}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("enrolment", type=Path)
    parser.add_argument("--latch", type=Path, required=True)
    parser.add_argument("--flaw", type=Flaw, default=Flaw.NONE)
    parser.add_argument("--on-silence", type=OnSilence, default=OnSilence.HOLD)
    parser.add_argument("--danger", type=Danger, default=Danger.NONE)
    given = parser.parse_args()
    enrolment = Enrolment.load(given.enrolment)
    component = BadComponent(enrolment, given.latch, given.flaw, given.on_silence, given.danger)
    asyncio.run(component.run())


if __name__ == "__main__":
    main()
