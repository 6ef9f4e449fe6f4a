"""Keys: what is offered of ours, what outlives a restart, how long those of rooms serve, why others keep theirs."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from nio import BadEvent, MegolmEvent, RoomEncryptionEvent, UnknownToDeviceEvent
from vodozemac import Account, Curve25519PublicKey

from bot.words.errors import SettingsError, Unreachable
from bridges.matrix.connection import Connection
from bridges.matrix.offered_keys import lacking, lacks_fallback, taken
from bridges.matrix.rotation import LONGEST, MOST_MESSAGES, SHORTEST, Rotation, rotation_of
from bridges.matrix.withheld import CAUSES, MOST_REMEMBERED, OTHER, Withheld
from demo.odd import ALICE, BOT, ROOM, VERA, Odd, batch, said

COUNTS = {"one_time_key_counts": {"signed_curve25519": 50}}
KIND = "signed_curve25519"


def only(keys: dict[str, Any]) -> tuple[str, str]:
    """The name of the one fallback key, and the key."""
    ((name, key),) = keys["fallback_keys"].items()
    assert key["fallback"] is True
    return name, key["key"]


async def test_the_first_upload_has_all_there_is_and_the_next_has_nothing(tmp_path: Path) -> None:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path) as bot:
        await bot.upkeep()
        (first,) = odd.bodies("/keys/upload")
        assert first.keys() == {"device_keys", "one_time_keys", "fallback_keys"}
        assert len(first["one_time_keys"]) == bot.olm.account.max_one_time_keys
        only(first)
        await bot.upkeep()
        assert len(odd.bodies("/keys/upload")) == 1


async def test_a_fallback_key_that_was_used_is_followed_by_another_once(tmp_path: Path) -> None:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path) as bot:
        await bot.upkeep()
        for unused in ([KIND], [], [KIND]):
            odd.batches.put_nowait({**batch(str(unused)), "device_unused_fallback_key_types": unused})
            await bot.sync(None, full_state=True)
            for _ in range(2):
                await bot.upkeep()
        first, second = odd.bodies("/keys/upload")
        assert second.keys() == {"fallback_keys"}
        assert only(second) != only(first)


async def test_a_server_that_knows_no_fallback_keys_is_not_pressed(tmp_path: Path) -> None:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path) as bot:
        await bot.upkeep()
        odd.batches.put_nowait(batch("one"))
        await bot.sync(None, full_state=True)
        await bot.upkeep()
        assert len(odd.bodies("/keys/upload")) == 1


async def test_what_was_offered_before_a_crash_is_offered_again_after_it(tmp_path: Path) -> None:
    async with Odd().running() as odd:
        odd.answers["/keys/upload"] = {"one_time_key_counts": "many"}
        for _ in range(2):
            async with odd.device(BOT, "TOCSIN", tmp_path) as bot:
                with pytest.raises(Unreachable):
                    await bot.upkeep()
                with pytest.raises(Unreachable):
                    await bot.upkeep()
        first, *later = odd.bodies("/keys/upload")
        for each in later:
            assert each["fallback_keys"].keys() == first["fallback_keys"].keys()
            assert {name: key["key"] for name, key in each["one_time_keys"].items()} == {
                name: key["key"] for name, key in first["one_time_keys"].items()
            }


async def test_the_fallback_key_before_still_opens_after_a_restart(tmp_path: Path) -> None:
    async with Odd().running() as odd:
        offered: list[str] = []
        async with odd.device(BOT, "TOCSIN", tmp_path) as bot:
            own = bot.olm.account.identity_keys["curve25519"]
            for _ in range(2):
                offered.append(only(lacking(bot.olm, fallback=True))[1])
                taken(bot.olm, COUNTS)
        async with odd.device(BOT, "TOCSIN", tmp_path) as bot:
            for key in offered:
                writer = Account()
                session = writer.create_outbound_session(*map(Curve25519PublicKey.from_base64, (own, key)))
                letter = session.encrypt(b"hello").to_pre_key()
                assert bot.olm.account.create_inbound_session(writer.curve25519_key.to_base64(), letter)[1] == b"hello"


async def test_keys_that_another_secret_has_sealed_are_not_taken_for_none(tmp_path: Path) -> None:
    async with Odd().running() as odd:
        async with odd.device(BOT, "TOCSIN", tmp_path) as bot:
            other = dataclasses.replace(bot.login, pickle_key="another")
        with pytest.raises(SettingsError, match=r"cannot be opened with what is in .*login\.json"):
            async with Connection.opened(other, tmp_path):
                pass


@pytest.mark.parametrize("body", [[], None, {}, {"device_unused_fallback_key_types": None}])
def test_who_does_not_speak_of_fallback_keys_says_nothing_of_them(body: object) -> None:
    assert lacks_fallback(body) is None


@pytest.mark.parametrize("answer", [{}, {"one_time_key_counts": None}, {"one_time_key_counts": {KIND: "x"}}])
async def test_an_upload_is_done_only_when_the_server_says_so(tmp_path: Path, answer: dict[str, Any]) -> None:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path) as bot:
        odd.answers["/keys/upload"] = answer
        with pytest.raises(Unreachable):
            await bot.upkeep()
        assert not bot.olm.account.shared


def encryption(source: dict[str, Any] | None = None, **content: object) -> object:
    whole = {"event_id": "$e", "sender": ALICE, "origin_server_ts": 1, "type": "m.room.encryption", "state_key": ""}
    return RoomEncryptionEvent.from_dict({**whole, "content": {"algorithm": "a", **content}, **(source or {})})


@pytest.mark.parametrize(
    ("wish", "rotation"),
    [
        ({}, Rotation()),
        ({"rotation_period_msgs": 5, "rotation_period_ms": 7_200_000}, Rotation(5, dt.timedelta(hours=2))),
        ({"rotation_period_msgs": 1, "rotation_period_ms": 1}, Rotation(1, SHORTEST)),
        ({"rotation_period_msgs": 10**9, "rotation_period_ms": 10**400}, Rotation(MOST_MESSAGES, LONGEST)),
        ({"rotation_period_msgs": 0, "rotation_period_ms": -1}, Rotation()),
        ({"rotation_period_msgs": "5", "rotation_period_ms": True}, Rotation()),
        ({"rotation_period_msgs": [5], "rotation_period_ms": 1.5}, Rotation()),
    ],
)
def test_a_room_may_have_new_keys_sooner_and_never_later(wish: dict[str, Any], rotation: Rotation) -> None:
    assert rotation_of([encryption(rotation_period_msgs=7), encryption(**wish)]) == rotation


def test_only_the_state_of_a_room_says_how_long_its_keys_serve() -> None:
    assert rotation_of([]) is None
    assert rotation_of([encryption({"state_key": "x"}, rotation_period_msgs=5)]) is None
    smuggled = encryption(rotation_period_msgs=5)
    assert isinstance(smuggled, RoomEncryptionEvent)
    smuggled.decrypted = True
    assert rotation_of([smuggled]) is None


def notice(sender: str = ALICE, code: object = "m.unverified", **about: object) -> UnknownToDeviceEvent:
    content = {"code": code, "room_id": ROOM, "session_id": "s", "sender_key": "k", **about}
    return UnknownToDeviceEvent.from_dict({"sender": sender, "type": "m.room_key.withheld", "content": content})


def sealed(sender: str = ALICE, **content: object) -> MegolmEvent | BadEvent:
    """An event that nobody can read."""
    whole = {"algorithm": "m.megolm.v1.aes-sha2", "device_id": "PHONE", "ciphertext": "c", "session_id": "s"}
    content = {**whole, "sender_key": "k", **content}
    return MegolmEvent.from_dict(said("$1", sender=sender, type="m.room.encrypted", content=content))


def test_a_cause_counts_for_its_sender_its_room_and_its_key_alone() -> None:
    withheld = Withheld({ALICE, VERA}.__contains__)
    withheld.note([None, notice(), notice(VERA, "m.no_olm", room_id=None, session_id=None)])
    assert withheld.why(sealed(), ROOM) == CAUSES["m.unverified"]
    assert withheld.why(sealed(VERA), ROOM) == CAUSES["m.no_olm"]
    for other in (sealed("@mallory:example.org"), sealed(session_id="t"), sealed(session_id=None)):
        assert withheld.why(other, ROOM) is None
    assert withheld.why(sealed(), "!other:example.org") is None


def test_what_strangers_and_odd_apps_say_of_keys_is_passed_over() -> None:
    withheld = Withheld({ALICE}.__contains__)
    odd: list[object] = [None, 5, [], {}]
    withheld.note([notice(VERA), *(notice(code=code) for code in odd)])
    withheld.note([notice(room_id=name) for name in odd] + [notice(session_id=name) for name in odd])
    withheld.note([notice(code="m.no_olm", sender_key=name) for name in odd])
    assert withheld.why(sealed(), ROOM) is None
    withheld.note([notice(code="org.example.mood")])
    assert withheld.why(sealed(), ROOM) == OTHER
    withheld.note([notice(VERA, session_id=str(number)) for number in range(MOST_REMEMBERED)])
    assert withheld.why(sealed(), ROOM) == OTHER
    withheld.note([notice(session_id=str(number)) for number in range(MOST_REMEMBERED)])
    assert withheld.why(sealed(), ROOM) is None
