"""The swarm: a million blind bots on 4096² cells with 20 % damage, beside a plain loop, bare moves, and mesa.

All begin with fresh damage, and take as many steps as repair 99 % of it. Nothing is compiled while it is measured. What
runs on one thread is measured by that thread's own time, so that others on the machine change little.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.measure import Row, in_turn
from components.engine import Engine
from components.swarm.component import desk, swarm
from components.swarm.conditions import Conditions
from components.swarm.swarm import Swarm, warm_up
from demo.broker import LocalBroker
from tests.system.played_bot import BOT, NAME, Bot, X, running
from wire.enrolment import Enrolment
from wire.messages import Shown
from wire.work import JobState

BOTS = 1_000_000
SIZE = 4096
DAMAGE = 0.2
STEPS = 170
RUNS = 3
AT_ONCE = 64
TIMES_PLAIN, OF_MOVES, TIMES_ONE_THREAD = 1.25, 0.7, 1.5
MOST_S, MOST_MS = 2.0, 200.0
MESA_BOTS, MESA_SIZE, MESA_STEPS = 1000, 128, 20
U = np.uint64
LEFT_13, RIGHT_7, LEFT_17, TOP_2 = U(13), U(7), U(17), U(62)

Axis: TypeAlias = NDArray[np.int32]
State: TypeAlias = NDArray[np.uint64]

ACROSS, DOWN = np.array([1, -1, 0, 0], np.int32), np.array([0, 0, 1, -1], np.int32)


def run() -> list[Row]:
    """The whole simulation against each reference in turn."""
    warm_up()
    _plain_run()
    plain = in_turn(lambda: _ours(1), _plain_run, runs=RUNS)
    moves = in_turn(lambda: _ours(1), _moves_run, runs=RUNS)
    threads = in_turn(lambda: _ours(2, perf_counter), lambda: _ours(1, perf_counter), runs=2 * RUNS)
    return [
        Row(
            name="plain loop",
            ours=plain.ours,
            reference=plain.reference,
            what=f"steps/s of a run of {STEPS}, on one thread; reference: a plain loop in numba, one byte a cell",
            ratio=plain.ratio,
            goal=f"at least {TIMES_PLAIN} times",
            holds=plain.ratio >= TIMES_PLAIN,
        ),
        Row(
            name="bare moves",
            ours=moves.ours,
            reference=moves.reference,
            what="the same; reference: the moves of that plain loop without a look at the grid",
            ratio=moves.ratio,
            goal=f"at least {OF_MOVES} times",
            holds=moves.ratio >= OF_MOVES,
        ),
        Row(
            name="two threads",
            ours=threads.ours,
            reference=threads.reference,
            what="steps/s on two threads, by the clock on the wall, so both must be free; reference: on one",
            ratio=threads.ratio,
            goal=f"at least {TIMES_ONE_THREAD} times",
            holds=threads.ratio >= TIMES_ONE_THREAD,
        ),
        _beside_mesa(),
        *_live(),
    ]


def _ours(threads: int, clock: Callable[[], float] = thread_time) -> float:
    """Steps a second, as the component takes them."""
    made = Swarm.begun(SIZE, BOTS, DAMAGE, "uniform", 1, Conditions(), threads=threads)
    start = clock()
    while made.step < STEPS:
        made.advance(min(AT_ONCE, STEPS - made.step))
    return STEPS / (clock() - start)


def _plain_run() -> float:
    random = np.random.default_rng(1)
    x, y, state = _placed(random)
    grid = (random.random((SIZE, SIZE), np.float32) < DAMAGE).astype(np.uint8)
    start = thread_time()
    for _ in range(STEPS):
        _plain(x, y, grid, state, ACROSS, DOWN, SIZE - 1)
    return STEPS / (thread_time() - start)


def _moves_run() -> float:
    x, y, state = _placed(np.random.default_rng(1))
    _moves(x, y, state, ACROSS, DOWN, SIZE - 1)
    start = thread_time()
    for _ in range(STEPS):
        _moves(x, y, state, ACROSS, DOWN, SIZE - 1)
    return STEPS / (thread_time() - start)


def _placed(random: np.random.Generator) -> tuple[Axis, Axis, State]:
    x, y = (random.integers(0, SIZE, BOTS, np.int32) for _ in range(2))
    return x, y, np.array([88172645463325252], np.uint64)


@njit(nogil=True)
def _plain(x: Axis, y: Axis, grid: NDArray[np.uint8], state: State, across: Axis, down: Axis, mask: int) -> int:
    """As one writes it: each bot moves at random, by Marsaglia's xorshift, and repairs where it stands."""
    random, repaired = state[0], 0
    for bot in range(x.size):
        random ^= random << LEFT_13
        random ^= random >> RIGHT_7
        random ^= random << LEFT_17
        direction = random >> TOP_2
        x[bot] = (x[bot] + across[direction]) & mask
        y[bot] = (y[bot] + down[direction]) & mask
        if grid[y[bot], x[bot]]:
            grid[y[bot], x[bot]] = 0
            repaired += 1
    state[0] = random
    return repaired


