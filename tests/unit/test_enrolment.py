"""The enrolment file: private, complete, and refused with a reason where it is not."""

import base64
import dataclasses
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.enrolment import DiskKind, Enrolment
from wire.envelope import PrivateKey
from wire.errors import BadMessage
from wire.mqtt import Broker, Tls

ANY_TEXT = st.text(st.characters(codec=None))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
SEED = bytes(range(32))
ENROLMENT = Enrolment(
    root="tocsin/v1",
    id="walker",
    groups=("walkers", "simulated"),
    broker=Broker("127.0.0.1", 1883, "walker", "very secret"),
    bot_key=PrivateKey(bytes(32)).public,
    stop_keys=(PrivateKey(b"s" * 32).public, PrivateKey(b"t" * 32).public),
    seed=SEED,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("enrolment") / "walker.json"
    ENROLMENT.save(path)
    return path


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("fields") / "walker.json"
    ENROLMENT.save(path)
    return json.loads(path.read_bytes())


@pytest.mark.parametrize(
    "enrolment",
    [ENROLMENT, Enrolment("r", "a", (), Broker("::1", 65535), PrivateKey(bytes(32)).public, (), SEED)],
    ids=["full", "bare"],
)
def test_what_is_saved_is_loaded(enrolment: Enrolment, tmp_path: Path) -> None:
    enrolment.save(tmp_path / "file")
    assert Enrolment.load(tmp_path / "file") == enrolment


def test_the_files_for_tls_are_seen_from_the_folder_of_the_enrolment(tmp_path: Path, fields: dict[str, object]) -> None:
    tls = {"ca": "ca.pem", "certificate": "/etc/own.pem", "key": "keys/own.key"}
    for written, expected in (
        (tls, Tls(tmp_path / "ca.pem", Path("/etc/own.pem"), tmp_path / "keys" / "own.key")),
        ({}, Tls()),
        (None, None),
    ):
        path = tmp_path / "file"
        path.touch(mode=0o600)
        path.write_text(json.dumps(fields | {"broker": {"host": "h", "port": 8883, "tls": written}}))
        loaded = Enrolment.load(path)
        assert loaded.broker.tls == expected
        loaded.save(path)
        assert Enrolment.load(path) == loaded


@pytest.mark.parametrize("tls", [{"certificate": "a"}, {"key": "a"}, {"ca": ""}, {"ca": "a\0b"}, {"ca": 3}, "yes", []])
def test_tls_that_is_half_said_is_refused(tls: object, file: Path, fields: dict[str, object]) -> None:
    file.write_text(json.dumps(fields | {"broker": {"host": "h", "port": 8883, "tls": tls}}))
    with pytest.raises(BadMessage):
        Enrolment.load(file)


def test_its_key_is_the_one_of_its_seed() -> None:
    assert ENROLMENT.key.public == PrivateKey(SEED).public


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    ENROLMENT.save(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_file_that_was_open_to_others_is_closed_before_the_key_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o644)
    ENROLMENT.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Enrolment.load(path) == ENROLMENT


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_open_is_refused_with_what_to_do(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    ENROLMENT.save(path)
    path.chmod(mode)
    with pytest.raises(BadMessage, match=f"Run: chmod 600 {path}"):
        Enrolment.load(path)


def test_neither_seed_nor_password_is_shown() -> None:
    shown = repr(ENROLMENT)
    assert "very secret" not in shown
    assert repr(SEED) not in shown
    assert "seed" not in shown


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(size: int, file: Path, fields: dict[str, object]) -> None:
    file.write_text(json.dumps(fields | {"seed": base64.b64encode(bytes(size)).decode()}))
    with pytest.raises(BadMessage, match="32 bytes in base64"):
        Enrolment.load(file)


@pytest.mark.parametrize("field", ["root", "id", "broker", "bot_key", "seed"])
def test_a_file_without_what_it_needs_is_refused(field: str, file: Path, fields: dict[str, object]) -> None:
    file.write_text(json.dumps({key: value for key, value in fields.items() if key != field}))
    with pytest.raises(BadMessage):
        Enrolment.load(file)


@given(content=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_a_file_with_anything_else_in_it_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(BadMessage):
        Enrolment.load(file)


@given(data=st.data())
@settings(deadline=None)
def test_a_file_with_anything_in_one_field_is_loaded_or_refused(
    file: Path, fields: dict[str, object], data: st.DataObject
) -> None:
    changed = fields | {data.draw(st.sampled_from(sorted(fields))): data.draw(ANY_JSON)}
    file.write_text(json.dumps(changed))
    try:
        enrolment = Enrolment.load(file)
    except BadMessage:
        return
    assert enrolment.key.public == PrivateKey(SEED).public


@given(field=st.sampled_from(["host", "port", "username", "password", "tls"]), value=ANY_JSON)
@settings(deadline=None)
def test_a_broker_with_anything_in_one_field_is_loaded_or_refused(
    file: Path, fields: dict[str, object], field: str, value: object
) -> None:
    broker = {"host": "127.0.0.1", "port": 1883, field: value}
    file.write_text(json.dumps(fields | {"broker": broker}))
    try:
        Enrolment.load(file)
    except BadMessage:
        return


def test_what_a_missing_latch_file_means_is_kept_and_older_files_do_not_say_it(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    path = tmp_path / "file"
    kept = dataclasses.replace(ENROLMENT, disk=DiskKind.KEPT)
    kept.save(path)
    assert Enrolment.load(path) == kept
    path.write_text(json.dumps({key: value for key, value in fields.items() if key != "disk"}))
    assert Enrolment.load(path).disk is DiskKind.NEW
    path.write_text(json.dumps(fields | {"disk": "old"}))
    with pytest.raises(BadMessage, match="'disk' must be one of new, kept"):
        Enrolment.load(path)
