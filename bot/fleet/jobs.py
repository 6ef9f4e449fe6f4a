"""What components are told to do, and what comes of it. A row is on disk before anybody is told to do anything.

A component's word counts where it is signed, in the session in which it was asked, and newer than the last. Its end
counts once. What nobody has said is not known, and is told as that.
"""

import asyncio
import dataclasses
import functools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import structlog

from bot.fleet.orders import write_down
from bot.fleet.pace import Pace
from bot.fleet.pictures import Pictures
from bot.fleet.registry import Registry
from bot.fleet.told import answered, ended, going_on
from bot.stop.bell import Bell
from bot.store import Store, Tx, audit, jobs, outbox
from bot.store.jobs import Job, State
from bot.words.document import Block, Document
from bot.words.errors import Refused, StoreError
from bot.words.message import Lane, Post
from wire import work
from wire.envelope import read_unproven
from wire.errors import BadMessage, WireError
from wire.picture import picture_topic
from wire.work import Called, Command, Reply, Status

LATE_S = 2.0
"""How much later its answer may still come."""
LOST_S = 10.0
"""A component that has begun anew has so long to say how its job ended."""
LOOK_EVERY_S = 1.0
VERIFIED_AT_ONCE = 64
MOST_TARGETS = 256
"""Whom one signed message is for: it has a bound."""
MOST_KNOWN = 4096
MOST_PICTURES = 8
"""In one message, of whoever is named first."""

Key = tuple[str, str]
"""The id of a command, and the component."""
Publish = Callable[[str, bytes], Awaitable[None]]
log = structlog.get_logger(__name__)

REPLIED: Mapping[Status, State] = {
    Status.ACCEPTED: State.QUEUED,
    Status.DONE: State.DONE,
    Status.REJECTED: State.REJECTED,
    Status.ERROR: State.FAILED,
}


