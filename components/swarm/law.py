"""What theory says of a blind swarm: the bound of the formula, and the law of unrepaired damage. Nothing is fitted.

A cell is still damaged after t steps where none of the bots came by. Each bot steps on S(t) cells in the mean, so of
all damage exp(-rho S(t)) is left, with rho bots a cell. That holds for bots that start anywhere, on a torus that is
large against their ways. S is exact: Montroll and Weiss, Random walks on lattices II, J. Math. Phys. 6 (1965) 167,
derive its generating function 1 / ((1 - z)^2 P(z)), where P(z) = 2 K(z) / pi is that of the chance to be back.
S(t) ~ pi t / ln(8 t) is its first term, which is 3 to 6 % too small where repairs end.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

EXACT_UP_TO = 1 << 16
PSI_OF_2 = 1 - float(np.euler_gamma)
TRIGAMMA_OF_2 = math.pi**2 / 6 - 1
MOST_STEPS = 1 << 40


def bound(damaged: int, bots: int, rate: float = 1.0) -> float:
    """The formula's steps: all bots repair all the time. It assumes that nobody searches, so it is a lower bound."""
    return damaged / (bots * rate) if bots else math.inf


def unrepaired(steps: NDArray[np.int64], density: float) -> Series:
    """The share of damage that is left after each of these steps, with so many bots a cell."""
    return np.exp(-density * distinct(steps))


def steps_to(until: float, density: float) -> int:
    """The first step after which at most 1 - `until` of the damage is left."""
    wanted = -math.log1p(-until) / density
    low, high = 0, 1
    while float(distinct(np.array([high]))[0]) < wanted and high < MOST_STEPS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(distinct(np.array([middle]))[0]) >= wanted else (middle, high)
    return high


def distinct(steps: NDArray[np.int64]) -> Series:
    """S: how many cells a walker steps on in so many steps, in the mean. Where it starts is no step."""
    known = summed()
    near = known[np.minimum(steps, known.size - 1)]
    if steps.size == 0 or int(steps.max()) < known.size:
        return near
    beyond = _expanded(np.maximum(steps, known.size).astype(np.float64)) * (known[-1] / _expanded_at(known.size - 1))
    return np.where(steps < known.size, near, beyond)


def _expanded_at(step: int) -> float:
    return float(_expanded(np.array([step], np.float64))[0])


def _expanded(t: Series) -> Series:
    """Three terms: from P(z) ~ ln(8 / (1 - z)) / pi near 1, by Flajolet and Odlyzko's transfer, at lambda = ln 8t."""
    log = np.log(8 * t)
    second = PSI_OF_2 / log
    third = (PSI_OF_2**2 - TRIGAMMA_OF_2) / log**2
    return math.pi * t / log * (1 + second + third)


@functools.cache
def summed() -> Series:
    """S for all steps up to a bound: the first cell, and each later one with the chance that it was not stepped on."""
    first_returns = np.zeros(EXACT_UP_TO)
    first_returns[::2] = _inverse(_returns(EXACT_UP_TO // 2))  # 1 / P(z) is one minus those
    never_back = np.cumsum(first_returns)
    return np.concatenate([[0.0], np.cumsum(never_back)])


def _returns(many: int) -> Series:
    """The chance to be back after 0, 2, 4 … steps: (binomial(2k, k) / 4^k)^2."""
    k = np.arange(1, many)
    return np.concatenate([[1.0], np.cumprod((2 * k - 1) / (2 * k)) ** 2])


def _inverse(series: Series) -> Series:
    """1 / series, by Newton's method: each round makes twice as many terms right. The first term is 1."""
    found = np.ones(1)
    while found.size < series.size:
        size = 2 * found.size
        room = 2 * size
        spectrum = np.fft.rfft(found, room)
        product = np.fft.irfft(spectrum * np.fft.rfft(series[:size], room), room)[:size]
        error = np.fft.rfft(-product + 2 * (np.arange(size) == 0), room)
        found = np.fft.irfft(spectrum * error, room)[:size]
    return found[: series.size]
