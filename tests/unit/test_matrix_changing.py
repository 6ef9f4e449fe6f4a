"""Edits and what is taken back, as strangers send them: no batch ends, and what was asked is void all the same."""

import dataclasses
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nio import Event, MatrixRoom

from bot.words.message import Change, Place, Standing
from bot.words.people import Account
from bridges.matrix.changing import changes_in
from bridges.matrix.connection import Connection
from bridges.matrix.enclosing import renewed
from bridges.matrix.reading import AnyEvent
from bridges.matrix.trust import Trust
from demo.odd import BOT, Odd
from demo.operator import PinsInMemory

ALICE = "@alice:example.org"
ROOM = MatrixRoom("!room:example.org", BOT, encrypted=True)
URL = "mxc://example.org/abc"
EDITS: Mapping[str, Any] = {"rel_type": "m.replace", "event_id": "$0"}
VOID = Change(Place("matrix", ROOM.room_id), "$0", Account("matrix", ALICE))
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(["m.file", "m.image", "m.text"]) | JSON
NEW = st.fixed_dictionaries({"msgtype": KINDS, "body": JSON, "url": st.just(URL) | JSON, "info": JSON}) | JSON


@pytest.fixture
async def trust(tmp_path: Path) -> AsyncGenerator[tuple[Trust, Connection]]:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path / "bot") as connection:
        yield Trust(connection, frozenset, PinsInMemory()), connection


def edit(new: object, kind: object = "m.file", relation: object = EDITS) -> AnyEvent:
    """As the library reads it, however odd it is."""
    content = {"msgtype": kind, "body": "a", "url": URL, "m.new_content": new, "m.relates_to": relation}
    source = {"event_id": "$1", "sender": ALICE, "origin_server_ts": 1, "type": "m.room.message", "content": content}
    return Event.parse_event(source)


async def test_whatever_an_edit_says_what_it_edits_is_void(trust: tuple[Trust, Connection]) -> None:
    known, connection = trust

    @given(new=NEW, kind=KINDS)
    @example(new={"msgtype": []}, kind="m.file")
    @example(new={"msgtype": {}}, kind="m.image")
    def holds(new: object, kind: object) -> None:
        (change,), odd = changes_in([(edit(new, kind), ROOM)], BOT, known, connection.olm)
        assert dataclasses.replace(change, text="", files=()) == VOID
        assert odd == 0

    holds()


@given(new=NEW, kind=KINDS, relation=JSON)
@example(new={"msgtype": []}, kind="m.file", relation=EDITS)
def test_whatever_an_edit_says_of_a_file_it_is_one_or_none(new: object, kind: object, relation: object) -> None:
    files, _ = renewed(edit(new, kind, relation))
    assert len(files) <= 1


class Breaking(Trust):
    """It cannot say who anybody is."""

    def standing_of(self, event: Event, room: MatrixRoom, olm: object) -> tuple[Standing, str]:
        raise TypeError(event, room, olm)


async def test_an_edit_that_nobody_can_judge_is_counted_and_voids_without_its_words(
    trust: tuple[Trust, Connection],
) -> None:
    _, connection = trust
    breaking = Breaking(connection, frozenset, PinsInMemory())
    edits = [(edit({"msgtype": "m.text", "body": "b"}, "m.text"), ROOM)] * 2
    assert changes_in(edits, BOT, breaking, connection.olm) == ([VOID, VOID], 2)


async def test_an_event_of_which_nothing_can_be_read_keeps_no_other_from_being_read(
    trust: tuple[Trust, Connection],
) -> None:
    known, connection = trust
    broken, whole = edit({}), edit({"msgtype": "m.text", "body": "b"}, "m.text")
    del broken.source
    (change,), odd = changes_in([(broken, ROOM), (whole, ROOM)], BOT, known, connection.olm)
    assert (change.text, odd) == ("b", 1)
