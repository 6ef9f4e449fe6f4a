"""How people write numbers: 1e6, 1M, 20%, 1,2,3, or 1e3..1e6/4 for four values from the one to the other.

What cannot be read is a ValueError that says what would have been right.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

MOST_VALUES = 64
UNITS = {"k": 1e3, "K": 1e3, "M": 1e6, "%": 0.01, "": 1.0}
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKM%]?)", re.ASCII)
SPAN = re.compile(r"(.+?)\.\.(.+?)(?:/(\d+))?", re.ASCII)

T = TypeVar("T", bound=float)


def number(name: str, text: str) -> float:
    """One number."""
    read = NUMBER.fullmatch(text.strip())
    value = float(read[1]) * UNITS[read[2]] if read else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number such as 1e6, 1M, 0.2 or 20%, not {text.strip()!r}.")
    return value


def share(name: str, text: str) -> float:
    """A part of all, from 0 to 1."""
    value = number(name, text)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1, or from 0% to 100%, not {text.strip()!r}.")
    return value


def whole(name: str, text: str) -> int:
    """A whole number, also where it is written as 1e6."""
    value = number(name, text)
    if value != round(value):
        raise ValueError(f"{name} must be a whole number, not {text.strip()!r}.")
    return round(value)


def several(name: str, text: str, read: Callable[[str, str], T]) -> list[T]:
    """One value, some between commas, or a span. No value comes twice."""
    values: list[T] = []
    for part in text.split(","):
        span = SPAN.fullmatch(part.strip())
        values += _spanned(name, span[1], span[2], span[3], read) if span else [read(name, part)]
        if len(values) > MOST_VALUES:
            raise ValueError(f"{name} must be at most {MOST_VALUES} values.")
    return list(dict.fromkeys(values))


def _spanned(name: str, first: str, last: str, count: str | None, read: Callable[[str, str], T]) -> Sequence[T]:
    low, high = read(name, first), read(name, last)
    are_whole = isinstance(low, int) and isinstance(high, int)
    if low > high:
        raise ValueError(f"{name} must go up: {last}..{first}, not {first}..{last}.")
    if count is None:
        if not are_whole or high - low >= MOST_VALUES:
            raise ValueError(f"{name} must say how many values it has, at most {MOST_VALUES}: {first}..{last}/4.")
        return [read(name, str(each)) for each in range(int(low), int(high) + 1)]
    many = int(count)
    if not 2 <= many <= MOST_VALUES or low <= 0:  # noqa: PLR2004 - a span has two ends
        raise ValueError(f"{name} must have 2 to {MOST_VALUES} values from over 0 on, as in 1e3..1e6/4.")
    steps = [low * (high / low) ** (at / (many - 1)) for at in range(many)]
    inner = [round(each) if are_whole else float(f"{each:.6g}") for each in steps[1:-1]]
    return [low, *(read(name, repr(each)) for each in inner), high]
