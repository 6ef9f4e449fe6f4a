"""What components are told to do, and what comes of it. A row is on disk before anybody is told to do anything.

A component's word counts where it is signed, in the session in which it was asked, and newer than the last. Its end
counts once. What nobody has said is not known, and is told as that.
"""

import asyncio
import dataclasses
import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import structlog

from bot.fleet import going_on, job_words
from bot.fleet.going_on import GoingOn
from bot.fleet.orders import command_of, write_down, write_going_on, write_outcome
from bot.fleet.pace import Pace
from bot.fleet.pictures import Pictures
from bot.fleet.registry import Registry
from bot.fleet.talk import About, Talk, claimed
from bot.fleet.told import answered, course_of, end_of, subject_of
from bot.stop.bell import Bell
from bot.store import Store, Tx, jobs, outbox, pictures
from bot.store.jobs import Job, State
from bot.words.document import Block, Document, Picture
from bot.words.errors import Refused, StoreError
from bot.words.message import Post
from wire import work
from wire.errors import BadMessage, WireError
from wire.picture import picture_topic
from wire.work import Reply

LATE_S = 2.0  # how much later its answer may still come
LOST_S = 10.0  # a component that has begun anew has so long to say how its job ended
LOOK_EVERY_S = 1.0
VERIFIED_AT_ONCE = 64
MOST_TARGETS = 256  # whom one signed message is for: it has a bound
MOST_KNOWN = 4096

