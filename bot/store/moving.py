"""What was said in one place and stands in another now, and places that go by another name."""

from collections.abc import Iterable, Mapping

from bot.store import reactions, said
from bot.store.said import Said
from bot.store.store import Tx
from bot.words.message import Moved, Place

KNOWN = ("inbox", "request", "plan")
"""Tables of what was heard: an edit voids it where it stands."""


def in_inbox(tx: Tx, moved: Moved) -> None:
    """What was heard there was heard elsewhere, from now on."""
    place, to = moved.place, moved.to
    for table in KNOWN:
        tx.executemany(
            f"UPDATE {table} SET place = ? WHERE network = ? AND event = ? AND place = ?",  # noqa: S608 - our own words
            [(to.id, place.network, event, place.id) for event in moved.events],
        )
        if moved.is_whole:
            tx.execute(
                f"UPDATE {table} SET place = ? WHERE network = ? AND place = ?",  # noqa: S608 - our own words
                (to.id, place.network, place.id),
            )
    tx.executemany(
        # The plus has it look among what is not done alone.
        "UPDATE inbox SET place = ? WHERE +network = ? AND planned_by = ? AND place = ? AND state <> 'done'",
        [(to.id, place.network, event, place.id) for event in moved.events],
    )


def among_copies(tx: Tx, moved: Moved) -> None:
    """So do copies, and what shows beside them and beside their originals."""
    place, to = moved.place, moved.to
    for event in moved.events:
        copy = said.copy(tx, place.network, event)
        origin = copy[1] if copy else Said(place, event)
        for subject in _subjects(tx, moved, event, origin, is_copy=copy is not None):
            tx.execute(
                "UPDATE outbox SET place = ? WHERE subject = ? AND network = ? AND place = ?",
                (to.id, subject, place.network, place.id),
            )
        tx.execute(
            "UPDATE reaction SET place = ? WHERE network = ? AND place = ? AND origin_network = ? AND origin_event = ?",
            (to.id, place.network, place.id, origin.place.network, origin.event),
        )
    values = [(to.id, place.network, event, place.id) for event in moved.events]
    tx.executemany("UPDATE said SET place = ? WHERE network = ? AND event = ? AND place = ?", values)
    for table in ("said", "reaction"):
        tx.executemany(
            f"UPDATE {table} SET origin_place = ? WHERE origin_network = ? AND origin_event = ? AND origin_place = ?",  # noqa: S608 - our own words
            values,
        )


def _subjects(tx: Tx, moved: Moved, event: str, origin: Said, *, is_copy: bool) -> list[str]:
    """What the bot has said, or will say, about a message there."""
    own = [origin.subject, *origin.files] if is_copy else []
    said_so = [
        subject
        for subject in own
        if tx.execute(
            "SELECT 1 FROM outbox WHERE subject = ? AND network = ? AND place = ? AND event = ?",
            (subject, moved.place.network, moved.place.id, event),
        ).fetchone()
    ]
    return [*said_so, *(shown.subject for shown in reactions.beside(tx, origin))]


def all_of(tx: Tx, place: Place, to: Place) -> None:
    """All that was said there, or waits to be said there."""
    for table, network, column in (
        ("outbox", "network", "place"),
        ("said", "network", "place"),
        ("said", "origin_network", "origin_place"),
        ("reaction", "network", "place"),
        ("reaction", "origin_network", "origin_place"),
    ):
        tx.execute(
            f"UPDATE {table} SET {column} = ? WHERE {network} = ? AND {column} = ?",  # noqa: S608 - our own words
            (to.id, place.network, place.id),
        )


def follow(tx: Tx, place: Place, to: Place, written: Place | None) -> None:
    """What is linked with the one is linked with the other: from chat, and as the configuration has written it."""
    tx.execute("UPDATE OR REPLACE link SET place = ? WHERE network = ? AND place = ?", (to.id, place.network, place.id))
    if written is not None:
        tx.execute(
            "INSERT OR REPLACE INTO renamed (network, place, now) VALUES (?, ?, ?)",
            (written.network, written.id, to.id),
        )


def names(tx: Tx) -> Mapping[Place, Place]:
    """Places as the configuration calls them, and what they are called now."""
    rows = tx.execute("SELECT network, place, now FROM renamed ORDER BY network, place")
    return {Place(network, place): Place(network, now) for network, place, now in rows}


def forget_names(tx: Tx, places: Iterable[Place]) -> None:
    """These go by no other name."""
    tx.executemany(
        "DELETE FROM renamed WHERE network = ? AND place = ?", [(place.network, place.id) for place in places]
    )
