"""`!verify`, as people type it at the console. The network is one in memory that shows what a test wants."""

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from bot.bridge import Comparison
from bot.desk.call import Call
from bot.system import System
from bot.words.errors import Refused, UsageError
from bot.words.message import Standing
from bot.words.people import Account
from bot.words.plain import to_plain
from commands.verify import verify, verify_no, verify_yes

OLGA = Account("chat", "olga")
SHOWN = Comparison("K7QF", OLGA, "PHONE", "shown", "", (("🐶", "Dog"), ("🔥", "Fire")))


class Network:
    """Where people can compare."""

    def __init__(self, *shown: Comparison) -> None:
        self.shown = shown
        self.asked: list[Account] = []
        self.decided: list[tuple[str, bool]] = []

    def comparisons(self) -> Sequence[Comparison]:
        return self.shown

    async def ask_to_compare(self, account: Account) -> None:
        self.asked.append(account)

    async def decide(self, code: str, *, same: bool) -> None:
        self.decided.append((code, same))


@pytest.fixture
def at_console(ask: Callable[[str], Call], system: System) -> Callable[[Network], Call]:
    def call(network: Network) -> Call:
        asked = ask("carol")
        return dataclasses.replace(
            asked,
            message=dataclasses.replace(asked.message, standing=Standing.LOCAL),
            system=dataclasses.replace(system, verifying=lambda: {"chat": network}),
        )

    return call


async def test_it_is_done_at_the_console_and_nowhere_else(ask: Callable[[str], Call]) -> None:
    for handler in (verify.handler(ask("carol")), verify_yes.handler(ask("carol"), "K7QF")):
        with pytest.raises(Refused, match="compared at the console"):
            await handler


async def test_it_shows_what_to_compare_and_what_to_type(at_console: Callable[[Network], Call]) -> None:
    said = to_plain(await verify.handler(at_console(Network(SHOWN))))
    assert "olga on PHONE – compare these emoji" in said
    assert "🐶 Dog   🔥 Fire" in said
    assert "!verify yes K7QF" in said
    assert "!verify no K7QF" in said


@pytest.mark.parametrize(
    ("state", "why", "said"),
    [
        ("asked", "", "was asked, and has not answered"),
        ("ready", "", "the emoji come in a moment"),
        ("confirmed", "", "the other side has not yet"),
        ("done", "", "olga on PHONE – verified"),
        ("ended", "it took too long", "not verified: it took too long"),
    ],
)
async def test_it_says_how_far_each_is(at_console: Callable[[Network], Call], state: str, why: str, said: str) -> None:
    shown = to_plain(await verify.handler(at_console(Network(dataclasses.replace(SHOWN, state=state, why=why)))))
    assert said in shown
    assert "Dog" not in shown


async def test_it_asks_a_person_where_that_can_be(at_console: Callable[[Network], Call]) -> None:
    network = Network()
    assert "Nobody is being verified" in to_plain(await verify.handler(at_console(network)))
    assert "olga is asked on olga" in to_plain(await verify.handler(at_console(network), "olga"))
    assert network.asked == [OLGA]
    call = at_console(network)
    nowhere = dataclasses.replace(call, system=dataclasses.replace(call.system, verifying=dict))
    with pytest.raises(UsageError, match="no account where people can be verified"):
        await verify.handler(nowhere, "olga")


async def test_what_a_person_has_seen_is_passed_on(at_console: Callable[[Network], Call]) -> None:
    network = Network(SHOWN)
    assert "Confirmed" in to_plain(await verify_yes.handler(at_console(network), "k7qf"))
    assert "somebody stands between the two of you" in to_plain(await verify_no.handler(at_console(network), "K7QF"))
    assert network.decided == [("k7qf", True), ("K7QF", False)]
    with pytest.raises(UsageError, match="nothing to compare"):
        await verify_yes.handler(at_console(network), "ZZZZ")
