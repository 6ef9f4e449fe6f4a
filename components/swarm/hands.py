"""Two hands for one step of work: two threads, as the kernels let go of Python's lock. No work outlives the call."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Ranges = Sequence[tuple[int, int]]
"""Slots from the one to before the other."""

_second = ThreadPoolExecutor(1, thread_name_prefix="second-hand")


def together(work: Callable[[Ranges], T], mine: Ranges, other: Ranges) -> tuple[T, T]:
    """Do both at once. They must not touch the same cells."""
    coming = _second.submit(work, other)
    try:
        done = work(mine)
    finally:
        coming.exception()  # it works on what is ours, so we never leave before it has ended
    return done, coming.result()
