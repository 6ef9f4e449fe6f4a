"""Entries of the audit log: exact bytes, in order."""

import datetime as dt
import hashlib

import orjson
import rfc8785

from bot.store import Store, audit


async def test_an_entry_stands_in_the_one_form_of_its_bytes(store: Store) -> None:
    seq = await store.write(lambda tx: audit.record(tx, "outcome", z="ü", a=None, list=["b", "a"], flag=True, number=1))
    ((found, entry),) = await store.read(lambda tx: audit.last(tx, 1))
    assert found == seq
    fields = orjson.loads(entry)
    assert rfc8785.dumps(fields) == entry
    at = fields.pop("at")
    assert dt.datetime.fromisoformat(at).utcoffset() == dt.timedelta(0)
    assert fields == {"kind": "outcome", "z": "ü", "a": None, "list": ["b", "a"], "flag": True, "number": 1}


async def test_numbers_rise_by_one_and_the_newest_are_given_oldest_first(store: Store) -> None:
    numbers = [await store.write(lambda tx: audit.record(tx, "x")) for _ in range(5)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert [seq for seq, _ in await store.read(lambda tx: audit.last(tx, 3))] == numbers[-3:]


def test_a_digest_is_of_the_text_as_it_is_sent_even_of_half_a_character() -> None:
    assert audit.digest("ü") == hashlib.sha256("ü".encode()).hexdigest()
    assert audit.digest("\ud800") != audit.digest("?")
