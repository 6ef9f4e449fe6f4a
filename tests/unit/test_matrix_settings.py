"""The `[matrix]` section: what is refused before anything is sent anywhere."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.identities import grouped
from bot.words.people import Account
from bridges.matrix.settings import MatrixSettings

ALICE = "@alice:example.org"
KEY = "riV3RMhzQ9aHctjNa1WYORxIsokR4nOiXmpRac6agT0"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("secret\n")
    return file


def settings(folder: Path, **changed: object) -> MatrixSettings:
    section: dict[str, object] = {
        "homeserver": "https://example.org/",
        "user": "@tocsin:example.org",
        "password_file": "password",
    }
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


@pytest.mark.parametrize("written", [KEY, f"{KEY}=", grouped(KEY)])
def test_a_pinned_key_may_be_written_as_a_chat_shows_it(password: Path, written: str) -> None:
    assert settings(password.parent, pins={ALICE: written}).pins == {ALICE: KEY}


@pytest.mark.parametrize("written", ["", KEY[:-1], f"{KEY}A", "not base64 at all", "*" * 43])
def test_a_malformed_key_is_refused_with_what_to_do(password: Path, written: str) -> None:
    with pytest.raises(ValidationError, match="must be a master key in base64, 43 characters, as `!trust NAME` shows"):
        settings(password.parent, pins={ALICE: written})


def test_whoever_is_pinned_is_listed(password: Path) -> None:
    section = {"homeserver": "https://example.org", "user": "@tocsin:example.org", "password_file": str(password)}
    context = {"folder": password.parent, "accounts": frozenset({Account("matrix", ALICE)})}
    MatrixSettings.model_validate(section | {"pins": {ALICE: KEY}}, context=context)
    with pytest.raises(ValidationError, match=r"@mallory:example\.org is nobody's account; list it"):
        MatrixSettings.model_validate(section | {"pins": {"@mallory:example.org": KEY}}, context=context)


def test_open_rooms_are_named_by_id(password: Path) -> None:
    rooms = ["!room:example.org", "!newer-rooms-name-no-server"]
    assert settings(password.parent, open_rooms=rooms).open_rooms == {*rooms}
    for odd in ("", "lobby", "#lobby:example.org", "!two words", "@alice:example.org", "!" + "x" * 255):
        with pytest.raises(ValidationError, match="must be a room's id, such as"):
            settings(password.parent, open_rooms=[odd])


def test_rooms_in_clear_are_named_by_id_and_are_no_open_rooms(password: Path) -> None:
    read = settings(password.parent)
    assert (read.unencrypted_rooms, read.proof) == (frozenset(), "cross-signed")
    rooms = ["!hall:example.org", "!yard:example.org"]
    assert settings(password.parent, unencrypted_rooms=rooms).unencrypted_rooms == {*rooms}
    with pytest.raises(ValidationError, match="must be a room's id, such as"):
        settings(password.parent, unencrypted_rooms=["#hall:example.org"])
    with pytest.raises(ValidationError, match=r"!hall:example\.org is in open_rooms, too"):
        settings(password.parent, open_rooms=[rooms[0]], unencrypted_rooms=rooms)


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
        {"proof": "verfied"},
    ],
)
def test_what_cannot_work_is_refused(password: Path, changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(password.parent, **changed)
