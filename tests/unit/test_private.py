"""Private files are whole or not there, and nobody else's; paths are seen from the configuration."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bot.paths import ConfiguredPath
from bot.private import private_folder, write_private


class Section(BaseModel):
    """What a plug-in may write."""

    log: ConfiguredPath = Path("log")


def test_a_private_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "seed"
    for content in (b"first", b"second"):
        write_private(path, content)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fails)
        with pytest.raises(OSError, match="No space left"):
            write_private(path, b"third")
    assert path.read_bytes() == b"second"
    write_private(path, b"fourth")
    assert [each.name for each in tmp_path.iterdir()] == ["seed"]


def _fails(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_private_folder_lets_nobody_in(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "deep" / "own")
    folder.chmod(0o755)
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700


def test_a_path_is_seen_from_the_configuration() -> None:
    def read(path: str) -> Path:
        return Section.model_validate({"log": path}, context={"folder": Path("/etc/tocsin")}).log

    assert read("x/y") == Path("/etc/tocsin/x/y")
    assert read("/x") == Path("/x")
    assert read(".") == Path("/etc/tocsin")


@given(st.text() | st.integers() | st.none())
def test_what_is_no_path_is_a_mistake(path: object) -> None:
    try:
        read = Section.model_validate({"log": path}, context={"folder": Path("/etc/tocsin")}).log
    except ValidationError:
        return
    assert path
    assert read.is_absolute()
