"""Several people at one desk."""

import asyncio
import time
from collections.abc import Callable

from bot.desk.desk import Desk
from bot.desk.limits import Limit, Limits
from bot.intake import Intake
from bot.store import Store, audit, inbox
from bot.system import System
from bot.words import packed
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account
from bot.words.plain import to_plain

PATIENCE = 10.0
PLENTY = Limit(1_000, 1_000.0)
LIMITS = Limits(PLENTY, PLENTY, PLENTY, PLENTY, PLENTY)
HERE = Place("chat", "room")


class Room:
    """Where they say something, and hear what comes of it."""

    def __init__(
        self, store: Store, system: System, *, now: Callable[[], float] = time.time, limits: Limits = LIMITS
    ) -> None:
        self.store = store
        self.system = system
        self._numbers = iter(range(1_000))
        self.desk = Desk(system, queued=lambda: None, now=now, limits=limits)
        self.intake = Intake("chat", store, self.desk, system.approvals, system.plans, queued=lambda: None)

    def message(
        self, text: str, account: str, *, standing: Standing = Standing.ATTESTED, network: str = "chat"
    ) -> Message:
        return Message(
            place=Place(network, "room"),
            account=Account(network, account),
            event=f"$event{next(self._numbers)}",
            text=text,
            standing=standing,
            device="PHONE",
            sent_ms=1,
            age_s=0.0,
        )

    async def hears(self, message: Message) -> str:
        """The newest answer to a message."""
        await self.intake.accept([message], cursor="c")
        await self.settled()
        return await self.told(message)

    async def told(self, message: Message) -> str:
        """What was said to it last."""
        return to_plain(next(post.document for post in reversed(await self.posts()) if post.reply_to == message.event))

    async def said(self, text: str, account: str, *, standing: Standing = Standing.ATTESTED) -> str:
        return await self.hears(self.message(text, account, standing=standing))

    async def settled(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.store.read(inbox.open_rows):
                await self.store.write(lambda _: None)

    async def posts(self) -> list[Post]:
        sql = "SELECT document, reply_to FROM outbox WHERE state = 'waiting' ORDER BY lane, id"
        rows = await self.store.read(lambda tx: tx.execute(sql).fetchall())
        return [Post(HERE, packed.load(said), Lane.ANSWER, to) for said, to in rows]

    async def records(self, kind: str) -> list[dict[str, audit.Value]]:
        entries = await self.store.read(lambda tx: audit.last(tx, 100))
        return [entry.all for entry in entries if entry.kind == kind]
