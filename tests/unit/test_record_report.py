"""All that is held about one person: in every table, of nobody else, and never a key."""

import sqlite3

import orjson
import pytest

from bot.record import personal
from bot.store import (
    Store,
    Tx,
    audit,
    helm,
    inbox,
    incidents,
    jobs,
    keychain,
    links,
    maintenance,
    outbox,
    overlay,
    pins,
    plans,
    reactions,
    reporting,
    requests,
    said,
)
from bot.store.incidents import Step, What
from bot.store.reporting import TABLES, Row, Whom
from bot.store.requests import Request
from bot.store.said import Said
from bot.words.document import document
from bot.words.message import Lane, Message, Place, Post, Reaction, Standing
from bot.words.people import Account
from bot.words.plain import to_plain

ROOM = Place("chat", "room")
KEY_ID = "0123456789abcdef"
OLGA = Whom("olga", frozenset({"chat:olga"}), frozenset({KEY_ID}))


def message(who: str) -> Message:
    return Message(ROOM, Account("chat", who), f"${who}", f"!status, says {who}", Standing.ATTESTED, "PHONE", 1, 0.0)


def live(tx: Tx, who: str) -> None:
    """Leave something in each table that can hold something of a person."""
    incident, asked = f"incident-of-{who}", message(who)
    inbox.accept(tx, "chat", [asked], cursor="c")
    outbox.queue(tx, Post(ROOM, document("An answer to somebody."), Lane.ANSWER, reply_to=asked.event))
    audit.record(tx, "outcome", audit.about(who, person=who), id=incident)
    incidents.open_incident(tx, incident, "all", b"signed", ROOM, asked.event)
    incidents.join(tx, incident, ROOM, asked.event)
    incidents.note(tx, incident, [Step(What.ORDERED, person=who, words="it smells")])
    pins.pin(tx, asked.account, "a key", who)
    requests.ask(tx, Request(f"code-{who}", incident, who, asked, "status", "digest", 1.0, 2.0))
    overlay.put(tx, f"people.{who}.suspended", value=True, by="carol")
    said.link(tx, Said(Place("zulip", "stream"), f"copy-{who}"), Said(ROOM, asked.event))
    keychain.put_roster(tx, len(who) + ord(who[-1]), {f"key-of-{who}": who})
    keychain.note_keys(tx, "configuration", {f"people.{who}": "a hash", **_noted(tx)})
    maintenance.put(tx, maintenance.Work(f"group/{who}s-legs", 2.0, who))
    jobs.add(tx, job(who))
    helm.put(tx, helm.Held(f"{who}s-swarm", who, ROOM, f"${who}", 1.0, 2.0))
    reactions.note(tx, Reaction(ROOM, "$x", asked.account, "👍", f"own-{who}"), Said(Place("zulip", "5/x"), "1"))
    links.put(tx, links.Link("linked-1", Place("zulip", f"5/by-{who}"), who))
    plans.add(tx, plans.Plan(incident, who, asked, 1.0, 2.0, None))


def job(who: str) -> jobs.Job:
    return jobs.Job(
        "1f", f"{who}s-arm", "5e", "walk", "{}", who, ROOM, f"${who}", takes_long=True, made=1.0, expires=2.0
    )


def _noted(tx: Tx) -> dict[str, str]:
    """What was noted of the configuration before."""
    return dict(tx.execute("SELECT owner, key FROM known_key WHERE role = 'configuration'").fetchall())


async def held(store: Store, whom: Whom = OLGA) -> dict[str, list[Row]]:
    return await store.read(lambda tx: reporting.held(tx, whom))


async def test_of_every_table_it_is_decided_what_it_can_hold_of_a_person(store: Store) -> None:
    tables = await store.read(lambda tx: tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall())
    assert {name for (name,) in tables} == TABLES.keys()


async def test_each_table_is_looked_through_and_only_their_own_is_shown(store: Store) -> None:
    for who in ("olga", "otto", "olga-b"):
        await store.write(lambda tx, who=who: live(tx, who))
    found = await held(store)
    assert {name: len(rows) for name, rows in found.items()} == dict.fromkeys(found, 1)
    assert found.keys() == {name for name, what in TABLES.items() if not isinstance(what, str)}
    entries = await store.read(lambda tx: reporting.entries(tx, OLGA))
    assert [each.entry.kind for each in entries] == ["outcome", "pin"]
    whole = personal.to_json(OLGA, entries, found)
    assert "otto" not in whole
    assert "olga-b" not in whole
    shown = to_plain(personal.to_document(OLGA, entries, found))
    assert all(name in shown for name in found)
    assert "otto" not in shown


async def test_nothing_is_found_of_somebody_who_was_never_there(store: Store) -> None:
    await store.write(lambda tx: live(tx, "olga"))
    nobody = Whom("nobody", frozenset({"chat:nobody"}))
    assert set(map(len, (await held(store, nobody)).values())) == {0}
    assert await store.read(lambda tx: reporting.entries(tx, nobody)) == []


