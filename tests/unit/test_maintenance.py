"""Who works on what is shown beside it, for as long as they said, and over a restart."""

import pytest

from bot.fleet.maintenance import Maintenance
from bot.store import Store, audit, maintenance
from bot.store.maintenance import Work
from bot.words.errors import StoreError
from tests.unit.tower import refuse, take_again
from wire.messages import Target

NOON = 1_800_014_400.0
GROUPS = {"walker": frozenset({"legs"}), "crane": frozenset({"arms"})}


class Clock:
    """Set by the test."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def begun(store: Store, clock: Clock) -> Maintenance:
    return Maintenance(store, lambda component: GROUPS[component], now=clock)


@pytest.mark.parametrize(
    ("target", "meets"),
    [(Target(id="walker"), {"walker"}), (Target(group="arms"), {"crane"}), (Target(), {"walker", "crane"})],
)
async def test_it_is_said_beside_what_is_meant(store: Store, clock: Clock, target: Target, meets: set[str]) -> None:
    work = begun(store, clock)
    await work.begin(target, 7200, "olga")
    said = {each: work.remark(each) for each in GROUPS}
    assert {each for each, remark in said.items() if remark} == meets
    assert set(said.values()) - {""} == {"maintenance until 14:00 UTC, olga"}


async def test_it_ends_by_itself(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await work.begin(Target(), 60, "olga")
    clock.now += 59.9
    assert work.remark("walker")
    clock.now += 0.1
    assert (work.remark("walker"), work.going_on()) == ("", ())


async def test_it_ends_when_somebody_says_so_once(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await work.begin(Target(id="walker"), 60, "olga")
    assert not await work.end(Target(), "otto")
    assert await work.end(Target(id="walker"), "otto")
    assert not await work.end(Target(id="walker"), "otto")
    assert work.remark("walker") == ""
    assert await store.read(maintenance.all_work) == []
    kinds = [entry.kind for entry in await store.read(lambda tx: audit.last(tx, 10))]
    assert kinds.count("maintenance ended") == 1


async def test_who_works_on_the_same_next_takes_its_place(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await work.begin(Target(), 600, "olga")
    await work.begin(Target(), 60, "otto")
    assert [each.person for each in work.going_on()] == ["otto"]


async def test_it_is_known_after_a_restart_and_what_is_over_is_not_shown(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await work.begin(Target(group="legs"), 600, "olga")
    await work.begin(Target(group="arms"), 60, "olga")
    clock.now += 61
    again = begun(store, clock)
    assert again.going_on() == ()
    await again.read()
    assert again.going_on() == (Work("group/legs", NOON + 600, "olga"),)
    assert (bool(again.remark("walker")), again.remark("crane")) == (True, "")


async def test_what_the_disk_refuses_is_not_said_to_be_noted(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await refuse(store, "maintenance")
    with pytest.raises(StoreError):
        await work.begin(Target(), 60, "olga")
    assert work.remark("walker") == ""
    await take_again(store, "maintenance")
    await work.begin(Target(), 60, "olga")
    assert work.remark("walker")


async def test_the_end_on_another_day_says_which(store: Store, clock: Clock) -> None:
    work = begun(store, clock)
    await work.begin(Target(), 86400, "olga")
    assert work.remark("walker") == "maintenance until 2027-01-16 12:00 UTC, olga"
