"""A machine with a configuration for the bot's account, and a person who types `tocsin matrix …` at it, for tests."""

import asyncio
import contextlib
import dataclasses
import functools
import re
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from bridges.matrix.account import Account, Login
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import FILE, establish
from bridges.matrix.devices import other_devices
from bridges.matrix.identity import Identity, identity_of
from bridges.matrix.session import Session
from tests.typed import tocsin

PASSWORD = "secret"  # noqa: S105 - of accounts that live as long as a test
PATIENCE = 60.0
KEY = re.compile(r"(?:\w{4} ){11}\w{4}")


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a configuration for the bot's account, and what the bot keeps there."""

    homeserver: str
    user: str
    folder: Path

    @property
    def account(self) -> Account:
        """Whose login it is."""
        return Account(self.homeserver, self.user, "Tocsin", self.folder / "state" / "matrix")

    @property
    def identity(self) -> Path:
        """The file of the seeds."""
        return self.account.folder / FILE

    def set_up(self, password: str = PASSWORD) -> "Machine":
        """Write the configuration and the password."""
        self.folder.mkdir(exist_ok=True)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        (self.folder / "config.toml").write_text(
            f'[mqtt]\nhost = "127.0.0.1"\n[matrix]\nhomeserver = "{self.homeserver}"\nuser = "{self.user}"\n'
            'password_file = "password"\n'
        )
        return self

    def another(self) -> "Machine":
        """A fresh machine for the same account."""
        return dataclasses.replace(self, folder=self.folder.with_name(secrets.token_hex(4))).set_up()

    async def says(self, *words: str, typed: str = "") -> tuple[int, str, str]:
        """What `tocsin matrix …` answers here: its status, what it says, and what is wrong."""
        typing = functools.partial(tocsin, "matrix", *words, "-c", self.folder / "config.toml", typed=f"{typed}\n")
        async with asyncio.timeout(PATIENCE):
            done = await asyncio.to_thread(typing)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    async def new_key(self, *words: str) -> str:
        """Make a recovery key, as a person does, and return what they write down."""
        code, said, wrong = await self.says("recovery-key", *words)
        assert (code, wrong) == (0, "")
        (shown,) = KEY.findall(said)
        return shown

    @contextlib.asynccontextmanager
    async def started(self, password: str = PASSWORD) -> AsyncGenerator[Connection]:
        """The bot's device, as it is after a start."""
        login = await self.account.login(password)
        async with Connection.opened(login, self.account.folder) as connection:
            await connection.upkeep()
            await establish(connection, password)
            yield connection

    async def seen(self) -> Identity:
        """The identity of the account and its signed devices, as everybody sees them who has its login."""
        kept = self.account.kept()
        assert kept is not None
        identity = identity_of(await keys_of(kept), self.user)
        assert identity is not None
        return identity


async def keys_of(login: Login) -> dict[str, Any]:
    """What the homeserver shows of the account's keys."""
    wanted: dict[str, list[str]] = {login.user: []}
    return await Session(login).request("POST", "/_matrix/client/v3/keys/query", {"device_keys": wanted})


def signed(identity: Identity) -> set[str]:
    """The devices that an identity has signed."""
    return {device.id for device in identity.devices}


async def made_by(login: Login) -> set[str]:
    """All devices that the bot has made. The homeserver makes one with the account, without a name."""
    return {login.device, *(device.id for device in await other_devices(Session(login)) if device.name)}
