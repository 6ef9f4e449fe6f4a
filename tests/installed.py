"""What is installed is read once, and not by each test anew, which takes longer than most tests.

It is read again as soon as Python looks elsewhere, or one of the folders where it looks has changed.
"""

import functools
import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any


class _Known(Distribution):
    """A package, and what it offers."""

    def __init__(self, package: Distribution) -> None:
        self._package = package
        self._name: str = package._normalized_name  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - by which a package counts once
        self._offers = package.entry_points

    @property
    def _normalized_name(self) -> str:
        return self._name

    def read_text(self, filename: str) -> str | None:
        return self._package.read_text(filename)

    def locate_file(self, path: Any) -> Any:
        return self._package.locate_file(path)

    @property
    def entry_points(self) -> Any:
        return self._offers


def remember() -> None:
    """From now on `entry_points` knows what it has read."""
    look: Callable[..., Iterable[Distribution]] = importlib.metadata.distributions

    @functools.lru_cache(maxsize=8)
    def found(_: object) -> list[Distribution]:
        return [_Known(each) for each in look()]

    def distributions(**where: Any) -> Iterable[Distribution]:
        return look(**where) if where else found(_places())

    importlib.metadata.distributions = distributions


def _places() -> tuple[tuple[str, int], ...]:
    return tuple((each, _changed(each or ".")) for each in sys.path)


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
