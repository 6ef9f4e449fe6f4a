"""Those who may read in an open room and are on no list. Nothing that they say counts, and they hold up no message.

Their devices count as theirs where their owner's signatures say so; that is the homeserver's word on who the owner is,
because nobody has pinned it. The library never hears of them: it would give them the keys of control rooms, too.
"""

import asyncio
import dataclasses
import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, cast

import structlog
from nio import MatrixRoom

from bot.words.errors import NetworkError
from bridges.matrix.connection import Connection
from bridges.matrix.identity import Device, entries_of, identity_of
from bridges.matrix.lending import Lender, Reader
from bridges.matrix.session import keys_of

MOST_ASKED_FOR = 200
"""Users in one question for keys."""
MOST_JUDGED_AT_ONCE = 10
"""Users whose signatures are checked before other work goes on."""
MAY_TAKE_S = 5.0
"""How long a message waits until all guests have its key. Who has it later can read the messages from then on."""
AGAIN_S = 600.0
"""When the homeserver of somebody that did not answer is asked again."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What a homeserver said of the devices of one guest."""

    signed: Mapping[str, Device]
    """By id: those that their owner has signed."""
    unsigned: frozenset[str]


class Guests:
    """The devices of those who are in open rooms and on no list."""

    def __init__(
        self,
        connection: Connection,
        is_ours: Callable[[str], bool] = lambda _: True,
        rooms: Container[str] = (),
    ) -> None:
        self._connection = connection
        self._is_ours = is_ours
        """Whether the list has somebody, suspended or not: such a person is never a guest."""
        self._rooms = rooms
        self._seen: dict[str, Seen] = {}
        self._stale: set[str] = set()
        self._silent_until: dict[str, float] = {}
        self._asking = asyncio.Lock()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._lender = Lender(connection)

    def readers(self, room: MatrixRoom) -> Mapping[Reader, Device]:
        """The devices of guests that may read in a room at this moment; none where it is not open."""
        return {
            (user, device.id): device
            for user in self._in(room)
            if (seen := self._seen.get(user)) is not None
            for device in seen.signed.values()
        }

    def seen(self, user: str) -> Seen | None:
        """What is known of a guest's devices."""
        return self._seen.get(user)

    def is_open(self, room: str) -> bool:
        """Whether everybody in a room may read."""
        return room in self._rooms

    def has_key(self, room: str, reader: Reader) -> bool:
        """Whether the device of a guest has surely got the key that a room uses now."""
        return reader in self._lender.given(room)

    def changed(self, users: AbstractSet[str]) -> None:
        """The devices of some users may be others than those that are known."""
        self._stale |= users & self._seen.keys()

    async def welcome(self, room: MatrixRoom) -> None:
        """Give the key of an open room to those of its guests who lack it. The rest is done while others go on."""
        if not self.is_open(room.room_id):
            return
        clock = asyncio.get_running_loop().time
        until = clock() + MAY_TAKE_S
        if (before := self._serving.get(room.room_id)) is not None:  # it may be about another key, and other guests
            await asyncio.wait([before], timeout=MAY_TAKE_S)
        serving = self._serving.get(room.room_id) or self._begin(room)
        await asyncio.wait([serving], timeout=max(0.0, until - clock()))
        if serving.done() and not serving.cancelled():
            serving.result()

    async def finish(self) -> None:
        """Break off what is being done for guests."""
        for serving in (under_way := [*self._serving.values()]):
            serving.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def _begin(self, room: MatrixRoom) -> asyncio.Task[None]:
        def done(task: asyncio.Task[None]) -> None:
            del self._serving[room.room_id]
            if not task.cancelled():
                task.exception()  # whoever still waits has it; nobody else needs to

        serving = asyncio.create_task(self._serve(room), name=f"guests of {room.room_id}")
        serving.add_done_callback(done)
        self._serving[room.room_id] = serving
        return serving

    def _in(self, room: MatrixRoom) -> Iterator[str]:
        return (user for user in room.users if self._is_guest(room, user))

    def _is_guest(self, room: MatrixRoom, user: str) -> bool:
        if not self.is_open(room.room_id) or (member := room.users.get(user)) is None or member.invited:
            return False
        return user != self._connection.login.user and not self._is_ours(user)

    def _device(self, room: str, reader: Reader) -> Device | None:
        """A device, if it may read in a room at this moment."""
        user, device = reader
        there, seen = self._connection.client.rooms.get(room), self._seen.get(user)
        if there is None or seen is None or not self._is_guest(there, user):
            return None
        return seen.signed.get(device)

    async def _serve(self, room: MatrixRoom) -> None:
        try:
            await self._ask(room)
            await self._lender.lend(room.room_id, self.readers(room), lambda each: self._device(room.room_id, each))
        except NetworkError as error:
            log.warning("some guests cannot read yet", room=room.room_id, error=error.what)

    async def _ask(self, room: MatrixRoom) -> None:
        """Ask for the keys of those of whom none are known, or others. Whose homeserver is away is asked for later."""
        async with self._asking:
            self._forget()
            now = asyncio.get_running_loop().time()
            due = sorted(
                user
                for user in self._in(room)
                if (user not in self._seen or user in self._stale) and self._silent_until.get(user, now) <= now
            )
            for users in batches(due, MOST_ASKED_FOR):
                self._stale -= {*users}  # what changes from here on is asked for again
                try:
                    await self._ask_for(users)
                except BaseException:
                    self._stale |= {*users} & self._seen.keys()
                    raise

    async def _ask_for(self, users: tuple[str, ...]) -> None:
        answer = await keys_of(self._connection, *users)
        answered = answer.get("device_keys")
        known = cast("Mapping[str, Any]", answered).keys() if isinstance(answered, dict) else set[str]()
        for some in batches(users, MOST_JUDGED_AT_ONCE):
            for user in some:
                if answer.get("failures") and user not in known:
                    self._silent_until[user] = asyncio.get_running_loop().time() + AGAIN_S
                    self._stale |= {user} & self._seen.keys()
                else:
                    self._silent_until.pop(user, None)
                    self._seen[user] = _judged(answer, user)
            await asyncio.sleep(0)

    def _forget(self) -> None:
        """Whoever is in no open room any more is asked for anew when they come back."""
        there = {user for room in self._connection.client.rooms.values() for user in self._in(room)}
        for known in (self._seen, self._silent_until):
            for user in known.keys() - there:
                del known[user]
        self._stale &= there
        self._lender.keep(there)


def batches(things: Iterable[str], most: int) -> Iterator[tuple[str, ...]]:
    """Some of them at a time."""
    left = iter(things)
    while some := tuple(itertools.islice(left, most)):
        yield some


def _judged(answer: Mapping[str, Any], user: str) -> Seen:
    identity = identity_of(answer, user)
    signed = {device.id: device for device in identity.devices} if identity else dict[str, Device]()
    return Seen(signed, frozenset(name for name in entries_of(answer, user) if name not in signed))
