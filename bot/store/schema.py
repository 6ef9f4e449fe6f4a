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
    """
    ALTER TABLE inbox ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE outbox_2 (
        id       INTEGER PRIMARY KEY,
        key      TEXT NOT NULL UNIQUE,
        lane     INTEGER NOT NULL,
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        document BLOB NOT NULL,
        reply_to TEXT,
        subject  TEXT,
        digest   BLOB,
        queued   REAL NOT NULL,
        state    TEXT NOT NULL DEFAULT 'waiting'
                 CHECK (state IN ('waiting', 'sent', 'failed', 'merged', 'discarded')),
        ended    REAL CHECK ((ended IS NULL) = (state = 'waiting')),
        event    TEXT,
        error    TEXT
    ) STRICT;
    INSERT INTO outbox_2 (id, key, lane, network, place, document, reply_to, queued, state, ended, event, error)
        SELECT id, key, lane, network, place, document, reply_to, queued, state,
               CASE state WHEN 'sent' THEN queued WHEN 'failed' THEN CAST(strftime('%s', 'now') AS REAL) END,
               event, error FROM outbox;
    DROP TABLE outbox;
    ALTER TABLE outbox_2 RENAME TO outbox;
    CREATE INDEX outbox_waiting ON outbox (network, place, lane, id) WHERE state = 'waiting';
    CREATE INDEX outbox_subject ON outbox (network, place, subject, id) WHERE subject IS NOT NULL;
    CREATE INDEX outbox_ended ON outbox (state, ended) WHERE ended IS NOT NULL;
    CREATE TABLE request (
        code     TEXT PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        person   TEXT NOT NULL,
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        account  TEXT NOT NULL,
        device   TEXT NOT NULL,
        standing TEXT NOT NULL,
        event    TEXT NOT NULL,
        text     TEXT NOT NULL,
        asked    TEXT NOT NULL,
        digest   TEXT NOT NULL,
        made     REAL NOT NULL,
        expires  REAL NOT NULL,
        state    TEXT NOT NULL DEFAULT 'open'
                 CHECK (state IN ('open', 'running', 'done', 'failed', 'unknown', 'denied', 'expired', 'void')),
        decided  TEXT
    ) STRICT;
    CREATE INDEX request_open ON request (expires) WHERE state IN ('open', 'running');
    CREATE INDEX request_event ON request (network, event);
    CREATE TABLE overlay (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        by    TEXT NOT NULL,
        at    REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE said (
        network        TEXT NOT NULL,
        place          TEXT NOT NULL,
        event          TEXT NOT NULL,
        origin_network TEXT NOT NULL,
        origin_place   TEXT NOT NULL,
        origin_event   TEXT NOT NULL,
        at             REAL NOT NULL,
        PRIMARY KEY (network, place, event)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX said_origin ON said (origin_network, origin_place, origin_event);
    CREATE INDEX said_at ON said (at);
    """,
    """
    ALTER TABLE incident ADD COLUMN over REAL;
    CREATE TABLE cleared (
        incident  TEXT NOT NULL REFERENCES incident (id),
        component TEXT NOT NULL,
        PRIMARY KEY (incident, component)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE course (
        id        INTEGER PRIMARY KEY,
        incident  TEXT NOT NULL REFERENCES incident (id),
        at        REAL NOT NULL,
        what      TEXT NOT NULL,
        component TEXT NOT NULL DEFAULT '',
        person    TEXT NOT NULL DEFAULT '',
        words     TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX course_incident ON course (incident, id);
    CREATE TABLE hand_over (
        id       INTEGER PRIMARY KEY,
        envelope BLOB NOT NULL,
        at       REAL NOT NULL
    ) STRICT;
    CREATE TABLE roster (
        serial INTEGER PRIMARY KEY,
        keys   TEXT NOT NULL,
        at     REAL NOT NULL
    ) STRICT;
    CREATE TABLE known_key (
        role  TEXT NOT NULL,
        owner TEXT NOT NULL,
        key   TEXT NOT NULL,
        since REAL NOT NULL,
        PRIMARY KEY (role, owner, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE maintenance (
        target TEXT PRIMARY KEY,
        until  REAL NOT NULL,
        person TEXT NOT NULL,
        at     REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE pin ADD COLUMN shown TEXT;
    ALTER TABLE pin ADD COLUMN verified REAL;
    """,
    """
    CREATE TABLE person_key (
        owner TEXT PRIMARY KEY,
        tag   TEXT NOT NULL UNIQUE,
        key   BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tree (
        id     INTEGER PRIMARY KEY CHECK (id = 1),
        origin TEXT NOT NULL,
        size   INTEGER NOT NULL,
        edge   BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tile (
        level  INTEGER NOT NULL,
        number INTEGER NOT NULL,
        hashes BLOB NOT NULL,
        PRIMARY KEY (level, number)
    ) STRICT;
    CREATE TABLE checkpoint (
        size      INTEGER PRIMARY KEY,
        root      BLOB NOT NULL,
        signature TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE job (
        id         TEXT NOT NULL,
        component  TEXT NOT NULL,
        session    TEXT NOT NULL,
        command    TEXT NOT NULL,
        args       TEXT NOT NULL,
        person     TEXT NOT NULL,
        network    TEXT NOT NULL,
        place      TEXT NOT NULL,
        reply_to   TEXT NOT NULL,
        takes_long INTEGER NOT NULL,
        made       REAL NOT NULL,
        expires    REAL NOT NULL,
        state      TEXT NOT NULL,
        seq        INTEGER NOT NULL,
        progress   REAL,
        message    TEXT NOT NULL,
        result     TEXT NOT NULL,
        ended      REAL,
        PRIMARY KEY (id, component)
    ) STRICT;
    CREATE INDEX job_made ON job (made);
    """,
    """
    ALTER TABLE inbox ADD COLUMN planned_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE outbox ADD COLUMN answers TEXT;
    CREATE TABLE reaction (
        network        TEXT NOT NULL,
        place          TEXT NOT NULL,
        own            TEXT NOT NULL,
        account        TEXT NOT NULL,
        emoji          TEXT NOT NULL,
        origin_network TEXT NOT NULL,
        origin_place   TEXT NOT NULL,
        origin_event   TEXT NOT NULL,
        at             REAL NOT NULL,
        PRIMARY KEY (network, place, own)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reaction_origin ON reaction (origin_network, origin_place, origin_event);
    CREATE INDEX reaction_at ON reaction (at);
    CREATE TABLE link (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        channel TEXT NOT NULL,
        person  TEXT NOT NULL,
        at      REAL NOT NULL,
        PRIMARY KEY (network, place)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE job ADD COLUMN may_go_on INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX job_may_go_on ON job (component) WHERE may_go_on > 0;
    CREATE TRIGGER stopped_stays AFTER INSERT ON affected BEGIN
        UPDATE job SET may_go_on = 0 WHERE component = NEW.component AND may_go_on > 0;
    END;
    CREATE TABLE plan (
        id       TEXT PRIMARY KEY,
        person   TEXT NOT NULL,
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        account  TEXT NOT NULL,
        device   TEXT NOT NULL,
        standing TEXT NOT NULL,
        event    TEXT NOT NULL,
        text     TEXT NOT NULL,
        made     REAL NOT NULL,
        due      REAL NOT NULL,
        every_s  REAL,
        is_stop  INTEGER NOT NULL,
        resolved TEXT NOT NULL,
        identity TEXT NOT NULL,
        runs     INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE helm (
        component TEXT PRIMARY KEY,
        person    TEXT NOT NULL,
        network   TEXT NOT NULL,
        place     TEXT NOT NULL,
        reply_to  TEXT NOT NULL,
        since     REAL NOT NULL,
        until     REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE picture (
        job        TEXT NOT NULL,
        component  TEXT NOT NULL,
        number     INTEGER NOT NULL,
        alt        TEXT NOT NULL,
        media_type TEXT NOT NULL,
        data       BLOB NOT NULL,
        width      INTEGER NOT NULL,
        height     INTEGER NOT NULL,
        at         REAL NOT NULL,
        PRIMARY KEY (job, component, number)
    ) STRICT;
    CREATE INDEX picture_at ON picture (at);
    CREATE TABLE alert (
        component TEXT NOT NULL,
        key       TEXT NOT NULL,
        id        TEXT NOT NULL,
        severity  TEXT NOT NULL,
        message   TEXT NOT NULL,
        raised    REAL NOT NULL,
        cleared   REAL,
        told      TEXT NOT NULL,
        PRIMARY KEY (component, key, id)
    ) STRICT;
    CREATE INDEX alert_cleared ON alert (cleared);
    """,
    """
    ALTER TABLE outbox ADD COLUMN topic TEXT;
    DROP INDEX outbox_subject;
    UPDATE outbox SET subject = substr(subject, 1, instr(subject, 'said [') + 4)
        || json_extract(substr(subject, instr(subject, 'said [') + 5), '$[0]') || ':'
        || json_extract(substr(subject, instr(subject, 'said [') + 5), '$[2]')
        WHERE instr(subject, 'said [') AND json_valid(substr(subject, instr(subject, 'said [') + 5));
    UPDATE outbox SET answers = 'said ' || json_extract(substr(answers, 6), '$[0]') || ':'
        || json_extract(substr(answers, 6), '$[2]')
        WHERE answers LIKE 'said [%' AND json_valid(substr(answers, 6));
    CREATE INDEX outbox_subject ON outbox (subject, network, place, id) WHERE subject IS NOT NULL;
    CREATE TABLE said_2 (
        network        TEXT NOT NULL,
        place          TEXT NOT NULL,
        event          TEXT NOT NULL,
        origin_network TEXT NOT NULL,
        origin_place   TEXT NOT NULL,
        origin_event   TEXT NOT NULL,
        at             REAL NOT NULL,
        PRIMARY KEY (network, event)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO said_2 SELECT * FROM said ORDER BY at;
    DROP TABLE said;
    ALTER TABLE said_2 RENAME TO said;
    CREATE INDEX said_origin ON said (origin_network, origin_event);
    CREATE INDEX said_at ON said (at);
    CREATE TABLE reaction_2 (
        network        TEXT NOT NULL,
        place          TEXT NOT NULL,
        own            TEXT NOT NULL,
        account        TEXT NOT NULL,
        emoji          TEXT NOT NULL,
        origin_network TEXT NOT NULL,
        origin_place   TEXT NOT NULL,
        origin_event   TEXT NOT NULL,
        at             REAL NOT NULL,
        PRIMARY KEY (network, own)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO reaction_2 SELECT * FROM reaction ORDER BY at;
    DROP TABLE reaction;
    ALTER TABLE reaction_2 RENAME TO reaction;
    CREATE INDEX reaction_origin ON reaction (origin_network, origin_event);
    CREATE INDEX reaction_at ON reaction (at);
    CREATE TABLE thread (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        topic   TEXT NOT NULL,
        now     TEXT NOT NULL,
        event   TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (network, place, topic)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX thread_event ON thread (network, event);
    CREATE TABLE renamed (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        now     TEXT NOT NULL,
        PRIMARY KEY (network, place)
    ) STRICT, WITHOUT ROWID;
    """,
    "ALTER TABLE inbox ADD COLUMN called TEXT NOT NULL DEFAULT '';",
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
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
