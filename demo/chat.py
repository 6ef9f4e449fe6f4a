"""One types as alice in the terminal; the room is shown as it goes on."""

import asyncio
import sys
from collections.abc import AsyncGenerator

from demo.screen import console, from_html, note, prompt, said
from demo.world import World


async def chat(world: World) -> None:
    """Talk until the end of the input."""
    note("You are alice, an operator. Try !help, !status, !whoami, !shutdown all. Ctrl-D ends it.")
    console.print()
    showing = asyncio.create_task(_show(world), name="screen")
    try:
        prompt("alice")
        async for line in _lines():
            prompt("alice")
            if line:
                await world.alice.say(world.room, line)
    finally:
        showing.cancel()
        await asyncio.wait([showing])


async def _show(world: World) -> None:
    async for heard in world.alice.hears():
        if heard.room == world.room:
            who = heard.sender.removeprefix("@").partition(":")[0]
            said(who, from_html(heard.html) if heard.html else heard.body)
            prompt("alice")


async def _lines() -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield line.decode(errors="replace").strip()
    finally:
        transport.close()
