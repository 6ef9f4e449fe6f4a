"""`python -m demo`: a whole Tocsin to talk to, or a tour of it. It leaves no process, and no file unless asked."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import get_args

from rich.markup import escape

from bot import logs
from bot.words.errors import TocsinError
from demo.broker import Kind
from demo.chat import chat
from demo.homeserver import HomeserverError
from demo.process import ProcessError
from demo.screen import console
from demo.tour import TourFailed, tour
from demo.world import running

INTERRUPTED = 130
EXPECTED = (TourFailed, ProcessError, HomeserverError, TocsinError, TimeoutError)


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description="A whole Tocsin on this machine.")
    parser.add_argument("--tour", action="store_true", help="run a scripted conversation, print it, and end")
    parser.add_argument("--dir", type=Path, metavar="D", help="keep everything in this new folder")
    parser.add_argument("--keep", action="store_true", help="leave the folder when the demo ends")
    parser.add_argument("--broker", choices=get_args(Kind), help="mosquitto where it is installed, else amqtt")
    arguments = parser.parse_args()
    named: Path | None = arguments.dir
    if named is not None and named.exists() and (not named.is_dir() or any(named.iterdir())):
        parser.error(f"{named} is not an empty folder; name a new one")
    with _folder(named, keep=arguments.keep) as folder, (folder / "demo.log").open("w") as log:
        logs.set_up(log)
        try:
            asyncio.run(_demo(folder, show_tour=arguments.tour, kind=arguments.broker))
        except (KeyboardInterrupt, asyncio.CancelledError):
            console.print("Stopped.", style="dim")
            return INTERRUPTED
        except EXPECTED as failure:
            console.print(f"[bold red]Failed:[/] {escape(str(failure))}")
            return 1
    return 0


async def _demo(folder: Path, *, show_tour: bool, kind: Kind | None) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run gives us one
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    began = time.monotonic()
    with console.status("") as status:
        tell = status.update if console.is_terminal else console.print
        async with running(folder, tell=tell, kind=kind) as world:
            status.stop()
            console.print(f"Ready after {time.monotonic() - began:.1f} s. Everything is in {folder}.", style="dim")
            await (tour(world) if show_tour else chat(world))
    if show_tour:
        console.print(f"\n[bold green]The tour is green[/], {time.monotonic() - began:.1f} s in all.")


@contextlib.contextmanager
def _folder(named: Path | None, *, keep: bool) -> Generator[Path]:
    """The folder of this demo. One that somebody has named is theirs, and stays."""
    if named is not None:
        named.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield named.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    try:
        yield folder
    finally:
        if keep:
            console.print(f"Everything is left in {folder}.", style="dim")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
