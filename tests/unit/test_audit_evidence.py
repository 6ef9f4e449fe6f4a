"""A proof of an entry stands alone: each true one passes, and whatever is changed in one is seen."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.errors import AuditError, BadProof, Unsigned
from bot.audit.evidence import LARGEST, BadBundle, Bundle, check
from bot.audit.merkle import Frontier, leaf_hash
from bot.audit.note import Checkpoint, Signer, sign_note
from bot.audit.opening import NONCE, SALT_LENGTH, box_key
from bot.audit.proofs import prove_inclusion
from tests.unit.ledger import OTHER, SIGNER
from wire.envelope import PrivateKey

NAMESAKE = Signer(SIGNER.verifier.name, PrivateKey(bytes(32)))
KEYS = [SIGNER.verifier]
OLGA, OTTO = b"olga".ljust(32, b"."), b"otto".ljust(32, b".")


def box(key: bytes, tag: str, words: bytes) -> str:
    salt = key[:SALT_LENGTH]
    return base64.b64encode(salt + AESGCM(box_key(key, salt)).encrypt(NONCE, words, tag.encode())).decode()


def shown(key: bytes) -> bytes:
    """The key of the one box that this person has here."""
    return box_key(key, key[:SALT_LENGTH])


PEOPLE = [["0a", box(OLGA, "0a", b'{"person":"olga"}')], ["0b", box(OTTO, "0b", b'{"person":"otto"}')]]
ENTRY = rfc8785.dumps({"kind": "approval", "id": "1", "note": 'a "quoted" word, ü, \u2028 and \x1f', "people": PEOPLE})
LEAVES = [leaf_hash(ENTRY if number == 5 else b"%d" % number) for number in range(11)]


class Leaves:
    """The nodes over those leaves."""

    def node(self, level: int, index: int) -> bytes:
        counted = Frontier()
        counted.extend(LEAVES[index << level : (index + 1) << level])
        return counted.root()


ROOT = Leaves().node(4, 0)
CHECKPOINT = Checkpoint(SIGNER.verifier.name, len(LEAVES), ROOT)
NOTE = sign_note(str(CHECKPOINT), SIGNER).decode()
PATH = tuple(prove_inclusion(Leaves(), 5, len(LEAVES)))
CLOSED = Bundle(6, ENTRY.decode(), PATH, NOTE)
OPEN = Bundle(6, ENTRY.decode(), PATH, NOTE, (shown(OLGA), None))


def document(bundle: Bundle) -> bytes:
    return str(bundle).encode()


def changed(bundle: Bundle, **fields: object) -> bytes:
    """The same with other fields, in its one form all the same."""
    return rfc8785.dumps({**json.loads(str(bundle)), **fields})  # pyright: ignore[reportArgumentType] - any JSON


def test_a_proof_shows_its_entry_and_who_has_signed_it() -> None:
    checked = check(document(CLOSED), KEYS)
    assert (checked.number, checked.entry, checked.people) == (6, ENTRY.decode(), (None, None))
    assert (checked.origin, checked.size, checked.signers) == (SIGNER.verifier.name, 11, tuple(KEYS))
    assert checked.vouched
    assert str(checked).startswith("Entry 6 is in the record example.org/record/1 of 11 entries, signed by example.org")


def test_who_was_given_the_key_of_a_box_reads_it_and_no_other() -> None:
    assert check(document(OPEN), KEYS).people == ('{"person":"olga"}', None)


@pytest.mark.parametrize("bundle", [CLOSED, OPEN])
def test_a_proof_is_in_the_form_of_rfc_8785(bundle: Bundle) -> None:
    assert document(bundle) == rfc8785.dumps(json.loads(str(bundle)))
    assert Bundle.parse(document(bundle)) == bundle
    assert Bundle.parse(b"\n" + document(bundle) + b"\n") == bundle


def test_without_a_key_it_is_said_that_nobody_has_vouched_for_the_one_that_it_names() -> None:
    checked = check(document(CLOSED), [])
    assert (checked.vouched, checked.signers) == (False, ())
    named = f"{SIGNER.verifier.name}+{SIGNER.verifier.id.hex()}"
    assert checked.named == (named,)
    assert str(checked).endswith(f"it names the key {named}, and nobody has vouched for that.")


@pytest.mark.parametrize("key", [OTHER.verifier, NAMESAKE.verifier])
def test_a_key_that_has_not_signed_it_does_not_vouch_for_it(key: Any) -> None:
    with pytest.raises(Unsigned, match=f"but by {SIGNER.verifier.name}"):
        check(document(CLOSED), [key])


def test_whoever_signs_in_the_name_of_another_record_does_not_vouch_for_it() -> None:
    foreign = Bundle(6, ENTRY.decode(), PATH, sign_note(str(CHECKPOINT), OTHER).decode())
    with pytest.raises(Unsigned, match="not signed in the name of its own record"):
        check(document(foreign), [SIGNER.verifier, OTHER.verifier])


def test_one_known_signer_of_two_is_enough() -> None:
    both = Bundle(6, ENTRY.decode(), PATH, sign_note(str(CHECKPOINT), NAMESAKE, SIGNER).decode())
    checked = check(document(both), KEYS)
    assert checked.signers == tuple(KEYS)
    assert len(checked.named) == 2


CHANGES: dict[str, dict[str, object]] = {
    "number": {"number": 7},
    "number of another type": {"number": True},
    "number as a text": {"number": "6"},
    "number zero": {"number": 0},
    "number below": {"number": -5},
    "number beyond": {"number": 12},
    "number far beyond": {"number": 2**53 - 1},
    "entry": {"entry": ENTRY.decode().replace("approval", "denial")},
    "no entry": {"entry": None},
    "empty entry": {"entry": ""},
    "path shorter": {"path": [base64.b64encode(each).decode() for each in PATH[:-1]]},
    "path longer": {"path": [base64.b64encode(each).decode() for each in (*PATH, PATH[0])]},
    "path in another order": {"path": [base64.b64encode(each).decode() for each in PATH[::-1]]},
    "path of numbers": {"path": [1, 2, 3, 4]},
    "path of short hashes": {"path": ["AAAA"] * len(PATH)},
    "path of no base64": {"path": ["!"] * len(PATH)},
    "no path": {"path": None},
    "checkpoint of another size": {"checkpoint": NOTE.replace("\n11\n", "\n12\n")},
    "checkpoint of another origin": {"checkpoint": NOTE.replace("record/1\n11", "record/3\n11")},
    "no note": {"checkpoint": "hello"},
    "a note of another": {"checkpoint": sign_note(str(CHECKPOINT), NAMESAKE).decode()},
    "a note that is no checkpoint": {"checkpoint": sign_note("hello\n", SIGNER).decode()},
    "version": {"version": 2},
    "version of another type": {"version": True},
    "format": {"format": "something"},
    "one field more": {"more": 1},
    "people of another type": {"people": 1},
    "fewer people": {"people": [base64.b64encode(shown(OLGA)).decode()]},
    "a key of another": {"people": [base64.b64encode(shown(OTTO)).decode(), None]},
    "a key that is none": {"people": ["AAAA", None]},
    "keys in another order": {"people": [None, base64.b64encode(shown(OLGA)).decode()]},
}


@pytest.mark.parametrize("fields", CHANGES.values(), ids=CHANGES)
def test_a_proof_with_any_field_changed_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(AuditError):
        check(changed(OPEN, **fields), KEYS)


@pytest.mark.parametrize("field", ["number", "entry", "path", "checkpoint", "format", "version"])
def test_a_proof_with_a_field_missing_is_refused(field: str) -> None:
    fields = json.loads(str(OPEN))
    del fields[field]
    for keys in (KEYS, []):
        with pytest.raises(BadBundle):
            check(rfc8785.dumps(fields), keys)


def test_a_field_that_stands_there_twice_deceives_nobody() -> None:
    twice = document(CLOSED).replace(b'{"checkpoint"', b'{"entry":"{}","checkpoint"')
    with pytest.raises(BadBundle, match="not in its one form"):
        check(twice, KEYS)


@given(at=st.integers(0, len(document(OPEN)) - 1), flip=st.integers(1, 255))
def test_a_proof_with_any_byte_changed_is_refused(at: int, flip: int) -> None:
    spoilt = bytearray(document(OPEN))
    spoilt[at] ^= flip
    with pytest.raises(AuditError):
        check(bytes(spoilt), KEYS)


@given(start=st.integers(0, len(document(OPEN)) - 1), length=st.integers(1, 200))
def test_a_proof_with_a_part_cut_out_is_refused(start: int, length: int) -> None:
    whole = document(OPEN)
    with pytest.raises(AuditError):
        check(whole[:start] + whole[start + length :], KEYS)


@given(anything=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything_else_is_refused(anything: bytes) -> None:
    for keys in (KEYS, []):
        with pytest.raises(AuditError):
            check(anything, keys)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(field=st.sampled_from(["number", "entry", "path", "checkpoint", "format", "version", "people"]), value=JSON)
def test_any_other_value_of_a_field_is_refused(field: str, value: object) -> None:
    fields = json.loads(str(OPEN))
    if fields[field] == value or (field, value) == ("people", None):
        return
    for keys in (KEYS, []):
        with pytest.raises(AuditError):
            check(json.dumps({**fields, field: value}, sort_keys=True, separators=(",", ":")).encode(), keys)


@pytest.mark.parametrize(
    "anything", [b"", b"[]", b"[" * 100_000, b'{"a":' * 5_000, b"1" * 5_000, b"\xff", b" " * (LARGEST + 1)]
)
def test_what_is_made_to_take_long_or_much_is_refused(anything: bytes) -> None:
    with pytest.raises(BadBundle):
        check(anything, KEYS)


@pytest.mark.parametrize(
    "entry",
    [b"no JSON", b"[]", b'{"people":1}', b'{"people":[1]}', b'{"people":[["0a"]]}', b'{"people":[["0a",1]]}'],
)
def test_an_entry_that_no_tocsin_writes_is_refused(entry: bytes) -> None:
    signed = sign_note(str(Checkpoint(SIGNER.verifier.name, 1, leaf_hash(entry))), SIGNER).decode()
    with pytest.raises(BadBundle):
        check(document(Bundle(1, entry.decode(), (), signed)), KEYS)


def test_a_number_that_only_counts_as_one_is_refused() -> None:
    signed = sign_note(str(Checkpoint(SIGNER.verifier.name, 1, leaf_hash(b"{}"))), SIGNER).decode()
    first = Bundle(1, "{}", (), signed)
    assert check(document(first), KEYS).number == 1
    with pytest.raises(BadBundle):
        check(changed(first, number=True), KEYS)


def test_what_is_in_a_box_must_be_a_text() -> None:
    entry = rfc8785.dumps({"people": [["0a", box(OLGA, "0a", b"\xff")]]})
    signed = sign_note(str(Checkpoint(SIGNER.verifier.name, 1, leaf_hash(entry))), SIGNER).decode()
    with pytest.raises(BadBundle, match="not a text"):
        check(document(Bundle(1, entry.decode(), (), signed, (shown(OLGA),))), KEYS)


def test_a_proof_that_does_not_lead_to_the_root_is_told_so() -> None:
    with pytest.raises(BadProof, match="does not lead"):
        check(document(Bundle(6, '{"kind":"other"}', PATH, NOTE)), KEYS)


def test_checking_needs_nothing_of_the_store() -> None:
    code = (
        "import sys; before = {*sys.modules}; import bot.audit.evidence;"
        "loaded = {*sys.modules} - before;"
        "print(*sorted(name for name in loaded if name.startswith(('bot.', 'sqlite3', 'nio', 'pydantic'))))"
    )
    house = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=house)  # noqa: S603 - our own code
    loaded = done.stdout.split()
    assert "bot.audit.evidence" in loaded
    assert [name for name in loaded if not name.startswith(("bot.audit", "bot.words"))] == []
