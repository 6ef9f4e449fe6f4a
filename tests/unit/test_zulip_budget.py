"""Requests are spread over what a server takes, and a stop never waits for others."""

from hypothesis import given
from hypothesis import strategies as st

from bot.words.message import Lane
from bridges.zulip.budget import LAST_LANE, EventBudget, WebBudget


def told(limit: int, left: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_each_lane_leaves_room_for_those_before_it() -> None:
    clock = Clock()
    budget = WebBudget(clock)
    for lane in sorted([*Lane, LAST_LANE], reverse=True)[:-1]:
        count = 0
        while not budget.wait_s(lane):
            await budget.turn(lane)
            count += 1
        assert count, lane
    assert not budget.wait_s(Lane.STOP)
    assert 0 < budget.wait_s(Lane.ANSWER) <= 60
    clock.now += 60
    assert not budget.wait_s(LAST_LANE)


async def test_what_others_use_of_the_same_key_counts() -> None:
    clock = Clock()
    budget = WebBudget(clock)
    budget.told(told(200, 20))
    assert budget.wait_s(Lane.ANSWER)
    clock.now += 60
    assert not budget.wait_s(Lane.ANSWER)


def test_where_the_server_takes_nothing_only_a_stop_is_tried() -> None:
    clock = Clock()
    budget = WebBudget(clock)
    budget.closed(12.5)
    assert budget.wait_s(Lane.ANSWER) == 12.5
    assert not budget.wait_s(Lane.STOP)


@given(st.dictionaries(st.sampled_from(["X-RateLimit-Limit", "X-RateLimit-Remaining"]), st.text() | st.just("0")))
def test_odd_headers_change_nothing_for_ever(headers: dict[str, str]) -> None:
    clock = Clock()
    web, events = WebBudget(clock), EventBudget(clock)
    web.told(headers)
    events.told(headers)
    clock.now += 120
    assert not web.wait_s(LAST_LANE)
    assert not events.wait_s()


async def test_polls_are_spread_before_the_bucket_is_full_and_never_for_long() -> None:
    clock = Clock()
    budget = EventBudget(clock)
    count = 0
    while not budget.wait_s():
        await budget.turn()
        budget.told({})  # it has waited, and was counted once more
        count += 1
    assert 80 <= count <= 100
    assert budget.wait_s() < 1
