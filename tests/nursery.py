"""Processes that have imported what programs of ours need, and split off those that start: see `starts.py`.

A program that is split off has paid for no import of others' packages, and is like a fresh one in all else. In the end
it is a child of the process that runs tests, as the nearest that takes orphans in.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

PR_SET_PDEATHSIG = 1
LARGEST = 131_072
"""What is asked fits in one datagram."""
COMPONENTS_NEED = (
    *("argparse", "asyncio", "cryptography.hazmat.primitives.asymmetric.ed25519", "importlib.metadata", "orjson"),
    *("cryptography.hazmat.primitives.serialization", "paho.mqtt.client"),
)
"""Packages of others. Nothing of ours is imported with them: that is taken as it is then."""
BOTS_NEED = (
    *("aiohttp", "nio", "peewee", "prometheus_client", "pydantic", "rfc8785", "rich.console", "rich.table"),
    *("sqlite3", "structlog", "typer"),
)
"""More of others."""
OURS = (
    *("bot.app", "bot.desk.catalogue", "bot.doctor.show", "bot.enrol", "bot.record.changing", "bot.runtime"),
    *("bot.settings.effective", "bot.stopkeys", "bridges.console.bridge", "bridges.console.stop"),
    *("bridges.console.stop_asking", "bridges.matrix", "bridges.matrix.cli", "bridges.mqtt", "bridges.zulip"),
    *("components.commands.new", "components.commands.run"),
)

LOCALE = {"LC_CTYPE": "C.UTF-8"}
"""What Python sets where nothing is said of it."""


class Asked(TypedDict):
    """How a program is to be started: with which words behind `python`, where, and for whom."""

    words: list[str]
    cwd: str
    env: dict[str, str]
    session: bool
    tied_to: int | None
    """Whose death it does not survive."""


def _imports(names: Sequence[str]) -> None:
    for name in names:
        importlib.import_module(name)


def _shortens(what: str) -> None:
    getattr(importlib.import_module("tests.faults.short"), what)()


PREPARES: Mapping[str, Callable[[], None]] = {
    "any": lambda: _imports(COMPONENTS_NEED),
    "component": lambda: _imports(["components.kit"]),
    "short component": lambda: _shortens("prepare_walker"),
    "any bot": lambda: _imports(BOTS_NEED),
    "bot": lambda: _imports(OURS),
    "short bot": lambda: _shortens("prepare_bot"),
}
"""What is done once for all of a kind: who is large is split off slowly, hence there is more than one."""
BELOW = {"any": ("component", "short component", "any bot"), "any bot": ("bot", "short bot")}
"""From which of them the others are split off."""
_INSTALLED = sys.path[1:]


def serve(kind: str, doors: Mapping[str, int], alive: int) -> Asked:
    """Split off all who ask, until nobody holds the other end of `alive`. Returns in those who are split off only.

    There is a door for each kind. The first who comes to one that nobody keeps yet makes a process that does.
    """
    PREPARES[kind]()
    gc.freeze()  # what is imported is never looked through again, and stays shared
    kept = {each: _at(each, doors) for each in BELOW.get(kind, ())}
    poll = select.poll()
    for number in (alive, doors[kind], *(door for each in kept.values() for door in each.values())):
        poll.register(number, select.POLLIN)
    while alive not in (ready := [number for number, _ in poll.poll()]):
        for each in [each for each, theirs in kept.items() if not set(ready).isdisjoint(theirs.values())]:
            if os.fork() == 0:
                return serve(each, doors, alive)
            for number in kept.pop(each).values():
                poll.unregister(number)
                os.close(number)
        if doors[kind] in ready and (asked := _split_off(doors[kind])):
            return asked
    os._exit(0)


def _at(kind: str, doors: Mapping[str, int]) -> dict[str, int]:
    """The doors of a kind and of all below it."""
    return {each: doors[each] for each in (kind, *BELOW.get(kind, ()))}


def _split_off(door: int) -> Asked | None:
    """Take what one asks for, and split it off. Returns it there."""
    listening = socket.socket(fileno=door)
    asking, _ = listening.accept()
    listening.detach()
    message, files, _, _ = socket.recv_fds(asking, LARGEST, 3)
    held, go = os.pipe()
    if (between := os.fork()) == 0:
        if os.fork():
            os._exit(0)
        os.close(go)
        os.read(held, 1)  # from now on somebody else is the parent
        asking.send(str(os.getpid()).encode())
        asking.detach()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        return json.loads(message)
    os.waitpid(between, 0)
    for each in (held, go, asking.detach(), *files):
        os.close(each)
    return None


def become(asked: Asked, interrupted: Any) -> None:
    """Be the program, as Python itself begins it. Where Ctrl-C does nothing to those who test, it does nothing here."""
    if asked["session"]:
        os.setsid()
    if (parent := asked["tied_to"]) is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("leash: the parent died first")
    signal.signal(signal.SIGINT, interrupted)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(LOCALE if not any(asked["env"].get(each) for each in ("LC_ALL", "LC_CTYPE", "LANG")) else {})
    os.environ.update(asked["env"])
    sys.dont_write_bytecode = bool(asked["env"].get("PYTHONDONTWRITEBYTECODE"))
    if asked["env"].get("PYTHONUNBUFFERED"):
        for each in (sys.stdout, sys.stderr):
            each.reconfigure(write_through=True, line_buffering=False)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - both are text
    gc.enable()
    how, *rest = asked["words"]
    named = [each for each in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if each]
    first = asked["cwd"] if how == "-m" else str(Path(how).parent)
    sys.path[:] = [first, *dict.fromkeys((*named, *_INSTALLED))]
    sys.modules["__main__"] = types.ModuleType("__main__")
    if how == "-m":
        sys.argv = ["-m", *rest[1:]]
        runpy._run_module_as_main(rest[0])  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType] - it is what `-m` calls
    else:
        sys.argv = [how, *rest]
        runpy.run_path(how, run_name="__main__")
