"""A whole Tocsin on one machine: homeserver, broker, component, bot, two operators. All of it lives in one folder."""

import asyncio
import dataclasses
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot import keys
from bot.enrol import enrol, stanza
from demo.broker import Kind, LocalBroker
from demo.homeserver import Homeserver
from demo.operator import Operator
from demo.process import Process
from demo.spectator import Spectator
from wire.enrolment import Enrolment
from wire.messages import ROOT

COMPONENT = "walk-1"
GROUP = "sims"
PASSWORD_LENGTH = 16

CONFIG = """\
[bot]
folder = "state"

[mqtt]
host = "{broker.host}"
port = {broker.port}

[matrix]
homeserver = "{homeserver}"
user = "@tocsin:localhost"
password_file = "matrix-password"

[people.alice]
role = "operator"
matrix = ["@alice:localhost"]

[people.bob]
role = "viewer"
matrix = ["@bob:localhost"]

{component}"""


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Everything that runs."""

    folder: Path
    homeserver: Homeserver
    broker: LocalBroker
    component: Process
    bot: Process
    alice: Operator
    bob: Operator
    spectator: Spectator
    room: str
    passwords: dict[str, str] = dataclasses.field(repr=False)

    @property
    def database(self) -> Path:
        """The bot's database."""
        return self.folder / "bot" / "state" / keys.DATABASE

    @asynccontextmanager
    async def unsigned_alice(self) -> AsyncGenerator[Operator]:
        """Somebody who has alice's password, on a device that alice has not signed."""
        stranger = Operator.online(
            self.homeserver.url, "@alice:localhost", self.passwords["alice"], self.folder / "stranger", signed=False,
            knows=frozenset({"@tocsin:localhost"}),
        )  # fmt: skip
        async with stranger as operator:
            await operator.joined(self.room, "@tocsin:localhost")
            yield operator


@asynccontextmanager
async def running(
    folder: Path,
    *,
    tell: Callable[[str], None],
    kind: Kind | None = None,
    known: frozenset[str] = frozenset(),
) -> AsyncGenerator[World]:
    """The whole world, until the block ends. Nothing of it is left running, however the block ends.

    alice and bob let those read who are known to them, besides each other and the bot.
    """
    _made(folder)
    async with AsyncExitStack() as stack:
        homeserver, broker = Homeserver(_made(folder / "homeserver")), LocalBroker(_made(folder / "broker"), kind=kind)
        tell(f"Starting a homeserver (Synapse) and a broker ({broker.kind}) …")
        await _entered(stack, homeserver, broker)

        tell("Making accounts for alice, bob and the bot …")
        passwords = {name: secrets.token_urlsafe(PASSWORD_LENGTH) for name in ("alice", "bob", "tocsin")}
        for name, password in passwords.items():
            await homeserver.register(name, password)

        tell("Starting the component and the bot; alice and bob come online …")
        bot_key = keys.load_or_make(folder / "bot" / "state" / keys.KEY).public
        enrolment = enrol(COMPONENT, (GROUP,), ROOT, broker.address, bot_key, folder / "component.json")
        _configure(folder, homeserver, enrolment, passwords["tocsin"])
        config = folder / "bot" / "config.toml"
        bot = Process([sys.executable, "-m", "bot", "run", "--config", config], folder / "bot.log")
        component = Process(
            [sys.executable, "-m", "demo.walker", folder / "component.json", "--latch", folder / "latch.json"],
            folder / "component.log",
        )
        everybody = known | {"@alice:localhost", "@bob:localhost", "@tocsin:localhost"}
        alice, bob = (
            Operator.online(homeserver.url, f"@{name}:localhost", passwords[name], folder / name, knows=everybody)
            for name in ("alice", "bob")
        )
        spectator = Spectator.watching(broker.address, ROOT, COMPONENT, enrolment.key.public)
        _, _, spectator, alice, bob = await _entered(stack, bot, component, spectator, alice, bob)

        tell("Meeting in an encrypted room …")
        room = await alice.create_room("Control room", bob.user, "@tocsin:localhost")
        await bob.join(room)
        await _unless_it_ends(bot, alice.joined(room, "@tocsin:localhost"))
        await bob.joined(room, "@tocsin:localhost")
        yield World(folder, homeserver, broker, component, bot, alice, bob, spectator, room, passwords)


async def _entered(stack: AsyncExitStack, *managers: AbstractAsyncContextManager[Any]) -> list[Any]:
    """Enter all of them at once; the stack leaves them. Raises what the first that failed has raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            entering = [tasks.create_task(stack.enter_async_context(manager)) for manager in managers]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [each.result() for each in entering]


async def _unless_it_ends(process: Process, wait: Coroutine[Any, Any, None]) -> None:
    """Wait for something that a process does; when it ends instead, say what it said last."""
    waiting, ending = asyncio.ensure_future(wait), asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            process.check()
        await waiting
    finally:
        waiting.cancel()
        ending.cancel()


def _configure(folder: Path, homeserver: Homeserver, enrolment: Enrolment, password: str) -> None:
    own = folder / "bot"
    secret = own / "matrix-password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    (own / "config.toml").write_text(
        CONFIG.format(broker=enrolment.broker, homeserver=homeserver.url, component=stanza(enrolment))
    )


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
