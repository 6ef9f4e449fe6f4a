"""All that the database holds about one person, table by table. Of each table it is decided here what that can be."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import orjson

from bot.store.documents import GONE
from bot.store.searching import Found, Progress, Record, Sought, unseen
from bot.store.store import Tx
from bot.words.packed import load
from bot.words.plain import to_plain

Cell: TypeAlias = str | int | float | list[str] | None
Row: TypeAlias = Mapping[str, Cell]
Find: TypeAlias = Callable[[Tx, "Whom"], list[Row]]

AUDIT = "audit"
"""The record itself: its entries are read with `entries`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Whom:
    """Whom it is about, and by what they are known."""

    name: str
    accounts: frozenset[str]
    """As they are written in an entry: network, colon, the network's own name."""
    stop_keys: frozenset[str] = frozenset()
    """The ids of their stop keys."""

    @property
    def owners(self) -> frozenset[str]:
        """Their name and their accounts."""
        return self.accounts | {self.name}

    def is_named_in(self, words: str) -> bool:
        """Whether a text names them, as a word of its own."""
        return any(re.search(rf"(?<![\w@-]){re.escape(each)}(?![\w-])", words) for each in self._names())

    def _names(self) -> Iterator[str]:
        yield self.name
        yield from (account.partition(":")[2] for account in self.accounts)


def entries(tx: Tx, whom: Whom, progress: Progress = unseen) -> list[Found]:
    """All entries of the record that are about them, oldest first."""
    return list(Record(tx).oldest_first(Sought(owners=whom.owners), progress))


def held(tx: Tx, whom: Whom) -> dict[str, list[Row]]:
    """The rows of all other tables that are about them."""
    return {table: find(tx, whom) for table, find in TABLES.items() if not isinstance(find, str)}


def _inbox(tx: Tx, whom: Whom) -> list[Row]:
    columns = (
        "network, id, event, place, account, device, standing, addressed, text, sent_ms, age_s, received, planned_by,"
        " state, edited, called"
    )
    rest = "FROM inbox WHERE network || ':' || account IN (SELECT value FROM json_each(?)) ORDER BY id"
    return _rows(tx, columns, rest, _list(whom.accounts))


def _outbox(tx: Tx, whom: Whom) -> list[Row]:
    """What answers them, as long as what it answers is there; and what names them, as long as its words are."""
    answers = f"FROM outbox WHERE {_theirs('outbox.network', 'outbox.reply_to')}"
    theirs = {str(row["id"]) for row in _rows(tx, "id", answers, _list(whom.accounts))}
    columns = "id, lane, network, place, reply_to, subject, queued, state, ended, event, error"
    found: list[Row] = []
    for row in _rows(tx, columns, "FROM outbox ORDER BY id"):
        words = _words(tx.execute("SELECT document FROM outbox WHERE id = ?", (row["id"],)).fetchone()[0])
        if str(row["id"]) in theirs or whom.is_named_in(words):
            found.append({**row, "words": words})
    return found


def _incident(tx: Tx, whom: Whom) -> list[Row]:
    """Those that they ordered, and those whose course names them."""
    named = {str(row["incident"]) for row in _course(tx, whom)}
    theirs = _theirs("incident.network", "incident.reply_to")
    rest = f"FROM incident WHERE {theirs} OR id IN (SELECT value FROM json_each(?2)) ORDER BY opened, id"  # noqa: S608 - our own words
    columns = "id, target, opened, over, network, place, reply_to, told"
    return _rows(tx, columns, rest, _list(whom.accounts), _list(named))


def _told_to(tx: Tx, whom: Whom) -> list[Row]:
    rest = f"FROM told_to WHERE {_theirs('told_to.network', 'told_to.reply_to')} ORDER BY incident, network, place"
    return _rows(tx, "incident, network, place, reply_to", rest, _list(whom.accounts))


def _course(tx: Tx, whom: Whom) -> list[Row]:
    """Steps that are theirs, alone or with others, and those whose words name them."""
    steps = _rows(tx, "id, incident, at, what, component, person, words", "FROM course ORDER BY id")
    return [each for each in steps if any(whom.is_named_in(str(each[name])) for name in ("person", "words"))]


def _pin(tx: Tx, whom: Whom) -> list[Row]:
    rest = "FROM pin WHERE network || ':' || account IN (SELECT value FROM json_each(?)) ORDER BY network, account"
    return _rows(tx, "network, account, key, since, shown, verified", rest, _list(whom.accounts))


def _request(tx: Tx, whom: Whom) -> list[Row]:
    """What they asked for, and what they decided."""
    columns = (
        "code, id, person, network, place, account, device, standing, event, text, asked, digest, made, expires, state,"
        " decided"
    )
    rest = (
        "FROM request WHERE person IN (SELECT value FROM json_each(?1))"
        " OR decided IN (SELECT value FROM json_each(?1))"
        " OR network || ':' || account IN (SELECT value FROM json_each(?1)) ORDER BY made, code"
    )
    return _rows(tx, columns, rest, _list(whom.owners))


def _overlay(tx: Tx, whom: Whom) -> list[Row]:
    """What they changed, and what was changed about them."""
    about = {f"stop_keys.{key}.revoked" for key in whom.stop_keys}
    return [
        row
        for row in _rows(tx, "key, value, by, at", "FROM overlay ORDER BY key")
        if row["by"] == whom.name or str(row["key"]).startswith(f"people.{whom.name}.") or row["key"] in about
    ]


