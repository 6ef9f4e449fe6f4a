"""How far it has come, as a bar on the error stream: where somebody sits at a terminal, and only if it takes long."""

import contextlib
import time
from collections.abc import Callable, Generator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SHOWN_AFTER_S = 1.0

Tell = Callable[[int, int], None]


@contextlib.contextmanager
def bar(what: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Generator[Tell]:
    """Gives what is told how many entries are done, and of how many. The bar is gone when the block ends."""
    on = console or Console(stderr=True)
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=on,
        transient=True,
        disable=not on.is_terminal,
    )
    began = clock()
    task = shown.add_task(what, start=True, total=None, speed="")

    def tell(done: int, total: int) -> None:
        took = clock() - began
        if took >= SHOWN_AFTER_S:
            shown.start()
            shown.update(task, completed=done, total=total, speed=f"{done / took:,.0f} entries/s")

    try:
        yield tell
    finally:
        shown.stop()
