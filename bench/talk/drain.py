"""What the bot's memory comes to while it says on Zulip all that has waited for long, and whether it keeps the order.

It is looked at while it rests, and then, begun anew, until nothing waits any more. In one topic it never says two
things at once; so there are several.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.talk.zulip import Reader, Zulip, say
from bot import keys
from bot.store import Store, Tx, inbox, outbox
from bot.store.said import Said
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account
from bot.words.talk import Speaker, passed_on
from demo.broker import LocalBroker
from demo.process import Process
from tests.zulip.lab import INCIDENTS

COUNT = 10_000
BARE = 500
PAIRS = tuple((Place("mqtt", f"lab/{number}"), Place("zulip", f"{INCIDENTS}/lab {number}")) for number in range(4))
CONFIG = """\
[bot]
folder = "state"

[mqtt]
host = "{broker.host}"
port = {broker.port}
{zulip}{channels}"""
CHANNEL = """
[channels.lab-{number}]
places = ["{heard}", "{said}"]
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Drained:
    """What came of it."""

    idle_mb: float
    largest_mb: float
    per_second: float
    bare_per_second: float
    in_order: bool


async def drained(folder: Path) -> Drained:
    """A bot that rests, and one that has much to say."""
    async with Zulip.running(folder) as zulip, LocalBroker(folder, kind="mosquitto") as broker:
        channels = (CHANNEL.format(number=number, heard=pair[0], said=pair[1]) for number, pair in enumerate(PAIRS))
        text = CONFIG.format(broker=broker.address, zulip=zulip.configure(folder), channels="".join(channels))
        (folder / "config.toml").write_text(text)
        bot = Process(
            [sys.executable, "-m", "bot", "run", "--config", folder / "config.toml"], folder / "bot.log", name="bot"
        )
        async with bot:
            await zulip.heard_by(bot)
            idle = _megabytes(bot.pid, "VmRSS")
        await _fill(folder / "state" / keys.DATABASE)
        reader = await Reader.of(zulip.somebody("bob"))
        async with bot:
            await zulip.heard_by(bot)
            heard = [*await reader.hears()]
            first, began = len(heard), perf_counter()
            while len(heard) < COUNT:
                heard += await reader.hears()
            took = perf_counter() - began
            largest = _megabytes(bot.pid, "VmHWM")
        bare = await _bare(zulip)
    return Drained(idle, largest, (COUNT - first) / took, bare, _are_in_order(heard))


async def _fill(path: Path) -> None:
    """As a channel would have queued it."""

    def write(tx: Tx) -> None:
        for number in range(COUNT):
            heard, said = PAIRS[number % len(PAIRS)]
            event, account = f"{heard.id} {number}", Account(heard.network, "lamp")
            taken = inbox.add(tx, Message(heard, account, event, "", Standing.RELAYED, "", 0, 0.0))
            if taken is not None:
                inbox.done(tx, taken.row)
            words = passed_on(Speaker("lamp", heard.network, is_proven=False), f"The lamp at bench {number} is on.")
            outbox.queue(tx, Post(said, words, Lane.TALK, subject=Said(heard, event).subject))

    async with Store.opened(path) as store:
        await store.write(write)


async def _bare(zulip: Zulip) -> float:
    """Posts a second, one after the other, by somebody who keeps nothing."""
    bot = zulip.somebody("tocsin")
    began = perf_counter()
    for number in range(BARE):
        await say(bot, f"**lamp** (mqtt, unproven): The lamp at bench {number} is on.")
    return BARE / (perf_counter() - began)


def _are_in_order(heard: Sequence[str]) -> bool:
    """Topic by topic, and each once."""
    numbers = [int(each[1]) for each in (re.search(r"bench (\d+) is on", each) for each in heard) if each]
    count = len(PAIRS)
    return all([each for each in numbers if each % count == at] == [*range(at, COUNT, count)] for at in range(count))


def _megabytes(pid: int, what: str) -> float:
    """What a process holds resident, now or at its largest, as Linux tells it."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None  # noqa: S101 - the kernel writes it for every living process
    return int(found[1]) / 1024
