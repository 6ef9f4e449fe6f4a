"""`tocsin audit erase`, `resume` and `rotate-key`: those that change something. The bot must not run."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot import keys, rotation, settings, telling
from bot.record import erasing
from bot.record.opening import PUBLIC, opened, take_in
from bot.store import Store
from bot.words.errors import StoreError, UsageError

Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")]

WHAT_GOES = """\
This forgets {name}. Nothing brings it back.

  - The record still says what was done and when, and proves it; it does not say any more
    that it was {name}. Their accounts, devices, places and messages are gone from it.
  - What they wrote and what they were answered is gone from the inbox and the outbox.
  - The keys of the Matrix device stay as they are; they hold no messages.
  - Backups from before know {name} still. One that is brought back forgets them at the
    start, as long as the file `{forgotten}` in the bot's folder stays.
"""


def rotate_key(config: Config = Path("config.toml")) -> None:
    """Seal the record with a new key. The checkpoint that says so is signed by both."""
    with telling.errors_told():
        loaded = settings.load(config)
        old, new = asyncio.run(rotation.rotate_audit_key(loaded.bot.folder, loaded.mqtt.root))
        typer.echo(f"The record is sealed with a new key from now on. It was:\n\n  {old}\n\nIt is:\n\n  {new}\n")
        typer.echo(f"Give the new one to everybody who checks the record. Both are in {loaded.bot.folder / PUBLIC}.")


def resume(config: Config = Path("config.toml")) -> None:
    """Sign what was recorded while nothing could be signed, after you have looked at it."""
    with telling.errors_told():
        loaded = settings.load(config)
        first, last = asyncio.run(_resume(loaded.bot.folder))
        typer.echo(f"Entries {first} to {last} are in the record now, and it says that they were taken in unsigned.")


async def _resume(folder: Path) -> tuple[int, int]:
    async with Store.opened(folder / keys.DATABASE) as store:
        return await take_in(store, folder)


def erase(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="As the record knows them: a name, or an account.")],
    *,
    yes: Annotated[str | None, typer.Option("--yes", metavar="PERSON", help="In place of the question.")] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Forget a person. The record stands as it did, and names them no more."""
    with telling.errors_told():
        loaded = settings.load(config)
        if loaded.people.named(person) is not None:
            raise UsageError(
                f"{person} is still listed in {config}, and would be recorded again.", hint="Take them out there first."
            )
        typer.echo(WHAT_GOES.format(name=person, forgotten=erasing.FORGOTTEN))
        typed = typer.prompt("To go on, type the name once more") if yes is None else yes
        if typed.strip() != person:
            raise UsageError(f"That is not {person}.", hint="Nothing was changed.")
        count = asyncio.run(_erase(loaded.bot.folder, loaded.mqtt.root, person))
        if not count:
            raise UsageError(f"Nothing is recorded of {person}.", hint="Nothing was changed.")
        typer.echo(f"{person} is forgotten.")


async def _erase(folder: Path, root: str, person: str) -> int:
    async with opened(folder, root) as store:
        if store.distrusted:
            raise StoreError(
                f"Nothing was changed: the record cannot be trusted: {store.distrusted}.",
                hint="Run: tocsin audit verify",
            )
        accounts = await store.read(lambda tx: erasing.known_accounts(tx, person))
        return await erasing.erase(store, folder, erasing.whom_of(person, accounts))
