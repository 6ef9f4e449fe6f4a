"""Programs of ours that tests start are split off from a process that has imported others' packages: `nursery.py`.

A start costs up to a second of imports, and the tests start some hundred bots and components. Whoever asks for a
process gets a real child as always, with its own id, end, environment, files, session and leash.

What is about the start of Python itself, about its options or about what is imported, starts as it always does: all
behind `-c`, all with a variable of Python's own beside its path, and all outside of `split_off`.
"""

import atexit
import contextlib
import ctypes
import functools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from demo.process import LEASH
from tests.nursery import LARGEST, PREPARES, Asked

HOME = Path(__file__).parents[1]
PATIENCE = 60.0
PR_SET_CHILD_SUBREAPER = 36
TOCSIN = str(Path(sys.executable).with_name("tocsin"))
"""What is typed at a terminal. It is always split off."""
TESTS = HOME / "tests"
SHORT, BAD_WORKER = (str(TESTS / "faults" / each) for each in ("short.py", "bad_worker.py"))
BOTS = {"bot", TOCSIN, "components.check", str(TESTS / "system" / "lifted_bot.py")}
"""What needs the same packages of others as a bot."""
OF_PYTHON = re.compile(r"PYTHON[A-Z]+")
HEEDED = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
"""Variables of Python that count as much for who is split off."""
MEASURED = any(name.startswith("COVERAGE_") for name in os.environ)
"""Each process is counted by `make cover`, so each starts by itself."""
START = """\
import gc, json, signal, sys
gc.disable()
usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who test
from tests import nursery
nursery.become(nursery.serve("any", json.loads(sys.argv[1]), int(sys.argv[2])), usual)
"""

PLAIN = (-1, None, None, None, -1, None)
"""No group, no other user, no other mask, and nothing that is done before."""

_fork_exec: Any = getattr(subprocess, "_fork_exec", None)
_starting = threading.Lock()
_wanted: list[bool] = []


def install() -> None:
    """From now on there are two ways to start a program, and `_fork_exec` chooses between them."""
    if sys.platform == "linux" and _fork_exec and not MEASURED:
        subprocess._fork_exec = _begin  # pyright: ignore[reportAttributeAccessIssue]


@contextlib.contextmanager
def split_off(*, wanted: bool = True) -> Generator[None]:
    """Programs of ours that are started in the block are split off, where that is the same; or they are not."""
    _wanted.append(wanted)
    try:
        yield
    finally:
        _wanted.pop()


def _begin(args: Sequence[str], *how: Any) -> int:
    """Start a program as `subprocess` asks for it, which takes care of all else. Returns its id."""
    asked = _asked([os.fsdecode(each) for each in args], *how)
    if asked is None:
        return _fork_exec(args, *how)
    files = [given if given != -1 else usual for usual, given in enumerate((how[5], how[8], how[10]))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(str(_nursery(os.getpid()) / _kind(asked)))
        socket.send_fds(asking, [json.dumps(asked).encode()], files)
        answer = asking.recv(LARGEST)
    if not answer:
        raise RuntimeError(f"nobody starts {asked['words']}")
    return int(answer)


def _asked(args: list[str], *how: Any) -> Asked | None:
    """What is to be split off, if it is that."""
    (_, closes_others, kept, cwd, env), session, more = how[:5], how[14], how[15:21]
    tied_to = None
    if args[:4] == [sys.executable, "-I", "-S", str(LEASH)]:
        tied_to, args = int(args[4]), args[5:]
    words = args[1:] if args[0] == sys.executable else args
    if not _is_ours(words) or not (closes_others and len(kept) == 1 and more == PLAIN):
        return None
    variables = dict(each.split("=", 1) for each in map(os.fsdecode, env)) if env is not None else dict(os.environ)
    if {each for each in variables if OF_PYTHON.fullmatch(each)} - HEEDED:
        return None
    return Asked(words=words, cwd=str(Path(cwd or ".").resolve()), env=variables, session=session, tied_to=tied_to)


def _kind(asked: Asked) -> str:
    """Which imports it would only do again, as it changes nothing before them and nobody brings more of them."""
    program, *words = asked["words"][asked["words"][0] == "-m" :]
    if program in (SHORT, BAD_WORKER):
        return "short bot" if words[:1] == ["bot"] else "short component"
    as_usual = asked["env"].get("PYTHONPATH", str(HOME)) == str(HOME)
    if as_usual and program in ("bot", TOCSIN):
        return "bot"
    if as_usual and program == "demo.walker":
        return "component"
    return "any bot" if program in BOTS else "any"


def _is_ours(words: Sequence[str]) -> bool:
    if words[:1] == [TOCSIN]:
        return True
    if _wanted[-1:] != [True]:
        return False
    if words[:1] == ["-m"]:
        return words[1] == "bot" or words[1].startswith(("components.", "demo.", "tests."))
    return bool(words) and Path(words[0]).suffix == ".py" and Path(words[0]).is_relative_to(TESTS)


def _nursery(process: int) -> Path:
    """The folder with the doors of the nursery. There is one for each process that runs tests."""
    with _starting:
        return _started(process)


@functools.cache
def _started(_: int) -> Path:
    # Whoever is split off there loses the parent, and shall be ours.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.TemporaryDirectory()
    doors = {kind: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for kind in PREPARES}
    for kind, each in doors.items():
        each.bind(str(Path(folder.name) / kind))
        each.listen()
    numbers = {kind: each.fileno() for kind, each in doors.items()}
    alive, leash = os.pipe()  # closed by our end, however it comes
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", START, json.dumps(numbers), str(alive)],
        cwd=HOME,
        env={"TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        pass_fds=(*numbers.values(), alive),
    )
    os.close(alive)

    def end() -> None:
        os.close(leash)
        process.wait()
        folder.cleanup()

    atexit.register(end)
    for each in doors.values():
        each.close()
    return Path(folder.name)
