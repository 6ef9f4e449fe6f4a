"""A bot that hears 10,000 messages, most of them no command, has hardly more memory than after the first 1,000."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from demo.operator import Operator
from demo.world import World, running

EACH_SAYS = 50
"""Between two commands. So the bot, which answers them, is never far behind."""
AT_ONCE = 10
EARLY = 1_000
LATE = 10_000
MOST_GROWTH = 1.2


@pytest.mark.soak
async def test_memory_does_not_grow_with_what_is_heard(tmp_path: Path) -> None:
    async with running(tmp_path, tell=print) as world:
        people, said, sizes = (world.alice, world.bob), 0, dict[int, int]()
        while said < LATE:
            await asyncio.gather(*(chat(world, who, said) for who in people))
            said += len(people) * EACH_SAYS
            who = people[said // (len(people) * EACH_SAYS) % len(people)]
            answer = await who.answer_to(await who.say(world.room, "!whoami"))
            assert who.user[1:].partition(":")[0] in answer.body
            sizes[said] = memory_of(world.bot.pid)
        with contextlib.closing(sqlite3.connect(world.database)) as database:
            (heard,) = database.execute("SELECT count(*) FROM inbox").fetchone()
        assert heard == LATE + len(sizes), "some of it was never heard"
        assert sizes[LATE] <= MOST_GROWTH * sizes[EARLY], sizes


async def chat(world: World, who: Operator, begin: int) -> None:
    """Say what is meant for nobody in particular, under a new key, and much of it at once: so it takes no hour."""
    client, olm = who.connection.client, who.connection.olm
    olm.outbound_group_sessions.pop(world.room, None)
    await who.say(world.room, "I begin again.")
    at_once = asyncio.Semaphore(AT_ONCE)

    async def say(number: int) -> None:
        words = f"I say this for the {begin + number}th time, and mean nothing by it."
        async with at_once:
            content = {"msgtype": "m.text", "body": words}
            await who.put(world.room, *client.encrypt(world.room, "m.room.message", content))

    await asyncio.gather(*(say(number) for number in range(1, EACH_SAYS)))


def memory_of(pid: int) -> int:
    """What a process has of the machine's memory, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(each.split()[1]) * 1024 for each in lines if each.startswith("VmRSS:"))
