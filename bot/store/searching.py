"""Entries of the record as people look for them: the newest, those under one id, those about somebody.

It reads in chunks and lets the database leave out what cannot be meant, so that a million entries are soon looked
through. An entry is kept in one exact form, so a field can be found by its bytes; what is found so is then read.
"""

import contextlib
import dataclasses
import datetime as dt
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from bot.store import audit, boxes, evidence, tree
from bot.store.audit import Entry
from bot.store.store import Tx
from bot.words.errors import StoreError

CHUNK = 5_000
NAMES_A_TARGET = ("target", "targets", "component", "components")
NAMES_SOMEBODY = ("person", "by", "account", "approved_by", "owner")
_TO_THE_MILLISECOND = len("2026-11-20T14:02:00.001")

Progress = Callable[[int, int], None]
"""Is told how many entries were looked at, and of how many."""


def unseen(_: int, __: int) -> None:
    """Nobody is told how far it has come."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An entry, and whose each of its boxes is."""

    entry: Entry
    exact: bytes
    """As it stands there."""
    owners: tuple[str | None, ...]
    """One for each box; nobody where they were forgotten."""

    @property
    def id(self) -> str:
        """What it belongs to: a command or an incident. Empty where it stands alone."""
        return str(self.entry.fields.get("id") or "")

    @property
    def at(self) -> dt.datetime:
        """When it was written."""
        return dt.datetime.fromisoformat(str(self.entry.fields["at"]))


@dataclasses.dataclass(frozen=True, slots=True)
class Sought:
    """What somebody looks for. What is left out may be anything."""

    owners: frozenset[str] = frozenset()
    """Names of one person, and accounts."""
    command: str = ""
    target: str = ""
    id: str = ""
    """How it begins."""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    """Not this moment itself any more."""


class Record:
    """The record, to be read."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._owners = boxes.tags(tx)

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return tree.last_number(self._tx)

    @property
    def owners(self) -> frozenset[str]:
        """Everybody of whom something is recorded that can still be opened: names, and accounts of nobody listed."""
        return frozenset(self._owners.values())

    def one(self, seq: int) -> Found | None:
        """The entry of a number."""
        exact = tree.entry(self._tx, seq)
        return None if exact is None else self._read(seq, exact)

    def newest(self, count: int) -> list[Found]:
        """The newest entries, oldest first."""
        rows = self._tx.execute("SELECT seq, entry FROM audit ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
        return [self._read(*row) for row in reversed(rows)]

    def after(self, seq: int, most: int) -> list[Found]:
        """The entries behind this one, oldest first."""
        rows = self._tx.execute("SELECT seq, entry FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most))
        return [self._read(*row) for row in rows.fetchall()]

    def oldest_first(self, sought: Sought, progress: Progress = unseen) -> Iterator[Found]:
        """All that is meant."""
        last = self.last
        for low in range(0, last, CHUNK):
            yield from self._within(low, low + CHUNK, "ASC", sought)
            progress(min(low + CHUNK, last), last)

    def newest_first(self, sought: Sought, progress: Progress = unseen) -> Iterator[Found]:
        """All that is meant."""
        last = self.last
        for high in range(last, 0, -CHUNK):
            yield from self._within(high - CHUNK, high, "DESC", sought)
            progress(min(last - high + CHUNK, last), last)

    def _within(self, low: int, high: int, order: str, sought: Sought) -> Iterator[Found]:
        where, values = self._condition(sought)
        sql = f"SELECT seq, entry FROM audit WHERE seq > ? AND seq <= ?{where} ORDER BY seq {order}"  # noqa: S608 - our own words
        for seq, exact in self._tx.execute(sql, (low, high, *values)).fetchall():
            if self._is_meant(_fields(seq, exact), sought):
                yield self._read(seq, exact)

    def _condition(self, sought: Sought) -> tuple[str, list[bytes]]:
        """What the bytes of an entry that is meant must have."""
        tags = [tag for tag, owner in self._owners.items() if owner in sought.owners]
        choices = [
            [_written(each) for each in (*tags, *sought.owners)] if sought.owners else [],
            [b'"command":' + _written(sought.command)] if sought.command else [],
            [_written(each) for each in _spellings(sought.target)] if sought.target else [],
            [b'"id":' + _written(sought.id)[:-1]] if sought.id else [],
        ]
        where = [f"({' OR '.join(['instr(entry, ?) > 0'] * len(each))})" for each in choices if each]
        values = [value for each in choices for value in each]
        at = f"""substr(entry, instr(entry, CAST('"at":"' AS BLOB)) + 6, {_TO_THE_MILLISECOND})"""
        for moment, compare in ((sought.since, ">="), (sought.until, "<")):
            if moment is not None:
                where.append(f"{at} {compare} ?")
                values.append(_moment(moment))
        return "".join(f" AND {each}" for each in where), values

    def _is_meant(self, fields: Mapping[str, Any], sought: Sought) -> bool:
        """The same bytes may stand in another field."""
        return (
            (not sought.owners or self._names(fields, sought.owners))
            and (not sought.command or fields.get("command") == sought.command)
            and (not sought.target or not _spellings(sought.target).isdisjoint(_values(fields, NAMES_A_TARGET)))
            and (not sought.id or str(fields.get("id")).startswith(sought.id))
        )

    def _names(self, fields: Mapping[str, Any], owners: frozenset[str]) -> bool:
        boxed = {self._owners.get(tag) for tag, _ in fields.get("people", ())}
        return not owners.isdisjoint(boxed) or not owners.isdisjoint(_values(fields, NAMES_SOMEBODY))

    def _read(self, seq: int, exact: bytes) -> Found:
        tags = [tag for tag, _ in _fields(seq, exact).get("people", ())]
        return Found(audit.read(self._tx, seq, exact), exact, tuple(self._owners.get(tag) for tag in tags))


@contextlib.contextmanager
def opened(path: Path) -> Generator[Tx]:
    """A database as it is at one moment, until the block ends. A bot may run beside it; nothing is changed."""
    with evidence.opened(path) as tx:
        version = evidence.version(tx)
        if version != evidence.NEWEST:
            raise StoreError(
                f"The database {path} is of version {version}; this Tocsin reads {evidence.NEWEST}.",
                hint="Start the bot of this version once: it brings an older one up to date.",
            )
        yield tx


def _fields(seq: int, exact: bytes) -> Mapping[str, Any]:
    """What stands in an entry, as far as it is one."""
    try:
        fields: Mapping[str, Any] = orjson.loads(exact)
        dt.datetime.fromisoformat(fields["at"])
        named = [fields["kind"], *itertools.chain.from_iterable((tag, box) for tag, box in fields.get("people", ()))]
        is_one = all(isinstance(each, str) for each in named)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_one = False
        fields = {}
    if not is_one:
        raise StoreError(f"Entry {seq} of the record is none.", hint="Run: tocsin audit verify")
    return fields


def _written(value: str) -> bytes:
    """A text as it stands in an entry."""
    return audit.form({"": value})[len('{"":') : -1]


def _moment(at: dt.datetime) -> bytes:
    """A moment as it stands in an entry, cut to the millisecond as those are."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds")[:_TO_THE_MILLISECOND].encode()


def _spellings(target: str) -> frozenset[str]:
    """A component or a group, as the words of a command name it and as an incident does."""
    return frozenset({target, f"id/{target}", f"group/{target}"})


def _values(fields: Mapping[str, Any], names: tuple[str, ...]) -> set[str]:
    """All texts under these names."""
    found: set[str] = set()
    for name in names:
        value = fields.get(name)
        found |= {value} if isinstance(value, str) else set(value or ())
    return found
