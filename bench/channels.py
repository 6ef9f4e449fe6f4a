"""One conversation on several networks: how long words take, how many go through, and what it costs to wait.

The bot is a whole process wherever a person would notice; a channel's limits are never reached, and Zulip's are lifted.
"""

import asyncio
import itertools
import tempfile
from pathlib import Path
from statistics import median

from bench.measure import Row, in_turn
from bench.talk import drain, through
from bench.talk.crossing import ROUNDS, Round, crossed
from bench.talk.idle import FOR_S, idle
from bench.talk.scene import staged
from bot import logs

RUNS = 5
MOST_TIMES = 1.3
LEAST_SHARE = 0.4
MOST_IDLE = 1.0
MOST_MEMORY = 1.5


def run() -> list[Row]:
    """The way there and back, through the disk, at rest, and with much to say."""
    logs.set_up()
    return [*_with_everything(), _through(), *_drained()]


def _with_everything() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        rounds, share = asyncio.run(_at_work_and_at_rest(Path(folder)))
    return [
        _crossing(
            "to Zulip",
            [each.there for each in rounds],
            [each.from_alice + each.on_zulip for each in rounds],
            "ms from saying something in an encrypted room until somebody on Zulip has heard it by an event",
        ),
        _crossing(
            "to Matrix",
            [each.back for each in rounds],
            [each.to_alice + each.on_zulip for each in rounds],
            "ms from posting something on Zulip until somebody in an encrypted room has decrypted it",
        ),
        Row(
            name="at rest",
            ours=share,
            reference=MOST_IDLE,
            what=f"% of a core for a whole bot with Matrix, Zulip and MQTT in {FOR_S:.0f} s in which nobody speaks;"
            " reference: what it may take",
            ratio=share / MOST_IDLE,
            goal="at most 1",
            holds=share <= MOST_IDLE,
        ),
    ]


async def _at_work_and_at_rest(folder: Path) -> tuple[list[Round], float]:
    async with staged(folder) as scene:
        return await crossed(scene), await idle(scene.world.bot.pid)


def _crossing(name: str, ours: list[float], bare: list[float], what: str) -> Row:
    middle, reference = median(ours), median(bare)
    return Row(
        name=name,
        ours=middle,
        reference=reference,
        what=f"{what}, the median of {ROUNDS}; reference: the same on each network alone, together",
        ratio=middle / reference,
        goal=f"at most {MOST_TIMES} times",
        holds=middle <= MOST_TIMES * reference,
    )


def _through() -> Row:
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder:
        fresh = (Path(folder, f"{number}.db") for number in itertools.count())
        model = next(fresh)
        asyncio.run(through.ours(model))
        found = in_turn(
            lambda: asyncio.run(through.ours(next(fresh))), lambda: through.bare(model, next(fresh)), runs=RUNS
        )
    return Row(
        name="through",
        ours=found.ours,
        reference=found.reference,
        what=f"messages/s from {len(through.STANDINGS)} networks in batches of {through.BATCH}: accepted, and a copy of"
        f" each queued for the other; reference: the same rows inserted bare, those of a batch in one commit",
        ratio=found.ratio,
        goal=f"at least {LEAST_SHARE}",
        holds=found.ratio >= LEAST_SHARE,
    )


def _drained() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder:
        found = asyncio.run(drain.drained(Path(folder)))
    return [
        Row(
            name="drain, memory",
            ours=found.largest_mb,
            reference=found.idle_mb,
            what=f"MB at its largest while a bot says {drain.COUNT:,} posts in {len(drain.PAIRS)} topics,"
            f" {'each in its order' if found.in_order else 'NOT IN THEIR ORDER'}; reference: the same bot at rest",
            ratio=found.largest_mb / found.idle_mb,
            goal=f"at most {MOST_MEMORY}, in order",
            holds=found.in_order and found.largest_mb <= MOST_MEMORY * found.idle_mb,
        ),
        Row(
            name="drain, posts/s",
            ours=found.per_second,
            reference=found.bare_per_second,
            what="of those; reference: bare posts, one after the other",
            ratio=found.per_second / found.bare_per_second,
            goal="none",
            holds=True,
        ),
    ]
