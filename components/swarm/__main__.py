"""`python -m components.swarm ENROLMENT`: a program of its own.

All is compiled before anybody hears of it, and its state lies beside its latch.
"""

import sys
from pathlib import Path

from components.kit import main
from components.swarm.component import desk, swarm
from components.swarm.swarm import warm_up


def beside_latch(arguments: list[str]) -> Path | None:
    """Where the state is kept: by the latch where that is named, else by the enrolment."""
    named = [each for each in arguments if not each.startswith("-")]
    latch = next((each.partition("=")[2] for each in arguments if each.startswith("--latch=")), None)
    if "--latch" in arguments[:-1]:
        latch = arguments[arguments.index("--latch") + 1]
    place = latch or next(iter(named), None)
    return Path(place).with_suffix(".swarm") if place is not None else None


if __name__ == "__main__":
    warm_up()
    desk.path = beside_latch(sys.argv[1:])
    main(swarm)
