"""The section `[zulip]`: where it is written, and that no key goes over an open wire."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.words.errors import SettingsError
from bridges.zulip.settings import ZulipSettings


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text("a1B2" * 8 + "\n")
    return path


def section(key: Path, **more: str) -> ZulipSettings:
    told = {"site": "https://zulip.example.org", "email": "tocsin-bot@zulip.example.org", "key_file": str(key)}
    return ZulipSettings.model_validate({**told, **more})


def test_the_key_is_read_from_its_file_and_never_shown(key: Path) -> None:
    settings = section(key)
    assert settings.key().reveal() == "a1B2" * 8
    assert "a1B2" not in repr(settings)


def test_the_key_may_stand_in_the_environment_but_not_twice(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "c3D4" * 8)
    told = {"site": "https://zulip.example.org", "email": "a@b", "key_env": "A_KEY"}
    assert ZulipSettings.model_validate(told).key().reveal() == "c3D4" * 8
    for wrong in (told | {"key_file": str(key)}, {name: told[name] for name in ("site", "email")}):
        with pytest.raises(ValidationError, match="key_file"):
            ZulipSettings.model_validate(wrong)


def test_what_is_no_key_is_told_without_being_shown(key: Path) -> None:
    key.write_text("two words")
    with pytest.raises(SettingsError, match="is no key") as wrong:
        section(key).key()
    assert "two words" not in str(wrong.value)


@pytest.mark.parametrize(
    "site", ["https://zulip.example.org/", "http://127.0.0.1:9991", "http://localhost", "http://[::1]:9991"]
)
def test_a_server_is_spoken_to_over_tls_or_on_this_machine(key: Path, site: str) -> None:
    assert section(key, site=site).site == site.rstrip("/")


@pytest.mark.parametrize(
    "site",
    [
        "http://zulip.example.org",
        "http://127.0.0.1.example.org",
        "zulip.example.org",
        "https://me:secret@zulip.example.org",
        "https://zulip.example.org/?a=b",
        "https://",
    ],
)
def test_any_other_address_is_a_mistake(key: Path, site: str) -> None:
    with pytest.raises(ValidationError, match="site"):
        section(key, site=site)


@pytest.mark.parametrize("email", ["tocsin", "a@b@c", "a b@c", "", "a:b@c"])
def test_what_is_no_email_is_a_mistake(key: Path, email: str) -> None:
    with pytest.raises(ValidationError, match="email"):
        section(key, email=email)
