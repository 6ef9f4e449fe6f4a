"""The socket's file, the settings that name it, and who the kernel says is at the other end."""

import os
import pwd
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.words.errors import SettingsError
from bridges.console.door import listening
from bridges.console.peer import Peer, peer_of, user_name, why_nobody
from bridges.console.settings import LONGEST_PATH, ConsoleSettings


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Short enough whatever the folder of the tests is called."""
    monkeypatch.chdir(tmp_path)
    return Path("chat.sock")


def knock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_what_a_dead_bot_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with listening(path):
        knock(path)
    assert not path.exists()


def test_where_somebody_listens_nothing_is_replaced(path: Path) -> None:
    with listening(path):
        with pytest.raises(SettingsError, match="Somebody listens"), listening(path):
            raise AssertionError
        knock(path)


def test_a_socket_whose_queue_is_full_is_not_a_dead_one(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))
        with pytest.raises(SettingsError, match="Somebody listens"), listening(path):
            raise AssertionError
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_removed(path: Path, kind: str) -> None:
    match kind:
        case "file":
            path.write_text("precious", encoding="utf-8")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("elsewhere")
    with pytest.raises(SettingsError, match="is no socket"), listening(path):
        raise AssertionError
    assert path.is_symlink() or path.exists()


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file") as raised, listening(Path("none") / path):
        raise AssertionError
    assert "Make it" in raised.value.hint


def test_a_folder_where_all_can_write_is_refused(path: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(SettingsError, match="Others can write"), listening(path):
        raise AssertionError


def test_a_socket_that_another_has_put_there_since_stays(path: Path) -> None:
    with listening(path):
        path.unlink()
        path.write_text("theirs", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "theirs"


def test_an_error_of_the_one_who_listens_stays_what_it_is(path: Path) -> None:
    with pytest.raises(OSError, match="mine"), listening(path):
        raise OSError("mine")
    assert not path.exists()


def test_where_the_kernel_tells_nothing_of_the_other_end_nobody_listens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED")
    with pytest.raises(SettingsError, match="Linux only"), listening(path):
        raise AssertionError


def test_the_socket_is_seen_from_the_configuration(tmp_path: Path) -> None:
    section = ConsoleSettings.model_validate({"socket": "run/chat.sock"}, context={"folder": tmp_path})
    assert section.socket == tmp_path / "run/chat.sock"
    section = ConsoleSettings.model_validate({"socket": "/run/chat.sock"}, context={"folder": tmp_path})
    assert section.socket == Path("/run/chat.sock")


def test_a_path_may_be_as_long_as_the_kernel_takes_and_no_longer(tmp_path: Path) -> None:
    longest = Path("/") / ("ä" * 53)
    assert len(os.fsencode(longest)) == LONGEST_PATH
    assert ConsoleSettings(socket=longest).socket == longest
    with pytest.raises(ValidationError, match="107 at most"):
        ConsoleSettings(socket=Path(f"{longest}x"))
    with pytest.raises(ValidationError, match="107 at most"):
        ConsoleSettings.model_validate({"socket": "x" * 100}, context={"folder": tmp_path})


@pytest.mark.parametrize("nothing", ["", "/"])
def test_a_socket_has_a_name(tmp_path: Path, nothing: str) -> None:
    with pytest.raises(ValidationError, match="must be"):
        ConsoleSettings.model_validate({"socket": nothing}, context={"folder": tmp_path})


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=120))
def test_any_text_is_a_path_or_a_mistake(text: str) -> None:
    try:
        section = ConsoleSettings.model_validate({"socket": text}, context={"folder": Path("/etc")})
    except ValidationError:
        return
    assert len(os.fsencode(section.socket)) <= LONGEST_PATH


def test_the_kernel_says_who_is_there() -> None:
    one, two = socket.socketpair()
    with one, two:
        assert peer_of(one) == Peer(os.getpid(), os.geteuid())


def test_a_user_is_known_by_name_and_without_one_by_number() -> None:
    assert user_name(0) == pwd.getpwuid(0).pw_name
    assert user_name(3_999_999_999) == "uid:3999999999"


def test_a_name_that_looks_like_a_number_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(uid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd(("uid:0", "x", uid, uid, "", "/", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwuid", found)
    assert user_name(7) == "uid:7"


def test_behind_some_users_there_is_no_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 11)
    monkeypatch.setattr(os, "geteuid", lambda: 12)
    overflow = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    assert "root" in str(why_nobody(0))
    assert "The bot's own" in str(why_nobody(11))
    assert "The bot's own" in str(why_nobody(12))
    assert "namespace" in str(why_nobody(overflow))
    assert why_nobody(13) is None
