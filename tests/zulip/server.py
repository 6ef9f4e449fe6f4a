"""A stand-in for a Zulip server, on loopback: `python -m tests.zulip.server --port 9991 --data file.sqlite`.

It prints one line with its address when it listens. What it keeps in the file outlives a kill; event queues do not.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from aiohttp import web

from tests.zulip.control import Control
from tests.zulip.door import LARGEST_BODY, Door
from tests.zulip.world import World

LOOPBACK = "127.0.0.1"
LONGEST_GOODBYE_S = 0.1


@contextlib.asynccontextmanager
async def running(data: Path | None = None, port: int = 0) -> AsyncGenerator[World]:
    """A stand-in in this process; its address is the world's `url`."""
    world = World(data)
    application = web.Application(client_max_size=LARGEST_BODY)
    application.router.add_route("*", "/stand-in/{hand}", Control(world).answer)
    application.router.add_route("*", "/{path:.*}", Door(world).answer)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=LONGEST_GOODBYE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port)
        await site.start()
        world.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        yield world
    finally:
        world.close()
        await runner.cleanup()


async def serve(data: Path | None, port: int) -> None:
    async with running(data, port) as world:
        print(world.url, flush=True)  # noqa: T201 - whoever started it reads the address here
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.data, chosen.port))


if __name__ == "__main__":
    main()
