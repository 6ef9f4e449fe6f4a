"""Who is on no list and may read in an open room: how they get its key, and that they hold up nobody."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bot.words.errors import Unreachable
from bot.words.people import Account, People, Person, Role
from bridges.matrix.connection import Connection
from bridges.matrix.explaining import NO_DEVICE, NO_IDENTITY, NO_KEYS, NOT_TOLD, OUR_ID, Explainer
from bridges.matrix.guests import Guests
from bridges.matrix.sending import Speaker
from bridges.matrix.trust import Trust
from bridges.matrix.withheld import Withheld
from demo.odd import ALICE, BOT, ROOM, VERA, Answer, Odd, batch, signed_by_its_owner
from demo.operator import PinsInMemory

SOON_S = 10.0
OTHER = "!other:example.org"
CROWD = tuple(f"@guest-{number}:example.org" for number in range(450))


class Lobby:
    """The bot in an open room with alice, who is listed, and with guests, of whom vera has a device."""

    def __init__(self, odd: Odd, bot: Connection, vera: Connection, keys: Answer) -> None:
        self.odd = odd
        self.bot = bot
        self.vera = vera
        self.keys = keys
        self.open = {ROOM}
        self.ours = {ALICE}
        self.listed = {ALICE}
        self.trust = Trust(
            bot,
            lambda: frozenset(self.listed),
            PinsInMemory(),
            Guests(bot, lambda user: user in self.ours, self.open),
        )
        self.speaker = Speaker(bot, self.trust)

    async def say(self, words: str) -> str:
        """Have the bot say something, and return the id of the key that it is encrypted with."""
        async with asyncio.timeout(SOON_S):
            await self.speaker.say(ROOM, {"msgtype": "m.text", "body": words}, key=words)
        return self.odd.bodies(f"/rooms/{ROOM}/send/")[-1]["session_id"]

    def holders(self) -> set[str]:
        """Who may have the key that the bot uses now."""
        return {user for user, _ in self.bot.olm.outbound_group_sessions[ROOM].users_shared_with}

    def reached(self) -> list[str]:
        """To whom a key was sent, time after time."""
        return [user for body in self.odd.bodies("/sendToDevice/") for user in body["messages"]]

    def asked_for(self) -> list[set[str]]:
        """Whose keys were asked for, question by question."""
        return [{*body["device_keys"]} for body in self.odd.bodies("/keys/query")]

    def comes(self, user: str) -> None:
        self.bot.client.rooms[ROOM].add_member(user, "", "")

    def goes(self, user: str) -> None:
        del self.bot.client.rooms[ROOM].users[user]


def one_time_key_of(device: Connection) -> Answer:
    name, key = next(iter(device.olm.share_keys()["one_time_keys"].items()))
    return {"one_time_keys": {device.login.user: {device.login.device: {name: key}}}, "failures": {}}


@pytest.fixture
async def lobby(tmp_path: Path) -> AsyncGenerator[Lobby]:
    async with contextlib.AsyncExitStack() as stack:
        odd = await stack.enter_async_context(Odd().running())
        bot = await stack.enter_async_context(odd.device(BOT, "TOCSIN", tmp_path / "bot"))
        alice = await stack.enter_async_context(odd.device(ALICE, "PHONE", tmp_path / "alice"))
        vera = await stack.enter_async_context(odd.device(VERA, "TABLET", tmp_path / "vera"))
        keys: Answer = {"failures": {}}
        claims: Answer = {"one_time_keys": {}, "failures": {}}
        for device in (alice, vera):
            for section, entries in signed_by_its_owner(device).items():
                keys.setdefault(section, {}).update(entries)
            claims["one_time_keys"] |= one_time_key_of(device)["one_time_keys"]
        odd.answers |= {"/keys/query": keys, "/keys/claim": claims, "/rooms/": {"event_id": "$said"}}
        members: Answer = {"joined": {user: {} for user in (BOT, ALICE, VERA)}}
        odd.answers = {f"/rooms/{ROOM}/joined_members": members} | odd.answers
        encryption: Answer = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        joins: list[Answer] = [
            {"type": "m.room.member", "state_key": user, "sender": user, "content": {"membership": "join"}}
            for user in (BOT, ALICE, VERA)
        ]
        state = tuple(
            {"event_id": f"${number}", "origin_server_ts": 1, "sender": ALICE, "state_key": "", **each}
            for number, each in enumerate((encryption, *joins))
        )
        odd.batches.put_nowait(batch("one", state=state))
        await bot.sync(None, full_state=True)
        await bot.know_members(bot.client.rooms[ROOM])
        room = Lobby(odd, bot, vera, keys)
        yield room
        await room.speaker.finish()


async def test_a_guest_gets_the_key_once_and_can_open_it(lobby: Lobby) -> None:
    key = await lobby.say("one")
    assert await lobby.say("two") == key
    assert sorted(lobby.reached()) == [ALICE, VERA]
    assert lobby.holders() == {ALICE, VERA}
    (body,) = [body for body in lobby.odd.bodies("/sendToDevice/") if VERA in body["messages"]]
    sealed: Answer = {"sender": BOT, "type": "m.room.encrypted", "content": body["messages"][VERA]["TABLET"]}
    lobby.odd.batches.put_nowait(batch("hers") | {"to_device": {"events": [sealed]}})
    await lobby.vera.sync(None, full_state=True)
    sender_key = lobby.bot.olm.account.identity_keys["curve25519"]
    assert lobby.vera.olm.inbound_group_store.get(ROOM, sender_key, key) is not None


async def test_the_library_never_hears_of_a_guest(lobby: Lobby) -> None:
    await lobby.say("one")
    assert {device.user_id for device in lobby.bot.olm.device_store} == {ALICE}


async def test_a_device_that_its_owner_has_not_signed_gets_no_key(lobby: Lobby) -> None:
    lobby.keys["self_signing_keys"].pop(VERA)
    await lobby.say("one")
    assert lobby.reached() == [ALICE]


@pytest.mark.parametrize("why", ["suspended", "invited", "gone", "closed"])
async def test_who_may_not_read_any_more_makes_a_new_key_and_does_not_get_it(lobby: Lobby, why: str) -> None:
    first = await lobby.say("with vera")
    match why:
        case "suspended":
            lobby.ours.add(VERA)
        case "invited":
            lobby.bot.client.rooms[ROOM].users[VERA].invited = True
        case "gone":
            lobby.goes(VERA)
        case _:
            lobby.open.clear()
    assert await lobby.say("without vera") != first
    assert lobby.holders() == {ALICE}
    assert sorted(lobby.reached()) == [ALICE, ALICE, VERA]


async def test_who_is_suspended_while_guests_are_served_has_no_key_that_is_used(lobby: Lobby) -> None:
    lobby.goes(VERA)
    first = await lobby.say("with alice")
    lobby.comes(VERA)
    lobby.odd.meanwhile["/keys/claim"] = lobby.listed.clear
    with pytest.raises(Unreachable, match="changed while its key was shared"):
        await lobby.say("one")
    assert len(lobby.odd.bodies(f"/rooms/{ROOM}/send/")) == 1
    assert await lobby.say("without alice") != first
    assert ALICE not in lobby.holders()


async def test_a_guest_who_goes_while_others_are_served_holds_up_nobody(lobby: Lobby) -> None:
    first = await lobby.say("with vera")
    lobby.comes(CROWD[0])
    lobby.odd.meanwhile["/keys/query"] = lambda: lobby.goes(VERA)
    assert await lobby.say("without vera") != first
    assert lobby.holders() == {ALICE}


async def test_a_guest_who_comes_later_gets_the_same_key(lobby: Lobby) -> None:
    lobby.goes(VERA)
    first = await lobby.say("one")
    assert lobby.holders() == {ALICE}
    lobby.comes(VERA)
    assert await lobby.say("two") == first
    assert lobby.holders() == {ALICE, VERA}


async def test_the_devices_of_a_guest_are_asked_for_anew_when_they_change(lobby: Lobby) -> None:
    await lobby.say("one")
    lobby.keys["device_keys"][VERA] = {}
    lobby.bot.olm.users_for_key_query.add(VERA)
    await lobby.say("two")
    assert lobby.holders() == {ALICE}
    assert lobby.asked_for().count({VERA}) == 2


async def test_a_crowd_is_asked_for_in_parts_and_served_once(lobby: Lobby) -> None:
    for guest in CROWD:
        lobby.comes(guest)
    await lobby.say("one")
    await lobby.say("two")
    asked = [users for users in lobby.asked_for() if users != {ALICE}]
    assert [len(users) for users in asked] == [200, 200, 51]
    assert set[str]().union(*asked) == {VERA, *CROWD}


async def test_a_homeserver_that_does_not_answer_for_its_guests_holds_up_nobody(lobby: Lobby) -> None:
    lobby.comes("@far:away.example")
    lobby.keys["failures"] = {"away.example": {}}
    await lobby.say("one")
    await lobby.say("two")
    assert lobby.holders() == {ALICE, VERA}
    assert sum("@far:away.example" in users for users in lobby.asked_for()) == 1


async def test_a_guest_who_never_answers_waits_alone(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridges.matrix.guests.MAY_TAKE_S", 0.0)
    first = await lobby.say("one")
    assert lobby.reached() == [ALICE]
    monkeypatch.setattr("bridges.matrix.guests.MAY_TAKE_S", SOON_S)
    assert await lobby.say("two") == first
    assert lobby.holders() == {ALICE, VERA}


async def test_what_the_homeserver_refuses_to_pass_on_to_guests_holds_up_nobody(lobby: Lobby) -> None:
    lobby.ours.add(VERA)
    first = await lobby.say("one")
    lobby.ours.remove(VERA)
    lobby.odd.statuses["/keys/claim"] = 400
    assert await lobby.say("two") == first
    assert lobby.holders() == {ALICE}
    lobby.odd.statuses.clear()
    assert await lobby.say("three") == first
    assert lobby.holders() == {ALICE, VERA}


async def test_a_device_without_one_time_keys_is_not_asked_for_each_message(lobby: Lobby) -> None:
    claims: Any = lobby.odd.answers["/keys/claim"]
    claims["one_time_keys"].pop(VERA)
    await lobby.say("one")
    await lobby.say("two")
    assert sum(VERA in body["one_time_keys"] for body in lobby.odd.bodies("/keys/claim")) == 1
    assert lobby.holders() == {ALICE}


@pytest.mark.parametrize("odd", [None, [], {"key": 1}, {"key": "x" * 43}, {"key": "A" * 43, "signatures": {}}])
async def test_a_malformed_one_time_key_of_a_guest_is_their_own_affair(lobby: Lobby, odd: object) -> None:
    claims: Any = lobby.odd.answers["/keys/claim"]
    claims["one_time_keys"][VERA] = {"TABLET": {"signed_curve25519:AAAA": odd}}
    await lobby.say("one")
    assert lobby.holders() == {ALICE}


async def test_a_one_time_key_that_the_device_has_not_signed_is_not_used(lobby: Lobby) -> None:
    claims: Any = lobby.odd.answers["/keys/claim"]
    claims["one_time_keys"][VERA] = {"TABLET": claims["one_time_keys"][ALICE]["PHONE"]}
    await lobby.say("one")
    assert lobby.holders() == {ALICE}


async def test_why_a_device_cannot_read_is_told_from_what_is_known(lobby: Lobby) -> None:
    people = People((Person("alice", Role.OPERATOR, frozenset({Account("matrix", ALICE)})),))
    explainer = Explainer(lobby.bot, lobby.trust, Withheld(lobby.trust.counts), people)

    def reasons() -> dict[tuple[str, str], str]:
        return {(each.account.id, each.device): each.why for each in explainer.reach(ROOM) or ()}

    assert reasons() == {(ALICE, ""): NOT_TOLD[0], (VERA, ""): NOT_TOLD[0]}
    lobby.odd.answers["/keys/claim"] = {"one_time_keys": {}, "failures": {}}
    await lobby.say("nobody has keys")
    assert reasons() == {(ALICE, "PHONE"): NO_KEYS[0], (VERA, "TABLET"): NO_KEYS[0]}
    lobby.keys["master_keys"].pop(ALICE)
    lobby.keys["device_keys"][VERA] = {}
    lobby.bot.olm.users_for_key_query |= {ALICE, VERA}
    await lobby.say("nobody has an identity")
    assert reasons() == {(ALICE, "PHONE"): NO_IDENTITY[0], (VERA, ""): NO_DEVICE[0]}
    assert explainer.reach(OTHER) is None


async def test_the_device_that_bears_the_id_of_the_bots_is_told(lobby: Lobby, tmp_path: Path) -> None:
    async with lobby.odd.device(ALICE, "TOCSIN", tmp_path / "same") as same:
        for section, entries in signed_by_its_owner(same).items():
            if section != "failures":
                lobby.keys[section].update(entries)
    await lobby.say("one")
    explainer = Explainer(lobby.bot, lobby.trust, Withheld(lobby.trust.counts), People())
    assert OUR_ID[0] in {each.why for each in explainer.reach(ROOM) or ()}
