"""`!audit` and what begins so, as people type it and read the answers."""

import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.audit.evidence import check as check_proof
from bot.desk.authority import TABLE, Action, Rule
from bot.desk.call import Call
from bot.desk.command import Command
from bot.desk.grammar import Line
from bot.desk.rest import LONGEST_ANSWER
from bot.record import held_keys, opening
from bot.store import Store, Tx, audit, tree
from bot.system import System
from bot.words.document import Code, Document
from bot.words.errors import StoreError, TocsinError, UsageError
from bot.words.message import Standing
from bot.words.people import Role
from bot.words.plain import to_plain
from commands.audit import MOST_AT_ONCE, check, prove, show_newest, show_one
from wire.messages import ROOT

Ask = Callable[[str], Call]
ID = "051739a8" + "0" * 24


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """The database of a bot that seals what it records."""
    async with opening.opened(tmp_path, ROOT) as opened:
        yield opened


@pytest_asyncio.fixture(autouse=True)
async def begun(store: Store, system: System) -> None:
    """The bell of the tests empties the record; from here on it is sealed anew."""
    assert system.store is store

    def forget(tx: Tx) -> None:
        for sql in ("DELETE FROM audit", "DELETE FROM tree", "DELETE FROM tile", "DELETE FROM checkpoint"):
            tx.execute(sql)

    await store.write(forget)


async def types(command: Command, call: Call, words: str = "") -> Document:
    bound = command.signature.bind(words, call.system.names)
    return await command.handler(call, *bound.args, **bound.kwargs)


async def says(command: Command, call: Call, words: str = "") -> list[str]:
    """The lines of the answer, with one blank between words."""
    return [" ".join(line.split()) for line in to_plain(await types(command, call, words)).splitlines()]


def order(tx: Tx) -> None:
    who = audit.about("olga", person="olga", account="chat:olga")
    audit.record(tx, "intent", who, id=ID, command="shutdown", standing="attested")
    audit.record(tx, "outcome", who, id=ID, command="shutdown", standing="attested", result="done")


def test_only_who_is_proven_and_operates_may_look() -> None:
    for command in (show_newest, show_one, check, prove):
        assert (command.role, command.action) == (Role.OPERATOR, Action.INSPECT)
    may = {standing for standing in Standing if TABLE[standing][Action.INSPECT] is Rule.YES}
    assert may == {Standing.ATTESTED, Standing.LOCAL}


async def test_the_newest_entries_are_shown_oldest_first(ask: Ask, store: Store) -> None:
    assert await says(show_newest, ask("olga")) == ["Nothing is recorded yet."]
    await store.write(order)
    head, intent, outcome, _, hint = await says(show_newest, ask("olga"))
    assert head == "no. UTC kind who id what"
    assert re.fullmatch(r"1 \d\d:\d\d:\d\d intent olga 051739a8 !shutdown", intent)
    assert re.fullmatch(r"2 \d\d:\d\d:\d\d outcome olga 051739a8 !shutdown: done", outcome)
    assert hint == "All that came of one: !audit show ID"
    _, only, *_ = await says(show_newest, ask("olga"), "1")
    assert only == outcome


@pytest.mark.parametrize("count", ["0", "-1", str(MOST_AT_ONCE + 1), "many"])
async def test_a_count_has_its_bounds(ask: Ask, count: str) -> None:
    with pytest.raises(UsageError):
        await types(show_newest, ask("olga"), count)


def test_a_word_after_audit_is_a_command_or_a_count(system: System) -> None:
    found = {words: system.catalogue.find(Line("audit", words)) for words in ("", "5", "show 3", "verify", "prove 3")}
    assert [(each[0].name, each[1]) for each in found.values() if each] == [
        ("audit", ""),
        ("audit", "5"),
        ("audit show", "3"),
        ("audit verify", ""),
        ("audit prove", "3"),
    ]


async def test_all_that_came_of_a_command_is_shown_and_one_entry_too(ask: Ask, store: Store) -> None:
    await store.write(order)
    first, *_ = await says(show_one, ask("olga"), ID[:6])
    assert re.fullmatch(rf"2 entries under {ID}, \d+\.\d{{3}} s from the first to the last\.", first)
    first, *_ = await says(show_one, ask("olga"), "#2")
    assert first.startswith("#2 outcome ")
    with pytest.raises(UsageError, match="Nothing is recorded under an id that begins with 'ffffff'"):
        await types(show_one, ask("olga"), "ffffff")


async def test_an_intact_record_is_said_to_be_so_as_far_as_can_be_known_here(ask: Ask, store: Store) -> None:
    await store.write(order)
    said = "\n".join(await says(check, ask("olga")))
    assert said.startswith("INCOMPLETE: nothing altered was found, but not all evidence was there.")
    assert "2 entries, root " in said
    assert "No witness was asked" in said


async def test_what_witnesses_hold_is_asked_for_and_speaks(ask: Ask, store: Store) -> None:
    await store.write(order)
    note = await store.read(tree.newest_note)
    assert note is not None

    async def held() -> list[bytes]:
        return [note]

    call = ask("olga")
    call = dataclasses.replace(call, system=dataclasses.replace(call.system, witnessed=held))
    assert "\n".join(await says(check, call)).startswith("INTACT")
    await store.write(lambda tx: tx.execute("DELETE FROM audit"))
    assert "\n".join(await says(check, call)).startswith("ALTERED")


async def test_an_altered_record_is_told(ask: Ask, store: Store) -> None:
    await store.write(order)
    sql = "UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'done', 'gone') AS BLOB) WHERE seq = 2"
    await store.write(lambda tx: tx.execute(sql))
    said = "\n".join(await says(check, ask("olga")))
    assert said.startswith("ALTERED: something is not what was signed, or is gone.")


async def test_without_the_public_key_nothing_is_said_of_the_record(ask: Ask, store: Store) -> None:
    await store.write(order)
    store.path.with_name(opening.PUBLIC).unlink()
    with pytest.raises(TocsinError, match=r"audit\.pub cannot be read"):
        await types(check, ask("olga"))


async def test_a_proof_comes_as_a_block_of_code_that_can_be_checked_anywhere(ask: Ask, store: Store) -> None:
    await store.write(order)
    proof, _ = (await types(prove, ask("olga"), "2")).blocks
    assert isinstance(proof, Code)
    (key,) = held_keys.in_file(store.path.with_name(opening.PUBLIC))
    checked = check_proof(proof.text.encode(), [key])
    assert (checked.number, checked.vouched, checked.people) == (2, True, (None,))


async def test_a_proof_that_is_too_long_is_made_at_the_machine(ask: Ask, store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "x", why="w" * LONGEST_ANSWER.characters))
    (said,) = await says(prove, ask("olga"), "1")
    assert said == "The proof of entry 1 is too long for a message. On the machine: tocsin audit prove 1 -o FILE"


async def test_what_is_not_there_cannot_be_proven(ask: Ask, store: Store) -> None:
    await store.write(order)
    with pytest.raises(UsageError, match=r"There is no entry 7\. The newest is 2\."):
        await types(prove, ask("olga"), "7")


async def test_looking_through_all_entries_holds_nobody_up_at_the_store(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(order)

    async def refuse(_: object) -> None:
        raise StoreError("Nobody may wait here.")

    monkeypatch.setattr(store, "read", refuse)
    for command, words in ((show_one, ID[:6]), (check, ""), (prove, "1")):
        await types(command, ask("olga"), words)
