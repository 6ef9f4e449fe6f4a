"""The file of a stop key: private, complete, never written over, and refused with a reason where it is not right."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.broker import Broker
from wire.envelope import PrivateKey
from wire.errors import BadMessage
from wire.stopkey import LARGEST_FILE, StopKey

ANY_TEXT = st.text(st.characters(codec=None))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
SEED = bytes(range(32))
KEY = StopKey("tocsin/v1", Broker("127.0.0.1", 1883, "alice", "very secret"), "alice", SEED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    KEY.save(tmp_path / "stop.key")
    return tmp_path / "stop.key"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stopkey") / "stop.key"
    KEY.save(path)
    return path


@pytest.mark.parametrize("key", [KEY, StopKey("r", Broker("::1", 65535), "a", SEED)], ids=["full", "bare"])
def test_what_is_saved_is_loaded(key: StopKey, tmp_path: Path) -> None:
    key.save(tmp_path / "file")
    assert StopKey.load(tmp_path / "file") == key
    assert key.key.public == PrivateKey(SEED).public


def test_only_its_owner_can_read_the_file(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_written_over(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        StopKey("other", KEY.broker, "bob", bytes(32)).save(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_open_is_refused_with_what_to_do(mode: int, file: Path) -> None:
    file.chmod(mode)
    with pytest.raises(BadMessage, match=f"Run: chmod 600 {file}"):
        StopKey.load(file)


def test_what_is_no_file_or_too_large_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(BadMessage, match="is not a file"):
        StopKey.load(pipe)
    large.touch(mode=0o600)
    large.write_bytes(b" " * (LARGEST_FILE + 1))
    with pytest.raises(BadMessage, match="larger than 64 KiB"):
        StopKey.load(large)


def test_neither_seed_nor_password_is_shown() -> None:
    for secret in ("very secret", repr(SEED), "seed"):
        assert secret not in repr(KEY)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(size: int, file: Path) -> None:
    fields = json.loads(file.read_bytes())
    file.write_text(json.dumps(fields | {"seed": base64.b64encode(bytes(size)).decode()}))
    with pytest.raises(BadMessage, match="32 bytes in base64"):
        StopKey.load(file)


@pytest.mark.parametrize("field", ["root", "broker", "person", "seed"])
def test_a_file_without_what_it_needs_is_refused(field: str, file: Path) -> None:
    fields = json.loads(file.read_bytes())
    del fields[field]
    file.write_text(json.dumps(fields))
    with pytest.raises(BadMessage):
        StopKey.load(file)


@given(content=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_a_file_with_anything_else_in_it_is_refused(shared: Path, content: bytes) -> None:
    shared.write_bytes(content)
    with pytest.raises(BadMessage):
        StopKey.load(shared)


@given(
    field=st.sampled_from(["root", "broker", "person", "seed", "host", "port", "username", "password"]), value=ANY_JSON
)
@settings(deadline=None)
def test_a_file_with_anything_in_one_field_is_loaded_or_refused(shared: Path, field: str, value: object) -> None:
    broker: dict[str, object] = {"host": "127.0.0.1", "port": 1883}
    fields: dict[str, object] = {"root": "r", "broker": broker, "person": "a", "seed": base64.b64encode(SEED).decode()}
    (fields if field in fields else broker)[field] = value
    shared.write_text(json.dumps(fields))
    try:
        key = StopKey.load(shared)
    except BadMessage:
        return
    assert key.key.public == PrivateKey(SEED).public
