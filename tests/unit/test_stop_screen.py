"""The table of `tocsin stop`: who has not stopped catches the eye, however many there are, and a claim is no proof."""

import re

from bot.stop.bykey import Sight
from bot.words.plain import to_plain
from bridges.console.stop_screen import MOST_EACH, MOST_ROWS, standing
from wire.messages import Shown


def still(number: int, *, verified: bool = True) -> Sight:
    return Sight(f"walk-{number:03d}", verified, Shown.STOPPED, latched=True, stopped_after_s=0.1 + number / 100)


def running(number: int) -> Sight:
    return Sight(f"walk-{number:03d}", verified=True, shown=Shown.BUSY)


def rows(*sights: Sight) -> list[list[str]]:
    return [re.split(r"\s{2,}", line) for line in to_plain(standing(sights)).splitlines()]


def test_a_few_are_shown_one_by_one() -> None:
    few = [still(number) for number in range(MOST_EACH)]
    assert [row[0] for row in rows(*few)] == ["component", *(each.component for each in few)]


def test_of_a_crowd_those_who_have_stopped_are_one_row_and_nobody_else_is() -> None:
    crowd = [still(number) for number in range(2, 60)]
    assert rows(running(0), still(1, verified=False), *crowd) == [
        ["component", "says", "after"],
        ["walk-000", "no answer, was busy", "–"],
        ["walk-001", "says stopped, not verified", "0.11 s"],
        ["58 components", "stopped", "0.12 – 0.69 s"],
    ]


def test_a_crowd_that_runs_is_cut_off_and_counted() -> None:
    shown = rows(*(running(number) for number in range(MOST_ROWS + 5)), still(999))
    assert len(shown) == 1 + MOST_ROWS + 2
    assert [row[0] for row in shown[-2:]] == ["and 5 more", "walk-999"]


def test_nobody_is_said_to_be_nobody() -> None:
    assert "Nobody is known yet" in to_plain(standing(()))
