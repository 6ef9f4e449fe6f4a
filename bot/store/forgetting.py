"""Makes the database forget a person: their key goes, and with it all that the record says of them; so do their words.

The record's entries stand as they did, byte for byte. What says that something happened stays; who it was does not.
"""

from bot.store import boxes, reporting
from bot.store.reporting import Whom
from bot.store.store import Tx

GOES = (
    ("said", "DELETE FROM said WHERE network = ? AND event = ?", ("network", "event")),
    ("link", "UPDATE link SET person = '(forgotten)' WHERE network = ? AND place = ?", ("network", "place")),
    ("reaction", "DELETE FROM reaction WHERE network = ? AND own = ?", ("network", "own")),
    ("outbox", "UPDATE outbox SET document = x'', digest = NULL, reply_to = NULL WHERE id = ?", ("id",)),
    (
        "told_to",
        "DELETE FROM told_to WHERE incident = ? AND network = ? AND place = ?",
        ("incident", "network", "place"),
    ),
    ("incident", "UPDATE incident SET network = NULL, place = NULL, reply_to = NULL WHERE id = ?", ("id",)),
    ("course", "UPDATE course SET person = '(forgotten)', words = '' WHERE id = ?", ("id",)),
    (  # its number is not given again: the desk counts on rising ones
        "inbox",
        (
            "UPDATE inbox SET account = '', device = '', text = '', planned_by = '',"
            " event = lower(hex(randomblob(16))) WHERE id = ?"
        ),
        ("id",),
    ),
    ("pin", "DELETE FROM pin WHERE network = ? AND account = ?", ("network", "account")),
    ("request", "DELETE FROM request WHERE code = ?", ("code",)),
    ("overlay", "UPDATE overlay SET by = '(forgotten)' WHERE key = ?", ("key",)),
    ("known_key", "DELETE FROM known_key WHERE role = ? AND owner = ?", ("role", "owner")),
    ("maintenance", "DELETE FROM maintenance WHERE target = ?", ("target",)),
    ("plan", "DELETE FROM plan WHERE id = ?", ("id",)),
    ("helm", "DELETE FROM helm WHERE component = ?", ("component",)),
    (  # what a component does goes on, and is told to nobody
        "job",
        "UPDATE job SET person = '(forgotten)', args = '{}', reply_to = '' WHERE id = ? AND component = ?",
        ("id", "component"),
    ),
)
"""Of each table what becomes of a row that is about somebody who is forgotten; what is found by the inbox first."""
STAYS = {
    "roster": "what components were told of whose stop keys count; they compare it with what they have",
    "person_key": "goes by its tag",
}


def tags_of(tx: Tx, whom: Whom) -> list[str]:
    """The tags of the keys of somebody: of their name and of their accounts."""
    return sorted(tag for tag, owner in boxes.tags(tx).items() if owner in whom.owners)


def owners_of(tx: Tx, tags: list[str]) -> dict[str, str]:
    """Whose those of the tags are of which there is a key."""
    return {tag: owner for tag, owner in boxes.tags(tx).items() if tag in tags}


def rows_of(tx: Tx, whom: Whom) -> int:
    """How many rows are about somebody that can go."""
    held = reporting.held(tx, whom)
    return sum(len(held[table]) for table, _, _ in GOES)


def forget(tx: Tx, whom: Whom) -> None:
    """Forget somebody."""
    held = reporting.held(tx, whom)
    for table, sql, names in GOES:
        tx.executemany(sql, [[row[name] for name in names] for row in held[table]])
    # Of what was changed from chat, what is about them goes, too: its key names them.
    tx.execute("DELETE FROM overlay WHERE key GLOB ?", (f"people.{whom.name}.*",))
    drop_keys(tx, tags_of(tx, whom))


def drop_keys(tx: Tx, tags: list[str]) -> None:
    """Have no key of these tags any more."""
    tx.executemany("DELETE FROM person_key WHERE tag = ?", [(tag,) for tag in tags])
    boxes.forget_remembered(tx)
