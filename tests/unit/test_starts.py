"""Who is split off is like one whom Python has started, and a child of ours."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo.process import Process
from tests import starts
from tests.unit import newborn

pytestmark = pytest.mark.skipif(sys.platform != "linux" or starts.MEASURED, reason="here each starts by itself")

PROGRAM = str(Path(newborn.__file__))
PATIENCE = 60.0
WORDS = ([PROGRAM, "a", "word"], ["-m", "tests.unit.newborn", "a", "word"])
PARENT = """\
import asyncio, sys
from pathlib import Path
from demo.process import Process
from tests import starts

async def main():
    starts.install()
    with starts.split_off():
        await Process([sys.executable, sys.argv[1], "waits"], Path(sys.argv[2])).start()
    sys.stdin.read()

asyncio.run(main())
"""


def told(words: list[str], *, apart: bool, **how: Any) -> tuple[list[Any], int]:
    """What a program tells of itself, and how it has ended."""
    with starts.split_off(wanted=apart):
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, *words], input="hello", capture_output=True, text=True, check=False, **how
        )
    assert done.stderr == ""
    return json.loads(done.stdout), done.returncode


@pytest.mark.parametrize("words", WORDS, ids=["a file", "a module"])
@pytest.mark.parametrize("ways", [{}, {"PYTHONPATH": f"/nowhere{os.pathsep}{starts.HOME}"}], ids=["", "a path"])
@pytest.mark.parametrize("session", [False, True])
def test_it_finds_what_one_finds_who_was_started(
    words: list[str], session: bool, ways: dict[str, str], tmp_path: Path
) -> None:
    environment = {"MARK": "ä=1", "PYTHON": "python3", "PYTHONUNBUFFERED": "1", **ways}
    how: dict[str, Any] = {"cwd": tmp_path, "env": environment, "start_new_session": session}
    (seen, was_split_off, *first), status = told(words, apart=True, **how)
    (same, was_not, *second), as_well = told(words, apart=False, **how)
    assert (was_split_off, was_not) == (True, False)
    assert seen == same
    assert (status, as_well) == (3, 3)
    assert seen["heard"] == "hello"
    assert seen["parent"] == os.getpid()
    assert not set(first) & set(second)


def test_no_two_draw_the_same() -> None:
    drawn = [each for _ in range(3) for each in told(WORDS[0], apart=True)[0][2:]]
    assert len(set(drawn)) == 9


def test_an_error_is_told_and_ends_it_with_one() -> None:
    with starts.split_off():
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, PROGRAM, "raises"], input="", capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ValueError: as it was told\n")


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_as_it_ends_any_child(which: signal.Signals) -> None:
    with starts.split_off():
        child = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, PROGRAM, "waits"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.send_signal(which)
        assert child.wait(PATIENCE) == -which


async def test_it_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    (log := tmp_path / "log").touch()
    environment = {**os.environ, "PYTHONPATH": str(starts.HOME)}
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, PROGRAM, log), env=environment, stdin=asyncio.subprocess.PIPE
    )
    over = asyncio.Event()
    async with asyncio.timeout(PATIENCE):
        while not (said := log.read_text()).endswith("\n"):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        assert json.loads(said)[0]["parent"] == parent.pid
        pidfd = os.pidfd_open(json.loads(said)[-1])
        asyncio.get_running_loop().add_reader(pidfd, over.set)
        parent.kill()
        await parent.wait()
        await over.wait()
    asyncio.get_running_loop().remove_reader(pidfd)
    os.close(pidfd)


async def test_a_leash_to_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Process([sys.executable, PROGRAM, "waits"], tmp_path / "log")
    with starts.split_off(), monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        await child.start()
    assert await child.wait() == 1
    assert child.said("the parent died first")


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (["-c", "pass"], {}),
        (["-I", PROGRAM], {}),
        ([PROGRAM], {"env": {"PYTHONHASHSEED": "1"}}),
        ([PROGRAM], {"umask": 0o77}),
        ([PROGRAM], {"pass_fds": (2,)}),
        (["-m", "bench"], {}),
    ],
)
def test_what_is_about_python_itself_is_started_as_always(
    words: list[str], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: int) -> Path:
        raise AssertionError

    monkeypatch.setattr(starts, "_nursery", never)
    with starts.split_off():
        command = [sys.executable, *words]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, **how)  # noqa: S603 - ours
        with pytest.raises(AssertionError):
            subprocess.run([sys.executable, PROGRAM], check=False)  # noqa: S603 - our own code
