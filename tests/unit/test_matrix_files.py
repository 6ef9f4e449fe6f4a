"""What a homeserver answers where a file is wanted: how much of it is taken, and whether it is asked for once more."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from nio import MatrixRoom
from nio.crypto import encrypt_attachment

from bot.words.document import OCTETS, Brought, Document, Enclosed, Reacts, document
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bridges.matrix import voice as voice_module
from bridges.matrix.clear import ClearRooms
from bridges.matrix.connection import UPLOAD, Connection
from bridges.matrix.files import DOWNLOAD, download, upload
from bridges.matrix.reading import is_passed_on
from bridges.matrix.sending import Speaker
from bridges.matrix.threads import Threads
from bridges.matrix.trust import Trust
from bridges.matrix.voice import Voice
from demo.odd import BOT, ROOM, Odd
from demo.operator import PinsInMemory

URL = "mxc://example.org/abc"
IN_CLEAR = json.dumps({"url": URL})
MOST = 100
REFUSAL = b'{"errcode": "M_UNKNOWN", "error": "no"}'


@pytest.fixture
async def connection(odd: Odd, tmp_path: Path) -> AsyncGenerator[Connection]:
    async with odd.device(BOT, "TOCSIN", tmp_path / "bot") as connection:
        yield connection


def sealed(data: bytes, **changed: Any) -> tuple[bytes, str]:
    """A file as it lies there, and the reference to it."""
    cipher, opens = encrypt_attachment(data)
    return cipher, json.dumps({"url": URL, **opens, **changed})


async def test_a_file_is_asked_for_by_its_address_and_opened(odd: Odd, connection: Connection) -> None:
    odd.answers[DOWNLOAD], reference = sealed(b"words")
    assert await download(connection, reference, MOST) == b"words"
    assert [path for path, _ in odd.asked] == [f"{DOWNLOAD}/example.org/abc"]


async def test_what_is_larger_than_it_may_be_is_not_taken(odd: Odd, connection: Connection) -> None:
    odd.answers[DOWNLOAD] = bytes(MOST)
    assert await download(connection, IN_CLEAR, MOST) == bytes(MOST)
    odd.answers[DOWNLOAD] = bytes(5_000_000)
    with pytest.raises(NetworkError, match="larger than 100 bytes"):
        await download(connection, IN_CLEAR, MOST)


@pytest.mark.parametrize(
    ("status", "answer", "comes_again"),
    [
        (404, REFUSAL, False),
        (403, REFUSAL, False),
        (502, REFUSAL, False),
        (504, REFUSAL, False),
        (502, b"<html>", True),
        (500, REFUSAL, True),
        (429, REFUSAL, True),
    ],
)
async def test_only_where_the_homeserver_itself_fails_it_is_asked_once_more(
    odd: Odd, connection: Connection, status: int, answer: bytes, comes_again: bool
) -> None:
    odd.answers[DOWNLOAD], odd.statuses[DOWNLOAD] = answer, status
    with pytest.raises(NetworkError) as raised:
        await download(connection, IN_CLEAR, MOST)
    assert isinstance(raised.value, Unreachable) is comes_again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_homeserver_sends_the_bot_nowhere_for_a_file(odd: Odd, connection: Connection, status: int) -> None:
    odd.answers |= {DOWNLOAD: b"", "/metrics": b"of the machine alone"}
    odd.statuses[DOWNLOAD] = status
    odd.headers["Location"] = f"{odd.url}/metrics"
    with pytest.raises(NetworkError, match="elsewhere") as raised:
        await download(connection, IN_CLEAR, MOST)
    assert not isinstance(raised.value, Unreachable)
    assert [path for path, _ in odd.asked] == [f"{DOWNLOAD}/example.org/abc"]


async def test_a_homeserver_that_waits_for_another_is_not_away(odd: Odd, connection: Connection) -> None:
    odd.answers["/_matrix/media"] = asyncio.Event()
    with pytest.raises(NetworkError, match="breaks off") as raised:
        await connection.get_file("/_matrix/media", MOST, within_s=0.2)
    assert not isinstance(raised.value, Unreachable)


async def test_a_homeserver_that_is_away_is_asked_once_more(connection: Connection) -> None:
    connection.client.homeserver = "http://127.0.0.1:1"
    with pytest.raises(Unreachable):
        await download(connection, IN_CLEAR, MOST)


@pytest.mark.parametrize("reference", ["", "{}", json.dumps({"url": "mxc://../a"})])
async def test_a_reference_that_was_never_given_asks_for_nothing(
    odd: Odd, connection: Connection, reference: str
) -> None:
    with pytest.raises(NetworkError, match="no file of Matrix"):
        await download(connection, reference, MOST)
    assert odd.asked == []


async def test_what_was_changed_on_its_way_is_not_opened(odd: Odd, connection: Connection) -> None:
    cipher, reference = sealed(b"words")
    odd.answers[DOWNLOAD] = cipher[:-1] + bytes([cipher[-1] ^ 1])
    with pytest.raises(NetworkError, match="cannot be opened"):
        await download(connection, reference, MOST)
    digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    odd.answers[DOWNLOAD], reference = sealed(b"words", hashes={"sha256": digest})
    with pytest.raises(NetworkError, match="cannot be opened"):
        await download(connection, reference, MOST)


async def test_a_file_that_is_not_taken_is_none(odd: Odd, connection: Connection) -> None:
    path = "/_matrix/media/v3/upload"
    odd.answers[path], odd.statuses[path] = b'{"errcode": "M_TOO_LARGE"}', 413
    assert await upload(connection, b"{}", OCTETS, in_clear=True) is None
    odd.statuses[path] = 503
    with pytest.raises(Unreachable):
        await upload(connection, b"{}", OCTETS, in_clear=True)


def with_file(*words: str) -> Post:
    file = Brought(Enclosed("zulip", "elsewhere", "a.json", 2, OCTETS), b"{}")
    return Post(Place("matrix", ROOM), document(*words, file), Lane.TALK)


def voice_of(connection: Connection) -> Voice:
    """In a room in which all is said in clear."""
    trust = Trust(connection, frozenset, PinsInMemory(), clear=ClearRooms([ROOM]))
    return Voice(connection, Speaker(connection, trust), Threads(connection))


async def test_what_the_bot_brings_from_elsewhere_is_brought_on_by_no_other_bot(
    odd: Odd, connection: Connection
) -> None:
    connection.client.rooms[ROOM] = MatrixRoom(ROOM, BOT, encrypted=False)
    odd.answers |= {UPLOAD: {"content_uri": URL}, f"/rooms/{ROOM}/send": {"event_id": "$1"}}
    shown = Post(Place("matrix", ROOM), Document((Reacts("\U0001f44d"),)), Lane.TALK, reply_to="$0")
    for number, post in enumerate([with_file(), shown]):
        await voice_of(connection).say(post, str(number))
    file, reaction = ({"content": body} for body in odd.bodies("/rooms/"))
    assert is_passed_on(file)
    assert is_passed_on(reaction)


async def test_a_post_that_is_tried_again_puts_no_file_there_again(odd: Odd, connection: Connection) -> None:
    voice = voice_of(connection)
    connection.client.rooms[ROOM] = MatrixRoom(ROOM, BOT, encrypted=False)
    odd.answers |= {UPLOAD: {"content_uri": URL}, f"/rooms/{ROOM}/send": {"errcode": "M_LIMIT_EXCEEDED"}}
    odd.statuses[f"/rooms/{ROOM}/send"] = 429
    for _ in range(3):
        with pytest.raises(Unreachable):
            await voice.say(with_file("look"), "one")
    odd.answers[f"/rooms/{ROOM}/send"] = {"event_id": "$1"}
    odd.statuses.clear()
    assert await voice.say(with_file("look"), "one") == "$1"
    assert len(odd.bodies(UPLOAD)) == 1
    assert await voice.say(with_file("look"), "another") == "$1"
    assert len(odd.bodies(UPLOAD)) == 2
    sent = [body["url"] for body in odd.bodies("/rooms/") if body["msgtype"] == "m.file"]
    assert sent == [URL, URL]


async def test_no_file_is_put_anywhere_for_a_room_in_which_nothing_can_be_said(
    odd: Odd, connection: Connection
) -> None:
    with pytest.raises(NetworkError, match="not in the room"):
        await voice_of(connection).say(with_file(), "one")
    assert odd.bodies(UPLOAD) == []


async def test_what_is_remembered_of_files_that_are_there_has_a_bound(
    odd: Odd, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_module, "REMEMBERED", 1)
    voice = voice_of(connection)
    connection.client.rooms[ROOM] = MatrixRoom(ROOM, BOT, encrypted=False)
    odd.answers |= {UPLOAD: {"content_uri": URL}, f"/rooms/{ROOM}/send": {"event_id": "$1"}}
    for key in ("one", "two", "two", "one"):
        await voice.say(with_file(), key)
    assert len(odd.bodies(UPLOAD)) == 3