@njit(nogil=True)
def _moves(x: Axis, y: Axis, state: State, across: Axis, down: Axis, mask: int) -> None:
    random = state[0]
    for bot in range(x.size):
        random ^= random << LEFT_13
        random ^= random >> RIGHT_7
        random ^= random << LEFT_17
        direction = random >> TOP_2
        x[bot] = (x[bot] + across[direction]) & mask
        y[bot] = (y[bot] + down[direction]) & mask
    state[0] = random


def _beside_mesa() -> Row:
    """Fewer bots, because they are many times slower."""
    try:
        theirs = _mesa()
    except ModuleNotFoundError:
        return Row(
            "mesa", 0.0, 0.0, "mesa is not installed, so nothing was measured: pip install mesa", 0.0, "none", True
        )
    found = in_turn(lambda: _ours(1) * BOTS / 1e3, theirs, runs=3)
    return Row(
        name="mesa",
        ours=found.ours,
        reference=found.reference,
        what=f"thousand bot-steps/s, on one thread; reference: mesa, {MESA_BOTS:,} bots on {MESA_SIZE}² cells",
        ratio=found.ratio,
        goal="beside it",
        holds=True,
    )


def _mesa() -> Callable[[], float]:
    import mesa  # noqa: PLC0415 - a peer that may not be there
    from mesa.discrete_space import Cell, CellAgent, OrthogonalVonNeumannGrid  # noqa: PLC0415

    class Walker(CellAgent):
        def __init__(self, model: mesa.Model, cell: Cell, damaged: set[tuple[int, int]]) -> None:
            super().__init__(model)
            self.cell = cell
            self.damaged = damaged

        def step(self) -> None:
            self.cell = self.cell.neighborhood.select_random_cell()
            self.damaged.discard(self.cell.coordinate)

    def thousand_a_second() -> float:
        model = mesa.Model(seed=1)
        cells = OrthogonalVonNeumannGrid((MESA_SIZE, MESA_SIZE), torus=True, random=model.random).all_cells
        every = [(x, y) for x in range(MESA_SIZE) for y in range(MESA_SIZE)]
        damaged = {each for each in every if model.random.random() < DAMAGE}
        for _ in range(MESA_BOTS):
            Walker(model, cells.select_random_cell(), damaged)
        model.agents.do("step")
        start = thread_time()
        for _ in range(MESA_STEPS):
            model.agents.do("step")
        return MESA_BOTS * MESA_STEPS / (thread_time() - start) / 1e3

    return thousand_a_second


def _live() -> list[Row]:
    """What a person waits for: the first progress of a command, and the end of the work after a stop."""
    begun, stopped = zip(*(asyncio.run(_commanded()) for _ in range(RUNS)), strict=True)
    return [
        _at_most("first progress", median(begun), MOST_S, "s from the command to the first step that is told"),
        _at_most("stop", max(stopped), MOST_MS, f"ms from a stop until it has stopped, the longest of {RUNS}, global"),
    ]


def _at_most(name: str, ours: float, most: float, what: str) -> Row:
    goal = f"at most {most:g}"
    return Row(name, ours, most, f"{what}, over a real broker; reference: the goal", ours / most, goal, ours <= most)


async def _commanded() -> tuple[float, float]:
    """Seconds and milliseconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with LocalBroker(Path(folder, "broker"), kind="mosquitto") as broker:
            enrolment = Enrolment(NAME, "swarm", (), broker.address, BOT.public, (), bytes(range(32)))
            bot = Bot(enrolment)
            async with running(bot):
                await bot.link.ready()
                async with running(Engine(swarm, enrolment, Path(folder, "latch"))):
                    await bot.lets()
                    desk.path = Path(folder, "kept")
                    start = perf_counter()
                    order = {"bots": str(BOTS), "size": str(SIZE), "seeds": "1..20", "intelligence": "global"}
                    job = await bot.orders("repair", order)
                    while "step" not in (await bot.job(job, JobState.RUNNING)).message:
                        pass
                    told = perf_counter()
                    await bot.stop(X, "all")
                    await bot.hears(Shown.STOPPED)
                    return told - start, (perf_counter() - told) * 1000
