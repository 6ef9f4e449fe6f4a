"""What it costs the bot to let a thousand components work: the processor's time for their leases.

It measures at the pace at which components really ask, never faster: a burst is cheaper for each.
"""

from bench.fleet.components import RHYTHM_S
from bench.fleet.run import LEASE_S
from bench.fleet.stage import Who, one_run
from bench.measure import Row, in_turn

RUNS = 5
COUNT = 1000
A_SECOND = COUNT / RHYTHM_S
MOST_SHARE = 15.0
MOST_TIMES = 4.0
ENOUGH = 0.95
"""Of the statements that the fleet should have made."""


def run() -> list[Row]:
    """Compare the bot with an echo."""
    found = in_turn(lambda: _each_us("ours"), lambda: _each_us("bare"), runs=RUNS)
    share, echo = (each * A_SECOND / 10_000 for each in (found.ours, found.reference))
    return [
        Row(
            name=f"{COUNT:,} on leases",
            ours=share,
            reference=echo,
            what=f"% of a core: {A_SECOND:.0f} statements a second, each checked and answered with a signed lease;"
            " reference: a bare client that sends each back as it came",
            ratio=found.ratio,
            goal=f"at most {MOST_SHARE:.0f} %, {MOST_TIMES:.0f} times",
            holds=share <= MOST_SHARE and found.ratio <= MOST_TIMES,
        )
    ]


def _each_us(who: Who) -> float:
    took = one_run(who, "lease", COUNT)
    if took.statements < A_SECOND * LEASE_S * ENOUGH:
        raise SystemExit(f"Only {took.statements} statements were answered in {LEASE_S:.0f} s. Is the machine busy?")
    return took.each_us
