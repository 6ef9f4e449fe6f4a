"""The commands that come with Tocsin, as people call them."""

import os
from collections.abc import Callable

import pytest

from bot.desk.call import Call
from bot.store import Store, incidents
from bot.system import System
from bot.words.errors import UsageError
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People
from bot.words.plain import to_plain
from commands.help import show_help
from commands.shutdown import shutdown
from commands.status import status
from commands.whoami import whoami
from wire.envelope import PrivateKey, seal, unseal
from wire.latch import Kept, Latch
from wire.messages import ROOT, Lease

Ask = Callable[[str], Call]


@pytest.fixture
def ask(system: System, people: People) -> Ask:
    def asked(who: str) -> Call:
        account = Account("chat", who)
        person = people.holder_of(account)
        assert person is not None
        message = Message(Place("chat", "room"), account, "$event", "", Standing.ATTESTED, "PHONE", 1, 0.0)
        return Call(os.urandom(16).hex(), person, message, system)

    return asked


@pytest.mark.parametrize(("who", "sees"), [("vera", False), ("olga", True), ("carol", True)])
async def test_help_shows_what_one_may_do_and_nothing_else(ask: Ask, who: str, sees: bool) -> None:
    shown = to_plain(await show_help.handler(ask(who)))
    assert "!status" in shown
    assert "!help [name]" in shown
    assert ("!shutdown <target>" in shown) is sees


@pytest.mark.parametrize("name", ["shutdown", "!shutdown", "/Shutdown", "stop"])
async def test_help_for_one_command(ask: Ask, name: str) -> None:
    shown = to_plain(await show_help.handler(ask("olga"), name))
    assert shown.startswith("!shutdown <target>")
    assert "Takes the role operator, or a higher one." in shown
    assert "!stop !halt" in shown


@pytest.mark.parametrize("name", ["shutdown", "xyzzy"])
async def test_help_does_not_tell_a_viewer_what_there_is_beyond(ask: Ask, name: str) -> None:
    with pytest.raises(UsageError, match=f"There is no command '{name}' that you may run."):
        await show_help.handler(ask("vera"), name)


async def test_whoami_says_how_one_is_known(ask: Ask) -> None:
    shown = to_plain(await whoami.handler(ask("vera")))
    assert "You are vera." in shown
    for word in ("viewer", "PHONE"):
        assert word in shown


async def test_status_shows_silence_as_silence(ask: Ask) -> None:
    shown = to_plain(await status.handler(ask("vera")))
    assert "walker" in shown
    assert "not heard since I started" in shown
    assert "Open incident" not in shown


async def test_status_shows_what_a_component_says_and_what_is_stopped(
    ask: Ask, system: System, walker_key: PrivateKey, published: list[tuple[str, bytes]]
) -> None:
    latch = Latch("walker", ("legs",), Kept(), write=lambda _: True, random=os.urandom)

    async def speak() -> None:
        said = latch.ask(0.0, "")
        system.registry.heard(await system.bell.heard("walker", seal(walker_key, ROOT, "state", said.to_bytes())))
        bot_key = PrivateKey(b"bot".ljust(32, b".")).public
        latch.lease(Lease.parse(unseal(published[-1][1], ROOT, "lease", bot_key)), 0.0)

    await speak()
    assert "held" in to_plain(await status.handler(ask("vera")))
    await speak()
    assert "ready" in to_plain(await status.handler(ask("vera")))

    await shutdown.handler(ask("olga"), "legs")
    latch.down = True
    while not system.bell.has_stopped("walker"):
        before = len([topic for topic, _ in published if "/lease/" in topic])
        said = latch.ask(0.0, "")
        system.registry.heard(await system.bell.heard("walker", seal(walker_key, ROOT, "state", said.to_bytes())))
        leases = [payload for topic, payload in published if "/lease/" in topic]
        assert len(leases) == before + 1
        latch.lease(Lease.parse(unseal(leases[-1], ROOT, "lease", PrivateKey(b"bot".ljust(32, b".")).public)), 0.0)
        latch.down = True
    shown = to_plain(await status.handler(ask("vera")))
    assert shown.startswith("Open incident ")
    assert "stops group legs." in shown
    assert "stopped" in shown


async def test_shutdown_opens_one_incident_under_the_id_of_the_call(ask: Ask, store: Store) -> None:
    call = ask("olga")
    shown = to_plain(await shutdown.handler(call, "walker"))
    assert shown.startswith("STOPPING walker: 1 component.")
    (row,) = await store.read(incidents.all_incidents)
    assert (row.id, row.target, row.place, row.reply_to) == (call.id, "id/walker", Place("chat", "room"), "$event")


async def test_shutdown_of_what_is_stopped_joins_it(ask: Ask, store: Store) -> None:
    first, second = ask("olga"), ask("carol")
    await shutdown.handler(first, "all")
    shown = to_plain(await shutdown.handler(second, "ALL"))
    assert shown.startswith("ALREADY STOPPING")  # nobody has said that it stands still
    assert f"by incident {first.id[:8]}" in shown
    assert "walker" in shown
    assert len(await store.read(incidents.all_incidents)) == 1


async def test_the_same_shutdown_again_is_the_same(ask: Ask, store: Store) -> None:
    call = ask("olga")
    assert await shutdown.handler(call, "all") == await shutdown.handler(call, "all")
    assert len(await store.read(incidents.all_incidents)) == 1


async def test_a_mistyped_target_stops_nothing(ask: Ask, store: Store, published: list[tuple[str, bytes]]) -> None:
    with pytest.raises(UsageError, match="Nothing was stopped: no component and no group is called 'wolker'") as wrong:
        await shutdown.handler(ask("olga"), "wolker")
    assert "!shutdown walker" in wrong.value.hint
    assert published == []
    assert await store.read(incidents.all_incidents) == []
