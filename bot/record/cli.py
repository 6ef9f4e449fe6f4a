"""`tocsin audit …`: what happened, and who ordered it: the newest, what somebody looks for, all about one person.

It reads the database beside a running bot and changes nothing.
"""

import contextlib
import datetime as dt
import itertools
import os
import re
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import IO, Annotated

import orjson
import typer
from rich.console import Console

from bot import settings, telling
from bot.desk import quantities
from bot.keys import DATABASE
from bot.record import finding, personal, showing
from bot.record.bar import bar
from bot.settings import Settings
from bot.store import reporting, searching
from bot.store.evidence import Disturbed
from bot.store.searching import Found, Record, Sought
from bot.words.document import Span, Table, document
from bot.words.errors import SettingsError, StoreError, UsageError
from bot.words.glyphs import pad, quoted, width

Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")]
Count = Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many at most.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Not before: 2h, 3d, 2026-11-20 or 2026-11-20T14:30Z.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this, written the same way.")]

INTERRUPTED = 130
LOOKS_AGAIN_S = 0.5
AT_ONCE = 1_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def tail(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new entry, until Ctrl-C.")] = False,
    count: Count = 20,
    config: Config = Path("config.toml"),
) -> None:
    """Show the newest entries."""
    with telling.errors_told():
        path = _database(settings.load(config))
        with searching.opened(path) as tx:
            newest = Record(tx).newest(count)
        if not newest and not follow:
            typer.echo("Nothing is recorded yet.")
            return
        lines = Lines(Console(highlight=False))
        lines.show(newest)
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                following(path, newest[-1].entry.seq if newest else 0, lines)
            raise typer.Exit(INTERRUPTED)


def show(
    what: Annotated[str, typer.Argument(metavar="ID", help="How the id of a command or an incident begins; or 12.")],
    config: Config = Path("config.toml"),
) -> None:
    """Show all that came of a command or an incident; or one entry."""
    with (
        telling.errors_told(),
        searching.opened(_database(settings.load(config))) as tx,
        bar("Looking through the record") as tell,
    ):
        found = finding.meant(Record(tx), what, tell)
    telling.show(showing.answer(found), Console(highlight=False))


def search(
    *,
    person: Annotated[str | None, typer.Option(help="Whom it is about: a listed person, or an account.")] = None,
    command: Annotated[str | None, typer.Option(help="Which command was given.")] = None,
    target: Annotated[str | None, typer.Option(help="Which component or group it is about; or all.")] = None,
    since: Since = None,
    until: Until = None,
    count: Count = 20,
    config: Config = Path("config.toml"),
) -> None:
    """Show what somebody looks for, newest first."""
    with telling.errors_told():
        loaded = settings.load(config)
        times = _span(since, until)
        with searching.opened(_database(loaded)) as tx, bar("Looking through the record") as tell:
            record = Record(tx)
            sought = Sought(
                owners=finding.owners(loaded.people, record, person) if person else frozenset(),
                command=_word(command or "").lstrip("!/").lower(),
                target=_word(target or ""),
                since=times.since,
                until=times.until,
            )
            found = list(itertools.islice(record.newest_first(sought, tell), count))
        if not found:
            raise UsageError("Nothing of the kind is recorded.")
        Lines(Console(highlight=False)).show(found)


def export(
    *,
    since: Since = None,
    until: Until = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to. Else it is shown.")] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Give all entries as JSON lines."""
    with telling.errors_told():
        loaded, times = settings.load(config), _span(since, until)
        count = 0
        with (
            searching.opened(_database(loaded)) as tx,
            _written_to(out) as file,
            bar("Exporting") as tell,
        ):
            for each in Record(tx).oldest_first(times, tell):
                _write(file, orjson.dumps(showing.exported(each)) + b"\n", out)
                count += 1
        telling.errors.print(f"{count:,} entries.")


def report(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A listed person, or an account.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, and with nothing cut.")] = False,
    config: Config = Path("config.toml"),
) -> None:
    """Show all that is held about one person, in every table."""
    with telling.errors_told():
        loaded = settings.load(config)
        whom = finding.whom(loaded, _word(person))
        with searching.opened(_database(loaded)) as tx, bar("Looking through the record") as tell:
            entries, held = reporting.entries(tx, whom, tell), reporting.held(tx, whom)
        if loaded.people.named(person) is None and not entries and not any(held.values()):
            raise finding.nobody(person)
        if as_json:
            typer.echo(personal.to_json(whom, entries, held))
        else:
            telling.show(personal.to_document(whom, entries, held), Console(highlight=False))


class Lines:
    """Entries as lines of one table, also where they come one after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._widths = [width(each) for each in showing.HEAD]
        self._begun = False

    def show(self, entries: Sequence[Found]) -> None:
        """Show these below those before."""
        rows = showing.rows(entries, dt.datetime.now(dt.UTC))
        self._widths = [max(was, *(width(row[i].text) for row in rows)) if rows else was for i, was in self._numbered()]
        padded = tuple(tuple(self._padded(row)) for row in rows)
        if padded or not self._begun:
            head = ("",) * len(showing.HEAD) if self._begun else showing.HEAD
            telling.show(document(Table(head, padded)), self._console)
            self._console.file.flush()
        self._begun = True

    def _numbered(self) -> Iterable[tuple[int, int]]:
        return enumerate(self._widths)

    def _padded(self, row: Sequence[Span]) -> Iterable[Span]:
        """All but the last as wide as ever, so that later lines stand below the earlier ones."""
        for i, span in enumerate(row):
            yield Span(pad(span.text, self._widths[i]), span.style, span.tone) if i < len(row) - 1 else span


def following(path: Path, last: int, lines: Lines) -> None:
    """Look again and again. The database is opened anew each time: the bot may end, and begin, meanwhile."""
    while True:
        new: list[Found] = []
        with contextlib.suppress(Disturbed), searching.opened(path) as tx:
            record = Record(tx)
            if record.last < last:
                raise StoreError(
                    f"The record has {record.last} entries, and had {last} a moment ago.",
                    hint="Run: tocsin audit verify",
                )
            new = record.after(last, AT_ONCE)
        if new:
            lines.show(new)
            last = new[-1].entry.seq
        if len(new) < AT_ONCE:
            time.sleep(LOOKS_AGAIN_S)


def _database(loaded: Settings) -> Path:
    return loaded.bot.folder / DATABASE


def _span(since: str | None, until: str | None) -> Sought:
    now = dt.datetime.now(dt.UTC)
    return Sought(since=_moment(since, now), until=_moment(until, now))


def _moment(word: str | None, now: dt.datetime) -> dt.datetime | None:
    """A day, a moment with its zone, or so long ago."""
    if word is None:
        return None
    if _DAY.fullmatch(word):
        return quantities.moment(f"{word}T00:00Z")
    return quantities.moment(word) if _DAY.match(word) else now - quantities.duration(word)


def _word(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"{quoted(word)} stands in no entry.")
    return word


@contextlib.contextmanager
def _written_to(path: Path | None) -> Generator[IO[bytes]]:
    """A file for nobody but its owner, there when it is whole; or what is read by the next program."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        file = os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise _not_written(path, error) from error
    with file:
        yield file
    try:
        fresh.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error


def _write(file: IO[bytes], line: bytes, path: Path | None) -> None:
    try:
        file.write(line)
    except BrokenPipeError:  # who reads has read enough
        raise SystemExit(1) from None
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path | None, error: OSError) -> SettingsError:
    return SettingsError(f"{path or 'The output'} cannot be written: {error.strerror}.")
