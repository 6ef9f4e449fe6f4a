"""What happened, entry by entry, in the exact bytes of RFC 8785. Entries are only ever added.

What names a person stands in a box of that person's (`boxes.py`), so that it can be forgotten and the entry still
stands as it is.
"""

import dataclasses
import datetime as dt
import functools
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import orjson

from bot.audit.tiles import LONGEST_ENTRY
from bot.store import boxes
from bot.store.store import Remembering, Tx

Value = str | int | bool | None | list[str]
Form = Value | list[list[str]]

FORGOTTEN = "(forgotten)"
_EXACT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
"""With these, `Value`s under ASCII names come out as RFC 8785 wants them: fifty times as fast, and a test compares."""


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What an entry says of one human."""

    owner: str
    """The name of a listed person; else an account."""
    fields: Mapping[str, Value]


def about(owner: str, **fields: Value) -> About:
    """What an entry says of one human, and of nobody else."""
    return About(owner, fields)


def record(tx: Tx, kind: str, *people: About, **fields: Value) -> int:
    """Add an entry in this transaction and return its number. Raises ValueError for what has no form there."""
    entry: dict[str, Form] = {**fields, "kind": kind}
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    entry["at"] = f"{_to_the_second(seconds)}.{milliseconds:03d}+00:00"
    if isinstance(tx, Remembering):
        entry["session"] = tx.session
    if people:
        entry["people"] = [[*boxes.shut(tx, each.owner, form(each.fields))] for each in people]
    formed = form(entry)
    if len(formed) > LONGEST_ENTRY:
        raise ValueError(f"This is not for the record: an entry has at most {LONGEST_ENTRY} bytes.")
    cursor = tx.execute("INSERT INTO audit (entry) VALUES (?)", (formed,))
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite gives one for every insert
    return cursor.lastrowid


@functools.lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def form(fields: Mapping[str, Form]) -> bytes:
    """The one form of an entry. Raises ValueError for what has none: half a character, or a number beyond 2^53."""
    try:
        return orjson.dumps(fields, option=_EXACT)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"This is not for the record: {error}.") from error


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is read, with what can still be opened of it."""

    seq: int
    fields: Mapping[str, Value]
    """What stands there for everybody."""
    people: Sequence[Mapping[str, Value] | None]
    """What it says of each human; nothing of those who were forgotten."""

    @property
    def kind(self) -> str:
        """What it is about."""
        return str(self.fields.get("kind", ""))

    @property
    def all(self) -> dict[str, Value]:
        """All of it under one. What is said of several humans under the same name stands there once for each."""
        found: dict[str, Value] = dict(self.fields)
        for each in self.people:
            for name, value in ({"person": FORGOTTEN} if each is None else each).items():
                found[name] = value if name not in found else [*_several(found[name]), *_several(value)]
        return found


def read(tx: Tx, seq: int, entry: bytes) -> Entry:
    """An entry with all that can be opened."""
    fields = cast("dict[str, Form]", orjson.loads(entry))
    shut = cast("list[list[str]]", fields.pop("people", []))
    opened = [boxes.opened(tx, tag, box) for tag, box in shut]
    return Entry(
        seq,
        cast("dict[str, Value]", fields),
        [None if each is None else cast("dict[str, Value]", orjson.loads(each)) for each in opened],
    )


def last(tx: Tx, count: int) -> list[Entry]:
    """The newest entries, oldest first."""
    rows = tx.execute("SELECT seq, entry FROM audit ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
    return [read(tx, seq, entry) for seq, entry in rows[::-1]]


def ends_with_a_word(tx: Tx) -> bool:
    """Whether the newest entry says that the bot has ended, or there is none. It need not be legible."""
    found = tx.execute("SELECT CAST(entry AS BLOB) FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return found is None or b'"kind":"stopped"' in (found[0] or b"")


def everything(tx: Tx) -> list[Entry]:
    """All entries, oldest first. It takes long where there are many."""
    return [read(tx, seq, entry) for seq, entry in tx.execute("SELECT seq, entry FROM audit ORDER BY seq")]


PERSONAL = ("person", "account", "device", "place", "event", "text")


def box_what_was_open(tx: Tx) -> int:
    """Put into boxes what older versions recorded of people in the open. Returns how many entries there are.

    Only for what was never sealed in a tree.
    """
    count = 0
    for seq, entry in tx.execute("SELECT seq, entry FROM audit ORDER BY seq").fetchall():
        count += 1
        fields = cast("dict[str, Form]", orjson.loads(entry))
        people = [*_people_in(fields)]
        if people:
            fields["people"] = [[*boxes.shut(tx, each.owner, form(each.fields))] for each in people]
            tx.execute("UPDATE audit SET entry = ? WHERE seq = ?", (form(fields), seq))
    return count


def _people_in(fields: dict[str, Form]) -> Iterator[About]:
    """Takes what is about somebody out of an entry."""
    if "people" in fields:  # of a reset
        names = fields.pop("people")
        yield from (about(str(name), person=str(name)) for name in names) if isinstance(names, list) else ()
    mine = {name: cast("Value", fields.pop(name)) for name in PERSONAL if fields.get(name) is not None}
    if mine:
        yield About(str(mine.get("person") or mine.get("account") or ""), mine)
    for role in ("by", "approved_by"):
        if isinstance(name := fields.get(role), str):
            del fields[role]
            yield About(name, {role: name})


def digest(text: str) -> str:
    """What stands in an entry for a text that must not stand there."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _several(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
