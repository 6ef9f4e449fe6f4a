"""Where the code of a component's author meets ours: whatever it raises or returns, ours goes on."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar, cast

import orjson

from wire.work import LARGEST_RESULT

LONGEST_TOLD = 200

T = TypeVar("T")


class Ended(BaseException):
    """The job is to end. It is no Exception, so that nobody takes it for a fault and goes on."""


class Stopped(Ended):
    """By a stop. It does not go on by itself."""


class Cancelled(Ended):
    """By somebody who wants no more of it."""


async def isolated(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run somebody's code to its end, however that is. Whoever cancels this waits until the code has ended, too."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else will look at it
        raise
    return task


def root_of(error: BaseException) -> BaseException:
    """What is behind an error: the order to end where it is among them, else the first of a group."""
    all_of_it = list(_leaves(error))
    return next((each for each in all_of_it if isinstance(each, Ended)), all_of_it[0])


def told(error: BaseException) -> str:
    """An error in a line."""
    try:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:  # noqa: BLE001 - somebody's own class, which cannot even be told
        text = type(error).__name__
    line = "".join(each if each.isprintable() else " " for each in text)
    return line if len(line) <= LONGEST_TOLD else f"{line[:LONGEST_TOLD]}…"


def readable(text: str) -> str:
    """A text that can be sent: the names of files may hold what is no text."""
    return text.encode(errors="replace").decode()


def checked_result(result: object) -> Mapping[str, Any]:
    """What a function returned, where it can be sent. Raises TypeError or ValueError, saying what is wrong with it."""
    if result is None:
        return {}
    if not isinstance(result, dict):
        raise TypeError(f"a command must return a dict or nothing, not {type(result).__name__}")
    size = len(orjson.dumps(result))
    if size > LARGEST_RESULT:
        raise ValueError(f"a result of {size} bytes is over the bound of {LARGEST_RESULT}")
    return cast("dict[str, Any]", result)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error
