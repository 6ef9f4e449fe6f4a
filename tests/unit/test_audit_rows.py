"""Entries of the audit log: exact bytes, in order."""

import datetime as dt
import hashlib
import re
import string
import time

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from bot.store import Store, audit
from bot.store.audit import Value
from bot.words.message import Standing

# Half a character and numbers beyond 2^53 have no form; both sides must refuse them.
texts = st.text(st.characters(exclude_categories=()), max_size=40)
values = st.none() | st.booleans() | st.integers(-(2**55), 2**55) | texts | st.lists(texts, max_size=4)
names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)


async def newest(store: Store) -> tuple[int, bytes]:
    """Number and bytes of the newest entry, as they stand there."""
    return await store.read(lambda tx: tx.execute("SELECT seq, entry FROM audit ORDER BY seq DESC").fetchone())


async def test_an_entry_stands_in_the_one_form_of_its_bytes(store: Store) -> None:
    seq = await store.write(lambda tx: audit.record(tx, "outcome", z="ü", a=None, list=["b", "a"], flag=True, number=1))
    found, entry = await newest(store)
    assert found == seq
    fields = orjson.loads(entry)
    assert rfc8785.dumps(fields) == entry
    at = fields.pop("at")
    assert abs(dt.datetime.fromisoformat(at) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert len(at) == len("2026-11-20T14:02:00.001+00:00")
    assert re.fullmatch("[0-9a-f]{8}", fields.pop("session"))
    assert fields == {"kind": "outcome", "z": "ü", "a": None, "list": ["b", "a"], "flag": True, "number": 1}


@given(fields=st.dictionaries(names, values, max_size=12))
@example({"a": "".join(map(chr, range(0x20))), "b": '"\\/\x7f\x80\u2028\u2029\ufeff\ufffe'})
@example({"b": 2**53 - 1, "a": -(2**53 - 1), "B": [], "A": ["\U0010ffff", ""], "_": True})
@example({"standing": Standing.ATTESTED})
@example({"half": "\ud800"})
@example({"large": 2**53})
def test_the_fast_form_is_the_exact_one(fields: dict[str, Value]) -> None:
    try:
        wanted = rfc8785.dumps(fields)
    except (ValueError, UnicodeError):
        with pytest.raises(ValueError, match="not for the record"):
            audit.form(fields)
    else:
        assert audit.form(fields) == wanted


@pytest.mark.parametrize("wrong", [dt.datetime.now(dt.UTC), b"bytes", {1, 2}, object()])
async def test_what_has_no_form_is_not_recorded(store: Store, wrong: str) -> None:
    with pytest.raises(ValueError, match="not for the record"):
        await store.write(lambda tx: audit.record(tx, "outcome", wrong=wrong))
    assert await store.read(lambda tx: audit.last(tx, 1)) == []


@pytest.mark.parametrize("ns", [0, 1_700_000_000_000_999_999, 1_700_000_000_007_000_000, 4_102_444_799_999_999_999])
async def test_the_time_of_an_entry_is_cut_to_the_millisecond(
    store: Store, monkeypatch: pytest.MonkeyPatch, ns: int
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: ns)
    await store.write(lambda tx: audit.record(tx, "x"))
    _, entry = await newest(store)
    seconds, rest = divmod(ns, 1_000_000_000)
    wanted = dt.datetime.fromtimestamp(seconds, dt.UTC) + dt.timedelta(milliseconds=rest // 1_000_000)
    assert orjson.loads(entry)["at"] == wanted.isoformat(timespec="milliseconds")


async def test_numbers_rise_by_one_and_the_newest_are_given_oldest_first(store: Store) -> None:
    numbers = [await store.write(lambda tx: audit.record(tx, "x")) for _ in range(5)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert [entry.seq for entry in await store.read(lambda tx: audit.last(tx, 3))] == numbers[-3:]


def test_a_digest_is_of_the_text_as_it_is_sent_even_of_half_a_character() -> None:
    assert audit.digest("ü") == hashlib.sha256("ü".encode()).hexdigest()
    assert audit.digest("\ud800") != audit.digest("?")
