"""What is compiled: how bots move and repair. Everything that repeats for each bot or cell is here, and nothing else.

A bot is a slot with its cell's number, row after row. Randomness is counted and not kept: a slot and a key make the
bits, so that a seed repeats bit for bit, however the work is cut into blocks. No function is called from another
file: the cache looks at this one only.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Cells = NDArray[np.uint32]
Counts = NDArray[np.int64]

U = np.uint64
DEAD = np.uint32(0xFFFFFFFF)
"""The cell of a bot that is lost."""
STEPS_IN_A_WORD = 32
CHANCES = 1 << 20
"""Chances are whole numbers out of so many."""
CHANCE_DIGITS = 32
"""Those of damage are finer."""

NONE, ONE, TWO, THREE, SIX = U(0), U(1), U(2), U(3), U(6)
IN_WORD, BITS = U(63), U(64)
GOLDEN = U(0x9E3779B97F4A7C15)
FIRST, SECOND = U(0xBF58476D1CE4E5B9), U(0x94D049BB133111EB)
SHIFT_1, SHIFT_2, SHIFT_3 = U(30), U(27), U(31)
NOISE_AT, MOVE_AT, RATE_AT, TIE_AT, SIGN_AT = U(4), U(24), U(44), U(2), U(3)
CHANCE_MASK = U(CHANCES - 1)

LOG2, SIGHT, NOISE, MOVE, RATE, REGION_LOG2, GUIDED = range(7)
"""Where each number stands in `rules`."""


@njit(nogil=True, cache=True)
def _mixed(z: np.uint64) -> np.uint64:
    """The end of splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (z ^ (z >> SHIFT_1)) * FIRST
    z = (z ^ (z >> SHIFT_2)) * SECOND
    return z ^ (z >> SHIFT_3)


@njit(nogil=True, cache=True)
def _moved(cell: np.uint64, direction: np.uint64, log2: np.uint64) -> np.uint64:
    """The next cell in one of four directions, on the torus."""
    in_row = (ONE << log2) - ONE
    forth = ONE - (direction & TWO)
    if direction & ONE:
        return (cell & ~in_row) | ((cell + forth) & in_row)
    return (cell + (forth << log2)) & ((ONE << (log2 + log2)) - ONE)


@njit(nogil=True, cache=True)
def walk(
    bots: Cells, first: int, last: int, words: Words, log2: np.uint64, key: np.uint64, at: np.uint64, steps: int
) -> int:
    """Blind bots of these slots take so many steps. Returns how many cells they repaired.

    One bot takes all of its steps before the next takes its first: they know nothing of each other, and what a bot
    walks over is near. So what is repaired is right after the last step, and not between. `at` is the place of the
    first step in a word of random bits.
    """
    in_row, in_all = (ONE << log2) - ONE, (ONE << (log2 + log2)) - ONE
    repaired = 0
    for slot in range(first, last):
        if bots[slot] == DEAD:
            continue
        cell = U(bots[slot])
        random = _mixed(key + U(slot) * GOLDEN) >> (at + at)
        for _ in range(steps):
            direction = random & THREE
            random >>= TWO
            forth = ONE - (direction & TWO)
            across = (cell & ~in_row) | ((cell + forth) & in_row)
            along = (cell + (forth << log2)) & in_all
            cell = across if direction & ONE else along
            word, bit = words[cell >> SIX], ONE << (cell & IN_WORD)
            if word & bit:
                words[cell >> SIX] = word ^ bit
                repaired += 1
        bots[slot] = np.uint32(cell)
    return repaired


@njit(nogil=True, cache=True)
def _window(x: np.uint64, y: np.uint64, words: Words, log2: np.uint64, sight: int) -> np.uint64:
    """The cells of a row around x, one bit for each from left to right."""
    in_row = (ONE << log2) - ONE
    row, last_word = y << (log2 - SIX), (ONE << (log2 - SIX)) - ONE
    start = (x - U(sight)) & in_row
    place, shift = start >> SIX, start & IN_WORD
    seen = words[row + place] >> shift
    if shift:
        seen |= words[row + ((place + ONE) & last_word)] << (BITS - shift)
    return seen & ((ONE << U(2 * sight + 1)) - ONE)


@njit(nogil=True, cache=True)
def _nearest(window: np.uint64, sight: int, turned: int) -> int:
    """How far to the right the nearest damage of a row is; there is some. Of two, one by `turned`."""
    for beside in range(sight):
        to_right, to_left = (window >> U(sight + beside)) & ONE, (window >> U(sight - beside)) & ONE
        if to_right and (turned > 0 or not to_left):
            return beside
        if to_left:
            return -beside
    return sight if (window >> U(2 * sight)) & ONE and (turned > 0 or not window & ONE) else -sight


@njit(nogil=True, cache=True)
def _seen(cell: np.uint64, words: Words, log2: np.uint64, sight: int, random: np.uint64) -> int:
    """The direction of the nearest damage within sight, by steps to it; -1 where there is none."""
    in_row = (ONE << log2) - ONE
    x, y = cell & in_row, cell >> log2
    nearest, right, down = 2 * sight + 1, 0, 0
    turned = 1 if (random >> SIGN_AT) & ONE else -1
    for away in range(sight + 1):
        if away >= nearest:
            break
        for half in range(2 if away else 1):
            dy = away * turned * (1 - 2 * half)
            window = _window(x, (y + U(dy)) & in_row, words, log2, sight)
            if window:
                dx = _nearest(window, sight, turned)
                if away + abs(dx) < nearest:
                    nearest, right, down = away + abs(dx), dx, dy
    if nearest > 2 * sight:
        return -1
    if abs(right) > abs(down) or (abs(right) == abs(down) and (random >> TIE_AT) & ONE):
        return 1 if right > 0 else 3
    return 0 if down > 0 else 2


