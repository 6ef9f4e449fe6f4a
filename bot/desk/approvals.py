"""The two-person rule: what was asked for is run only if another person agrees to exactly that, in an attested place.

Nothing is run that was edited, that has changed, that has expired, or that was decided already.
"""

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Sequence

import structlog

from bot.desk import intent, running
from bot.desk.authority import Action, Demand
from bot.desk.call import Call
from bot.desk.card import card_of, digest_of, line_of, stakes_of
from bot.desk.command import Command
from bot.desk.decision import CROWDED, EDITED, REMOVED, SUSPENDED, Beginning, approved, end, tell, was_decided
from bot.desk.grammar import parse
from bot.desk.outcome import described, resolved, said_by
from bot.desk.rest import LONGEST_ANSWER
from bot.desk.signature import Bound
from bot.store import Store, Tx, audit, requests
from bot.store.requests import Request, State
from bot.words.document import Document, Tone, document, mono, strong, text
from bot.words.errors import Refused, StoreError, TocsinError, UsageError
from bot.words.glyphs import hides_something, one_line, quoted
from bot.words.message import Change, Standing
from bot.words.pages import split

LIVES_S = 600.0
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without those that look like others."""
CODE_LENGTH = 6  # 148 million: none comes twice while the old one is kept
MOST_OPEN = 50
MOST_OPEN_EACH = 5
TRY_AGAIN_S = 5.0

log = structlog.get_logger(__name__)


class Changed(Exception):
    """What was asked for is not what it was."""


class Approvals:
    """All requests, from the asking to the outcome."""

    def __init__(
        self,
        store: Store,
        *,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._queued = queued
        self._now = now
        self._clock = clock
        self._asked = asyncio.Event()
        self._deadlines: dict[str, float] = {}
        """Of the requests of this process, on a clock that nobody sets."""

    async def recover(self) -> None:
        """Tell of each request that was running when the bot died. To be called before anything is run."""
        for cut_off in await self._store.read(lambda tx: requests.in_state(tx, State.RUNNING)):
            await self._store.write(functools.partial(end, cut_off, State.UNKNOWN, cut_off.decided, was=State.RUNNING))
            self._queued()

    async def expire(self) -> None:
        """End each request that nobody decided in time, until cancelled."""
        while True:
            self._asked.clear()
            try:
                wait = await self._expire_those_that_are_over()
            except StoreError as error:
                log.error("requests have to wait for the database", error=str(error))
                wait = TRY_AGAIN_S
            except Exception:  # nothing that is wrong with a request keeps others from ending
                log.exception("a request cannot be ended")
                wait = TRY_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._asked.wait()

    async def _expire_those_that_are_over(self) -> float | None:
        """How long until the next one is."""
        waiting: dict[str, float] = {}
        for request in await self._store.read(lambda tx: requests.in_state(tx, State.OPEN)):
            left = self._left_s(request)
            if left > 0:
                waiting[request.code] = left
                continue
            await self._store.write(functools.partial(end, request, State.EXPIRED, None))
            self._queued()
        now = self._clock()
        # One that is not on disk yet is known by its deadline alone. Its time is awaited, too.
        self._deadlines = {code: at for code, at in self._deadlines.items() if code in waiting or at > now}
        return min((*waiting.values(), *(max(0.0, at - now) for at in self._deadlines.values())), default=None)

    async def ask(self, call: Call, command: Command, bound: Bound) -> Document:
        """Write a request along with the outcome of the message that asks, and return its card."""
        stakes = await stakes_of(command, call, bound)
        waiting = await self.open()
        mine = sum(each.person == call.person.name for each in waiting)
        if len(waiting) >= MOST_OPEN or mine >= MOST_OPEN_EACH:
            raise Refused(
                f"Not asked: {len(waiting)} requests wait already, {mine} of them yours.",
                hint="!requests lists them; !deny CODE takes one back.",
            )
        asked = line_of(command, bound)
        if hides_something(asked) or one_line(asked) != asked:  # what looks the same on the card must be the same
            raise Refused("Not asked: it has characters that nobody can see.", hint="Type it anew, without them.")
        made = self._now()
        request = Request(
            code="".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)),
            id=call.id,
            person=call.person.name,
            message=call.message,
            asked=asked,
            digest=digest_of(call.person, call.message, asked, stakes),
            made=made,
            expires=made + LIVES_S,
        )

        card = card_of(request, command, stakes)
        if split(card, LONGEST_ANSWER)[1] is not None:  # nobody agrees to what they have not seen
            raise Refused("Not asked: it is too long to be shown whole.", hint="Ask for less at once.")

        def write(tx: Tx) -> None:
            requests.ask(tx, request)
            audit.record(
                tx,
                "request",
                said_by(request.message, call.person, resolved=resolved(command, bound)),
                code=request.code,
                digest=request.digest,
                targets=[hit.target for hit in stakes.hits],
                **described(request.id, request.message, command),
            )
            if requests.is_edited(tx, call.message):
                end(request, State.VOID, EDITED, tx)
            crowd, mine = requests.open_ones(tx, request.person)
            if crowd > MOST_OPEN or mine > MOST_OPEN_EACH:  # several were asked at once
                end(request, State.VOID, CROWDED, tx)

        call.write_along(write)
        self._deadlines[request.code] = self._clock() + LIVES_S
        self._asked.set()
        return card

    async def open(self) -> list[Request]:
        """All requests that can still be decided."""
        return [
            request
            for request in await self._store.read(lambda tx: requests.in_state(tx, State.OPEN))
            if self._left_s(request) > 0
        ]

    async def deny(self, call: Call, code: str) -> Document:
        """One is enough to end a request. The one who asked may take it back so, too."""
        request = await self._open_one(code)
        denied = await self._store.write(functools.partial(end, request, State.DENIED, call.person.name))
        if not denied:
            raise await self._decided(request)
        self._queued()
        return document(text(strong("Denied", Tone.BAD), ": ", mono(request.asked), f", asked by {request.person}."))

    async def approve(self, call: Call, code: str) -> Document:
        """Run what was asked for, if this is another person and nothing has changed."""
        request = await self._open_one(code)
        self._check_the_two(request, call)
        command, _, _ = await self._unchanged(request, call, State.OPEN)
        system = call.system
        system.authority.check(
            call.person, call.message.standing, call.message.place.network, Demand(Action.GOVERN, command.role)
        )
        beginning = Beginning(request, call.person, command)
        await intent.before(self._store, beginning.write, if_late=beginning.take_back)
        # The disk took a moment, in which all of it may have changed.
        command, bound, asking = await self._unchanged(request, call, State.RUNNING)
        gone = [each for each in (asking, call) if system.people.holder_of(each.message.account) is None]
        if gone:
            await self._store.write(functools.partial(end, request, State.VOID, SUSPENDED, was=State.RUNNING))
            raise Refused(f"Not run: {gone[0].person.name} was suspended just now.")
        ran = running.shown(asking, await running.run(command, asking, bound))
        state = State.DONE if ran.result == "done" else State.FAILED

        def write(tx: Tx) -> None:
            requests.decide(tx, request.code, state, call.person.name, was=State.RUNNING)
            audit.record(
                tx,
                "outcome",
                said_by(request.message, asking.person),
                audit.about(call.person.name, approved_by=call.person.name),
                result=ran.result,
                **described(request.id, request.message, command),
            )
            if state is State.DONE:
                for work in asking.written_along:
                    work(tx)
            tell(tx, request, approved(request, call.person, state), ran.answer.blocks)

        call.write_along(write)
        head = text(strong("Approved", Tone.GOOD), ": ", mono(request.asked), f", asked by {request.person}.")
        return Document((head, *ran.answer.blocks))

    def void(self, tx: Tx, network: str, changes: Sequence[Change]) -> None:
        """Messages were edited or taken back: what they asked for is void."""
        for change in changes:
            for request in requests.touched(tx, network, change):
                end(request, State.VOID, REMOVED if change.removed else EDITED, tx)

    def void_all_of(self, tx: Tx, person: str) -> None:
        """Somebody is suspended: what they asked for is void."""
        for request in requests.in_state(tx, State.OPEN):
            if request.person == person:
                end(request, State.VOID, SUSPENDED, tx)

    def _check_the_two(self, request: Request, call: Call) -> None:
        if request.person == call.person.name:
            raise Refused(
                "Not run: you asked for this yourself, and it takes a second person.",
                hint="Another account of yours is still you.",
            )
        if request.message.standing is Standing.LOCAL and call.message.standing is Standing.LOCAL:
            raise Refused(
                "Not run: of the two persons only one may be at the console, because whoever rules this machine can be "
                "any of its users.",
                hint="Approve it in an encrypted room.",
            )

    async def _open_one(self, code: str) -> Request:
        wanted = code.strip("!.,:;'\"`").upper()
        request = await self._store.read(lambda tx: requests.find(tx, wanted))
        if request is None:
            raise UsageError(f"There is no request {quoted(code)}.", hint="!requests lists what waits.")
        if request.state is not State.OPEN:
            raise was_decided(request)
        if self._left_s(request) <= 0:
            raise Refused(f"Not run: {request.code} has expired.", hint=f"{request.person} may ask for it again.")
        return request

    async def _decided(self, request: Request) -> Refused:
        """Somebody was faster: what became of it."""
        now = await self._store.read(lambda tx: requests.find(tx, request.code))
        return was_decided(now or request)

    def _left_s(self, request: Request) -> float:
        """How long it lives. Whichever clock says less: one that was set back does not make it live longer."""
        now = self._now()
        if now < request.made - 1:
            return 0.0
        left = request.expires - now
        deadline = self._deadlines.get(request.code)
        return left if deadline is None else min(left, deadline - self._clock())

    async def _unchanged(self, request: Request, call: Call, was: State) -> tuple[Command, Bound, Call]:
        """The command, where it is what the card showed. Else the request is void."""
        try:
            return await self._same_as_asked(request, call)
        except Changed as changed:
            if not await self._store.write(functools.partial(end, request, State.VOID, str(changed), was=was)):
                raise await self._decided(request) from changed
            self._queued()
            raise Refused(
                f"Not run: {request.code} is void, {changed}.", hint=f"{request.person} may ask for it again."
            ) from changed

    async def _same_as_asked(self, request: Request, call: Call) -> tuple[Command, Bound, Call]:
        """The command as it is understood now. Raises Changed where it is not what the card showed."""
        system = call.system
        person = system.people.holder_of(request.message.account)
        if person is None or person.name != request.person:
            raise Changed(SUSPENDED)
        line = parse(request.message.text, addressed=True)
        found = system.catalogue.find(line) if line else None
        if found is None:
            raise Changed("there is no such command any more")
        command, rest = found
        message = request.message
        verdict = system.authority.judge(person, message.standing, message.place.network, command.demand)
        if not verdict.allowed:
            raise Changed(verdict.why)
        asking = Call(request.id, person, message, system, approved_by=call.person)
        try:
            bound = command.signature.bind(rest, system.names)
            stakes = await stakes_of(command, asking, bound)
        except TocsinError as error:
            raise Changed("it cannot be done any more") from error
        if digest_of(person, message, line_of(command, bound), stakes) != request.digest:
            raise Changed("what it would hit has changed since it was asked for")
        return command, bound, asking
