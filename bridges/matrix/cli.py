"""`tocsin matrix …`: the bot's Matrix identity.

A recovery key is shown once and read from where nobody sees it. It never comes into a log, a file or an error.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncGenerator, Collection, Generator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import logs, settings, telling
from bot.keys import DATABASE, KEY
from bot.store.lock import Lock
from bot.words.document import document, mono, table
from bot.words.errors import SettingsError, StoreInUse, Unreachable, UsageError
from bot.words.glyphs import one_line
from bot.words.times import clock
from bridges.matrix import cross_signing, recovery, secret_storage
from bridges.matrix.account import Account
from bridges.matrix.connection import Connection
from bridges.matrix.devices import ListedDevice, delete_devices, other_devices
from bridges.matrix.owed import Owed
from bridges.matrix.reading import NETWORK
from bridges.matrix.recovery_key import RecoveryKey
from bridges.matrix.session import Session
from bridges.matrix.settings import MatrixSettings

Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")]

WHAT_BREAKS = """\
This gives {user} a new Matrix identity. Nothing brings the old one back.

  - Whoever has verified the bot must verify it again. Until then some clients refuse
    to send to its rooms.
  - The others are shown that the identity of the bot has changed.
  - The recovery key that there is becomes void, and so does every copy of identity.json.

Who has the recovery key needs none of this: `tocsin matrix recover`. Nor does who has
identity.json in a backup: put it back.
"""
WHAT_IT_IS_FOR = """\
It brings the identity of {user} back where this machine is lost:
`tocsin matrix recover`. Keep it where the end of this machine cannot take it along:
in a password manager, or on paper in a safe. Whoever has it, and the password of the
account, can pass for the bot.

It is shown this once. An older recovery key is void from now on.
"""


def recovery_key(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before an older key becomes void.")] = False,
    config: Config = Path("config.toml"),
) -> None:
    """Make the key that brings the identity back.

    It is shown once, and makes an older one void. The bot may run.
    """
    with _told():
        place = _Place.of(config)
        asyncio.run(_make_recovery_key(place, yes=yes))


def recover(
    *,
    others: Annotated[
        bool | None,
        typer.Option(
            "--delete-others/--keep-others", help="What becomes of the account's other devices. Else it asks."
        ),
    ] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Bring the identity back with its recovery key.

    On a new machine, or where it was lost.
    """
    with _told():
        place = _Place.of(config)
        with place.without_the_bot():
            key = RecoveryKey.parse(_typed_key())
            asyncio.run(_recover(place, key, others=others))


