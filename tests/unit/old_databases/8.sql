-- A database of version 8 with something in every table, as SQLite dumps it. It is never changed.
PRAGMA user_version = 8;
BEGIN TRANSACTION;
CREATE TABLE affected (
        incident  TEXT NOT NULL REFERENCES incident (id),
        component TEXT NOT NULL,
        PRIMARY KEY (incident, component)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "affected" VALUES('11111111111111111111111111111111','walker');
INSERT INTO "affected" VALUES('own-2','walker');
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
INSERT INTO "alert" VALUES('swarm','hot','a1','warning','It is hot.',1763700000.5,NULL,'[]');
CREATE TABLE audit (
        seq   INTEGER PRIMARY KEY,
        entry BLOB NOT NULL
    ) STRICT;
INSERT INTO "audit" VALUES(1,X'7B226174223A22323032352D31312D32315430343A34303A30302E3530302B30303A3030222C226B696E64223A2273746172746564222C2276657273696F6E223A22302E312E30227D');
CREATE TABLE checkpoint (
        size      INTEGER PRIMARY KEY,
        root      BLOB NOT NULL,
        signature TEXT NOT NULL
    ) STRICT;
INSERT INTO "checkpoint" VALUES(1,X'0000000000000000000000000000000000000000000000000000000000000000','AAAA');
CREATE TABLE cleared (
        incident  TEXT NOT NULL REFERENCES incident (id),
        component TEXT NOT NULL,
        PRIMARY KEY (incident, component)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "cleared" VALUES('11111111111111111111111111111111','walker-1');
CREATE TABLE course (
        id        INTEGER PRIMARY KEY,
        incident  TEXT NOT NULL REFERENCES incident (id),
        at        REAL NOT NULL,
        what      TEXT NOT NULL,
        component TEXT NOT NULL DEFAULT '',
        person    TEXT NOT NULL DEFAULT '',
        words     TEXT NOT NULL DEFAULT ''
    ) STRICT;
INSERT INTO "course" VALUES(1,'11111111111111111111111111111111',1700000000.5,'stopped','walker-1','','');
CREATE TABLE cursor (
        network TEXT PRIMARY KEY,
        token   TEXT NOT NULL
    ) STRICT;
INSERT INTO "cursor" VALUES('matrix','s72_5');
CREATE TABLE hand_over (
        id       INTEGER PRIMARY KEY,
        envelope BLOB NOT NULL,
        at       REAL NOT NULL
    ) STRICT;
INSERT INTO "hand_over" VALUES(1,X'7B7D',1700000001.0);
CREATE TABLE helm (
        component TEXT PRIMARY KEY,
        person    TEXT NOT NULL,
        network   TEXT NOT NULL,
        place     TEXT NOT NULL,
        reply_to  TEXT NOT NULL,
        since     REAL NOT NULL,
        until     REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "helm" VALUES('swarm','olga','matrix','!operations:example.org','$second',1763700000.5,1763700060.5);
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
        state     TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')), edited INTEGER NOT NULL DEFAULT 0, planned_by TEXT NOT NULL DEFAULT '',
        UNIQUE (network, event)
    ) STRICT;
INSERT INTO "inbox" VALUES(1,'matrix','$first','!operations:example.org','@olga:example.org','PHONE','attested',0,'',1763700000000,0.25,1763700000.5,'done',1,'');
INSERT INTO "inbox" VALUES(2,'matrix','$second','!operations:example.org','@olga:example.org','PHONE','attested',1,'!shutdown “all” 🔔',1763700001000,0.5,1763700001.5,'running',0,'');
INSERT INTO "inbox" VALUES(3,'matrix','$third','!operations:example.org','@vera:example.org','','unproven',0,'!status',1763700002000,-1.0,1763700002.5,'waiting',0,'$second');
CREATE TABLE incident (
        id       TEXT PRIMARY KEY,
        target   TEXT NOT NULL,
        opened   REAL NOT NULL,
        stop     BLOB,
        network  TEXT,
        place    TEXT,
        reply_to TEXT,
        told     TEXT NOT NULL DEFAULT 'nothing' CHECK (told IN ('nothing', 'not confirmed', 'confirmed'))
    , over REAL) STRICT;
INSERT INTO "incident" VALUES('11111111111111111111111111111111','all',1763700001.6,X'7B7D','matrix','!operations:example.org','$second','not confirmed',NULL);
INSERT INTO "incident" VALUES('own-2','id/walker',1763700001.7,NULL,NULL,NULL,NULL,'nothing',NULL);
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
        ended      REAL, may_go_on INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (id, component)
    ) STRICT;
INSERT INTO "job" VALUES('22222222222222222222222222222222','walker','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','walk','{"steps":5}','alice','console','alice','$walk',1,1790000000.0,1790000010.0,'done',7,1.0,'','{"to":3}',1790000020.0,0);
CREATE TABLE known_key (
        role  TEXT NOT NULL,
        owner TEXT NOT NULL,
        key   TEXT NOT NULL,
        since REAL NOT NULL,
        PRIMARY KEY (role, owner, key)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "known_key" VALUES('component','walker-1','AAAA',1700000003.0);
CREATE TABLE link (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        channel TEXT NOT NULL,
        person  TEXT NOT NULL,
        at      REAL NOT NULL,
        PRIMARY KEY (network, place)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "link" VALUES('zulip','4/status','linked-1','olga',1763700000.5);
CREATE TABLE maintenance (
        target TEXT PRIMARY KEY,
        until  REAL NOT NULL,
        person TEXT NOT NULL,
        at     REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "maintenance" VALUES('all',1700009999.0,'carol',1700000004.0);
CREATE TABLE "outbox" (
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
    , answers TEXT, topic TEXT) STRICT;
INSERT INTO "outbox" VALUES(1,'0123456789abcdef0123456789abcdef',1,'matrix','!operations:example.org',X'','$first',NULL,NULL,1763700000.75,'sent',1763700000.75,'$answer',NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(2,'1123456789abcdef0123456789abcdef',0,'matrix','!operations:example.org',X'7B22626C6F636B73223A5B7B227370616E73223A5B7B2274657874223A2253544F5050494E4720222C227374796C65223A227374726F6E67222C22746F6E65223A22626164227D2C7B2274657874223A2265766572797468696E672E222C227374796C65223A22706C61696E222C22746F6E65223A22706C61696E227D5D7D2C7B2268656164223A5B22636F6D706F6E656E74222C227374617465225D2C22726F7773223A5B5B7B2274657874223A2277616C6B6572222C227374796C65223A226D6F6E6F222C22746F6E65223A22706C61696E227D2C7B2274657874223A2273746F7070696E67222C227374796C65223A22706C61696E222C22746F6E65223A227761726E227D5D5D7D2C7B22656E7472696573223A5B7B227370616E73223A5B7B2274657874223A226F6E65222C227374796C65223A22706C61696E222C22746F6E65223A22706C61696E227D5D7D5D7D5D7D','$second',NULL,NULL,1763700001.75,'waiting',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(3,'2123456789abcdef0123456789abcdef',1,'matrix','!gone:example.org',X'7B22626C6F636B73223A5B7B227370616E73223A5B7B2274657874223A224E6F742072756E2E222C227374796C65223A22706C61696E222C22746F6E65223A22706C61696E227D5D7D5D7D',NULL,NULL,NULL,1763700002.75,'failed',1795268008.0,NULL,'The room is gone.',NULL,NULL);
INSERT INTO "outbox" VALUES(4,'key4',5,'zulip','4/status',X'',NULL,'said matrix:$second',NULL,1763700000.5,'sent',1763700000.5,'42',NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(5,'key5',5,'zulip','4/status',X'',NULL,'file 0 said matrix:$second',NULL,1763700000.5,'waiting',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(6,'key6',5,'zulip','4/status',X'',NULL,'reaction 👍 said matrix:$second',NULL,1763700000.5,'waiting',NULL,NULL,NULL,'said matrix:$second',NULL);
INSERT INTO "outbox" VALUES(7,'key7',5,'zulip','4/status',X'',NULL,'said matrix:$third',NULL,1763700000.5,'waiting',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE overlay (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        by    TEXT NOT NULL,
        at    REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "overlay" VALUES('people.vera.suspended','true','olga',1763700000.25);
CREATE TABLE person_key (
        owner TEXT PRIMARY KEY,
        tag   TEXT NOT NULL UNIQUE,
        key   BLOB NOT NULL
    ) STRICT;
INSERT INTO "person_key" VALUES('alice','0011223344556677',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F');
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
INSERT INTO "picture" VALUES('j1','swarm',0,'a map','image/png',X'89504E47',1,1,1763700000.5);
CREATE TABLE pin (
        network TEXT NOT NULL,
        account TEXT NOT NULL,
        key     TEXT NOT NULL,
        since   REAL NOT NULL, shown TEXT, verified REAL,
        PRIMARY KEY (network, account)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "pin" VALUES('matrix','@olga:example.org','b64key',1763600000.0,NULL,1700000500.0);
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
INSERT INTO "plan" VALUES('p1','olga','matrix','!operations:example.org','@olga:example.org','PHONE','attested','$second','!status',1763700000.5,1763700060.5,NULL,0,'','ed25519',0);
CREATE TABLE "reaction" (
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
INSERT INTO "reaction" VALUES('zulip','4/status','18 12 1f44d','12','👍','matrix','!operations:example.org','$second',1763700000.5);
CREATE TABLE renamed (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        now     TEXT NOT NULL,
        PRIMARY KEY (network, place)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "renamed" VALUES('zulip','4/status','4/state');
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
INSERT INTO "request" VALUES('ABCDEF','9123456789abcdef0123456789abcdef','olga','matrix','!operations:example.org','@olga:example.org','PHONE','attested','$asked','!person resume vera','!person resume vera','00ff',1763700000.5,1763700600.5,'expired',NULL);
CREATE TABLE roster (
        serial INTEGER PRIMARY KEY,
        keys   TEXT NOT NULL,
        at     REAL NOT NULL
    ) STRICT;
INSERT INTO "roster" VALUES(2,'{}',1700000002.0);
CREATE TABLE "said" (
        network        TEXT NOT NULL,
        place          TEXT NOT NULL,
        event          TEXT NOT NULL,
        origin_network TEXT NOT NULL,
        origin_place   TEXT NOT NULL,
        origin_event   TEXT NOT NULL,
        at             REAL NOT NULL,
        PRIMARY KEY (network, event)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "said" VALUES('matrix','!operations:example.org','$said','zulip','ops','17',1763700000.5);
INSERT INTO "said" VALUES('zulip','4/status','42','matrix','!operations:example.org','$second',1763700000.5);
CREATE TABLE thread (
        network TEXT NOT NULL,
        place   TEXT NOT NULL,
        topic   TEXT NOT NULL,
        now     TEXT NOT NULL,
        event   TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (network, place, topic)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "thread" VALUES('matrix','!room:example.org','zulip:4/status','zulip:4/state','$begun');
CREATE TABLE tile (
        level  INTEGER NOT NULL,
        number INTEGER NOT NULL,
        hashes BLOB NOT NULL,
        PRIMARY KEY (level, number)
    ) STRICT;
INSERT INTO "tile" VALUES(0,0,X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE told_to (
        incident TEXT NOT NULL REFERENCES incident (id),
        network  TEXT NOT NULL,
        place    TEXT NOT NULL,
        reply_to TEXT NOT NULL,
        PRIMARY KEY (incident, network, place)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "told_to" VALUES('11111111111111111111111111111111','matrix','!other:example.org','$joined');
CREATE TABLE tree (
        id     INTEGER PRIMARY KEY CHECK (id = 1),
        origin TEXT NOT NULL,
        size   INTEGER NOT NULL,
        edge   BLOB NOT NULL
    ) STRICT;
INSERT INTO "tree" VALUES(1,'tocsin/record',1,X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE INDEX inbox_open ON inbox (id) WHERE state <> 'done';
CREATE INDEX outbox_waiting ON outbox (network, place, lane, id) WHERE state = 'waiting';
CREATE INDEX outbox_ended ON outbox (state, ended) WHERE ended IS NOT NULL;
CREATE INDEX request_open ON request (expires) WHERE state IN ('open', 'running');
CREATE INDEX request_event ON request (network, event);
CREATE INDEX course_incident ON course (incident, id);
CREATE INDEX job_made ON job (made);
CREATE INDEX job_may_go_on ON job (component) WHERE may_go_on > 0;
CREATE TRIGGER stopped_stays AFTER INSERT ON affected BEGIN
        UPDATE job SET may_go_on = 0 WHERE component = NEW.component AND may_go_on > 0;
    END;
CREATE INDEX picture_at ON picture (at);
CREATE INDEX alert_cleared ON alert (cleared);
CREATE INDEX outbox_subject ON outbox (subject, network, place, id) WHERE subject IS NOT NULL;
CREATE INDEX said_origin ON said (origin_network, origin_event);
CREATE INDEX said_at ON said (at);
CREATE INDEX reaction_origin ON reaction (origin_network, origin_event);
CREATE INDEX reaction_at ON reaction (at);
CREATE INDEX thread_event ON thread (network, event);
COMMIT;
