"""How soon `tocsin --version` has answered, as a whole process.

It measures the installed command, never a function: what a person waits for is the process.
"""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bench.measure import Row, in_turn

GOAL_MS = 100
RUNS = 10


def run() -> list[Row]:
    """Compare the command with the start of Python itself, below which no Python program can be."""
    command = Path(sys.executable).with_name("tocsin")
    if not command.exists():
        raise SystemExit(f"{command} does not exist. Run `make bench`, which installs the command first.")
    found = in_turn(
        lambda: _milliseconds(str(command), "--version"),
        lambda: _milliseconds(sys.executable, "-c", "pass"),
        runs=RUNS,
    )
    return [
        Row(
            name="tocsin --version",
            ours=found.ours,
            reference=found.reference,
            what="ms from start to exit; reference: Python's own start",
            ratio=found.ratio,
            goal=f"under {GOAL_MS} ms",
            holds=found.ours < GOAL_MS,
        )
    ]


def _milliseconds(*command: str) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - both commands are ours
    return (perf_counter() - start) * 1000
