"""`!keys`, `!stop-key revoke`, suspension and stop keys: what is taken away is gone at once, and for good."""

import dataclasses
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.stopkeys import StopKeys
from bot.store import Store, Tx, overlay
from bot.store.keychain import last_roster
from bot.system import System
from bot.words.errors import StoreError, UsageError
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Role
from bot.words.plain import to_plain
from commands.keys import revoke, show_keys
from commands.person import resume, suspend
from wire.envelope import PrivateKey, PublicKey

Hang = Callable[[Store], AbstractAsyncContextManager[threading.Event]]
OLGA, OLGA_TOO, OTTO = (PrivateKey(name.ljust(32, b".")).public for name in (b"olga", b"olga's other", b"otto"))
LISTED = {str(OLGA): "olga", str(OLGA_TOO): "olga", str(OTTO): "otto"}


@pytest.fixture
async def call(system: System, people: People) -> Call:
    """Carol, who is a commander, says something."""
    stop_keys = StopKeys(LISTED, people)
    await system.bell.set_stop_keys(stop_keys.counting())
    account = Account("chat", "carol")
    carol = people.holder_of(account)
    assert carol is not None
    message = Message(Place("chat", "room"), account, "$event", "", Standing.ATTESTED, "PHONE", 1, 0.0)
    return Call(os.urandom(16).hex(), carol, message, dataclasses.replace(system, stop_keys=stop_keys))


def counting(call: Call) -> dict[str, str]:
    """Whose stops the bell takes, by the key's id."""
    return {PublicKey.parse(key).id: person for key, person in call.system.bell.stop_keys.items()}


def written(tx: Tx, call: Call) -> None:
    for work in call.written_along:
        work(tx)


async def test_all_keys_are_shown_by_their_ids_and_whose_they_are(call: Call, walker_key: PrivateKey) -> None:
    await revoke.handler(call, OTTO.id)
    call.system.people.suspend("olga")
    shown = to_plain(await show_keys.handler(call))
    assert f"The bot's own key: {call.system.bell.key.id}" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert f"walker {walker_key.public.id}" in lines
    assert f"olga {OLGA.id} not while olga is suspended" in lines
    assert f"otto {OTTO.id} revoked" in lines
    assert "Without a stop key: carol, cleo, vera." in lines
    assert str(OTTO) not in shown


def test_who_may_look_and_who_may_take_away() -> None:
    assert (show_keys.role, show_keys.action) == (Role.OPERATOR, Action.INSPECT)
    assert (revoke.role, revoke.action, revoke.urgent, revoke.demand.two_persons) == (
        Role.COMMANDER, Action.GOVERN, True, False,
    )  # fmt: skip


@pytest.mark.parametrize("typed", [OLGA.id, OLGA.id.upper(), OLGA.id[:6]])
async def test_a_revoked_key_counts_no_more_and_is_kept_so(call: Call, store: Store, typed: str) -> None:
    shown = to_plain(await revoke.handler(call, typed))
    assert f"Revoked: the stop key {OLGA.id} of olga." in shown
    assert "tocsin stop-key issue olga" in shown
    assert counting(call) == {OLGA_TOO.id: "olga", OTTO.id: "otto"}
    assert (await store.read(last_roster)).people == {str(OLGA_TOO): "olga", str(OTTO): "otto"}
    await store.write(lambda tx: written(tx, call))
    (entry,) = await store.read(overlay.entries)
    assert (entry.key, entry.value, entry.by) == (f"stop_keys.{OLGA.id}.revoked", True, "carol")
    assert "Revoked" in to_plain(await revoke.handler(call, typed))  # as after a crash


@pytest.mark.parametrize("typed", ["", "f", OLGA.id[:3], "f" * 16, "olga", str(OLGA)])
async def test_what_names_no_one_key_revokes_nothing(call: Call, typed: str) -> None:
    with pytest.raises(UsageError, match="stop key") as wrong:
        await revoke.handler(call, typed)
    assert "!keys" in wrong.value.hint
    assert len(counting(call)) == 3
    assert call.written_along == []


async def test_who_is_suspended_stops_nothing_by_key_until_they_are_back(call: Call) -> None:
    assert "no stop key of theirs counts" in to_plain(await suspend.handler(call, "olga"))
    assert counting(call) == {OTTO.id: "otto"}
    await resume.handler(call, "olga")
    assert set(counting(call)) == {OLGA.id, OLGA_TOO.id, OTTO.id}


async def test_who_comes_back_does_not_get_a_revoked_key_back(call: Call) -> None:
    await revoke.handler(call, OLGA.id)
    await suspend.handler(call, "olga")
    await resume.handler(call, "olga")
    assert counting(call) == {OLGA_TOO.id: "olga", OTTO.id: "otto"}


async def test_nothing_that_is_taken_away_waits_for_a_disk(call: Call, store: Store, hang_disk: Hang) -> None:
    async with hang_disk(store):
        await revoke.handler(call, OTTO.id)
        await suspend.handler(call, "olga")
        assert counting(call) == {}
        assert (await store.read(last_roster)).people == LISTED  # the disk still hangs
    assert len(call.written_along) == 2


async def test_a_disk_that_refuses_keeps_no_key_alive(people: People) -> None:
    told: list[Mapping[str, str]] = []

    class Full:
        """The bell with a full disk."""

        async def set_stop_keys(self, people: Mapping[str, str]) -> None:
            told.append(people)
            raise StoreError("The disk is full.")

    stop_keys = StopKeys(LISTED, people, revoked=[OTTO.id])
    await stop_keys.tell(Full())
    assert told == [{str(OLGA): "olga", str(OLGA_TOO): "olga"}]
