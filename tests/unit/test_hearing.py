"""Statements are counted before any of them is answered while a stop is counted, and none waits for ever."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from bot.stop import hearing, watch
from bot.stop.bell import Heard
from bot.stop.hearing import Hearing
from bot.store import Store
from tests.unit.tower import ALL, ORIGIN, PATIENCE, A, Component, Tower, tower
from wire.errors import BadMessage


class Ears:
    """A hearing, and what it passed on."""

    def __init__(self, built: Tower) -> None:
        self.tower = built
        self.counted: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.hearing = Hearing(built.bell, heard=self._heard, refused=self._refused)

    def put(self, *components: Component) -> None:
        """Each of them asks."""
        for each in components:
            self.hearing.put(each.name, each.asks())

    def answered(self) -> list[str]:
        """Who was sent a lease, in that order."""
        return [topic.rpartition("/")[2] for topic, _ in self.tower.broker.sent if "/lease/" in topic]

    def _heard(self, heard: Heard) -> None:
        self.counted.append(heard.state.id)

    def _refused(self, component: str, error: BadMessage) -> None:
        self.refused.append((component, str(error)))


@contextlib.asynccontextmanager
async def ears(store: Store, *components: Component) -> AsyncGenerator[Ears]:
    async with tower(store, *components) as built:
        yield Ears(built)


@pytest.fixture
def three() -> list[Component]:
    return [Component(f"walker-{number}") for number in range(3)]


async def test_what_comes_is_counted_and_answered_in_its_order(store: Store, three: list[Component]) -> None:
    async with ears(store, *three) as e:
        e.put(*reversed(three))
        await e.hearing.deal()
        assert e.counted == e.answered() == ["walker-2", "walker-1", "walker-0"]


async def test_of_one_that_asks_twice_only_the_newest_is_answered(store: Store, three: list[Component]) -> None:
    first, *_ = three
    async with ears(store, *three) as e:
        e.put(first, first)
        await e.hearing.deal()
        assert e.counted == ["walker-0", "walker-0"]
        e.tower.deliver(first)
        assert first.works
        assert len(e.answered()) == 1


async def test_while_a_stop_is_counted_nobody_is_answered_and_then_everybody_is(
    store: Store, three: list[Component]
) -> None:
    first, second, third = three
    async with ears(store, *three) as e:
        await e.tower.talk(*three)
        await e.tower.bell.order(A, ALL, ORIGIN)
        await e.tower.broker.until(lambda: e.tower.broker.stops() != [])
        e.tower.deliver(*three)
        before = len(e.answered())
        for each in (first, second):
            e.put(each)
            await e.hearing.deal()
            assert e.tower.bell.has_stopped(each.name)
            assert len(e.answered()) == before
        e.put(third)
        await e.hearing.deal()
        assert sorted(e.answered()[before:]) == ["walker-0", "walker-1", "walker-2"]


async def test_who_does_not_stop_keeps_the_others_from_their_answer_for_a_moment_only(
    store: Store, three: list[Component], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = three
    monkeypatch.setattr(hearing, "ANSWER_WITHIN_S", 0.05)
    async with ears(store, *three) as e, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        await e.tower.talk(*three)
        await e.tower.bell.order(A, ALL, ORIGIN)
        before = len(e.answered())
        running = tasks.create_task(e.hearing.run())
        e.put(first)  # and nobody says anything after it
        await e.tower.broker.until(lambda: len(e.answered()) > before)
        assert e.tower.bell.is_counting
        running.cancel()


async def test_a_stop_that_lasts_is_counted_for_a_moment_only(store: Store, three: list[Component]) -> None:
    async with ears(store, *three) as e:
        await e.tower.bell.order(A, ALL, ORIGIN)
        assert e.tower.bell.is_counting
        await e.tower.later(watch.COUNTING_S)
        assert not e.tower.bell.is_counting


async def test_what_does_not_count_is_named_and_keeps_nobody_from_being_heard(
    store: Store, three: list[Component]
) -> None:
    first, second, _ = three
    async with ears(store, *three) as e:
        e.hearing.put(first.name, b"nonsense")
        e.hearing.put(first.name, second.asks())
        e.put(second)
        await e.hearing.deal()
        assert e.counted == e.answered() == ["walker-1"]
        assert [component for component, _ in e.refused] == ["walker-0", "walker-0"]


async def test_too_much_is_dropped_and_counted_and_then_there_is_room_again(
    store: Store, three: list[Component], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = three
    monkeypatch.setattr(hearing, "MOST_BYTES", 3 * len(first.asks()))
    async with ears(store, *three) as e:
        e.put(*[first] * 5)
        assert e.hearing.overrun == 2
        await e.hearing.deal()
        e.put(*three)
        await e.hearing.deal()
        assert e.hearing.overrun == 2
        assert sorted(set(e.answered())) == ["walker-0", "walker-1", "walker-2"]


async def test_who_never_stops_talking_keeps_nobody_from_an_answer(
    store: Store, three: list[Component], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = three
    monkeypatch.setattr(hearing, "ANSWER_WITHIN_S", 0.05)
    async with ears(store, *three) as e, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:

        async def flood() -> None:
            while True:
                e.hearing.put(first.name, b"nonsense")
                await asyncio.sleep(0)

        talking = tasks.create_task(flood())
        running = tasks.create_task(e.hearing.run())
        e.put(second)
        await e.tower.broker.until(lambda: second.name in e.answered())
        talking.cancel()
        e.put(second)
        await e.tower.broker.until(lambda: e.answered().count(second.name) == 2)
        running.cancel()


async def test_one_component_does_not_take_the_room_of_the_others(
    store: Store, three: list[Component], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = three
    monkeypatch.setattr(hearing, "MOST_BYTES", 200 * len(first.asks()))
    async with ears(store, *three) as e:
        e.put(*[first] * 300)
        assert e.hearing.overrun == 300 - hearing.MOST_OF_ONE
        e.put(second)
        await e.hearing.deal()
        assert "walker-1" in e.answered()
        e.put(first)
        await e.hearing.deal()
        assert e.hearing.overrun == 300 - hearing.MOST_OF_ONE


async def test_it_runs_until_it_is_cancelled_and_answers_what_comes(store: Store, three: list[Component]) -> None:
    async with ears(store, *three) as e, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(e.hearing.run())
        for each in three:
            e.put(each)
            await e.tower.broker.until(lambda each=each: each.name in e.answered())
        running.cancel()
