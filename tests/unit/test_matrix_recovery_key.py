"""Recovery keys and what is encrypted under them, as every Matrix client writes and reads it."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.errors import UsageError
from bridges.matrix.recovery_key import ALGORITHM, LETTERS, DoesNotOpen, RecoveryKey

# What other clients are tested with: the recovery key of a well-known Curve25519 key, and two of matrix-rust-sdk.
KNOWN = [
    (
        "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d",
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    ),
    (
        "EsTp RvZT njck 8Yrh RAtw XLS8 4Nr2 r9S9 LGAW DaEx VAPB vLRK",
        "9fbd46bb345171c6f6022c9a25d5681ba54eec6a6c4953f3adc0b96e9d91ada3",
    ),
]
DESCRIBED = "EsTj 3yST y93F SLpB jJsz eAXc 2XzA ygD3 w69H fGaN TKBj jXEd"
DESCRIPTION = {
    "algorithm": ALGORITHM,
    "iv": "xv5b6/p3ExEw++wTyfSHEg==",
    "mac": "ujBBbXahnTAMkmPUX2/0+VTfUh63pGyVRuBcDMgmJC8=",
}
ELSEWHERE = {
    "iv": "AAECAwQFBgcICQoLDA0ODw==",
    "ciphertext": "AaSihBN9gp8gCXSghI++KxrIhD3pvSNn8gk=",
    "mac": "GgGEE7H5ML+vEw3qPb6UM0JYNqQ1BurSQ39CgpxMRw8=",
}
"""Made with `openssl kdf`, `openssl enc` and `openssl dgst`, under the key 00 01 … 1f."""
keys = st.binary(min_size=32, max_size=32).map(RecoveryKey)


@pytest.mark.parametrize(("shown", "raw"), KNOWN)
def test_a_key_is_written_as_every_client_writes_it(shown: str, raw: str) -> None:
    assert RecoveryKey(bytes.fromhex(raw)).shown() == shown
    assert RecoveryKey.parse(shown).raw.hex() == raw


@given(keys)
def test_what_is_shown_is_read_again_however_it_is_set_apart(key: RecoveryKey) -> None:
    shown = key.shown()
    assert [len(group) for group in shown.split(" ")] == [4] * 12
    assert RecoveryKey.parse(shown) == RecoveryKey.parse(f"  {shown.replace(' ', '')}\r\n") == key
    assert RecoveryKey.parse(shown.replace(" ", " \t\n ")) == key


@given(keys, st.integers(min_value=2, max_value=47), st.sampled_from(LETTERS))
def test_one_wrong_letter_is_another_key_at_the_most_and_nearly_always_no_key(
    key: RecoveryKey, at: int, letter: str
) -> None:
    letters = key.shown().replace(" ", "")
    wrong = letters[:at] + letter + letters[at + 1 :]
    try:
        found = RecoveryKey.parse(wrong)
    except UsageError:
        assert wrong != letters
    else:
        assert (found == key) == (wrong == letters)


@pytest.mark.parametrize(
    ("typed", "how"),
    [
        ("EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4e", "a letter or a digit in it is wrong"),
        ("EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4", "it has 47 letters and digits instead of 48"),
        ("EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4dd", "it has 49"),
        ("EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE40", "a sign that no recovery key has"),
        ("AsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d", "it does not begin like one"),
        ("zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz", "it does not begin like one"),
        ("", "it has 0"),
    ],
)
def test_what_is_mistyped_is_told_without_a_letter_of_it(typed: str, how: str) -> None:
    with pytest.raises(UsageError, match=how) as wrong:
        RecoveryKey.parse(typed)
    assert not [group for group in typed.split() if group in str(wrong.value)]


def test_a_key_does_not_show_in_its_repr() -> None:
    key = RecoveryKey.fresh()
    assert repr(key) == "RecoveryKey()"


def test_a_key_fits_what_another_client_says_of_it_and_no_other_key_does() -> None:
    key = RecoveryKey.parse(DESCRIBED)
    assert key.fits(DESCRIPTION)
    assert key.fits({name: value.rstrip("=") for name, value in DESCRIPTION.items()})
    assert not RecoveryKey.parse(KNOWN[0][0]).fits(DESCRIPTION)
    assert RecoveryKey.fresh().fits({"algorithm": ALGORITHM})  # it may: nothing is said of it


@pytest.mark.parametrize("part", ["iv", "mac"])
@pytest.mark.parametrize("wrong", ["", "AAAA", "?", None, 5, ["x"], base64.b64encode(bytes(16)).decode()])
def test_no_key_fits_a_description_that_is_damaged(part: str, wrong: object) -> None:
    assert not RecoveryKey.parse(DESCRIBED).fits({**DESCRIPTION, part: wrong})


@given(keys, keys)
def test_a_key_fits_its_own_description_only(key: RecoveryKey, other: RecoveryKey) -> None:
    description = key.description()
    assert key.fits(description)
    assert other.fits(description) == (other == key)


@given(keys, st.text(max_size=40), st.binary(max_size=100))
def test_a_secret_is_read_again(key: RecoveryKey, name: str, secret: bytes) -> None:
    assert key.decrypt(name, key.encrypt(name, secret)) == secret


@given(keys, st.binary(min_size=1, max_size=100), st.data())
def test_a_secret_opens_only_as_it_was_written(key: RecoveryKey, secret: bytes, data: st.DataObject) -> None:
    encrypted = key.encrypt("m.one", secret)
    with pytest.raises(DoesNotOpen):
        key.decrypt("m.two", encrypted)
    with pytest.raises(DoesNotOpen):
        RecoveryKey(os.urandom(32)).decrypt("m.one", encrypted)
    part = data.draw(st.sampled_from(["ciphertext", "mac"]))
    raw = bytearray(base64.b64decode(encrypted[part] + "=="))
    raw[data.draw(st.integers(min_value=0, max_value=len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DoesNotOpen):
        key.decrypt("m.one", {**encrypted, part: base64.b64encode(raw).decode()})


@pytest.mark.parametrize("encrypted", [{}, {"iv": None}, {"iv": "", "ciphertext": "", "mac": ""}, {"mac": 1}])
def test_what_was_never_encrypted_does_not_open(encrypted: dict[str, object]) -> None:
    with pytest.raises(DoesNotOpen):
        RecoveryKey.fresh().decrypt("m.one", encrypted)


def test_a_secret_that_was_written_elsewhere_opens() -> None:
    key = RecoveryKey(bytes(range(32)))
    assert key.decrypt("m.cross_signing.master", ELSEWHERE) == b"It's a secret to everybody"