class Jobs:
    """All commands to components that are not over, and those that ended a moment ago."""

    def __init__(
        self,
        store: Store,
        bell: Bell,
        registry: Registry,
        root: str,
        name: str,
        *,
        publish: Publish,
        forget: Publish | None = None,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._bell = bell
        self._registry = registry
        self._root = root
        self._name = name
        self._publish = publish
        self._forget = forget
        """Has the broker keep nothing on a topic any more: pictures weigh there."""
        self._to_forget: list[str] = []
        self._queued = queued
        self._now = now
        self._clock = clock
        self._pause = pause
        self._known: dict[str, dict[str, Job]] = {}
        """By id, and by component."""
        self._heard: dict[tuple[str, str, str], bytes] = {}
        """The newest that was said of each and not looked at yet: a reply, or how its job is."""
        self._news = asyncio.Event()
        self._waiting: dict[str, asyncio.Event] = {}
        """Who ordered something and wants to know what is said to it: set at each answer."""
        self._muted: set[str] = set()
        """Whose first answer is not written yet: what comes after it must not be told before it."""
        self._unwritten: dict[Key, Job] = {}
        self._paces: dict[str, Pace] = {}
        self._pictures = Pictures()
        self._shown: dict[Key, list[Block]] = {}
        """The pictures of what has ended."""
        self._gone: dict[Key, float] = {}
        """Since when the component of a job is in another session."""
        self.refused = 0

    async def read(self) -> None:
        """What was ordered before this start."""
        for each in await self._store.read(jobs.open_ones):
            self._known.setdefault(each.id, {})[each.component] = each

    async def order(self, asked: Sequence[Job]) -> list[Job]:
        """Tell components to do something, all of them the same. How it stands when all have answered, or soon after.

        Raises StoreError where it is not on disk, and Refused where too much is going on: then nobody was told.
        """
        first = asked[0]
        if sum(map(len, self._known.values())) + len(asked) > MOST_KNOWN:
            raise Refused("Not run: too many commands to components are going on.", hint="!jobs lists them.")
        await self._store.write(functools.partial(write_down, asked))
        self._known[first.id] = {each.component: each for each in asked}
        self._muted.add(first.id)
        answered = self._waiting[first.id] = asyncio.Event()
        try:
            for start in range(0, len(asked), MOST_TARGETS):
                await self._send(asked[start : start + MOST_TARGETS])
            async with asyncio.timeout(max(0.0, first.expires + LATE_S - self._now())):
                while any(each.state is State.SENT for each in self.of(first.id)):
                    answered.clear()
                    await answered.wait()
        except TimeoutError:
            pass  # `run` says of each that nobody has answered
        finally:
            del self._waiting[first.id]
        return self.of(first.id)

    def answer(self, id_: str) -> tuple[Document, Callable[[Tx], None]]:
        """What is said to an order now, and what is to be written along with that."""
        shown = self.of(id_)

        def follow(tx: Tx) -> None:
            self._muted.discard(id_)
            same = self.of(id_)
            if same != shown:  # it went on while the answer was on its way
                self._tell(tx, id_)
                if _is_over(same) and not _is_over(shown):
                    self._tell_the_end(tx, id_)

        return answered(shown), follow

    def of(self, id_: str) -> list[Job]:
        """All that one order has begun, in the order of names."""
        return [job for _, job in sorted(self._known.get(id_, {}).items())]

    def pictures(self, id_: str) -> list[Block]:
        """What those who have ended have shown, as long as it is known."""
        return [each for job in self.of(id_) for each in self._shown.get((id_, job.component), [])][:MOST_PICTURES]

    async def _send(self, some: Sequence[Job]) -> None:
        first = some[0]
        command = Command(
            id=first.id,
            command=first.command,
            args=orjson.loads(first.args),
            targets=tuple(Called(each.component, each.session) for each in some),
            reply_to=self._name,
            expires_ms=round(first.expires * 1000),
            actor=first.person,
        )
        envelope = self._bell.signed(command)
        sending = [self._publish(f"{self._root}/cmd/{each.component}", envelope) for each in some]
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        for error in outcomes:
            if error is not None and not isinstance(error, WireError):
                raise error
        failed = [(job, str(error)) for job, error in zip(some, outcomes, strict=True) if error is not None]
        await self._settle([self._changed(job, state=State.NOT_SENT, message=why) for job, why in failed])

    def hear(self, kind: str, rest: str, payload: bytes) -> bool:
        """An answer, how a job is, or a picture. It is put by; False where it is about nothing that is known."""
        if kind == "picture":
            component, _, sha256 = rest.partition("/")
            is_wanted = any(component in same and not same[component].state.is_sure for same in self._known.values())
            return is_wanted and self._pictures.take(component, sha256, payload)
        try:
            id_, component = _meant(kind, rest, payload, self._root)
        except BadMessage:
            return False
        if component not in self._known.get(id_, {}):
            return False
        self._heard[kind, id_, component] = payload
        self._news.set()
        return True

    async def run(self) -> None:
        """Look at what was heard, and at what is late, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_again_and_again(), name="jobs that are late")
            while True:
                await self._news.wait()
                self._news.clear()
                while self._heard:
                    some = [(key, self._heard.pop(key)) for key in list(self._heard)[:VERIFIED_AT_ONCE]]
                    changed = [self._judged(*key, payload) for key, payload in some]
                    await self._settle([job for job in changed if job is not None])
                    await asyncio.sleep(0)

    def _judged(self, kind: str, id_: str, component: str, payload: bytes) -> Job | None:
        """How a job stands after what was said, where that counts and is news."""
        job = self._known.get(id_, {}).get(component)
        if job is None or job.state.is_sure or not payload:
            return None
        try:
            opened = self._bell.opened(component, kind, payload)
            return (
                self._replied(job, Reply.parse(opened)) if kind == "reply" else self._said(job, work.Job.parse(opened))
            )
        except BadMessage as error:
            self.refused += 1
            log.warning("refused what a component says of a job", component=component, why=str(error))
            return None

    def _replied(self, job: Job, reply: Reply) -> Job | None:
        is_late = job.seq >= 0  # the job itself has spoken since
        if (reply.id, reply.sender) != (job.id, job.component) or is_late:
            return None
        if reply.status is Status.ACCEPTED and not job.takes_long:
            return None
        result = orjson.dumps(dict(reply.result)).decode()
        return self._changed(job, state=REPLIED[reply.status], message=reply.error, result=result)

    def _said(self, job: Job, said: work.Job) -> Job | None:
        is_its = (said.job, said.id, said.session) == (job.id, job.component, job.session)
        if not is_its or said.seq <= job.seq:
            return None
        if said.pictures:
            self._shown[job.id, job.component] = self._pictures.shown(job.component, said.pictures)
            self._to_forget += [picture_topic(self._root, job.component, each.sha256) for each in said.pictures]
        return self._changed(
            job,
            state=State(said.state.value),
            seq=said.seq,
            progress=said.progress,
            message=said.message,
            result=orjson.dumps(dict(said.result)).decode(),
        )

    def _changed(self, job: Job, **changes: Any) -> Job:
        new = dataclasses.replace(job, **changes)
        return dataclasses.replace(new, ended=self._now()) if new.state.is_over else new

    async def _settle(self, changed: Sequence[Job]) -> None:
        """Keep how jobs stand now, and tell of those whose turn it is. What the disk refuses is tried again."""
        for job in changed:
            before = self._known[job.id][job.component]
            self._known[job.id][job.component] = job
            self._unwritten[job.id, job.component] = job
            pace = self._paces.setdefault(job.id, Pace(self._clock()))
            pace.note(before, job, self._clock(), is_one=len(self._known[job.id]) == 1)
        now = self._clock()
        due = [id_ for id_, pace in self._paces.items() if pace.is_due(now)]
        over = [job for job in self._unwritten.values() if job.state.is_over]
        if due or over:
            told = [job for id_ in due for job in self.of(id_)]
            rows = {(job.id, job.component): job for job in (*told, *over)}
            try:
                await self._store.write(functools.partial(self._write, list(rows.values()), over, due))
            except StoreError as error:
                log.error("jobs have to wait for the database", error=str(error))
            else:
                for key, job in rows.items():
                    if self._unwritten.get(key) is job:
                        del self._unwritten[key]
                for id_ in due:
                    self._paces[id_].told(now)
                self._queued()
        for id_ in {job.id for job in changed} & self._waiting.keys():
            self._waiting[id_].set()

    def _write(self, rows: Sequence[Job], over: Sequence[Job], due: Sequence[str], tx: Tx) -> None:
        for job in rows:
            jobs.update(tx, job)
        for job in over:
            audit.record(tx, "ended", id=job.id, component=job.component, command=job.command, result=str(job.state))
        for id_ in due:
            self._tell(tx, id_)
        for id_ in dict.fromkeys(job.id for job in over):
            self._tell_the_end(tx, id_)

    def _tell_the_end(self, tx: Tx, id_: str) -> None:
        same = self.of(id_)
        if _is_over(same) and self._is_told_here(same):
            words = Document((*ended(same).blocks, *self.pictures(id_)))
            outbox.queue(tx, Post(same[0].place, words, Lane.ANSWER, reply_to=same[0].reply_to))

    def _tell(self, tx: Tx, id_: str) -> None:
        same = self.of(id_)
        if self._is_told_here(same):
            words = going_on(same, self._paces[id_].eta_s(same[0]))
            subject = subject_of(id_)
            outbox.queue(tx, Post(same[0].place, words, Lane.PROGRESS, reply_to=same[0].reply_to, subject=subject))

    def _is_told_here(self, same: Sequence[Job]) -> bool:
        """Whoever waits for the first answers tells those; and what is answered at once has no course."""
        first = same[0]
        return bool(first.reply_to) and first.takes_long and first.id not in self._muted

    async def _look_again_and_again(self) -> None:
        while True:
            await self._pause(LOOK_EVERY_S)
            await self._settle([*self._late()])
            while self._to_forget and self._forget is not None:
                try:
                    await self._forget(self._to_forget[0], b"")
                except WireError:
                    break  # again later
                del self._to_forget[0]

    def _late(self) -> Iterator[Job]:
        """What is late and what is lost. What ended long ago is let go of."""
        now, clock = self._now(), self._clock()
        for id_, same in list(self._known.items()):
            if all(job.ended is not None and now - job.ended > jobs.RECENT_S for job in same.values()):
                del self._known[id_]
                for component in same:
                    self._shown.pop((id_, component), None)
                self._paces.pop(id_, None)
                self._muted.discard(id_)
            for job in list(same.values()):
                key, session = (id_, job.component), self._registry.session(job.component)
                if job.state.is_over or session in (None, job.session):
                    self._gone.pop(key, None)
                elif clock - self._gone.setdefault(key, clock) > LOST_S:
                    yield self._changed(job, state=State.LOST, message="It has begun anew, and said no end before.")
                    continue
                if job.state is State.SENT and now > job.expires + LATE_S:
                    yield self._changed(job, state=State.UNANSWERED)


def _meant(kind: str, rest: str, payload: bytes, root: str) -> Key:
    """Which job it is about, as it says itself. Raises BadMessage."""
    if kind == "job":
        component, _, id_ = rest.partition("/")
        return id_, component
    reply = Reply.parse(read_unproven(payload, root, "reply"))
    return reply.id, reply.sender


def _is_over(same: Sequence[Job]) -> bool:
    return all(job.state.is_over for job in same)


def subject_of(id_: str) -> str:
    """What the messages of an order are about: they are one that is edited."""
    return f"job {id_}"
