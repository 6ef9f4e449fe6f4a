"""Commands over MQTT: one and its reply, one to a thousand, and a thousand components that appear.

The bot's side has everything that a command or a birth needs: signatures, checks, the disk with the sealed record. The
reference is a bare asyncio client that has none of that. It never compares what was only sent: answers count.
"""

from bench.measure import Row, in_turn
from bench.wire.scene import What
from bench.wire.stage import one_run

RUNS = 5
COUNT = 1000
MOST_TIMES: dict[What, float] = {"request": 4.0, "recorded": 4.0, "many": 5.0, "fleet": 5.0}


def run() -> list[Row]:
    """Each of the three, ours and the reference in turn."""
    return [
        _row(
            "request",
            1,
            "a request and its reply",
            "ms from an order that is on disk to its judged answer: the signature, the way to a component of the kit,"
            " its check, its signed answer, the check of that; reference: a bare client and a bare echo, QoS 1",
        ),
        _row(
            "recorded",
            1,
            "the same, recorded first",
            "ms from an order that the desk has let through: before the rest, a commit with its row and an entry of the"
            " sealed record; reference: a bare commit of about as many bytes, and the same",
        ),
        _row(
            "many",
            COUNT,
            f"a command to {COUNT:,}",
            f"ms from one order to the last of {COUNT:,} verified answers: a commit with a row for each, one signature"
            " for 256 of them, a message to each, and the disk again for what came of it, 64 at a time; reference: a"
            f" bare client that sends {COUNT:,} messages and counts as many answers",
        ),
        _row(
            "fleet",
            COUNT,
            f"{COUNT:,} discovered",
            f"ms from the moment when {COUNT:,} components begin to connect until the bot has verified birth and state"
            f" of each; reference: {COUNT:,} bare connections, one kept message each, until a bare client has heard"
            " all of them",
        ),
    ]


def _row(what: What, count: int, name: str, means: str) -> Row:
    found = in_turn(lambda: one_run("ours", what, count), lambda: one_run("bare", what, count), runs=RUNS)
    most = MOST_TIMES[what]
    return Row(
        name=name,
        ours=found.ours,
        reference=found.reference,
        what=means,
        ratio=found.ratio,
        goal=f"at most {most:.0f} times",
        holds=found.ratio <= most,
    )