def _said(tx: Tx, whom: Whom) -> list[Row]:
    """Messages of theirs that were passed on, as long as it is known that they are theirs."""
    copy, origin = _theirs("said.network", "said.event"), _theirs("said.origin_network", "said.origin_event")
    columns = "network, place, event, origin_network, origin_place, origin_event, at"
    rest = f"FROM said WHERE {copy} OR {origin} ORDER BY at, network, place, event"
    return _rows(tx, columns, rest, _list(whom.accounts))


def _reaction(tx: Tx, whom: Whom) -> list[Row]:
    columns = "network, place, own, account, emoji, origin_network, origin_place, origin_event, at"
    whose = "EXISTS (SELECT 1 FROM json_each(?) WHERE value = network || ':' || account)"
    return _rows(tx, columns, f"FROM reaction WHERE {whose} ORDER BY at, network, place, own", _list(whom.accounts))


def _links(tx: Tx, whom: Whom) -> list[Row]:
    names = "network, place, channel, person, at"
    return _rows(tx, names, "FROM link WHERE person = ? ORDER BY at, network, place", whom.name)


def _roster(tx: Tx, whom: Whom) -> list[Row]:
    """Their stop keys, in each list of them that components were told."""
    found: list[Row] = []
    for row in _rows(tx, "serial, keys, at", "FROM roster ORDER BY serial"):
        listed: dict[str, str] = orjson.loads(str(row["keys"]))
        if theirs := sorted(key for key, person in listed.items() if person == whom.name):
            found.append({**row, "keys": theirs})
    return found


def _maintenance(tx: Tx, whom: Whom) -> list[Row]:
    return _rows(tx, "target, until, person, at", "FROM maintenance WHERE person = ? ORDER BY target", whom.name)


def _known_key(tx: Tx, whom: Whom) -> list[Row]:
    """What is kept to see whether their section of the configuration has changed; the rest is of bot and components."""
    rest = "FROM known_key WHERE role = 'configuration' AND owner = 'people.' || ? ORDER BY owner"
    return _rows(tx, "role, owner, key, since", rest, whom.name)


def _person_key(tx: Tx, whom: Whom) -> list[Row]:
    """The tag of the key that opens what the record says of them. The key itself is never shown."""
    rest = "FROM person_key WHERE owner IN (SELECT value FROM json_each(?)) ORDER BY owner"
    return _rows(tx, "owner, tag", rest, _list(whom.owners))


def _jobs(tx: Tx, whom: Whom) -> list[Row]:
    names = "id, component, command, args, person, network, place, reply_to, made, state, message, result, ended"
    return _rows(tx, names, "FROM job WHERE person = ? ORDER BY made, id, component", whom.name)


def _plans(tx: Tx, whom: Whom) -> list[Row]:
    names = "id, person, network, place, account, device, standing, event, text, made, due, every_s, resolved, runs"
    return _rows(tx, names, "FROM plan WHERE person = ? ORDER BY due, id", whom.name)


def _helm(tx: Tx, whom: Whom) -> list[Row]:
    names = "component, person, network, place, reply_to, since, until"
    return _rows(tx, names, "FROM helm WHERE person = ? ORDER BY component", whom.name)


TABLES: Mapping[str, Find | str] = {
    "inbox": _inbox,
    "cursor": "how far each network was read",
    "outbox": _outbox,
    AUDIT: "read entry by entry",
    "incident": _incident,
    "told_to": _told_to,
    "affected": "which components an incident has stopped",
    "pin": _pin,
    "request": _request,
    "overlay": _overlay,
    "said": _said,
    "reaction": _reaction,
    "link": _links,
    "cleared": "which components were let go",
    "course": _course,
    "hand_over": "keys of the bot",
    "roster": _roster,
    "known_key": _known_key,
    "maintenance": _maintenance,
    "job": _jobs,
    "plan": _plans,
    "helm": _helm,
    "thread": "which thread stands for which topic",
    "renamed": "how places are called now",
    "picture": "what components have shown",
    "alert": "what components have raised",
    "person_key": _person_key,
    "tree": "hashes",
    "tile": "hashes",
    "checkpoint": "hashes and signatures of the bot",
}
"""Of each table what finds somebody in it, or what it holds instead of people."""


def _theirs(network: str, event: str) -> str:
    """Whether a message is one of theirs, as a column or a condition."""
    return (
        f"EXISTS (SELECT 1 FROM inbox AS mine WHERE mine.network = {network} AND mine.event = {event}"  # noqa: S608 - our own words
        " AND mine.network || ':' || mine.account IN (SELECT value FROM json_each(?1)))"
    )


def _rows(tx: Tx, columns: str, rest: str, *values: str) -> list[Row]:
    """What a SELECT finds, each row by the names of its columns."""
    names = columns.split(", ")
    return [dict(zip(names, row, strict=True)) for row in tx.execute(f"SELECT {columns} {rest}", values)]


def _list(values: Iterable[str]) -> str:
    return orjson.dumps(sorted(values)).decode()


def _words(stored: bytes) -> str:
    """All that a post says, as long as it is kept."""
    if stored == GONE:
        return ""
    try:
        return to_plain(load(stored))
    except ValueError:
        return stored.decode(errors="replace")
