"""Two libraries check signatures: whichever a machine has, the verdict is the same."""

import base64

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wire import envelope
from wire.envelope import PrivateKey, PublicKey
from wire.errors import BadMessage

KEY = PrivateKey(bytes(range(32)))
SIGNED = b"what was signed"
SIGNATURE = KEY.sign(SIGNED)
# RFC 8032, section 7.1, test 3.
VECTOR = (
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ),
)


@pytest.fixture(params=["quick", "other"])
def public(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PublicKey:
    """The same key, checked by the one library or by the other."""
    assert envelope.vodozemac is not None
    if request.param == "other":
        monkeypatch.setattr(envelope, "vodozemac", None)
    return PublicKey(KEY.public.raw)


def test_a_signature_is_taken_and_each_change_of_it_is_not(public: PublicKey) -> None:
    assert public.verify(SIGNATURE, SIGNED)
    assert not public.verify(SIGNATURE, SIGNED + b"!")
    assert not public.verify(SIGNATURE, b"")
    for place in range(len(SIGNATURE)):
        changed = SIGNATURE[:place] + bytes([SIGNATURE[place] ^ 1]) + SIGNATURE[place + 1 :]
        assert not public.verify(changed, SIGNED)
    for length in (0, 1, 63, 65, 128):
        assert not public.verify((SIGNATURE * 2)[:length], SIGNED)


@pytest.mark.usefixtures("public")
def test_the_vector_of_the_standard_holds() -> None:
    key, message, signature = map(bytes.fromhex, VECTOR)
    assert PublicKey(key).verify(signature, message)
    assert not PublicKey(key).verify(signature, message + b"\0")


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.binary(max_size=40))
@example(b"\xff" * 32, SIGNATURE, SIGNED)
@example(bytes(32), bytes(64), SIGNED)
def test_no_key_takes_what_it_did_not_sign(raw: bytes, signature: bytes, signed: bytes) -> None:
    """Also one that is no point of the curve. The neutral point is left out: it signs anything in one library."""
    try:
        key = PublicKey.parse(base64.b64encode(raw).decode())
    except BadMessage:
        return
    assert not key.verify(signature, signed)
