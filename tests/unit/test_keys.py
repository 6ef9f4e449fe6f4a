"""The bot's key: made once, kept for ever, and nobody else's to read."""

from pathlib import Path

import pytest

from bot import keys
from bot.words.errors import SettingsError


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bot.key"
    made = keys.load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert keys.load_or_make(path).public == made.public
    assert keys.load_or_make(tmp_path / "other.key").public != made.public


def test_a_crash_while_a_key_is_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bot.key"
    with monkeypatch.context() as patch:
        patch.setattr(keys.os, "fsync", _fails)
        with pytest.raises(OSError, match="No space left"):
            keys.load_or_make(path)
    assert not path.exists()
    made = keys.load_or_make(path)
    assert keys.load_or_make(path).public == made.public
    assert [each.name for each in tmp_path.iterdir()] == ["bot.key"]


def test_a_lost_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "bot.key"
    (tmp_path / "tocsin.db").touch()
    with pytest.raises(SettingsError, match="it was lost") as wrong:
        keys.load_or_make(path)
    assert "from a backup" in wrong.value.hint
    assert "enrolling every component again" in wrong.value.hint
    assert [each.name for each in tmp_path.iterdir()] == ["tocsin.db"]


def _fails(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "bot.key"
    keys.load_or_make(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="Others can read") as wrong:
        keys.load_or_make(path)
    assert f"chmod 600 {path}" in wrong.value.hint


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_damaged_key_is_not_replaced_in_silence(tmp_path: Path, length: int) -> None:
    path = tmp_path / "bot.key"
    path.touch(mode=0o600)
    path.write_bytes(b"x" * length)
    with pytest.raises(SettingsError, match=f"it has {length} bytes instead of 32"):
        keys.load_or_make(path)
    assert path.read_bytes() == b"x" * length
