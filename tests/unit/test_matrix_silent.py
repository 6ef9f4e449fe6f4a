"""A homeserver of some people that does not answer: others do not wait for it, and it is asked again after a while."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bridges.matrix.connection import Connection
from bridges.matrix.trust import SILENT_AGAIN_S, Trust
from demo.odd import ALICE, BOT, VERA, Answer, Odd, signed_by_its_owner
from demo.operator import PinsInMemory

ASKED = "/keys/query"


@pytest.fixture
async def connection(odd: Odd, tmp_path: Path) -> AsyncGenerator[Connection]:
    async with odd.device(BOT, "TOCSIN", tmp_path / "bot") as connection:
        yield connection


class Clock:
    """The time, as a test wants it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pins() -> PinsInMemory:
    return PinsInMemory()


@pytest.fixture
def trust(connection: Connection, clock: Clock, pins: PinsInMemory) -> Trust:
    return Trust(connection, lambda: frozenset({ALICE, VERA}), pins, clock=clock)


@pytest.fixture
async def answers(odd: Odd, tmp_path: Path) -> AsyncGenerator[dict[str, Answer]]:
    """What each person's homeserver would tell of them."""
    async with (
        odd.device(ALICE, "PHONE", tmp_path / "phone") as phone,
        odd.device(VERA, "CAR", tmp_path / "car") as car,
    ):
        yield {each.login.user: signed_by_its_owner(each) for each in (phone, car)}


def asked_for(odd: Odd) -> list[set[str]]:
    """Of whom each question for keys was, so far."""
    return [set(body["device_keys"]) for body in odd.bodies(ASKED)]


async def test_people_whose_homeserver_is_silent_are_asked_for_again_after_a_while_and_others_meanwhile(
    odd: Odd, connection: Connection, trust: Trust, clock: Clock, answers: dict[str, Answer]
) -> None:
    odd.answers[ASKED] = answers[ALICE] | {"failures": {"vera.example": {"status": 504}}}
    await trust.refresh()
    assert asked_for(odd) == [{ALICE, VERA}]
    alice = trust.judged(ALICE)
    assert alice is not None
    assert [device.id for device in alice.trusted] == ["PHONE"]
    assert trust.judged(VERA) is None
    clock.now_s += SILENT_AGAIN_S - 0.1
    connection.olm.users_for_key_query.add(ALICE)
    await trust.refresh()
    assert asked_for(odd)[1:] == [{ALICE}]
    odd.answers[ASKED] = answers[VERA]
    clock.now_s += 0.1
    await trust.refresh()
    assert asked_for(odd)[2:] == [{VERA}]
    vera = trust.judged(VERA)
    assert vera is not None
    assert [device.id for device in vera.trusted] == ["CAR"]
    await trust.refresh()
    assert len(asked_for(odd)) == 3


async def test_of_whom_people_have_said_something_new_nothing_holds_until_their_homeserver_has_answered(
    odd: Odd, trust: Trust, pins: PinsInMemory, clock: Clock, answers: dict[str, Answer]
) -> None:
    odd.answers[ASKED] = answers[VERA]
    await trust.refresh()
    assert trust.judged(VERA) is not None
    pins.changed.add(VERA)
    odd.answers[ASKED] = {"device_keys": {}, "failures": {"vera.example": {"status": 504}}}
    await trust.refresh()
    assert trust.judged(VERA) is None
    odd.answers[ASKED] = answers[VERA]
    clock.now_s += SILENT_AGAIN_S
    await trust.refresh()
    assert trust.judged(VERA) is not None
