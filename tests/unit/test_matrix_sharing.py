"""Who has the key of what the bot says: all who may read, and nobody else, whatever happens while it is shared."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.words.errors import NetworkError, Unreachable
from bridges.matrix.clear import ClearRooms
from bridges.matrix.connection import Connection
from bridges.matrix.sending import Speaker
from bridges.matrix.trust import Trust
from demo.odd import ALICE, BOT, ROOM, VERA, Answer, Odd, batch, signed_by_its_owner
from demo.operator import PinsInMemory

SOON_S = 10.0
PATH = f"/rooms/{ROOM}/send/"


@dataclasses.dataclass(frozen=True, slots=True)
class Circle:
    """The bot in a room with alice and vera, each with one device that they signed."""

    odd: Odd
    bot: Connection
    listed: set[str]
    speaker: Speaker
    keys: Answer
    """What the homeserver says of all keys."""
    spare: Answer
    """A one-time key of alice."""

    async def say(self, words: str) -> str:
        """Have the bot say something, and return the id of the key that it is encrypted with."""
        before = len(self.odd.bodies(PATH))
        async with asyncio.timeout(SOON_S):
            await self.speaker.say(ROOM, {"msgtype": "m.text", "body": words}, key=words)
        (sent,) = self.odd.bodies(PATH)[before:]
        return sent["session_id"]

    def holders(self, key: str) -> set[str]:
        """Who got the key that the bot uses now, which must be this one."""
        session = self.bot.olm.outbound_group_sessions[ROOM]
        assert session.id == key
        return {user for user, _ in session.users_shared_with}


def one_time_key_of(device: Connection) -> Answer:
    name, key = next(iter(device.olm.share_keys()["one_time_keys"].items()))
    return {name: key}


@contextlib.asynccontextmanager
async def together(folder: Path, *, without_keys: frozenset[str] = frozenset()) -> AsyncGenerator[Circle]:
    """The people, in the room, until the block ends. Of some there are no one-time keys."""
    async with (
        Odd().running() as odd,
        odd.device(BOT, "TOCSIN", folder / "bot") as bot,
        odd.device(ALICE, "PHONE", folder / "alice") as alice,
        odd.device(VERA, "TABLET", folder / "vera") as vera,
    ):
        keys: Answer = {"failures": {}}
        for device in (alice, vera):
            for section, entries in signed_by_its_owner(device).items():
                keys.setdefault(section, {}).update(entries)
        odd.answers["/keys/query"] = keys
        odd.answers["/keys/claim"] = {
            "one_time_keys": {
                device.login.user: {
                    device.login.device: dict([next(iter(device.olm.share_keys()["one_time_keys"].items()))])
                }
                for device in (alice, vera)
                if device.login.user not in without_keys
            },
            "failures": {},
        }
        people = (BOT, ALICE, VERA)
        odd.answers[f"/rooms/{ROOM}/joined_members"] = {"joined": {user: {} for user in people}}
        odd.answers["/rooms/"] = {"event_id": "$said"}
        encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        members = (
            {"type": "m.room.member", "state_key": user, "sender": user, "content": {"membership": "join"}}
            for user in people
        )
        state = tuple(
            {"event_id": f"${number}", "origin_server_ts": 1, "sender": ALICE, **each}
            for number, each in enumerate((encryption, *members))
        )
        odd.batches.put_nowait(batch("one", state=state))
        await bot.sync(None, full_state=True)
        listed = {ALICE, VERA}
        trust = Trust(bot, lambda: frozenset(listed), PinsInMemory())
        yield Circle(odd, bot, listed, Speaker(bot, trust), keys, one_time_key_of(alice))


async def test_one_key_serves_all_for_many_messages(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        first = await circle.say("one")
        assert await circle.say("two") == first
        assert circle.holders(first) == {ALICE, VERA}


async def test_who_is_suspended_while_the_key_is_shared_has_none_that_is_used(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        circle.odd.meanwhile["/sendToDevice/"] = lambda: circle.listed.remove(VERA)
        with pytest.raises(Unreachable, match="changed while its key was shared"):
            await circle.say("one")
        assert not circle.odd.bodies(PATH)
        assert circle.holders(await circle.say("one")) == {ALICE}
        assert {user for body in circle.odd.bodies("/sendToDevice/")[1:] for user in body["messages"]} == {ALICE}


async def test_who_puts_the_bot_out_while_the_key_is_shared_is_told_nothing(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        circle.odd.meanwhile["/sendToDevice/"] = circle.bot.client.rooms.clear
        with pytest.raises(Unreachable, match="changed while its key was shared"):
            await circle.say("one")
        with pytest.raises(NetworkError, match="not in the room"):
            await circle.say("one")
        assert not circle.odd.bodies(PATH)


async def test_what_was_encrypted_once_is_never_spoken_to_in_clear_whatever_the_file_names(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        trust = Trust(circle.bot, lambda: frozenset(circle.listed), PinsInMemory(), clear=ClearRooms([ROOM]))
        speaker = Speaker(circle.bot, trust)
        await speaker.say(ROOM, {"msgtype": "m.text", "body": "one"}, key="one")
        assert "body" not in circle.odd.bodies(PATH)[0]
        room = circle.bot.client.rooms[ROOM]
        room.encrypted = False  # as in the state of a homeserver that lies
        with pytest.raises(NetworkError, match="is not encrypted; nothing is said there"):
            await speaker.say(ROOM, {"msgtype": "m.text", "body": "two"}, key="two")
        assert len(circle.odd.bodies(PATH)) == 1


async def test_who_comes_back_gets_a_key_again(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        used = [await circle.say("with vera")]
        circle.listed.remove(VERA)
        used.append(await circle.say("without vera"))
        assert circle.holders(used[-1]) == {ALICE}
        circle.listed.add(VERA)
        used.append(await circle.say("with vera again"))
        assert circle.holders(used[-1]) == {ALICE, VERA}
        assert len(set(used)) == 3


async def test_a_device_that_is_trusted_no_more_loses_the_key_also_while_another_lacks_it(tmp_path: Path) -> None:
    async with together(tmp_path, without_keys=frozenset({VERA})) as circle:
        first = await circle.say("one")
        assert circle.holders(first) == {ALICE}
        assert await circle.say("two") == first
        circle.keys["master_keys"].pop(ALICE)
        circle.bot.olm.users_for_key_query.add(ALICE)
        second = await circle.say("three")
        assert circle.holders(second) == set()
        assert second != first


async def test_who_had_no_one_time_key_gets_the_same_key_later(tmp_path: Path) -> None:
    async with together(tmp_path, without_keys=frozenset({ALICE})) as circle:
        first = await circle.say("one")
        assert circle.holders(first) == {VERA}
        circle.odd.answers["/keys/claim"] = {"one_time_keys": {ALICE: {"PHONE": circle.spare}}, "failures": {}}
        assert await circle.say("two") == first
        assert circle.holders(first) == {ALICE, VERA}


async def test_an_error_of_the_homeserver_while_the_key_is_shared_is_not_the_end(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        used: list[str] = []
        circle.odd.meanwhile["/sendToDevice/"] = lambda: used.append(circle.bot.olm.outbound_group_sessions[ROOM].id)
        circle.odd.answers["/sendToDevice/"] = {"errcode": "M_LIMIT_EXCEEDED", "error": "too many"}
        circle.odd.statuses["/sendToDevice/"] = 429
        with pytest.raises(Unreachable, match="did not pass the room's key on"):
            await circle.say("one")
        assert not circle.odd.bodies(PATH)
        circle.odd.answers["/sendToDevice/"] = {}
        circle.odd.statuses.clear()
        # Nobody knows whom the first key has reached.
        assert await circle.say("one") not in used
        assert used


async def test_a_caller_who_gives_up_while_a_key_is_claimed_breaks_nothing_off(tmp_path: Path) -> None:
    async with together(tmp_path) as circle, asyncio.timeout(SOON_S):
        saying = asyncio.ensure_future(circle.speaker.say(ROOM, {"msgtype": "m.text", "body": "one"}, key="one"))

        def give_up() -> None:
            saying.cancel()

        circle.odd.meanwhile["/keys/claim"] = give_up
        with pytest.raises(asyncio.CancelledError):
            await saying
        await circle.speaker.say(ROOM, {"msgtype": "m.text", "body": "two"}, key="two")
        one, two = circle.odd.bodies(PATH)
        assert one["session_id"] == two["session_id"]
        assert circle.holders(two["session_id"]) == {ALICE, VERA}


async def test_in_a_room_that_was_just_joined_something_can_be_said_when_its_state_is_there(tmp_path: Path) -> None:
    async with together(tmp_path) as circle:
        room = circle.bot.client.rooms.pop(ROOM)
        circle.odd.answers["/join/"] = {"room_id": ROOM}
        await circle.bot.join(ROOM)
        with pytest.raises(Unreachable, match="has not yet told of the room"):
            await circle.say("one")
        circle.bot.client.rooms[ROOM] = room
        assert circle.holders(await circle.say("one")) == {ALICE, VERA}