async def test_what_others_did_with_them_and_they_with_others_is_theirs_too(store: Store) -> None:
    def write(tx: Tx) -> None:
        live(tx, "otto")
        requests.ask(tx, Request("code", "1" * 32, "otto", message("otto"), "reset", "digest", 1.0, 2.0))
        requests.decide(tx, "code", requests.State.DENIED, "olga")
        incidents.open_incident(tx, "both", "all", b"signed", None, None)
        incidents.note(tx, "both", [Step(What.RESET, person="otto and olga"), Step(What.TAKEN, person="otto")])
        incidents.note(tx, "incident-of-otto", [Step(What.VERIFIED, person="otto", words="olga saw it, too")])
        overlay.put(tx, "people.otto.suspended", value=True, by="olga")
        overlay.put(tx, f"stop_keys.{KEY_ID}.revoked", value=True, by="carol")
        overlay.put(tx, "stop_keys.ffffffffffffffff.revoked", value=True, by="carol")
        outbox.queue(tx, Post(ROOM, document("ALARM: the identity of olga has changed."), Lane.ALERT))
        outbox.queue(tx, Post(ROOM, document("The volga flows."), Lane.ALERT))

    await store.write(write)
    found = await held(store)
    assert [row["code"] for row in found["request"]] == ["code"]
    assert {str(row["id"]) for row in found["incident"]} == {"both", "incident-of-otto"}
    assert [row["what"] for row in found["course"]] == ["reset", "verified"]
    assert {str(row["key"]) for row in found["overlay"]} == {"people.otto.suspended", f"stop_keys.{KEY_ID}.revoked"}
    assert [row["words"] for row in found["outbox"]] == ["ALARM: the identity of olga has changed."]


async def test_words_that_are_gone_or_cannot_be_read_do_not_keep_the_rest(store: Store) -> None:
    def write(tx: Tx) -> None:
        live(tx, "olga")
        tx.execute("UPDATE outbox SET document = x''")
        outbox.queue(tx, Post(ROOM, document("x"), Lane.ALERT))
        tx.execute("UPDATE outbox SET document = CAST('of another version: olga' AS BLOB) WHERE document <> x''")

    await store.write(write)
    assert [row["words"] for row in (await held(store))["outbox"]] == ["", "of another version: olga"]


@pytest.mark.parametrize("as_json", [True, False])
async def test_no_key_of_a_person_comes_into_it(store: Store, *, as_json: bool) -> None:
    await store.write(lambda tx: live(tx, "olga"))
    ((key,),) = await store.read(lambda tx: tx.execute("SELECT key FROM person_key").fetchall())
    found, entries = await held(store), await store.read(lambda tx: reporting.entries(tx, OLGA))
    assert [row.keys() for row in found["person_key"]] == [{"owner", "tag"}]
    document = personal.to_document(OLGA, entries, found)
    shown = personal.to_json(OLGA, entries, found) if as_json else to_plain(document)
    assert key.hex() not in shown
    assert str(key) not in shown


async def test_the_report_for_programs_has_each_table_and_the_exact_entries(store: Store) -> None:
    await store.write(lambda tx: live(tx, "olga"))
    entries = await store.read(lambda tx: reporting.entries(tx, OLGA))
    report = orjson.loads(personal.to_json(OLGA, entries, await held(store)))
    assert report["person"] == "olga"
    assert report["accounts"] == ["chat:olga"]
    assert report["tables"].keys() | report["of_nobody"].keys() == TABLES.keys()
    assert report["tables"]["audit"][0]["entry"] == entries[0].exact.decode()
    assert report["tables"]["audit"][0]["opened"] == [{"person": "olga"}]
    assert report["tables"]["roster"][0]["keys"] == ["key-of-olga"]


@pytest.mark.parametrize(
    ("words", "is_named"),
    [
        ("olga", True),
        ("Olga", False),
        ("otto and olga", True),
        ("olga: it smells", True),
        ("volga olga-b olgas _olga", False),
        ("says (olga).", True),
        ("@olga:example.org was here", True),
        ("@olga:example.organic", False),
    ],
)
def test_a_name_counts_as_a_word_of_its_own(words: str, is_named: bool) -> None:
    assert Whom("olga", frozenset({"matrix:@olga:example.org"})).is_named_in(words) is is_named


async def test_moments_are_shown_as_moments(store: Store) -> None:
    await store.write(lambda tx: maintenance.put(tx, maintenance.Work("all", 2_000_000_000.0, "olga")))
    shown = to_plain(personal.to_document(OLGA, [], await held(store)))
    assert "until 2033-05-18 03:33:20 UTC" in shown


def test_a_moment_is_a_column_that_there_is(store: Store) -> None:
    with sqlite3.connect(store.path) as database:
        columns = {
            column
            for table in TABLES
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})")
            if kind == "REAL"
        }
    assert columns - {"age_s", "progress", "every_s"} == personal.MOMENTS