@njit(nogil=True, cache=True)
def _toward(cell: np.uint64, region: np.uint64, rules: Counts, random: np.uint64) -> int:
    """The direction of the shortest way into a region; -1 inside it."""
    log2, side_log2 = U(rules[LOG2]), U(rules[REGION_LOG2])
    size, side = 1 << rules[LOG2], 1 << rules[REGION_LOG2]
    in_row = (ONE << log2) - ONE
    regions_log2 = log2 - side_log2
    left = (region & ((ONE << regions_log2) - ONE)) << side_log2
    top = (region >> regions_log2) << side_log2
    dx = int(((cell & in_row) - left) & in_row)
    dy = int(((cell >> log2) - top) & in_row)
    if dx < side and dy < side:
        return -1
    if dx >= side and (dy < side or (random >> TIE_AT) & ONE):
        return 1 if size - dx <= dx - side + 1 else 3
    return 0 if size - dy <= dy - side + 1 else 2


@njit(nogil=True, cache=True)
def act(bots: Cells, regions: Cells, first: int, last: int, words: Words, rules: Counts, key: np.uint64) -> int:
    """Bots of these slots take one step each, as the rules say. Returns how many cells they repaired."""
    log2, sight = U(rules[LOG2]), rules[SIGHT]
    repaired = 0
    for slot in range(first, last):
        if bots[slot] == DEAD:
            continue
        cell = U(bots[slot])
        random = _mixed(key + U(slot) * GOLDEN)
        is_blown = np.int64((random >> NOISE_AT) & CHANCE_MASK) < rules[NOISE]
        stays = sight > 0 and not is_blown and (words[cell >> SIX] >> (cell & IN_WORD)) & ONE
        if not stays and np.int64((random >> MOVE_AT) & CHANCE_MASK) < rules[MOVE]:
            direction = random & THREE
            if sight > 0 and not is_blown:
                wanted = _seen(cell, words, log2, sight, random)
                if wanted < 0 and rules[GUIDED]:
                    wanted = _toward(cell, U(regions[slot]), rules, random)
                direction = U(wanted) if wanted >= 0 else direction
            cell = _moved(cell, direction, log2)
            bots[slot] = np.uint32(cell)
        word, bit = words[cell >> SIX], ONE << (cell & IN_WORD)
        if word & bit and not is_blown and np.int64(random >> RATE_AT) < rules[RATE]:
            words[cell >> SIX] = word ^ bit
            repaired += 1
    return repaired


@njit(nogil=True, cache=True)
def sort(bots: Cells, ordered: Cells, log2: np.uint64, starts: Counts) -> int:
    """Put living bots in the order of their rows. `starts` says where each row begins. Returns how many live."""
    starts[:] = 0
    for slot in range(bots.size):
        if bots[slot] != DEAD:
            starts[(U(bots[slot]) >> log2) + ONE] += 1
    for row in range(starts.size - 1):
        starts[row + 1] += starts[row]
    place = starts.copy()
    for slot in range(bots.size):
        if bots[slot] != DEAD:
            row = U(bots[slot]) >> log2
            ordered[place[row]] = bots[slot]
            place[row] += 1
    return int(starts[-1])


@njit(nogil=True, cache=True)
def _region(cell: np.uint64, rules: Counts) -> int:
    log2, side_log2 = U(rules[LOG2]), U(rules[REGION_LOG2])
    in_row = (ONE << log2) - ONE
    return int(((cell >> (log2 + side_log2)) << (log2 - side_log2)) | ((cell & in_row) >> side_log2))


@njit(nogil=True, cache=True)
def count(bots: Cells, rules: Counts, there: Counts) -> None:
    """How many bots are in each region."""
    for slot in range(bots.size):
        if bots[slot] != DEAD:
            there[_region(U(bots[slot]), rules)] += 1


@njit(nogil=True, cache=True)
def assign(bots: Cells, regions: Cells, firsts: Counts, targets: Counts, many: Counts, rules: Counts) -> None:
    """Send the bots of each region to its targets, so many to each. A region's begin at its entry in `firsts`."""
    at, gone = firsts.copy(), np.zeros(firsts.size, np.int64)
    for slot in range(bots.size):
        if bots[slot] == DEAD:
            continue
        here = _region(U(bots[slot]), rules)
        while gone[here] >= many[at[here]]:
            at[here] += 1
            gone[here] = 0
        gone[here] += 1
        regions[slot] = targets[at[here]]


@njit(nogil=True, cache=True)
def spoil(words: Words, cells: Counts) -> int:
    """Damage these cells. Returns how many were not damaged before."""
    spoiled = 0
    for index in range(cells.size):
        cell = U(cells[index])
        word, bit = words[cell >> SIX], ONE << (cell & IN_WORD)
        if not word & bit:
            words[cell >> SIX] = word | bit
            spoiled += 1
    return spoiled


@njit(nogil=True, cache=True)
def scatter(words: Words, chance: np.uint64, key: np.uint64) -> None:
    """Damage each cell with a chance out of 2^32, and leave the others whole.

    64 cells are drawn at once: from its last digit on, each digit of the chance in binary is worth one random word.
    """
    for place in range(words.size):
        drawn = NONE
        start = key + U(place) * GOLDEN * SIX
        for digit in range(CHANCE_DIGITS):
            random = _mixed(start + U(digit) * FIRST)
            drawn = drawn | random if (chance >> U(digit)) & ONE else drawn & random
        words[place] = drawn
