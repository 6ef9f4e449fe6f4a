"""How soon everybody is known to have stopped: from the order in a room to the last signed answer.

It counts what the bell counts, and never what was only sent. The reference is a bare client that signs, checks and
records nothing. Both wait for the same fleet, in one process for all, which signs each statement when it makes it.
"""

from collections.abc import Callable
from statistics import median, quantiles

from bench.fleet.run import COUNT_WITHIN_S, ORDERS, Took
from bench.fleet.stage import Untuned, Who, one_run
from bench.measure import Row, in_turn

RUNS = 5
FLEETS = (10, 100, 1000)
MOST_ORDER_MS = 50.0
MOST_TIMES = 3.5
MANY = 2000


def run() -> list[Row]:
    """Orders first, then fleets of growing size, then a broker that nobody has tuned."""
    rows = [_orders()]
    for count in FLEETS:
        rows += _fleet(count)
    rows.append(_untuned())
    return rows


def _orders() -> Row:
    found = in_turn(lambda: _p99("ours"), lambda: _p99("bare"), runs=RUNS)
    return Row(
        name="order, p99",
        ours=found.ours,
        reference=found.reference,
        what=f"ms from the message to the broker's acknowledgement of its stop, the slowest in a hundred of {ORDERS}"
        " stops of one component each; reference: a bare client's publish",
        ratio=found.ratio,
        goal=f"at most {MOST_ORDER_MS:.0f} ms",
        holds=found.ours <= MOST_ORDER_MS,
    )


def _fleet(count: int) -> list[Row]:
    taken: dict[Who, list[Took]] = {"ours": [], "bare": []}

    def side(who: Who) -> Callable[[], float]:
        def measure() -> float:
            took = one_run(who, "stop", count)
            if took.missing:
                raise SystemExit(f"{took.missing} of {count} were not counted within {COUNT_WITHIN_S:.0f} s ({who}).")
            taken[who].append(took)
            return took.counted_ms

        return measure

    counted = in_turn(side("ours"), side("bare"), runs=RUNS)
    order, publish = (median(each.orders_ms[0] for each in taken[who][1:]) for who in ("ours", "bare"))
    return [
        Row(
            name=f"order of {count:,}",
            ours=order,
            reference=publish,
            what="ms from the message `!shutdown all` to the broker's acknowledgement of the stop; reference: a bare"
            " client's publish",
            ratio=order / publish,
            goal=f"at most {MOST_ORDER_MS:.0f} ms",
            holds=order <= MOST_ORDER_MS,
        ),
        Row(
            name=f"{count:,} stopped",
            ours=counted.ours,
            reference=counted.reference,
            what=f"ms from handing the stop to the connection until the last of {count:,} is counted as stopped, its"
            " signature checked; reference: a bare client that checks none",
            ratio=counted.ratio,
            goal=f"at most {MOST_TIMES} times",
            holds=counted.ratio <= MOST_TIMES,
        ),
    ]


def _untuned() -> Row:
    ours = min(MANY - one_run("ours", "stop", MANY, Untuned).missing for _ in range(RUNS))
    return Row(
        name="untuned broker",
        ours=ours,
        reference=MANY,
        what=f"the fewest components of {MANY:,} that are counted within {COUNT_WITHIN_S:.0f} s, on a mosquitto with no"
        " settings but its listener; reference: all of them",
        ratio=ours / MANY,
        goal="all",
        holds=ours == MANY,
    )


def _p99(who: Who) -> float:
    took = one_run(who, "orders", ORDERS)
    if took.missing:
        raise SystemExit(f"{took.missing} of {ORDERS} were not counted within {COUNT_WITHIN_S:.0f} s.")
    return quantiles(took.orders_ms, n=100)[98]
