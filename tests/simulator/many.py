"""Runs histories by the thousand, in one process or in several, and says which broke. It hides none."""

import itertools
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulator.actions import Action
from tests.simulator.history import Fault, History, drawn, run
from tests.simulator.mutants import parts
from tests.simulator.replay import command
from tests.simulator.small import ALPHABET, small

BATCH = 500


def broken(seeds: Iterable[int], mutant: str = "", story: list[str] | None = None) -> Iterator[tuple[int, Fault]]:
    """Those that break, as they are found. What happens in all of them is added to the story, if there is one."""
    tried = parts(mutant)
    for seed in seeds:
        fault = run(tried, drawn(seed), story)
        if fault is not None:
            yield seed, fault


def broken_small(histories: Iterable[History], mutant: str = "") -> Iterator[str]:
    """Small histories that break, as what happens in them."""
    tried = parts(mutant)
    for history in histories:
        fault = run(tried, history, heals=False)
        if fault is not None:
            yield f"{fault.seen}, after {', '.join(map(str, history.actions))}"


def complaint(seed: int, fault: Fault, mutant: str = "") -> str:
    """What somebody needs to know who sees it."""
    return f"{fault.seen}\nSee it step by step: {command(seed, mutant)}"


def _batch(first: int) -> list[str]:
    return [complaint(seed, fault) for seed, fault in broken(range(first, first + BATCH))]


def _small_batch(place: int, depth: int, beginning: tuple[Action, ...], batch: int) -> list[str]:
    return list(broken_small(itertools.islice(small(depth, beginning), place, place + batch)))


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _workers(processes: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=spawn, initializer=_end_with_the_parent)


def soak(seeds: range, processes: int = 2) -> list[str]:
    """Complaints about these seeds, on several processors, with a bar that grows."""
    firsts = range(seeds.start, seeds.stop, BATCH)
    complaints: list[str] = []
    with _workers(processes) as pool:
        for done, found in enumerate(pool.map(_batch, firsts), 1):
            complaints += found
            _show(done, len(firsts), f"{done * BATCH:,} histories, {len(complaints)} broken")
    return complaints


def soak_small(depth: int, beginning: tuple[Action, ...], processes: int = 2) -> list[str]:
    """Complaints about all small histories of a depth."""
    count = len(ALPHABET) ** depth
    batch = -(-count // (processes * 4))
    places = range(0, count, batch)
    complaints: list[str] = []
    with _workers(processes) as pool:
        same = map(itertools.repeat, (depth, beginning, batch))
        found = pool.map(_small_batch, places, *same)
        for done, each in enumerate(found, 1):
            complaints += each
            _show(done, len(places), f"{min(done * batch, count):,} small histories, {len(complaints)} broken")
    return complaints


def _show(done: int, of: int, words: str) -> None:
    """On a terminal a bar; elsewhere a line at each tenth."""
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        filled = 30 * done // of
        sys.__stderr__.write(f"\r{'█' * filled}{'░' * (30 - filled)} {words}" + "\n" * (done == of))
        sys.__stderr__.flush()
    elif done % max(of // 10, 1) == 0:
        sys.stderr.write(f"{100 * done // of:3} % {words}\n")
