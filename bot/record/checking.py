"""`tocsin audit …`: whether the record is the one that was signed, and proofs of its entries. It changes nothing.

The exit status says what was found: 0 intact, 1 altered, 2 where evidence is missing.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import settings, telling
from bot.audit.note import VerifierKey
from bot.keys import DATABASE
from bot.private import write_private
from bot.record import held_keys, showing
from bot.record.bar import bar
from bot.record.opening import PUBLIC
from bot.record.proving import prove as proof_of
from bot.record.verdict import State
from bot.record.verifying import verify as verdict_on
from bot.record.witnesses.notebook import notes_in
from bot.settings import Settings
from bot.store import searching
from bot.words.errors import SettingsError, TocsinError
from bot.words.glyphs import quoted

Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")]


def verify(
    *,
    witness: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Checkpoints that are held elsewhere. Else those of the configuration."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="The signatures of all checkpoints, and not the last's.")
    ] = False,
    key: Annotated[str | None, typer.Option(metavar="VKEY", help=held_keys.HELP)] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Check whether the record is the one that was signed.

    It ends with 0 where it is intact, 1 where it was altered, 2 where that cannot be known.
    """
    with _incomplete_where_it_fails():
        loaded = settings.load(config)
        keys = _keys(loaded, key)
        witnessed = [note for path in witness for note in _notes(path)] if witness else _configured(loaded)
        with bar("Checking the record") as tell:
            verdict = verdict_on(loaded.bot.folder / DATABASE, keys, witnessed, progress=tell, all_signatures=every)
        telling.show(showing.judged(verdict), Console(highlight=False))
        if key is None:
            typer.echo(f"The keys were those beside it, in {PUBLIC}. To be sure of them give a copy: --key", err=True)
    raise typer.Exit(verdict.state)


def prove(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Of the entry.")],
    *,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to. Else it is shown.")] = None,
    opened: Annotated[bool, typer.Option("--open", help="Whoever has the proof can read whom it names.")] = False,
    config: Config = Path("config.toml"),
) -> None:
    """Make a proof of one entry.

    It stands alone, and is checked with `tocsin audit check-proof`.
    """
    with telling.errors_told():
        loaded = settings.load(config)
        with searching.opened(loaded.bot.folder / DATABASE) as tx:
            proof = proof_of(tx, number, open_people=opened)
        if out is None:
            typer.echo(proof.rstrip("\n"))
            return
        try:
            write_private(out, proof.encode())
        except OSError as error:
            raise SettingsError(f"{out} cannot be written: {error.strerror}.") from error
        typer.echo(f"{out} is made: the proof of entry {number}.")


def _keys(loaded: Settings, given: str | None) -> list[VerifierKey]:
    """Those that were given; else those that lie beside the record, which whoever changed it may have changed too."""
    return held_keys.parse(given) if given else held_keys.in_file(loaded.bot.folder / PUBLIC)


def _notes(path: Path) -> list[bytes]:
    """All notes in a file that a witness holds."""
    try:
        found = notes_in(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    if not found:
        raise SettingsError(f"{quoted(str(path))} holds no checkpoint.", hint="Is it the file of a witness?")
    return found


def _configured(loaded: Settings) -> list[bytes]:
    """All notes of the witnesses that the configuration names, as far as they can be read from here."""
    found: list[bytes] = []
    for path in loaded.audit.witness_files:
        try:
            found += _notes(path)
        except SettingsError as error:  # the others are asked all the same
            telling.say(str(error))
    return found


@contextlib.contextmanager
def _incomplete_where_it_fails() -> Generator[None]:
    """What keeps us from looking says nothing about the record."""
    try:
        yield
    except TocsinError as error:
        telling.say(str(error))
        raise typer.Exit(State.INCOMPLETE) from None
