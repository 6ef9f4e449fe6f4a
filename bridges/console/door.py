"""The socket's file. What a dead bot left is replaced; what somebody listens at, or what is no socket, never is."""

import contextlib
import os
import socket
import stat
from collections.abc import Generator
from pathlib import Path

from bot.words.errors import SettingsError

MOST_WAITING = 64
KNOCK_S = 1.0


@contextlib.contextmanager
def listening(path: Path) -> Generator[socket.socket]:
    """A socket that people of this machine can reach, until the block ends."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise SettingsError(
            "The console works on Linux only: elsewhere the kernel does not say who is at the other end.",
            hint="Take [console] out of the configuration.",
        )
    _look_at_folder(path.parent)
    _clear(path)
    with _bound(path) as listener:
        ours = _identity(path)
        try:
            yield listener
        finally:
            if _identity(path) == ours:  # else somebody has put their own there since
                path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    with contextlib.ExitStack() as on_failure:
        listener = on_failure.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            listener.setblocking(False)
            listener.bind(str(path))
            path.chmod(0o666)  # everybody may knock: the kernel's word on who it is decides, not the file's mode
            listener.listen(MOST_WAITING)
        except OSError as error:
            raise SettingsError(
                f"The console's socket {path} cannot be made: {error.strerror}.",
                hint="The bot's user must be able to write in its folder.",
            ) from error
        on_failure.pop_all()
    return listener


def _look_at_folder(folder: Path) -> None:
    try:
        status = folder.stat()
        mode, owner = status.st_mode, status.st_uid
    except OSError as error:
        raise SettingsError(
            f"The folder of the console's socket, {folder}, cannot be used: {error.strerror}.",
            hint="Make it, let the bot's user write in it, and let people in (chmod 755).",
        ) from error
    if owner not in (0, os.geteuid()) or mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"Others can write in {folder}: they could put a socket of their own in place of the console's.",
            hint="Give the socket a folder that only the bot's user can write in, such as /run/tocsin.",
        )


def _clear(path: Path) -> None:
    """Remove what a bot left that did not end well."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SettingsError(f"{path} is there already and is no socket.", hint="Name another path for the console's.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(KNOCK_S)
        try:
            knock.connect(str(path))
        except ConnectionRefusedError:  # nobody listens, for good
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError:  # somebody is there and does not answer
            pass
    raise SettingsError(
        f"Somebody listens at {path} already.", hint="Stop that one first, or name another path for the console's."
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
