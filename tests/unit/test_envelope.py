"""Signed messages: only the right key, for the right root and kind, over these very bytes."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from wire.envelope import LARGEST, PrivateKey, PublicKey, pae, read_unproven, seal, unseal, unseal_by_all
from wire.errors import BadMessage, BadSignature

ROOT = "tocsin/v1"
KEY = PrivateKey(bytes(range(32)))
OTHER = PrivateKey(bytes(32))
PAYLOAD = b'{"incident":"00112233445566778899aabbccddeeff","target":"all","issued":1700000000000}'
PINNED = (
    b'{"payloadType":"application/vnd.tocsin.stop+json; root=tocsin/v1","payload":"eyJpbmNpZGVudCI6IjAwMTE'
    b'yMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZmIiwidGFyZ2V0IjoiYWxsIiwiaXNzdWVkIjoxNzAwMDAwMDAwMDAwfQ==","sign'
    b'atures":[{"keyid":"56475aa75463474c","sig":"yq7LIy0gOo8kZwnSnv7tqrA5zSiWSBm0TYqtxyijD4RJnN99OZ0LpZ9w'
    b'I6yZzI9RQSyBrtzvn1F7PbsXvDl5DQ=="}]}'
)
ANY_TEXT = st.text(st.characters(codec=None))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
NAMES = st.text("abc/:;= 0123456789", max_size=12)


def test_what_is_signed_is_encoded_as_the_specification_shows() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes() -> None:
    assert pae("é", "é".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xa9"


def test_the_envelope_is_the_one_that_is_pinned() -> None:
    assert seal(KEY, ROOT, "stop", PAYLOAD) == PINNED
    assert unseal(PINNED, ROOT, "stop", KEY.public) == PAYLOAD


def test_the_pinned_envelope_verifies_without_our_code() -> None:
    fields = json.loads(PINNED)
    payload = base64.b64decode(fields["payload"])
    signed = f"DSSEv1 {len(fields['payloadType'])} {fields['payloadType']} {len(payload)} ".encode() + payload
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    key.verify(base64.b64decode(fields["signatures"][0]["sig"]), signed)
    assert fields["payloadType"] == "application/vnd.tocsin.stop+json; root=tocsin/v1"


@given(payload=st.binary(max_size=200), root=NAMES, kind=NAMES)
@settings(deadline=None)
def test_what_was_sealed_is_unsealed(payload: bytes, root: str, kind: str) -> None:
    assert unseal(seal(KEY, root, kind, payload), root, kind, OTHER.public, KEY.public) == payload


@given(first=st.tuples(NAMES, NAMES), second=st.tuples(NAMES, NAMES))
@example(first=("tocsin/v1", "stop"), second=("tocsin/v1", "lease"))
@example(first=("tocsin/v1", "stop"), second=("tocsin/v2", "stop"))
@example(first=("tocsin/v1", "stop"), second=("", "stop"))
@settings(deadline=None)
def test_a_message_of_one_root_and_kind_never_passes_for_another(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    assume(first != second)
    envelope = seal(KEY, *first, PAYLOAD)
    with pytest.raises(BadSignature, match="came where"):
        unseal(envelope, *second, KEY.public)
    # Nor when somebody writes the other type on it: the signature covers the type.
    relabelled = json.loads(envelope) | {"payloadType": json.loads(seal(OTHER, *second, b""))["payloadType"]}
    with pytest.raises(BadSignature, match="signed by none"):
        unseal(json.dumps(relabelled).encode(), *second, KEY.public)


@given(payload=st.binary(max_size=200))
@settings(deadline=None)
def test_a_signature_over_one_payload_never_passes_for_another(payload: bytes) -> None:
    assume(payload != PAYLOAD)
    swapped = json.loads(PINNED) | {"payload": base64.b64encode(payload).decode()}
    with pytest.raises(BadSignature, match="signed by none"):
        unseal(json.dumps(swapped).encode(), ROOT, "stop", KEY.public)


def test_a_message_of_another_key_is_refused() -> None:
    with pytest.raises(BadSignature, match="signed by none"):
        unseal(seal(OTHER, ROOT, "stop", PAYLOAD), ROOT, "stop", KEY.public)


def test_where_no_key_may_sign_nothing_passes() -> None:
    with pytest.raises(BadSignature):
        unseal(PINNED, ROOT, "stop")


def test_the_key_id_is_a_hint_and_proves_nothing() -> None:
    fields = json.loads(seal(OTHER, ROOT, "stop", PAYLOAD))
    fields["signatures"][0]["keyid"] = KEY.public.id
    with pytest.raises(BadSignature):
        unseal(json.dumps(fields).encode(), ROOT, "stop", KEY.public)


def test_a_change_anywhere_is_refused_or_changes_nothing() -> None:
    for place in range(len(PINNED)):
        for bit in range(8):
            changed = bytearray(PINNED)
            changed[place] ^= 1 << bit
            try:
                payload = unseal(bytes(changed), ROOT, "stop", KEY.public)
            except BadMessage:
                continue
            assert payload == PAYLOAD


def test_a_change_in_payload_signature_or_type_is_refused() -> None:
    fields = json.loads(PINNED)
    signature = base64.b64decode(fields["signatures"][0]["sig"])
    for size in (0, 1, 63, 65, 10_000):
        other = {"signatures": [{"sig": base64.b64encode(signature[:size].ljust(size, b"\0")).decode()}]}
        with pytest.raises(BadSignature):
            unseal(json.dumps(fields | other).encode(), ROOT, "stop", KEY.public)
    with pytest.raises(BadSignature):
        unseal(json.dumps(fields | {"signatures": []}).encode(), ROOT, "stop", KEY.public)


def test_one_good_signature_among_others_is_enough_up_to_four() -> None:
    fields = json.loads(PINNED)
    good, bad = fields["signatures"][0], json.loads(seal(OTHER, ROOT, "stop", PAYLOAD))["signatures"][0]
    unseal(json.dumps(fields | {"signatures": [bad, bad, bad, good]}).encode(), ROOT, "stop", KEY.public)
    with pytest.raises(BadSignature):  # nobody makes us verify a thousand
        unseal(json.dumps(fields | {"signatures": [bad, bad, bad, bad, good]}).encode(), ROOT, "stop", KEY.public)


def test_what_several_have_signed_is_read_by_who_asks_for_one_and_by_who_asks_for_all() -> None:
    both = seal(KEY, ROOT, "key", PAYLOAD, OTHER)
    assert unseal(both, ROOT, "key", KEY.public) == unseal(both, ROOT, "key", OTHER.public) == PAYLOAD
    assert unseal_by_all(both, ROOT, "key", OTHER.public, KEY.public) == PAYLOAD
    assert [each["keyid"] for each in json.loads(both)["signatures"]] == [KEY.public.id, OTHER.public.id]


@pytest.mark.parametrize("signers", [(KEY,), (OTHER,), (KEY, KEY)], ids=str)
def test_what_all_must_sign_is_refused_where_one_did_not(signers: tuple[PrivateKey, ...]) -> None:
    envelope = seal(signers[0], ROOT, "key", PAYLOAD, *signers[1:])
    with pytest.raises(BadSignature, match="not signed by all"):
        unseal_by_all(envelope, ROOT, "key", KEY.public, OTHER.public)


def test_where_nobody_must_sign_nothing_passes() -> None:
    with pytest.raises(BadSignature, match="not signed by all"):
        unseal_by_all(PINNED, ROOT, "stop")


def test_what_nobody_has_verified_is_of_its_root_and_kind_all_the_same() -> None:
    forged = json.loads(PINNED) | {"signatures": []}
    assert read_unproven(json.dumps(forged).encode(), ROOT, "stop") == PAYLOAD
    with pytest.raises(BadSignature, match="came where"):
        read_unproven(PINNED, ROOT, "lease")


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"null",
        b"[]",
        b'"payload"',
        b"{}",
        PINNED[:-1],
        PINNED + b"x",
        PINNED.replace(b'"payloadType":"', b'"payloadType":["x"],"x":"', 1),
        PINNED.replace(b'"payload":"', b'"payload":"\xff', 1),
        b"[" * 10_000 + b"]" * 10_000,
        b'{"payload": NaN}',
    ],
)
def test_what_is_no_envelope_is_refused(envelope: bytes) -> None:
    with pytest.raises(BadMessage, match="not a DSSE envelope"):
        unseal(envelope, ROOT, "stop", KEY.public)


def test_an_envelope_over_the_bound_is_not_looked_into() -> None:
    padded = PINNED + b" " * (LARGEST - len(PINNED))
    assert unseal(padded, ROOT, "stop", KEY.public) == PAYLOAD
    with pytest.raises(BadMessage, match="over the bound"):
        unseal(padded + b" ", ROOT, "stop", KEY.public)


@given(envelope=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_anything_else_is_refused(envelope: bytes) -> None:
    with pytest.raises(BadMessage):
        unseal(envelope, ROOT, "stop", KEY.public)


@given(field=st.sampled_from(["payloadType", "payload", "signatures"]), value=ANY_JSON)
@settings(deadline=None)
def test_an_envelope_with_anything_in_one_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(BadMessage):
        unseal(json.dumps(json.loads(PINNED) | {field: value}).encode(), ROOT, "stop", KEY.public)


@given(value=ANY_JSON)
@settings(deadline=None)
def test_an_envelope_with_anything_for_a_signature_is_refused(value: object) -> None:
    for signatures in ([value], [{"sig": value}]):
        with pytest.raises(BadMessage):
            unseal(json.dumps(json.loads(PINNED) | {"signatures": signatures}).encode(), ROOT, "stop", KEY.public)


def test_a_public_key_is_read_as_it_is_written() -> None:
    key = PublicKey.parse(str(KEY.public))
    assert key == KEY.public
    assert hash(key) == hash(KEY.public)
    assert key.id == KEY.public.id
    assert key != OTHER.public


@given(text=ANY_TEXT | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
@settings(deadline=None)
def test_a_text_is_a_public_key_or_refused(text: str) -> None:
    try:
        key = PublicKey.parse(text)
    except BadMessage:
        return
    assert len(key.raw) == 32


def test_a_private_key_does_not_show_itself() -> None:
    assert repr(KEY) == f"PrivateKey({KEY.public.id})"
    assert not hasattr(KEY, "seed")