Key = tuple[str, str]
"""The id of a command, and the component."""
Publish = Callable[[str, bytes], Awaitable[None]]
log = structlog.get_logger(__name__)


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
        goes_on: GoingOn | None = None,
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
        self._forget = forget  # has the broker keep nothing on a topic any more: pictures weigh there
        self._to_forget: list[str] = []
        self._going_on = goes_on
        self._may_go_on: list[Job] = []
        self._queued = queued
        self._now = now
        self._clock = clock
        self._pause = pause
        self._known: dict[str, dict[str, Job]] = {}
        """By id, and by component."""
        self._talk = Talk()
        self._waiting: dict[str, asyncio.Event] = {}
        """Who ordered something and wants to know what is said to it: set at each answer."""
        self._muted: set[str] = set()
        """Whose first answer is not written yet: what comes after it must not be told before it."""
        self._told: dict[str, list[Job]] = {}
        """The end of an order as it was told."""
        self._unwritten: dict[Key, Job] = {}
        self._writing = asyncio.Lock()  # what two write at once would be told twice
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
        self._make_room(len(asked))
        await self._store.write(functools.partial(write_down, asked))
        return await self.tell(asked)

    async def tell(self, asked: Sequence[Job]) -> list[Job]:
        """The same with an order that is on disk."""
        first = asked[0]
        self._known[first.id] = {each.component: each for each in asked}
        if first.takes_long:
            self._muted.add(first.id)
        answered = self._waiting[first.id] = asyncio.Event()
        try:
            for start in range(0, len(asked), MOST_TARGETS):
                await self._send(asked[start : start + MOST_TARGETS])
            async with asyncio.timeout(max(0.0, first.expires + LATE_S - self._now())):
                while any(each.state is State.SENT for each in self._known[first.id].values()):
                    answered.clear()
                    await answered.wait()
        except TimeoutError:
            silent = [each for each in self.of(first.id) if each.state is State.SENT]
            await self._settle([self._changed(each, state=State.UNANSWERED) for each in silent])
        finally:
            del self._waiting[first.id]
        return self.of(first.id)

    async def stay(self, id_: str) -> None:
        """Somebody wants its end: it does not go on by itself, whatever begins anew."""
        for job in self.of(id_):
            self._known[id_][job.component] = dataclasses.replace(job, may_go_on=0)
        await self._store.write(lambda tx: jobs.stay(tx, id_))

    def answer(self, id_: str) -> tuple[Document, Callable[[Tx], None]]:
        """What is said to an order now, and what is to be written along with that."""
        shown = self.of(id_)
        if _is_over(shown):
            self._told[id_] = shown

        def follow(tx: Tx) -> None:
            self._muted.discard(id_)
            same = self.of(id_)
            if not same or same == shown:
                return
            posts = [*self._course(same)]  # it went on while the answer was on its way
            written = jobs.of(tx, id_)  # an end that is not on disk is told by whoever writes it
            if _is_over(written) and self._told.get(id_) != written:
                posts += end_of(written, self.pictures(id_))
            for post in posts:
                outbox.queue(tx, post)

        return Document((*answered(shown).blocks, *self.pictures(id_))), follow

    def of(self, id_: str) -> list[Job]:
        """All that one order has begun, in the order of names."""
        return [job for _, job in sorted(self._known.get(id_, {}).items())]

    def pictures(self, id_: str) -> list[Block]:
        """What those who have ended have shown, as long as it is known."""
        return [each for job in self.of(id_) for each in self._shown.get((id_, job.component), [])][
            : work.MOST_PICTURES
        ]

    async def all_pictures(self, id_: str) -> Sequence[Block]:
        """The same, and of what ended long ago as well."""
        return self.pictures(id_) or await self._store.read(lambda tx: pictures.of(tx, id_, work.MOST_PICTURES))

    async def _send(self, some: Sequence[Job], going_on_by: str = "") -> None:
        envelope = self._bell.signed(command_of(some, self._name, going_on_by))
        sending = [self._publish(f"{self._root}/cmd/{each.component}", envelope) for each in some]
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        for error in outcomes:
            if error is not None and not isinstance(error, WireError):
                raise error
        failed = [(job, str(error)) for job, error in zip(some, outcomes, strict=True) if error is not None]
        silent = [(job, why) for job, why in failed if self._known[job.id][job.component].state is State.SENT]
        if silent:
            await self._settle([self._changed(job, state=State.NOT_SENT, message=why) for job, why in silent])

    def hear(self, kind: str, rest: str, payload: bytes) -> bool:
        """An answer, how a job is, or a picture. It is put by; False where it is about nothing that is known."""
        if kind == "picture":
            component, _, sha256 = rest.partition("/")
            is_wanted = any(component in same and not same[component].state.is_sure for same in self._known.values())
            return is_wanted and self._pictures.take(component, sha256, payload)
        if not payload:  # the broker was told to forget it
            return False
        try:
            about, is_end = claimed(kind, rest, payload, self._root)
        except BadMessage:
            self.refused += 1
            return False
        if about.component not in self._known.get(about.id, {}) or not self._bell.knows(about.component):
            return False
        too_much = self._talk.put_by(about, payload, is_end=is_end)
        if too_much is not None:
            self._look_at(about, too_much)
        return True

    async def run(self) -> None:
        """Look at what was heard, and at what is late, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_again_and_again(), name="jobs that are late")
            while True:
                await self._talk.come()
                while self._talk:
                    for about, payload in self._talk.some(VERIFIED_AT_ONCE):
                        self._look_at(about, payload)
                    await asyncio.sleep(0)  # whoever waits for an answer goes on before the disk is asked
                    await self._settle()

    def _look_at(self, about: About, payload: bytes) -> None:
        """Note how a job stands after what was said, where that counts and is news."""
        job = self._known.get(about.id, {}).get(about.component)
        if job is None or job.state.is_sure:
            return
        try:
            said = self._bell.opened(about.component, about.kind, payload)
            is_reply = about.kind == "reply"
            new = job_words.replied(job, Reply.parse(said), self._now()) if is_reply else self._said(job, said)
        except BadMessage as error:
            self.refused += 1
            log.warning("refused what a component says of a job", component=about.component, why=str(error))
            return
        if new is not None:  # what is looked at next is compared with this
            self._note(new)

    def _said(self, job: Job, payload: bytes) -> Job | None:
        word = work.Job.parse(payload)
        new = job_words.said(job, word, self._now())
        if new is not None and word.pictures:
            self._shown[job.id, job.component] = self._pictures.shown(job.component, word.pictures)
            self._to_forget += [picture_topic(self._root, job.component, each.sha256) for each in word.pictures]
        return new

    def _changed(self, job: Job, **changes: Any) -> Job:
        return job_words.changed(job, self._now(), **changes)

    def _note(self, job: Job) -> None:
        """This is how it stands now."""
        before = self._known[job.id][job.component]
        self._known[job.id][job.component] = job
        self._unwritten[job.id, job.component] = job
        pace = self._paces.setdefault(job.id, Pace(self._clock()))
        pace.note(before, job, self._clock(), is_one=len(self._known[job.id]) == 1)
        if job.id in self._waiting:
            self._waiting[job.id].set()

    async def _settle(self, changed: Sequence[Job] = ()) -> None:
        """Keep how jobs stand now, and tell of those whose turn it is. What the disk refuses is tried again."""
        for job in changed:
            self._note(job)
        async with self._writing:
            try:
                await self._write_down()
            except StoreError as error:
                log.error("jobs have to wait for the database", error=str(error))

    async def _write_down(self) -> None:
        now = self._clock()
        due = {id_: self.of(id_) for id_, pace in self._paces.items() if pace.is_due(now)}
        over = [job for job in self._unwritten.values() if job.state.is_over]
        if not due and not over:
            return
        ends = {id_: self.of(id_) for id_ in dict.fromkeys(job.id for job in over)}
        ends = {id_: same for id_, same in ends.items() if _is_over(same) and self._told.get(id_) != same}
        rows = {(job.id, job.component): job for job in (*itertools.chain(*due.values()), *over)}
        posts = [(id_, post) for id_, same in due.items() for post in self._course(same)]
        posts += [(id_, post) for id_, same in ends.items() for post in end_of(same, self.pictures(id_))]
        muted: dict[str, bool] = {}

        def write(tx: Tx) -> None:
            write_outcome([*rows.values()], over, tx)
            for job in over:
                brought = [each for each in self._shown.get((job.id, job.component), []) if isinstance(each, Picture)]
                pictures.keep(tx, job.id, job.component, brought, self._now())
            muted.update({id_: muted.get(id_, id_ in self._muted) for id_ in (*due, *ends)})  # also where it runs again
            for id_, post in posts:
                if not muted[id_]:
                    outbox.queue(tx, post)

        await self._store.write(write)
        for key, job in rows.items():
            if self._unwritten.get(key) is job:
                del self._unwritten[key]
        for id_, same in due.items():
            if self.of(id_) == same:  # else there is more to tell since
                self._paces[id_].told(now)
        self._told |= {id_: same for id_, same in ends.items() if not muted[id_]}
        self._queued()

    def _course(self, same: Sequence[Job]) -> Iterator[Post]:
        return course_of(same, self._paces[same[0].id].eta_s(same[0]), subject_of(same[0].id))

    async def _look_again_and_again(self) -> None:
        while True:
            await self._pause(LOOK_EVERY_S)
            await self._settle([*self._late()])
            while self._may_go_on and self._going_on is not None:
                await self._go_on(self._may_go_on.pop(), self._going_on)
            while self._to_forget and self._forget is not None:
                try:
                    await self._forget(self._to_forget[0], b"")
                except WireError:
                    break  # again later
                del self._to_forget[0]

    def _make_room(self, count: int) -> None:
        """What goes on is kept; of what has ended the oldest goes."""
        known = sum(map(len, self._known.values()))
        for id_, same in list(self._known.items()):
            may_go = _is_over(same.values()) and not self._is_wanted(id_) and id_ not in self._muted
            if may_go and known + count > MOST_KNOWN:
                self._let_go(id_)
                known -= len(same)
        if known + count > MOST_KNOWN:
            raise Refused("Not run: too many commands to components are going on.", hint="!jobs lists them.")

    def _is_wanted(self, id_: str) -> bool:
        """Somebody waits for it, or no disk has its end yet."""
        return id_ in self._waiting or any((id_, each) in self._unwritten for each in self._known[id_])

    def _let_go(self, id_: str) -> None:
        for component in self._known.pop(id_):
            self._shown.pop((id_, component), None)
            self._gone.pop((id_, component), None)
        self._paces.pop(id_, None)
        self._told.pop(id_, None)
        self._muted.discard(id_)

    def _late(self) -> Iterator[Job]:
        """What is late and what is lost. What ended long ago is let go of."""
        now, clock = self._now(), self._clock()
        for id_, same in list(self._known.items()):
            is_old = all(job.ended is not None and now - job.ended > jobs.RECENT_S for job in same.values())
            if is_old and not self._is_wanted(id_):
                self._let_go(id_)
            for job in list(same.values()):
                key, is_enrolled = (id_, job.component), self._bell.knows(job.component)
                session = self._registry.session(job.component) if is_enrolled else None
                if not (is_enrolled or job.state.is_over):  # the configuration is another since
                    yield self._changed(job, state=State.LOST, message="It is not enrolled any more.")
                    continue
                if job.state.is_over or session in (None, job.session):
                    self._gone.pop(key, None)
                elif clock - self._gone.setdefault(key, clock) > LOST_S:
                    yield from self._begun_anew(job)
                    continue
                if job.state is State.SENT and now > job.expires + LATE_S:
                    yield self._changed(job, state=State.UNANSWERED)

    def _begun_anew(self, job: Job) -> Iterator[Job]:
        """Its component is in another session, and has not said how it ended: it goes on there, or is lost."""
        judged = self._judged(job)
        if judged is None:
            self._may_go_on.append(job)
        elif judged != job:
            yield judged

    def _judged(self, job: Job) -> Job | None:
        """How it stands then. None where it may go on now."""
        if self._going_on is None:
            return going_on.lost(job, going_on.BY_NOBODY, self._now())
        return self._going_on.judged(job, self._bell, self._now())

    async def _go_on(self, job: Job, going: GoingOn) -> None:
        """Tell it to go on in the session that its component is in now. Where that is in doubt, the next look says."""
        if not self._still_may(job):
            return
        new, by = going.anew(job, self._now()), going.command(job)
        async with self._writing:
            try:
                is_let = await self._store.write(functools.partial(write_going_on, new, by))
            except StoreError as error:
                log.error("a job has to wait for the database", error=str(error))
                return
            if not self._still_may(job):
                return
            self._note(new if is_let else going.lost(job, going_on.STOPPED, self._now()))
        if is_let:
            await self._send([new], by)

    def _still_may(self, job: Job) -> bool:
        """Nothing was said of it, and nobody has stopped or cancelled it, since that was asked last."""
        return self._known.get(job.id, {}).get(job.component) is job and self._judged(job) is None


def _is_over(same: Iterable[Job]) -> bool:
    return all(job.state.is_over for job in same)
