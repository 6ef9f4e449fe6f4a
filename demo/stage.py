"""A bot's Matrix bridge among people on a real homeserver, for tests. Of the bot there is only the inbox."""

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from bot.bridge import Office, Unreadable
from bot.identities import Identities
from bot.keys import DATABASE
from bot.store import Store
from bot.words.document import document
from bot.words.message import Change, Lane, Message, Place, Post, Reaction
from bot.words.people import Account, People, Person, Role
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.settings import MatrixSettings
from bridges.matrix.waiting import KEY_MAY_TAKE_S
from demo.homeserver import Homeserver
from demo.inlet import Batch, StoredInlet
from demo.operator import Operator

SOON_S = 20.0
ALARMS = Place("nobody", "alarms")
"""Where the bot would speak of itself. No bridge takes it away, so it can be looked at in the outbox."""


def says(room: str, words: str, reply_to: str | None = None, *, edits: str | None = None) -> Post:
    """A post of the bot."""
    return Post(Place("matrix", room), document(words), Lane.ANSWER, reply_to, edits=edits)


class Inbox(StoredInlet):
    """The inbox of a real store, which can be told to fail once, or to hang."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "matrix")
        self.arrived: asyncio.Queue[Message] = asyncio.Queue()
        self.changed: asyncio.Queue[Change] = asyncio.Queue()
        self.unreadable: asyncio.Queue[Unreadable] = asyncio.Queue()
        self.reacted: asyncio.Queue[Reaction] = asyncio.Queue()
        self.own: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        """Keys of the bot's posts, and their events."""
        self.fail: Exception | None = None
        self.hung: asyncio.Event | None = None
        self.offered: asyncio.Queue[str] = asyncio.Queue()
        """What was to be taken, whether the disk takes it or not."""
        self.hurried: asyncio.Queue[str] = asyncio.Queue()
        """What was told to go before the disk."""
        self.troubles: dict[str, str] = {}
        """What was wrong with the bridge's own disk then, by text; empty where nothing was."""

    async def take(self, batch: Batch) -> None:
        """Take a batch, unless a test wants it otherwise."""
        for message in batch.messages:
            self.offered.put_nowait(message.text)
        if batch.messages and self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure
        if batch.messages and self.hung is not None:
            self.hung.set()
            await asyncio.Event().wait()
        await self.keep(batch)
        for message in batch.messages:
            self.arrived.put_nowait(message)
        for change in batch.changes:
            self.changed.put_nowait(change)
        for each in batch.unreadable:
            self.unreadable.put_nowait(each)
        for reaction in batch.reactions:
            self.reacted.put_nowait(reaction)
        for known in batch.own.items():
            self.own.put_nowait(known)

    async def despite_the_disk(self, messages: Sequence[Message], trouble: str = "") -> None:
        """Note what was told to go before the disk."""
        for message in messages:
            self.troubles[message.text] = trouble
            self.hurried.put_nowait(message.text)

    async def next(self) -> Message:
        """The next message that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.arrived.get()

    async def until_offered(self, text: str) -> None:
        """Wait until somebody wants this taken."""
        await _until(self.offered, text)

    async def until_hurried(self, text: str) -> None:
        """Wait until this is told to go before the disk."""
        await _until(self.hurried, text)

    async def next_change(self) -> Change:
        """The next change that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.changed.get()

    async def next_reaction(self) -> Reaction:
        """The next thing that somebody showed beside a message."""
        async with asyncio.timeout(SOON_S):
            return await self.reacted.get()

    async def next_unreadable(self) -> Unreadable:
        """The next message that came and could not be read."""
        async with asyncio.timeout(SOON_S):
            return await self.unreadable.get()


async def _until(queue: "asyncio.Queue[str]", text: str) -> None:
    async with asyncio.timeout(SOON_S):
        while await queue.get() != text:
            pass


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """Accounts of one test, and the bot that lists alice and bob."""

    homeserver: Homeserver
    folder: Path
    store: Store
    inbox: Inbox
    alice: str
    bob: str
    mallory: str
    bot: str
    people: People
    identities: Identities

    @classmethod
    @contextlib.asynccontextmanager
    async def built(cls, homeserver: Homeserver, folder: Path) -> AsyncGenerator[Self]:
        """Fresh accounts on a homeserver, until the block ends."""
        tag = secrets.token_hex(4)
        alice, bob, mallory = [
            await homeserver.register(f"{name}-{tag}", f"secret of @{name}-{tag}:localhost")
            for name in ("alice", "bob", "mallory")
        ]
        bot = await homeserver.register(f"tocsin-{tag}", "secret of the bot")
        people = People(
            tuple(
                Person(name, Role.OPERATOR, frozenset({Account("matrix", account)}))
                for name, account in (("alice", alice), ("bob", bob))
            )
        )
        async with Store.opened(folder / DATABASE) as store:
            yield cls(
                homeserver,
                folder,
                store,
                Inbox(store),
                alice,
                bob,
                mallory,
                bot,
                people,
                Identities(store, people, (ALARMS,)),
            )

    @contextlib.asynccontextmanager
    async def bot_online(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        key_may_take_s: float = KEY_MAY_TAKE_S,
        open_rooms: Collection[str] = (),
        unencrypted_rooms: Collection[str] = (),
        pins: Mapping[str, str] | None = None,
        proof: Literal["cross-signed", "verified"] = "cross-signed",
    ) -> AsyncGenerator[MatrixBridge]:
        """The bot, from one start to its end, with these rooms and identities in its configuration."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text("secret of the bot")
        office = Office(self.folder / "bot", self.people, self.store, self.inbox, self.identities, back=lambda _: None)
        settings = MatrixSettings(
            homeserver=self.homeserver.url,
            user=self.bot,
            password_file=password,
            open_rooms=frozenset(open_rooms),
            unencrypted_rooms=frozenset(unencrypted_rooms),
            pins={**(pins or {})},
            proof=proof,
        )
        bridge = MatrixBridge(settings, office, clock=clock, key_may_take_s=key_may_take_s)
        run = asyncio.create_task(bridge.run())
        try:
            yield bridge
        finally:
            run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run

    @contextlib.asynccontextmanager
    async def online(
        self, user: str, device: str = "phone", *, signed: bool = True, alone: bool = False
    ) -> AsyncGenerator[Operator]:
        """Somebody at a device. `alone` gives nobody else the keys of what is said on it."""
        folder = self.folder / f"{user[1:6]}-{device}"
        knows = frozenset[str]() if alone else frozenset({self.alice, self.bob, self.mallory, self.bot})
        async with Operator.online(
            self.homeserver.url, user, f"secret of {user}", folder, knows=knows, signed=signed
        ) as operator:
            yield operator

    async def room_of(self, host: Operator, *guests: Operator, version: str = "") -> str:
        """An encrypted room where the host, the bot and the guests have come together."""
        room = await host.create_room("ops", self.bot, *(guest.user for guest in guests), version=version)
        await host.joined(room, self.bot)
        for guest in guests:
            await guest.join(room)
            await host.joined(room, guest.user)
        return room
