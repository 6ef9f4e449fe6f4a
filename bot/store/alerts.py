"""What components have raised, as it was told to people: each alert once, by its component, its key and its id.

What has no key has happened once, and is over as soon as it is told.
"""

import dataclasses
from collections.abc import Sequence

import orjson

from bot.store.store import Tx
from bot.words.message import Place

Name = tuple[str, str, str]
"""The component, the key (empty where it has none), and the id of the event that began it."""
COLUMNS = "component, key, id, severity, message, raised, cleared, told"


@dataclasses.dataclass(frozen=True, slots=True)
class Raised:
    """One alert, from when it was raised until it was cleared."""

    component: str
    key: str
    id: str
    severity: str
    """A word of the contract."""
    message: str
    raised: float
    """In seconds since 1970, as its component says, where that can be."""
    told: tuple[Place, ...] = ()
    """Where it stands."""
    cleared: float | None = None

    @property
    def name(self) -> Name:
        """What no other alert has."""
        return self.component, self.key, self.id

    @property
    def subject(self) -> str:
        """What its messages are about: they are one that is edited."""
        return f"alert {orjson.dumps(self.name).decode()}"


def open_ones(tx: Tx) -> list[Raised]:
    """Those that last, the oldest first."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM alert WHERE cleared IS NULL ORDER BY raised, component, key, id")  # noqa: S608 - our own words
    return [_raised(*row) for row in rows]


def known(tx: Tx, names: Sequence[Name]) -> dict[Name, Raised]:
    """Those of these that were told before."""
    found: dict[Name, Raised] = {}
    for name in names:
        row = tx.execute(
            f"SELECT {COLUMNS} FROM alert WHERE component = ? AND key = ? AND id = ?",  # noqa: S608 - see above
            name,
        ).fetchone()
        if row is not None:
            found[name] = _raised(*row)
    return found


def put(tx: Tx, each: Raised) -> None:
    """How it is now."""
    told = orjson.dumps([(place.network, place.id) for place in each.told]).decode()
    tx.execute(
        f"INSERT OR REPLACE INTO alert ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - see above
        (*each.name, each.severity, each.message, each.raised, each.cleared, told),
    )


def _raised(  # the columns, in their order
    component: str,
    key: str,
    id_: str,
    severity: str,
    message: str,
    raised: float,
    cleared: float | None,
    told: str,
) -> Raised:
    places = tuple(Place(network, place) for network, place in orjson.loads(told))
    return Raised(component, key, id_, severity, message, raised, places, cleared)
