"""What a study came to, in numbers: small enough for one answer, with their spread over the seeds."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from components.swarm import law
from components.swarm.order import Order
from components.swarm.study import Study
from components.swarm.trial import Case, Outcome

MOST_POINTS = 200
MOST_MARKS = 40


def result_of(study: Study) -> dict[str, Any]:
    """Flat where there is one case, a list of such where there are more."""
    points = MOST_POINTS // len(study.cases)
    told = [
        numbers(case, [each for each in study.outcomes if each.case == index], points)
        for index, case in enumerate(study.cases)
    ]
    head: dict[str, Any] = {"simulated": True, "order": _said(study.order)}
    return head | (told[0] if len(told) == 1 else {"cases": told})


def numbers(case: Case, outcomes: Sequence[Outcome], points: int = MOST_POINTS) -> dict[str, Any]:
    """One case."""
    reached = [each.reached for each in outcomes if each.reached is not None]
    at_start = median(each.damaged_at_start for each in outcomes)
    first = outcomes[0]
    seconds = sum(each.seconds for each in outcomes)
    typical = median(reached) if reached else None
    chosen = _thinned(len(first.curve_steps), points)
    return {
        "bots": case.bots,
        "size": case.size,
        "pattern": case.pattern,
        "intelligence": case.conditions.intelligence,
        "failures": case.conditions.failures,
        "until": case.until,
        "seeds": [each.seed for each in outcomes],
        "seeds_that_reached_it": len(reached),
        "steps": typical,
        "steps_min": min(reached, default=None),
        "steps_max": max(reached, default=None),
        "bound_steps": law.bound(round(at_start), case.bots, case.conditions.rate),
        "law_steps_blind": case.law_steps,
        "ratio_to_law": typical / case.law_steps if typical is not None else None,
        "bots_left": median(each.bots_left for each in outcomes),
        "bots_lost": median(each.bots_lost for each in outcomes),
        "damaged_at_start": at_start,
        "damaged_at_end": median(each.damaged for each in outcomes),
        "repaired": median(each.repaired for each in outcomes),
        "seconds": round(seconds, 3),
        "steps_per_second": round(sum(each.steps for each in outcomes) / seconds, 1) if seconds else None,
        "curve_steps": [first.curve_steps[at] for at in chosen],
        "curve_unrepaired": [round(first.curve_damaged[at] / max(1, first.damaged_at_start), 6) for at in chosen],
        "marks": [list(each) for each in first.marks[:MOST_MARKS]],
    }


def _said(order: Order) -> dict[str, str]:
    usual = Order().texts
    return {name: text for name, text in order.texts.items() if text != usual[name]}


def _thinned(many: int, most: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, many - 1, min(many, most)).round()})
