"""Each guard of the stop machine is taken out in turn, and the histories notice. Else they would prove nothing."""

import pytest

from tests.simulator.guards import MUTANTS, UNNOTICED, Mutant
from tests.simulator.many import broken
from tests.simulator.mutants import parts

ENOUGH = 3_000


@pytest.mark.parametrize("name", MUTANTS)
def test_a_guard_that_is_taken_out_is_missed(name: str) -> None:
    seed, fault = next(broken(range(ENOUGH), name), (None, None))
    assert seed is not None, f"{ENOUGH} histories did not notice that this is gone: {MUTANTS[name].guard}"
    assert fault is not None
    assert fault.rule


@pytest.mark.parametrize("name", UNNOTICED)
def test_a_guard_that_others_cover_is_not_missed(name: str) -> None:
    assert next(broken(range(300), name), None) is None, f"It is missed now: move {name} up to MUTANTS."


def test_a_mutant_of_words_that_are_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MUTANTS, "gone", Mutant("gone", {"latch": (("not there at all", ""),)}))
    with pytest.raises(LookupError, match="0 times"):
        parts("gone")
