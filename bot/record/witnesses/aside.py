"""Work that may hang for ever, such as that of a disk that is gone, aside from everything else."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """One thread at a time. It keeps neither the loop nor the end of the process, whatever hangs in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.is_at_work = False
        """Also where nobody waits for it any more. There is no second thread until it has ended."""

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns or raises. It goes on even where the caller is cancelled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def end(settle: Callable[[], None]) -> None:
            self.is_at_work = False
            if not answer.done():
                settle()

        def run() -> None:
            try:
                settle = functools.partial(answer.set_result, work())
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who asked
                settle = functools.partial(answer.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is over, and with it whoever asked
                loop.call_soon_threadsafe(end, settle)

        self.is_at_work = True
        threading.Thread(target=run, name=self._name, daemon=True).start()
        return await answer
