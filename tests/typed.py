"""What is typed at `tocsin` in the tests: each time a process of its own, which costs what it does and no imports.

It serves no test of the start itself, nor of where things are imported from: such a test starts a Python of its own.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.starts import HOME, TOCSIN

PATIENCE = 60.0
MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
"""What a process needs to be counted by `make cover`."""


def tocsin(
    *words: str | Path, cwd: Path | None = None, typed: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tocsin` to its end, with nothing in its environment but what is given. Nobody sits at a terminal."""
    command = [TOCSIN, *map(str, words)]
    environment = {"PYTHONPATH": str(HOME), "TERM": "dumb", **MEASURED, **(env or {})}
    done = subprocess.run(  # noqa: S603 - our own code
        command, cwd=cwd, env=environment, input=typed.encode(), capture_output=True, timeout=PATIENCE, check=False
    )
    return subprocess.CompletedProcess(command[1:], done.returncode, done.stdout.decode(), done.stderr.decode())
