"""One types as alice in the terminal; the room is shown as it goes on."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncGenerator

from demo.screen import console, from_html, note, prompt, said
from demo.world import World

PIECE = 4096


async def chat(world: World) -> None:
    """Talk until the end of the input, and hear the answers to all that was asked."""
    note("You are alice, an operator. Try !help, !status, !whoami, !shutdown all. Ctrl-D ends it.")
    console.print()
    asked: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        showing = tasks.create_task(_show(world), name="screen")
        prompt("alice")
        async for line in _lines():
            prompt("alice")
            if line:
                event = await world.alice.say(world.room, line)
                asked += [event] if line.startswith("!") else []
        for event in asked:
            await world.alice.answer_to(event)
        showing.cancel()


async def _show(world: World) -> None:
    async for heard in world.alice.hears():
        if heard.room == world.room:
            who = heard.sender.removeprefix("@").partition(":")[0]
            said(who, from_html(heard.html) if heard.html else heard.body)
            prompt("alice")


async def _lines() -> AsyncGenerator[str]:
    """What is typed, piped or read from a file. A thread reads, because a file has no way to tell when it is ready."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:  # below Python's own buffer, whose lock a thread must not hold when the program ends
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            while piece := os.read(sys.stdin.fileno(), PIECE):
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
            loop.call_soon_threadsafe(pieces.put_nowait, b"")

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    rest = b""
    while piece := await pieces.get():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").strip()
    if rest:
        yield rest.decode(errors="replace").strip()
