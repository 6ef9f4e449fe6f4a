"""The seeds on the disk: only the account's password opens them, and no error is taken for another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.words.errors import SettingsError
from bridges.matrix import seeds
from bridges.matrix.cross_signing import CrossSigning, keep, kept
from bridges.matrix.seeds import Damaged, SeedFile, WrongPassword, is_sealed, opened, sealed

BOT = "@tocsin:example.org"
SECRET = b"what must never be lost"
Fields = dict[str, Any]


@pytest.fixture(scope="module")
def data() -> bytes:
    return sealed(SECRET, "sesame", BOT)


def test_what_is_sealed_is_opened_with_the_password_only(data: bytes) -> None:
    assert is_sealed(data)
    assert SECRET not in data
    assert opened(data, "sesame", BOT) == SECRET
    with pytest.raises(WrongPassword):
        opened(data, "Sesame", BOT)


def test_what_is_sealed_for_one_account_is_not_opened_for_another(data: bytes) -> None:
    with pytest.raises(WrongPassword):
        opened(data, "sesame", "@other:example.org")


def test_the_same_secret_is_never_sealed_twice_alike(data: bytes) -> None:
    again = json.loads(sealed(SECRET, "sesame", BOT))
    before = json.loads(data)
    assert all(again[name] != before[name] for name in ("salt", "nonce", "ciphertext"))


@pytest.mark.parametrize("password", ["", "pässword 🔑", "\udcff"])
def test_any_password_that_a_file_or_a_variable_holds_will_do(password: str) -> None:
    assert opened(sealed(SECRET, password, BOT), password, BOT) == SECRET


SPOILED: list[Callable[[Fields], object]] = [
    lambda fields: fields.update(version=2),
    lambda fields: fields.update(salt=fields["nonce"]),
    lambda fields: fields.update(nonce=fields["salt"]),
    lambda fields: fields.update(ciphertext=fields["ciphertext"][:-4]),
    lambda fields: fields.update(scrypt={"n": 2, "r": 8, "p": 1}),
    lambda fields: fields.pop("ciphertext"),
    lambda fields: fields.pop("digest"),
    lambda fields: fields.update(digest=None),
]


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_was_changed_on_the_disk_is_damaged_and_no_wrong_password(
    spoil: Callable[[Fields], object], data: bytes
) -> None:
    fields = json.loads(data)
    spoil(fields)
    with pytest.raises(Damaged):
        opened(json.dumps(fields).encode(), "sesame", BOT)


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_damaged(rubbish: bytes) -> None:
    with pytest.raises(Damaged):
        is_sealed(rubbish)


@pytest.mark.parametrize(
    "cost", [{"n": 2**30, "r": 8, "p": 1}, {"n": 2, "r": 8, "p": 10**6}, {"n": 3, "r": 8, "p": 1}, {"n": "2"}, None]
)
def test_no_file_can_ask_for_more_than_a_machine_has(cost: object, data: bytes, rewritten: "Rewrite") -> None:
    with pytest.raises(Damaged):
        opened(rewritten(data, scrypt=cost), "sesame", BOT)


Rewrite = Callable[..., bytes]


@pytest.fixture
def rewritten() -> Rewrite:
    """The same file with other fields, and a digest that is right."""

    def rewrite(data: bytes, **changed: object) -> bytes:
        fields = json.loads(data) | changed
        del fields["digest"]
        return json.dumps({**fields, "digest": seeds._digest(fields)}).encode()  # pyright: ignore[reportPrivateUsage]

    return rewrite


def test_an_identity_is_kept_encrypted_and_for_its_owner_alone(tmp_path: Path) -> None:
    keys = CrossSigning.fresh()
    keep(keys, tmp_path, BOT, "sesame")
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    found = kept(tmp_path, BOT, "sesame")
    assert found is not None
    assert found.seeds() == keys.seeds()
    assert not [seed for seed in json.loads(keys.dumps()).values() if seed in file.read_text()]


def test_no_identity_is_no_error(tmp_path: Path) -> None:
    assert kept(tmp_path, BOT, "sesame") is None


def test_a_password_that_was_changed_is_told_with_what_to_do(tmp_path: Path) -> None:
    keep(CrossSigning.fresh(), tmp_path, BOT, "sesame")
    with pytest.raises(SettingsError, match=r"The password of @tocsin:example.org was changed since") as wrong:
        kept(tmp_path, BOT, "open")
    assert "`tocsin matrix recover`" in wrong.value.hint


def test_the_first_form_is_read_as_it_is(tmp_path: Path) -> None:
    keys = CrossSigning.fresh()
    file = SeedFile(tmp_path / "identity.json", BOT, "sesame")
    file.path.write_bytes(keys.dumps())
    assert file.is_plain()
    found = kept(tmp_path, BOT, "sesame")
    assert found is not None
    assert found.seeds() == keys.seeds()


@pytest.mark.parametrize(
    "rubbish", [b"", b"{}", b"null", bytes(range(192, 256)), b'{"version": 1}', b'{"master": "AAAA"}']
)
def test_a_damaged_file_is_told_and_never_taken_for_none(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "identity.json").write_bytes(rubbish)
    with pytest.raises(SettingsError, match="cannot be read") as wrong:
        kept(tmp_path, BOT, "sesame")
    assert "backup" in wrong.value.hint
