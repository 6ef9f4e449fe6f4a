"""A bot's Zulip bridge among people on the stand-in, for tests. Of the bot there is only the inbox, on a real store."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bot.bridge import Office
from bot.identities import Identities
from bot.store import Store, Tx, moving
from bot.store import reactions as reacted
from bot.store.said import Said
from bot.words.document import document
from bot.words.errors import Unreachable
from bot.words.message import Change, Lane, Message, Moved, Place, Post, Reaction
from bot.words.people import Account, People, Person, Role
from bridges.zulip.bridge import ZulipBridge
from bridges.zulip.settings import ZulipSettings
from demo.inlet import Batch, StoredInlet
from tests.zulip import client
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN, key_of
from tests.zulip.server import running
from tests.zulip.world import World

SOON_S = 20.0
TOPIC = Place("zulip", f"{INCIDENTS}/topic")
TO_ALICE = Place("zulip", f"dm/{ALICE}")


def says(words: str, place: Place = TOPIC, *, lane: Lane = Lane.ANSWER, **more: Any) -> Post:
    """A post of the bot."""
    return Post(place, document(words), lane, **more)


class Inbox(StoredInlet):
    """The inbox of a real store, which can be told to hang."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "zulip")
        self.arrived: asyncio.Queue[Message] = asyncio.Queue()
        self.moved: asyncio.Queue[Moved] = asyncio.Queue()
        self.changed: asyncio.Queue[Change] = asyncio.Queue()
        self.reacted: asyncio.Queue[Reaction] = asyncio.Queue()
        self.hurried: asyncio.Queue[Message] = asyncio.Queue()
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.offered = asyncio.Event()
        self.rows: list[Message] = []

    async def take(self, batch: Batch) -> None:
        """Take a batch. What was there already is not told again."""
        assert not batch.unreadable
        assert not batch.own
        self.offered.set()
        await self.may_go.wait()
        for message in await self.keep(batch):
            self.rows.append(message)
            self.arrived.put_nowait(message)
        for moved in batch.moves:
            self.moved.put_nowait(moved)
        for change in batch.changes:
            self.changed.put_nowait(change)
        for reaction in batch.reactions:
            self.reacted.put_nowait(reaction)

    def keep_more(self, tx: Tx, batch: Batch) -> None:
        """As the bot does it, where nothing is passed on."""
        for moved in batch.moves:
            moving.among_copies(tx, moved)
        for each in batch.reactions:
            if each.gone:
                reacted.drop(tx, each.place, each.own)
            else:
                reacted.note(tx, each, Said(each.place, each.event))

    async def despite_the_disk(self, messages: Sequence[Message], trouble: str = "") -> None:
        """Note what was told to go before the disk."""
        assert not trouble
        for message in messages:
            self.hurried.put_nowait(message)

    async def until_hurried(self, words: str) -> None:
        """Wait until these were told to go before the disk."""
        async with asyncio.timeout(SOON_S):
            while (await self.hurried.get()).text != words:
                pass

    async def next(self) -> Message:
        """The next message that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.arrived.get()

    async def next_move(self) -> Moved:
        """The next move that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.moved.get()

    async def next_change(self) -> Change:
        """The next change that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.changed.get()

    async def next_reaction(self) -> Reaction:
        """The next reaction that was taken."""
        async with asyncio.timeout(SOON_S):
            return await self.reacted.get()


def bridge_to(
    url: str,
    folder: Path,
    people: People,
    store: Store,
    inlet: Inbox,
    linked: Sequence[Place] = (),
    *,
    account: str = "tocsin",
    email: str = "tocsin-bot@lab.test",
) -> ZulipBridge:
    """A bridge that has not begun to run."""
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text(key_of(account))
    settings = ZulipSettings.model_validate({"site": url, "email": email, "key_file": str(key)})
    own = folder / "zulip"
    own.mkdir(mode=0o700, exist_ok=True)
    identities = Identities(store, people)
    office = Office(own, people, store, inlet, identities, back=lambda _: None, places=lambda: linked)
    return ZulipBridge(settings, office)


@dataclasses.dataclass
class Stage:
    """A stand-in, people on it, and a bot that lists alice and bob."""

    world: World
    session: aiohttp.ClientSession
    store: Store
    folder: Path
    people: People
    inbox: Inbox
    alice: client.Person
    bob: client.Person
    tocsin: client.Person
    linked: list[Place] = dataclasses.field(default_factory=list[Place])
    """Places that are part of a conversation on several networks."""

    def bridge(self) -> ZulipBridge:
        """A fresh bridge on what the last one has left."""
        return bridge_to(self.world.url, self.folder, self.people, self.store, self.inbox, self.linked)

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncGenerator[ZulipBridge]:
        """The bridge, while it listens. It must end within a second."""
        bridge = self.bridge()
        running_bridge = asyncio.create_task(bridge.run())
        try:
            await self.until_heard(running_bridge)
            yield bridge
        finally:
            running_bridge.cancel()
            _, late = await asyncio.wait([running_bridge], timeout=1.0)
            assert not late

    async def until_heard(self, *tasks: "asyncio.Task[None]") -> None:
        """Wait until the bot listens at its queue."""
        listening = asyncio.create_task(self.hand("listening", **{"as": "tocsin"}))
        async with asyncio.timeout(SOON_S):
            done, _ = await asyncio.wait([listening, *tasks], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        for each in done:
            each.result()

    async def hand(self, name: str, /, **asked: Any) -> Any:
        """See `tests/zulip/control.py`."""
        return await client.hand(self.world.url, self.session, name, **asked)

    async def be_out_for_a_while(self) -> None:
        """The bot is put out of a channel and let in again: from now on older messages may be anywhere."""
        channel = {"subscriptions": ["Störung / Netz"]}
        assert (await self.tocsin.ask("DELETE", "/users/me/subscriptions", channel)).status == client.OK
        again = {"subscriptions": [{"name": "Störung / Netz"}], "principals": [TOCSIN]}
        assert (await self.bob.ask("POST", "/users/me/subscriptions", again)).status == client.OK

    async def fault(self, kind: str, method: str, path: str, times: int = 1) -> None:
        """Something breaks for the next request that fits."""
        await self.hand("fault", kind=kind, method=method, path=path, times=times)

    def said(self) -> list[str]:
        """All that the bot has said, the oldest first."""
        messages = sorted(self.world.realm.messages.values(), key=lambda each: each.id)
        return [each.content for each in messages if each.sender_id == TOCSIN]

    async def until_said(self, bridge: ZulipBridge, post: Post, key: str) -> str:
        """As the way out does."""
        return await until_said(bridge, post, key)


async def until_said(bridge: ZulipBridge, post: Post, key: str) -> str:
    """As the way out does: again, with the same key, while the network is away."""
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                return await bridge.send(post, key=key)
            except Unreachable as away:
                await asyncio.sleep(away.retry_after or 0.05)


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncGenerator[Stage]:
    """A stage, and its end."""
    people = People(
        (
            Person("alice", Role.OPERATOR, frozenset({Account("zulip", str(ALICE))})),
            Person("bob", Role.OPERATOR, frozenset({Account("zulip", str(BOB))})),
        )
    )
    async with (
        running() as world,
        aiohttp.ClientSession() as session,
        Store.opened(folder / "tocsin.db") as store,
    ):
        alice, bob, tocsin = (client.person(world, session, each) for each in (ALICE, BOB, TOCSIN))
        yield Stage(world, session, store, folder, people, Inbox(store), alice, bob, tocsin)