def reset_identity(
    *,
    yes: Annotated[
        str | None, typer.Option("--yes", metavar="ACCOUNT", help="The account's name, in place of the question.")
    ] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Make a new identity, which cuts others off.

    Everybody who has verified the bot must do so again.
    """
    with _told():
        place = _Place.of(config)
        with place.without_the_bot():
            typer.echo(WHAT_BREAKS.format(user=place.account.user))
            typed = typer.prompt("To go on, type the account's name") if yes is None else yes
            if typed.strip() != place.account.user:
                raise UsageError(f"That is not {place.account.user}.", hint="Nothing was changed.")
            asyncio.run(_reset(place))


class _Place:
    """Whose identity it is, as the configuration says, and where the bot keeps it."""

    def __init__(self, section: MatrixSettings, folder: Path) -> None:
        self.bot_folder = folder
        self.account = Account(section.homeserver, section.user, section.device_name, folder / NETWORK)
        self.password = section.password()

    @classmethod
    def of(cls, config: Path) -> "_Place":
        loaded = settings.load(config)
        for _, section in loaded.bridges.values():
            if isinstance(section, MatrixSettings):
                return cls(section, loaded.bot.folder)
        raise SettingsError(f"{config} has no [matrix], so the bot has no Matrix identity.")

    @contextlib.contextmanager
    def without_the_bot(self) -> Generator[None]:
        """Keep the bot from starting until the block ends. Raises where it runs."""
        lock = Lock(self.bot_folder / f"{DATABASE}.lock")
        try:
            lock.take()
        except StoreInUse as error:
            raise StoreInUse(error.what, hint="Stop the bot, do this again, and start it.") from None
        try:
            yield
        finally:
            lock.free()

    @contextlib.asynccontextmanager
    async def device(self) -> AsyncGenerator[Connection]:
        """The device that is logged in here, or a new one."""
        login = await self.account.login(self.password)
        async with Connection.opened(login, self.account.folder) as connection:
            yield connection


async def _make_recovery_key(place: _Place, *, yes: bool) -> None:
    login = place.account.kept()
    if login is None:
        raise SettingsError(f"{place.account.user} is not logged in here.", hint="Start the bot once: it logs in.")
    session = Session(login)
    if not yes and await secret_storage.has_key(session):
        _ask_to_replace()
    await _show_new_key(place, session)


async def _show_new_key(place: _Place, asks: Session | Connection) -> None:
    try:
        key = await recovery.make_recovery_key(asks, place.account.folder, place.password)
    except Unreachable as error:
        hint = "Run `tocsin matrix recovery-key` again: until it has shown a new key, perhaps no key works."
        raise Unreachable(error.what, hint=hint) from error
    user = one_line(place.account.user)
    typer.echo(f"The recovery key of {user}:\n\n    {key.shown()}\n")
    typer.echo(WHAT_IT_IS_FOR.format(user=user), nl=False)


def _ask_to_replace() -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "There is a recovery key already; a new one makes it void.", hint="If you want that, say --yes."
        )
    typer.confirm("There is a recovery key already. A new one makes it void. Make a new one?", abort=True)


def _typed_key() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Recovery key (it is not shown as you type)", hide_input=True))
    return sys.stdin.readline()


async def _recover(place: _Place, key: RecoveryKey, *, others: bool | None) -> None:
    async with place.device() as connection:
        identity = await recovery.recover(connection, key, place.password)
        login = connection.login
        typer.echo(f"The identity of {one_line(login.user)} is back. Its master key is {identity.master.public}.")
        typer.echo(f"This machine is its device {one_line(login.device)}, and signed.")
        if listed := await other_devices(connection):
            await _settle_others(place, connection, listed, delete=others)
        if not (place.bot_folder / KEY).exists():
            typer.echo(f"Bring {KEY} and {DATABASE} back from the backup: without them components know no bot.")
        typer.echo("Start the bot now.")


async def _settle_others(
    place: _Place, connection: Connection, listed: Collection[ListedDevice], *, delete: bool | None
) -> None:
    """Show the other devices of the account, and delete them where that is wanted."""
    now = time.time()
    rows = [(mono(each.id), each.name, "" if each.seen_s is None else clock(each.seen_s, now)) for each in listed]
    typer.echo("\nThe account has other devices, which can read what the bot reads:\n")
    telling.show(document(table(("device", "name", "last seen"), rows)), Console(highlight=False))
    typer.echo()
    if delete is None and sys.stdin.isatty():
        delete = typer.confirm("Those of a lost machine must go. Delete all of them?")
    if not delete:
        typer.echo("They were kept. To delete them: run this again with --delete-others.")
        return
    await delete_devices(connection, [each.id for each in listed], place.password)
    Owed(place.account.folder).clear()
    typer.echo("They are deleted." if len(listed) > 1 else "It is deleted.")


async def _reset(place: _Place) -> None:
    async with place.device() as connection:
        await connection.upkeep()
        identity = await cross_signing.reset(connection, place.password)
        typer.echo(
            f"The identity of {one_line(place.account.user)} is a new one. Its master key is {identity.master.public}."
        )
        await _show_new_key(place, connection)
        typer.echo("\nStart the bot now. Whoever had verified it must do so again.")


@contextlib.contextmanager
def _told() -> Generator[None]:
    """What goes wrong is told in a sentence; of the log only what is wrong is shown."""
    logs.set_up()
    logging.getLogger().setLevel(logging.WARNING)
    with telling.errors_told():
        try:
            yield
        except OSError as error:
            raise SettingsError(
                f"{error.filename or 'A file'} cannot be used: {error.strerror}.", hint="Do this as the bot's user."
            ) from error
