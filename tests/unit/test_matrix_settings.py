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


def test_the_password_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "sesame")
    section = {"homeserver": "https://example.org/", "user": "@tocsin:example.org", "password_env": "OUR_PASSWORD"}
    read = MatrixSettings.model_validate(section, context={"folder": tmp_path})
    assert read.password() == "sesame"
    assert "sesame" not in repr(read)


def test_one_of_file_and_variable_is_needed_and_only_one(password: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "sesame")
    with pytest.raises(ValidationError, match="keep one of the two"):
        settings(password.parent, password_env="OUR_PASSWORD")  # noqa: S106 - the name of a variable
    with pytest.raises(ValidationError, match="is missing; name the file that holds the secret here"):
        MatrixSettings.model_validate({"homeserver": "https://example.org/", "user": "@tocsin:example.org"})


def test_a_variable_that_is_wrong_is_told_alone(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as wrong:
        MatrixSettings.model_validate(
            {"homeserver": "https://example.org/", "user": "@tocsin:example.org", "password_env": "NOT_SET_ANYWHERE"},
            context={"folder": tmp_path},
        )
    assert [each["loc"] for each in wrong.value.errors()] == [("password_env",)]


def test_a_password_that_others_can_read_is_refused(password: Path) -> None:
    password.chmod(0o640)
    with pytest.raises(ValidationError, match="can be read by others"):
        settings(password.parent)


@pytest.mark.parametrize(
    "changed",
    [
        {"homeserver": "example.org"},
        {"homeserver": "ftp://example.org"},
        {"homeserver": "https://tocsin:secret@example.org"},
        {"user": "tocsin"},
        {"user": "@tocsin"},
        {"password_file": "elsewhere"},
        {"password": "secret"},
    ],
)
def test_what_cannot_work_is_refused(password: Path, changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(password.parent, **changed)
