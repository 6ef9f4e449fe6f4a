"""`!why unreadable`: who cannot read the bot, as a network tells it, and as people are shown it."""

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from bot.bridge import Explaining, Reach
from bot.desk.call import Call
from bot.system import System
from bot.words.errors import UsageError
from bot.words.message import Place
from bot.words.people import Account
from bot.words.plain import to_plain
from commands.why_unreadable import MOST_STRANGERS, why_unreadable

Ask = Callable[[str], Call]
FINE = Reach(Account("chat", "olga"), "PHONE", reads=True, is_read=True)
UNSIGNED = Reach(Account("chat", "carol"), "TABLET", reads=False, is_read=True, why="not signed", remedy="sign it")
KEPT = Reach(Account("chat", "carol-at-home"), "", reads=True, is_read=False, why="keeps keys", remedy="lift it")


def stranger(number: int) -> Reach:
    return Reach(Account("chat", f"@guest-{number}:far.example"), "", reads=False, is_read=True, why="not listed")


class Network:
    """A network where devices need keys."""

    def __init__(self, *reach: Reach) -> None:
        self._reach = reach

    def reach(self, place: Place) -> Sequence[Reach] | None:
        return self._reach if place.network == "chat" and self._reach else None


@pytest.fixture
def asks(ask: Ask, system: System) -> Callable[..., Call]:
    """Olga asks, on a network that tells this; with nothing to tell, the bot is not there."""

    def call(*reach: Reach) -> Call:
        known = dataclasses.replace(system, explaining=lambda: {"chat": Network(*reach)})
        return dataclasses.replace(ask("olga"), system=known)

    return call


async def shown(call: Call, who: str | None = None) -> str:
    return to_plain(await why_unreadable.handler(call, who))


async def test_of_everybody_those_are_shown_with_whom_something_is_wrong(asks: Callable[..., Call]) -> None:
    assert isinstance(Network(), Explaining)
    said = await shown(asks(FINE, UNSIGNED, KEPT))
    lines = {words[0]: words for line in said.splitlines() if (words := line.split())}
    assert {"TABLET", "signed", "sign"} <= {*lines["carol"]} | {*said.split()}
    assert "keeps keys" in said
    assert "olga" not in said
    assert "1 other device is fine." in said


async def test_of_somebody_everything_is_shown(asks: Callable[..., Call]) -> None:
    call = asks(FINE, UNSIGNED, KEPT, stranger(1))
    assert "PHONE" in await shown(call, "olga")
    for name in ("carol", "@Carol"):
        of_carol = await shown(call, name)
        assert "TABLET" in of_carol
        assert "lift it" in of_carol
    for name in ("@guest-1:far.example", "guest-1"):
        assert "not listed" in await shown(call, name)
    with pytest.raises(UsageError, match="Nobody here is"):
        await shown(call, "vera")


async def test_a_crowd_of_strangers_is_counted(asks: Callable[..., Call]) -> None:
    said = await shown(asks(UNSIGNED, *map(stranger, range(MOST_STRANGERS + 7))))
    assert said.count("not listed") == MOST_STRANGERS + 1
    assert "And 7 more of people who are not listed are not." in said
    assert "carol" in said


async def test_where_there_is_nothing_to_tell_it_is_said(ask: Ask, asks: Callable[..., Call]) -> None:
    assert "Everybody here can read the bot" in await shown(asks(FINE))
    assert "not connected" in await shown(asks())
    assert "On the network chat the bot knows of no devices" in await shown(ask("olga"))
