"""What is typed at `tocsin` in the tests: each time a process of its own, split off from one that has imported it.

So a command costs what it does, and not the imports before it. It serves no test of the start itself, nor of where
things are imported from: such a test starts a Python of its own.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1]
PATIENCE = 60.0
LARGEST = 65_536
IMPORTED = (
    "bot.desk.catalogue",
    "bot.doctor.show",
    "bot.enrol",
    "bot.record.changing",
    "bot.settings.effective",
    "bot.stopkeys",
    "bridges.console.stop",
    "bridges.console.stop_asking",
    "bridges.matrix.cli",
    "components.commands.new",
    "components.commands.run",
)
"""What those who are split off need not import, beside the command line itself."""
MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
"""What a process needs to be counted by `make cover`."""


def tocsin(
    *words: str | Path, cwd: Path | None = None, typed: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tocsin` to its end, with nothing in its environment but what is given. Nobody sits at a terminal."""
    said = [str(each) for each in words]
    environment = {"PYTHONPATH": str(HOME), "TERM": "dumb", **MEASURED, **(env or {})}
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(typed.encode())
        stdin.seek(0)
        status = _run(said, str(cwd or Path.cwd()), environment, (stdin.fileno(), out.fileno(), err.fileno()))
        return subprocess.CompletedProcess(said, status, _read(out.fileno()), _read(err.fileno()))


def _read(file: int) -> str:
    size = os.fstat(file).st_size
    return os.pread(file, size, 0).decode()


def _run(words: list[str], cwd: str, env: Mapping[str, str], files: tuple[int, int, int]) -> int:
    if MEASURED:  # what is counted starts by itself
        stdin, out, err = files
        command = [sys.executable, "-m", "bot", *words]
        return subprocess.run(  # noqa: S603 - our own code
            command, cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err, timeout=PATIENCE, check=False
        ).returncode
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(_started(os.getpid()))
        socket.send_fds(asking, [json.dumps({"words": words, "cwd": cwd, "env": {**env}}).encode()], files)
        answer = asking.recv(LARGEST)
    if not answer:
        raise RuntimeError(f"nobody ran {words}")
    return int(answer)


@functools.cache
def _started(_: int) -> str:
    """Where the process listens from which all are split off. There is one for each process that runs tests."""
    listening = socket.socket(socket.AF_UNIX)
    folder = tempfile.TemporaryDirectory()
    listening.bind(name := str(Path(folder.name) / "asking"))
    listening.listen()
    alive, leash = os.pipe()  # closed by our end, however it comes
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "tests.typed", str(listening.fileno()), str(alive)],
        cwd=HOME,
        env={"PYTHONPATH": str(HOME), "TERM": "dumb"},
        pass_fds=(listening.fileno(), alive),
    )
    os.close(alive)

    def end() -> None:
        os.close(leash)
        process.wait()
        folder.cleanup()

    atexit.register(end)
    listening.close()
    return name


def _serve(listening: socket.socket, alive: int) -> None:
    """Split one off for each that asks. Returns in that one only."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who test
    while alive not in (ready := select.select([listening, alive], [], [])[0]):
        if listening not in ready:
            continue
        asking, _ = listening.accept()
        message, files, _, _ = socket.recv_fds(asking, LARGEST, 3)
        if not os.fork():
            listening.close()
            os.close(alive)
            if not (child := os.fork()):
                asking.close()
                _become(json.loads(message), files)
                return
            _, status = os.waitpid(child, 0)
            asking.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for each in (asking.detach(), *files):
            os.close(each)
        while _reaped():
            continue
    os._exit(0)


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _become(asked: dict[str, Any], files: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["tocsin", *asked["words"]]


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    from bot import app

    gc.freeze()  # what is imported is never looked through again, and stays shared
    _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    app.app(prog_name="tocsin")
