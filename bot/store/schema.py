"""The tables, as steps from one version to the next. A step that has shipped is never changed."""

import sqlite3

from bot.words.errors import StoreError

STEPS = (
    """
    CREATE TABLE inbox (
        id        INTEGER PRIMARY KEY,
        network   TEXT NOT NULL,
        event     TEXT NOT NULL,
        place     TEXT NOT NULL,
        account   TEXT NOT NULL,
        device    TEXT NOT NULL,
        standing  TEXT NOT NULL,
        addressed INTEGER NOT NULL,
        text      TEXT NOT NULL,
        sent_ms   INTEGER NOT NULL,
        age_s     REAL NOT NULL,
        received  REAL NOT NULL,
        state     TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
        UNIQUE (network, event)
    ) STRICT;
    CREATE INDEX inbox_open ON inbox (id) WHERE state <> 'done';
    CREATE TABLE cursor (
        network TEXT PRIMARY KEY,
        token   TEXT NOT NULL
    ) STRICT;
    CREATE TABLE outbox (
        id       INTEGER PRIMARY KEY,
        key      TEXT NOT NULL UNIQUE,
        lane     INTEGER NOT NULL,
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        document BLOB NOT NULL,
        reply_to TEXT,
        queued   REAL NOT NULL,
        state    TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
        event    TEXT,
        error    TEXT
    ) STRICT;
    CREATE INDEX outbox_waiting ON outbox (network, lane, id) WHERE state = 'waiting';
    CREATE TABLE audit (
        seq   INTEGER PRIMARY KEY,
        entry BLOB NOT NULL
    ) STRICT;
    CREATE TABLE incident (
        id       TEXT PRIMARY KEY,
        target   TEXT NOT NULL,
        opened   REAL NOT NULL,
        stop     BLOB,
        network  TEXT,
        place    TEXT,
        reply_to TEXT,
        told     TEXT NOT NULL DEFAULT 'nothing' CHECK (told IN ('nothing', 'not confirmed', 'confirmed'))
    ) STRICT;
    CREATE TABLE told_to (
        incident TEXT NOT NULL REFERENCES incident (id),
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        reply_to TEXT NOT NULL,
        PRIMARY KEY (incident, network, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE affected (
        incident  TEXT NOT NULL REFERENCES incident (id),
        component TEXT NOT NULL,
        PRIMARY KEY (incident, component)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE pin (
        network TEXT NOT NULL,
        account TEXT NOT NULL,
        key     TEXT NOT NULL,
        since   REAL NOT NULL,
        PRIMARY KEY (network, account)
    ) STRICT, WITHOUT ROWID;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to today's version, each step in a transaction of its own."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise StoreError(
            f"The database is of version {version}, written by a newer Tocsin; this one knows up to {len(STEPS)}.",
            hint="Run the newer Tocsin, or give this one a folder of its own.",
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
