"""Who is at the other end of the socket, as the kernel says. Nothing that a client sends can change it."""

import dataclasses
import os
import pwd
import socket
import struct
from pathlib import Path

_CREDENTIALS = struct.Struct("iII")
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")
_USUAL_OVERFLOW = 65_534


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """The process that opened the connection, at the moment when it did."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return Peer(pid, uid)


def why_nobody(uid: int) -> str | None:
    """Why no person stands behind this user, if none does."""
    if uid == 0:
        return "root may not talk here: nothing says which person it is. Use your own user, without sudo."
    if uid in (os.getuid(), os.geteuid()):
        return "The bot's own user may not talk here: nothing says which person it is. Use your own user."
    if uid == _overflow_uid():
        return "The kernel does not know your user here: it belongs to another user namespace, such as a container's."
    return None


def user_name(uid: int) -> str:
    """The user's name, or its number where it has none. It may ask a directory on the network, and so may take long."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
    return name if name and ":" not in name else f"uid:{uid}"  # no name may pass for a number


def _overflow_uid() -> int:
    """The number under which the kernel shows users of whom it knows none here."""
    try:
        return int(_OVERFLOW.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _USUAL_OVERFLOW
