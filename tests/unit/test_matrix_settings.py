"""The `[matrix]` section: what is refused before anything is sent anywhere."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bridges.matrix.settings import MatrixSettings


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("secret\n")
    return file


def settings(folder: Path, **changed: str) -> MatrixSettings:
    section = {"homeserver": "https://example.org/", "user": "@tocsin:example.org", "password_file": "password"}
    return MatrixSettings.model_validate(section | changed, context={"folder": folder})


def test_the_password_file_is_looked_for_beside_the_configuration(password: Path) -> None:
    read = settings(password.parent)
    assert (read.password(), read.homeserver) == ("secret", "https://example.org")


def test_a_password_that_others_can_read_is_refused(password: Path) -> None:
    password.chmod(0o640)
    with pytest.raises(ValidationError, match="can be read by others"):
        settings(password.parent)


@pytest.mark.parametrize(
    "changed",
    [
        {"homeserver": "example.org"},
        {"homeserver": "ftp://example.org"},
        {"user": "tocsin"},
        {"user": "@tocsin"},
        {"password_file": "elsewhere"},
        {"password": "secret"},
    ],
)
def test_what_cannot_work_is_refused(password: Path, changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(password.parent, **changed)
