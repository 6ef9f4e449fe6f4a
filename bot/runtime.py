"""Puts the parts together and runs them: the incidents are read first, and no lease is given before that."""

import asyncio
from collections.abc import Sequence

import structlog

from bot import __version__, keys
from bot.bridge import Office
from bot.desk.catalogue import Catalogue
from bot.desk.desk import Desk
from bot.fleet.listener import Listener
from bot.fleet.registry import Registry
from bot.outgoing import Outgoing
from bot.settings import Settings
from bot.stop.bell import Bell
from bot.store import Store, audit, inbox
from bot.system import System
from bot.words.errors import SettingsError, StoreError
from bot.words.message import Message
from wire.envelope import PrivateKey
from wire.mqtt import Delivery, Link

log = structlog.get_logger(__name__)


class Intake:
    """Where one network's bridge puts what it received."""

    def __init__(self, network: str, store: Store, desk: Desk) -> None:
        self._network = network
        self._store = store
        self._desk = desk

    async def accept(self, messages: Sequence[Message], *, cursor: str) -> None:
        """Put messages into the inbox. Stops among them go out even where the disk takes nothing."""
        try:
            new = await self._store.write(lambda tx: inbox.accept(tx, self._network, messages, cursor))
        except StoreError:
            await self.despite_the_disk(messages)
            raise
        if new:
            self._desk.wake()

    async def despite_the_disk(self, messages: Sequence[Message]) -> None:
        """Have the stops among messages go out now."""
        await self._desk.stop_at_once(messages)

    async def cursor(self) -> str | None:
        """The cursor of the last batch that is on disk."""
        return await self._store.read(lambda tx: inbox.cursor(tx, self._network))


async def run(settings: Settings) -> None:
    """Be the bot until cancelled."""
    folder = settings.bot.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    key = keys.load_or_make(folder / "bot.key")
    async with Store.opened(folder / "tocsin.db") as store:
        await store.write(lambda tx: audit.record(tx, "started", version=__version__))
        try:
            await _run_parts(settings, store, key)
        finally:
            await asyncio.shield(store.write(lambda tx: audit.record(tx, "stopped")))


async def _run_parts(settings: Settings, store: Store, key: PrivateKey) -> None:
    outgoing: list[Outgoing] = []

    def queued() -> None:
        for each in outgoing:
            each.wake()

    root = settings.mqtt.root
    registry = Registry((name, each.groups) for name, each in settings.enrolled.items())

    async def receive(delivery: Delivery) -> None:
        await listener.receive(delivery)

    link = Link(settings.mqtt.broker(), f"bot-{settings.bot.name}", receive=receive)
    bell = Bell(
        store,
        key,
        root,
        settings.enrolled,
        publish=link.publish,
        queued=queued,
    )
    listener = Listener(root, bell, registry)
    system = System(Catalogue.installed(), registry, bell)
    desk = Desk(store, settings.people, system, queued=queued)

    async with asyncio.TaskGroup() as parts:
        parts.create_task(bell.run(), name="bell")
        await bell.ready.wait()
        await listener.subscribe(link)
        parts.create_task(link.run(), name="mqtt")
        parts.create_task(desk.run(), name="desk")
        for network, (plugin, section) in settings.bridges.items():
            own = settings.bot.folder / network
            own.mkdir(mode=0o700, exist_ok=True)
            office = Office(own, settings.people, store, Intake(network, store, desk))
            bridge = plugin.open(section, office)
            out = Outgoing(network, bridge, store)
            outgoing.append(out)
            parts.create_task(bridge.run(), name=network)
            parts.create_task(out.run(), name=f"{network} out")
        log.info(
            "running",
            version=__version__,
            bridges=sorted(settings.bridges),
            components=len(settings.enrolled),
        )
