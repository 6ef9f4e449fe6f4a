"""What is said of an hour at its end: what was wrong with it, and one table."""

import collections
import json
import statistics

from tests.faults.hour import SEED, Hour
from tests.faults.hour_world import World
from wire.clock import boot_clock
from wire.work import JobState

MORE_MEMORY = 48 * 1024 * 1024
"""What the bot may grow by: a few pictures on their way at once, each with its copies, and what the allocator keeps for
the threads that render. All queues have their bounds, so nothing grows with the hour."""
DATABASE_FIRST = 4 * 1024 * 1024
"""For what is written beside the database before it is taken over: SQLite does that after a thousand pages."""
DATABASE_PER_QUESTION = 48 * 1024
"""A question, its records, its answer; a third of them is a picture, and its words go later."""
TOLD = ("warning", "error", "critical")


def wrong(world: World, hour: Hour) -> list[str]:
    """All that must not be."""
    watch, tally = world.watch, hour.tally
    found = list(watch.wrong)
    lost = [each for each in watch.accepted() if [state for _, state in each.ends] != [JobState.DONE]]
    found += [f"a job of {each.component} ended as {sorted(each.ends)}" for each in lost]
    if incidents := world.incidents():
        found.append(f"there are {incidents} incidents")
    found += [f"a trace stands in {each.name}" for each in world.logs if b"Traceback" in each.read_bytes()]
    if tally.memory[-1] - tally.memory[0] > MORE_MEMORY:
        found.append(f"the bot grew from {tally.memory[0]} to {tally.memory[-1]} bytes")
    if world.database_bytes - hour.database > DATABASE_FIRST + tally.asked * DATABASE_PER_QUESTION:
        found.append(f"the database grew from {hour.database} to {world.database_bytes} bytes")
    return found


def summary(world: World, hour: Hour) -> list[str]:
    """One table."""
    watch, tally = world.watch, hour.tally
    answers = ", ".join(f"{count} {how}" for how, count in tally.answers.items())
    gone_on = sum(each.held > 0 for each in watch.accepted())
    memory = [each / 2**20 for each in tally.memory]
    rows = {
        "lasted": f"{(boot_clock() - hour.began) / 60:.1f} min, seed {SEED}",
        "restarts of the bot": f"{len(watch.absences)}; all served after {_range(tally.returns)}",
        "homeserver away": f"{tally.absent_homeserver} × {hour.plan.homeserver_away_s:.0f} s",
        "full disk": tally.full_disk,
        "statements, leases, drills": f"{watch.states}, {watch.leases}, {watch.drills}",
        "held, around restarts": f"{len(watch.held)} times; for {_range(watch.held)}",
        "spare": f"{_range(watch.spares)}, at {len(watch.spares)} questions",
        "spare around restarts": f"{_range(watch.thin)}, at {len(watch.thin)} questions",
        "jobs": f"{len(watch.accepted())} accepted, {watch.jobs_done()} ended, {gone_on} of them held and gone on; "
        f"{tally.refused_jobs} refused",
        "questions": f"{tally.asked}: {answers}",
        "event loop kept waiting": _range(tally.lags),
        "memory of the bot": f"{memory[0]:.1f} MiB, at the end {memory[-1]:.1f}, at most {max(memory):.1f}",
        "its database": f"{hour.database / 2**20:.2f} MiB, at the end {world.database_bytes / 2**20:.2f}",
        "its log": _log(world),
        "wrong": str(len(wrong(world, hour))),
    }
    return [f"{name:<28}{value}" for name, value in rows.items()]


def _log(world: World) -> str:
    """What it has warned of, and how often."""
    lines = world.bot.log.read_text(encoding="utf-8", errors="replace").splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    told = collections.Counter(str(each["event"]) for each in entries if each.get("level") in TOLD)
    return "; ".join(f"{count} × {event}" for event, count in told.most_common()) or "no warning"


def _range(values: list[float]) -> str:
    """The smallest, the median, and the largest."""
    if not values:
        return "–"
    return f"{min(values):.2f} … {statistics.median(values):.2f} … {max(values):.2f} s"
