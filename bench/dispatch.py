"""How many commands a second go the whole way here, beside what other bots need for the bare look-up.

It never measures one side first and the other afterwards: each number is a process of its own, and they take turns.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Row, in_turn

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv" / "peers"
RUNS = 5
FEW, MANY = 20, 200
FLAT = 0.9
MAY_TAKE_S = 60
WHOLE = "typed arguments, authority, limits, time limit, record in memory, answer rendered as HTML and as text"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another bot, and what of ours at least it is compared with."""

    name: str
    what: str
    """What of it is measured."""
    goal: str = "none"
    least: float = 0.0


BARE = (
    Peer("opsdroid", "parse() with one anchored expression a skill", "at least 1", 1.0),
    Peer("errbot", "process_message() with access lists, on one thread", "at least 1/8", 1 / 8),
    Peer("simplematrixbotlib", "every listener asks whether the message is for it"),
)


class LeftOut(Exception):
    """A peer that cannot be measured here, and why in one line."""


def run() -> list[Row]:
    """Ours beside each peer, and ours with many commands beside ours with few."""
    subprocess.run([ROOT / "scripts" / "peers"], check=True)  # noqa: S603 - it is ours
    rows: list[Row] = []
    flat = f"commands a second of one core, ours with {MANY} to choose from; reference: the same with {FEW}"
    for peer in BARE:
        try:
            found = in_turn(_ours(FEW), _theirs(peer, FEW), runs=RUNS)
        except LeftOut as error:
            flat += f". {peer.name} is left out: {error}"
            continue
        what = f"commands a second of one core, {FEW} to choose from: {WHOLE}; reference: {peer.what}, no answer"
        holds = found.ratio >= peer.least
        rows.append(Row(peer.name, found.ours, found.reference, what, found.ratio, peer.goal, holds))
    found = in_turn(_ours(MANY), _ours(FEW), runs=RUNS)
    holds = found.ratio >= FLAT
    rows.append(Row(f"ours with {FEW}", found.ours, found.reference, flat, found.ratio, f"at least {FLAT}", holds))
    return rows


def _ours(commands: int) -> Callable[[], float]:
    def measure() -> float:
        ended = _process(sys.executable, "whole_way", commands)
        if ended.returncode:
            raise SystemExit(ended.stderr)
        return _per_second(ended)

    return measure


def _theirs(peer: Peer, commands: int) -> Callable[[], float]:
    missing = PEERS / f"{peer.name}.missing"

    def measure() -> float:
        if missing.exists():
            raise LeftOut(f"it does not install here ({missing.read_text(encoding='utf-8').strip()})")
        ended = _process(str(PEERS / "bin" / "python"), f"bare_{peer.name}", commands)
        if ended.returncode:
            last_line = ended.stderr.strip().rpartition("\n")[2]
            raise LeftOut(f"it does not run here ({last_line})")
        return _per_second(ended)

    return measure


def _process(python: str, side: str, commands: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - both environments are made by scripts/
        [python, "-W", "ignore", "-m", f"bench.peers.{side}", str(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MAY_TAKE_S,
        check=False,
    )


def _per_second(ended: subprocess.CompletedProcess[str]) -> float:
    return float(json.loads(ended.stdout)["per_second"])
