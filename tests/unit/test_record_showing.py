"""The record as people see it, in a terminal, in a room and as proof."""

import datetime as dt
import itertools
import time

import pytest
from rich.console import Console

from bot.record import showing
from bot.record.bar import bar
from bot.record.fields import SHUT, fields_of
from bot.record.verdict import State, Verdict, altered, incomplete
from bot.store import Store, audit
from bot.store.searching import Found, Record
from bot.words.document import Document, Table, Tone
from bot.words.html import to_html
from bot.words.plain import to_plain

ID = "051739a8" + "0" * 24
BEGAN_MS = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC
COVERED = "Witnesses cover them up to 1,000; for the 5 newer ones there is only the bot's own word."
TODAY = dt.datetime(2023, 11, 14, 23, 0, tzinfo=dt.UTC)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry comes a quarter of a second after the one before."""
    clock = itertools.count(BEGAN_MS, 250)
    monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 1_000_000)


async def found(store: Store) -> list[Found]:
    return await store.read(lambda tx: Record(tx).newest(100))


def closed_up(document: Document) -> list[str]:
    """Its lines, with one blank between words."""
    return [" ".join(line.split()) for line in to_plain(document).splitlines()]


async def command(store: Store, *results: str, name: str = "shutdown") -> None:
    """An intent, and what became of it."""
    who = audit.about("olga", person="olga", account="chat:olga")
    await store.write(lambda tx: audit.record(tx, "intent", who, id=ID, command=name, standing="attested"))
    for result in results:
        await store.write(
            lambda tx, result=result: audit.record(tx, "outcome", who, id=ID, command=name, result=result)
        )


@pytest.mark.usefixtures("times")
async def test_the_newest_stand_in_a_table_a_line_each(store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "started", version="0.6.0"))
    await command(store, "done")
    both = (audit.about("olga", person="olga"), audit.about("otto", person="otto"))
    await store.write(lambda tx: audit.record(tx, "incident reset", *both, id=ID, components=["walker", "crane"]))
    await store.write(lambda tx: audit.record(tx, "alarm", audit.about("chat:eve", place="chat:room"), why="odd"))
    assert closed_up(showing.listed(await found(store), TODAY)) == [
        "no. UTC kind who id what",
        "1 22:13:20 started version 0.6.0",
        "2 22:13:20 intent olga 051739a8 !shutdown",
        "3 22:13:20 outcome olga 051739a8 !shutdown: done",
        "4 22:13:20 incident reset olga, otto 051739a8 components walker, crane",
        "5 22:13:21 alarm chat:eve why odd",
    ]


@pytest.mark.usefixtures("times")
async def test_an_entry_of_another_day_is_shown_with_its_day(store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "started"))
    assert "2023-11-14 22:13:20" in to_plain(showing.listed(await found(store), TODAY + dt.timedelta(days=1)))


async def test_what_went_wrong_stands_out(store: Store) -> None:
    await command(store, "done", "refused")
    await store.write(lambda tx: audit.record(tx, "alarm", why="odd"))
    rows = showing.rows(await found(store), TODAY)
    assert [row[-1].tone for row in rows] == [Tone.PLAIN, Tone.GOOD, Tone.WARN, Tone.PLAIN]
    assert [row[2].tone for row in rows] == [Tone.PLAIN, Tone.PLAIN, Tone.PLAIN, Tone.BAD]


async def test_a_long_entry_is_cut_in_the_table_and_whole_by_itself(store: Store) -> None:
    names = [f"walker-{number}" for number in range(100)]
    await store.write(lambda tx: audit.record(tx, "x", components=names, fault="f" * 500))
    (entry,) = await found(store)
    (row,) = showing.rows([entry], TODAY)
    assert len(row[-1].text) <= showing.LONGEST_ABOUT
    whole = to_plain(showing.answer(entry))
    assert ", ".join(names) in whole
    assert "f" * 500 in whole


@pytest.mark.usefixtures("times")
async def test_what_came_of_a_command_is_shown_in_order_with_the_times_between(store: Store) -> None:
    await command(store, "done")
    approved = audit.about("otto", by="otto")
    await store.write(lambda tx: audit.record(tx, "approval", approved, id=ID, code="blue-7"))
    entries = await found(store)
    (session,) = {str(each.entry.fields["session"]) for each in entries}
    assert closed_up(showing.answer(entries)) == [
        f"3 entries under {ID}, 0.500 s from the first to the last.",
        "",
        "no. UTC, and after kind who what",
        "1 2023-11-14 22:13:20.000 intent olga !shutdown",
        "2 +0.250 s outcome olga !shutdown: done",
        "3 +0.500 s approval otto code blue-7",
        "",
        f"#1 intent 2023-11-14 22:13:20.000 UTC, session {session}",
        "",
        "of whom field value",
        "command shutdown",
        f"id {ID}",
        "standing attested",
        "olga account chat:olga",
        "person olga",
        "",
        f"#2 outcome 2023-11-14 22:13:20.250 UTC, +0.250 s after the one before, session {session}",
        "",
        "of whom field value",
        "command shutdown",
        f"id {ID}",
        "result done",
        "olga account chat:olga",
        "person olga",
        "",
        f"#3 approval 2023-11-14 22:13:20.500 UTC, +0.250 s after the one before, session {session}",
        "",
        "of whom field value",
        "code blue-7",
        f"id {ID}",
        "otto by otto",
    ]


async def test_an_intent_without_an_outcome_is_pointed_out(store: Store) -> None:
    await command(store)
    assert "No outcome is recorded" in to_plain(showing.answer(await found(store)))
    await command(store, "done")
    assert "No outcome" not in to_plain(showing.answer(await found(store)))


async def test_one_entry_by_itself_says_nothing_of_others(store: Store) -> None:
    await command(store)
    (entry,) = await found(store)
    shown = closed_up(showing.answer(entry))
    assert shown[0].startswith("#1 intent ")
    assert not any("outcome" in line for line in shown)


async def test_an_entry_that_says_nothing_has_no_table(store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "stopped"))
    (entry,) = await found(store)
    assert not [block for block in showing.answer(entry).blocks if isinstance(block, Table)]


@pytest.mark.parametrize(("later_ms", "shown"), [(90_000, "+1 min 30 s"), (-1_500, "-1.500 s"), (0, "+0.000 s")])
async def test_a_clock_that_went_far_or_back_is_shown_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, later_ms: int, shown: str
) -> None:
    clock = iter([BEGAN_MS, BEGAN_MS + later_ms])
    monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 1_000_000)
    await command(store, "done")
    assert f"{shown} after the one before" in to_plain(showing.answer(await found(store)))


async def test_who_was_forgotten_is_nobody_any_more(store: Store) -> None:
    await command(store, "done")
    await store.write(lambda tx: tx.execute("DELETE FROM person_key"))
    entries = await found(store)
    assert [showing.who(each) for each in entries] == ["(forgotten)"] * 2
    shown = to_plain(showing.answer(entries))
    assert "olga" not in shown
    assert SHUT in shown
    assert showing.exported(entries[0])["opened"] == [None]


async def test_nobody_is_named_but_by_plain_fields_where_nothing_is_in_a_box(store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "incident adopted", by="walker", id=ID))
    assert [showing.who(each) for each in await found(store)] == ["walker"]


async def test_what_somebody_put_into_an_entry_commands_no_screen(store: Store) -> None:
    evil = "\x1b[2J<b>\u202e"
    await store.write(lambda tx: audit.record(tx, evil, audit.about(evil, account=evil), why=evil, command=evil))
    for document in (showing.answer(await found(store)), showing.listed(await found(store), TODAY)):
        for shown in (to_plain(document), to_html(document)):
            assert "\x1b" not in shown
            assert "\u202e" not in shown
        assert "<b>" not in to_html(document)


def test_every_kind_of_value_has_words() -> None:
    values = {"a": None, "b": True, "c": False, "d": [], "e": ["x", "y"], "f": 0, "g": "", "kind": "x", "at": "y"}
    shown = fields_of(values, [("olga", {"z": "in a box"}), ("otto", None)])
    assert [tuple(cell.text for cell in row) for row in shown.rows] == [
        ("", "a", "–"),
        ("", "b", "yes"),
        ("", "c", "no"),
        ("", "d", "–"),
        ("", "e", "x, y"),
        ("", "f", "0"),
        ("", "g", "–"),
        ("olga", "z", "in a box"),
        ("otto", "", SHUT),
    ]


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (
            Verdict((), "o", 5, bytes(32), 5),
            [
                "INTACT: every entry is as it was signed, and as witnesses have seen it.",
                f"5 entries, root {'A' * 43}=. Witnesses cover all of them.",
            ],
        ),
        (
            Verdict((incomplete("No witness.", "Ask one."),), "o", 1, bytes(32), None),
            [
                "INCOMPLETE: nothing altered was found, but not all evidence was there.",
                f"1 entry, root {'A' * 43}=. No witness covers any of them.",
                "• No witness. Ask one.",
            ],
        ),
        (
            Verdict((altered("Entry 3 is another."), incomplete("x")), "o", 1005, bytes(32), 1000),
            [
                "ALTERED: something is not what was signed, or is gone.",
                f"1,005 entries, root {'A' * 43}=. {COVERED}",
                "• Entry 3 is another.",
                "• x",
            ],
        ),
        (
            Verdict((incomplete("Nothing there."),), "", 0, bytes(32), None),
            ["INCOMPLETE: nothing altered was found, but not all evidence was there.", "• Nothing there."],
        ),
    ],
)
def test_a_verdict_is_told_with_all_that_was_found(verdict: Verdict, shown: list[str]) -> None:
    assert [line for line in closed_up(showing.judged(verdict)) if line] == shown


def test_every_state_has_words() -> None:
    assert set(showing.STATES) == set(showing.SAID) == set(State)


def test_a_bar_comes_only_after_a_while_and_only_where_somebody_sits(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    for is_terminal in (False, True):
        console = Console(stderr=True, force_terminal=is_terminal, width=80)
        now[0] = 0.0
        with bar("Looking", console, lambda: now[0]) as tell:
            tell(1, 100)
            assert capsys.readouterr().err == ""
            now[0] = 2.0
            tell(50, 100)
        shown = capsys.readouterr().err
        assert (("Looking" in shown) and ("25 entries/s" in shown)) is is_terminal
