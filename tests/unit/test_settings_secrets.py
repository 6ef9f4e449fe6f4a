"""Secrets: where they may be kept, and that nothing ever shows one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.private import LARGEST_FILE, Secret, read_secret
from bot.settings import Settings
from bot.settings.effective import effective
from bot.words.errors import SettingsError
from bot.words.plain import to_plain

Load = Callable[[str], Settings]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("open sesame\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(source: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(f'[mqtt]\nhost = "localhost"\n{source}')
        return settings.load(path)

    return loaded


def test_a_secret_shows_itself_to_nobody_but_the_one_who_asks() -> None:
    secret = Secret("sesame")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>5}", repr([secret]), repr({"password": secret})]
    assert "sesame" not in "".join(shown)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == "sesame"


def test_a_password_is_read_from_its_file_when_it_is_needed(load: Load, secret: Path) -> None:
    loaded = load('password_file = "secret"')
    assert loaded.mqtt.broker().password == "open sesame"  # noqa: S105 - the test's own
    secret.write_text("another")
    assert loaded.mqtt.broker().password == "another"  # noqa: S105 - the test's own


def test_a_password_is_read_from_the_environment(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "sesame")
    assert load('password_env = "OUR_PASSWORD"').mqtt.broker().password == "sesame"  # noqa: S105 - the test's own


def test_a_variable_that_is_not_set_or_empty_is_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUR_PASSWORD", raising=False)
    with pytest.raises(SettingsError, match=r"mqtt\.password_env +the environment has no OUR_PASSWORD"):
        load('password_env = "OUR_PASSWORD"')
    monkeypatch.setenv("OUR_PASSWORD", " ")
    with pytest.raises(SettingsError, match=r"mqtt\.password_env +OUR_PASSWORD is empty in the environment"):
        load('password_env = "OUR_PASSWORD"')


@pytest.mark.usefixtures("secret")
def test_only_one_of_the_two_is_taken(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "sesame")
    with pytest.raises(SettingsError, match=r"mqtt\.password_file +stands beside password_env; keep one of the two"):
        load('password_env = "OUR_PASSWORD"\npassword_file = "secret"')


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_file_that_others_can_use_is_refused(load: Load, secret: Path, mode: int) -> None:
    secret.chmod(mode)
    with pytest.raises(SettingsError, match=r"mqtt\.password_file +.*can be read by others; run `chmod 600") as wrong:
        load('password_file = "secret"')
    assert "sesame" not in str(wrong.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(load: Load, secret: Path) -> None:
    os.chown(secret, 1, -1)
    with pytest.raises(SettingsError, match="belongs to another user; run `chown 0 "):
        load('password_file = "secret"')


def test_what_holds_no_secret_is_refused(load: Load, tmp_path: Path, secret: Path) -> None:
    def told(name: str) -> str:
        with pytest.raises(SettingsError) as wrong:
            load(f'password_file = "{name}"')
        assert "sesame" not in str(wrong.value)
        return str(wrong.value)

    assert "No such file" in told("nowhere")
    assert "must be a path" in told("")
    assert "must be a path" in told("a\\u0000b")
    (tmp_path / "folder").mkdir(mode=0o700)
    assert "is not a file" in told("folder")
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is not a file" in told("pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert "is not a file" in told("link")
    secret.write_text(" \n")
    assert "is empty" in told("secret")
    secret.write_bytes(b"sesame\xff")
    assert "is not text in UTF-8" in told("secret")
    secret.write_bytes(b"sesame" * LARGEST_FILE)
    assert "is larger than 64 KiB" in told("secret")


def test_a_file_is_judged_again_whenever_it_is_read(load: Load, secret: Path) -> None:
    mqtt = load('password_file = "secret"').mqtt
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        mqtt.broker()
    secret.unlink()
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        mqtt.broker()


def test_no_error_carries_the_secret_along(secret: Path) -> None:
    secret.write_bytes(b"sesame\xff")
    with pytest.raises(SettingsError) as wrong:
        read_secret(secret, None)
    error: BaseException | None = wrong.value
    while error is not None:
        assert "sesame" not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.usefixtures("secret")
def test_the_effective_configuration_shows_where_a_secret_is_and_not_what(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "open sesame")
    for source, shown in (
        ('password_file = "secret"', "file secret"),
        ('password_env = "OUR_PASSWORD"', "environment OUR_PASSWORD"),
    ):
        loaded = load(source)
        words = to_plain(effective(loaded, ()))
        assert f"  {shown}  " in words
        assert "sesame" not in words + repr(loaded.mqtt) + str(loaded.mqtt) + repr(loaded.mqtt.broker())
