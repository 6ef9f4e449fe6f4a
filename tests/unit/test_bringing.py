"""Files on their way from one network to another: as they are, bounded, never stored, and none holds up a place."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from bot import bringing
from bot.bridge import Health
from bot.bringing import AT_ONCE, PATIENCE_S, PATIENCE_WHILE_THERE_S, Bringer, Unbrought
from bot.outgoing import Outgoing
from bot.store import Store, outbox
from bot.store.said import Said
from bot.words.document import OCTETS, Brought, Document, Enclosed, document, text
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain
from bot.words.talk import LARGEST_FILE
from tests.unit.talk import Silent, a_file

PNG = b"\x89PNG\r\n\x1a\n and more"
HERE = Place("matrix", "!lab:here")
LANES = [each for each in Lane if each is not Lane.TALK]


class Keeper(Silent):
    """A bridge whose network keeps files. It is away while `away` is set, and slow where `slow` is there."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.files: dict[str, bytes] = {"/user_uploads/plan.pdf": b"%PDF-1.7"}
        self.away = self.refuses = False
        self.slow: asyncio.Event | None = None
        self.bringing, self.most_at_once = 0, 0
        self.busy = asyncio.Event()
        self.asked: list[int] = []

    def health(self) -> Health:
        return Health(ready=not self.away)

    async def send(self, post: Post, *, key: str) -> str:
        self.heard.set()
        await self.gate.wait()
        return await super().send(post, key=key)

    async def bring(self, reference: str, most: int) -> bytes:
        self.asked.append(most)
        self.bringing += 1
        self.most_at_once = max(self.most_at_once, self.bringing)
        if self.bringing == AT_ONCE:
            self.busy.set()
        try:
            if self.slow is not None:
                await self.slow.wait()
        finally:
            self.bringing -= 1
        if self.away or self.refuses:
            raise Unreachable("Zulip does not answer.")
        if reference not in self.files:
            raise NetworkError("There is no such file.")
        if len(self.files[reference]) > most:
            raise NetworkError("The file is too large.")
        return self.files[reference]


class Ways:
    """Files are kept on one network and are said on another."""

    def __init__(self) -> None:
        self.time = 0.0
        self.zulip, self.matrix = Keeper(), Keeper()
        bridges = {"zulip": self.zulip, "matrix": self.matrix}
        self.bringer = Bringer(self.matrix, bridges, clock=lambda: self.time)

    async def brings(self, *files: Enclosed, place: Place = HERE) -> list[str]:
        """What is said, in words."""
        await self.bringer.send(Post(place, Document((text("look"), *files)), Lane.TALK), key="k")
        return to_plain(self.matrix.said[-1].document).split("\n\n")


@pytest.fixture
def ways() -> Ways:
    return Ways()


async def test_what_is_in_a_file_is_said_as_it_is_and_of_its_true_size(ways: Ways) -> None:
    await ways.brings(a_file(size=3))
    assert ways.matrix.said[0].document.blocks[1] == Brought(a_file(size=8), b"%PDF-1.7")
    assert ways.zulip.asked == [LARGEST_FILE]


async def test_what_holds_no_file_is_said_at_once(ways: Ways) -> None:
    ways.zulip.away = True
    post = Post(HERE, document("hello"), Lane.STOP, edits="$1")
    assert await ways.bringer.send(post, key="k") == "k"
    assert ways.matrix.said == [post]


async def test_a_network_without_files_is_told_the_name_of_one_and_nothing_is_brought(ways: Ways) -> None:
    mqtt = Silent()
    post = Post(Place("mqtt", "lab/talk"), document(a_file()), Lane.TALK)
    await Bringer(mqtt, {"zulip": ways.zulip, "mqtt": mqtt}).send(post, key="k")
    assert (to_plain(mqtt.said[0].document), ways.zulip.asked) == ("File: plan.pdf", [])


@pytest.mark.parametrize(
    "file",
    [
        a_file("gone.pdf"),
        Enclosed("elsewhere", "y", "gone.pdf", 1),
        Enclosed("matrix", "x", "gone.pdf", 1),
        Enclosed("elsewhere", "x", "gone.pdf", 1),
    ],
)
async def test_what_cannot_be_brought_leaves_words(ways: Ways, file: Enclosed) -> None:
    assert await ways.brings(file, a_file()) == [
        "look",
        "(The file gone.pdf could not be brought.)",
        "File: plan.pdf, 8 bytes",
    ]


async def test_what_is_too_large_after_all_leaves_words(ways: Ways) -> None:
    ways.zulip.files["/user_uploads/large.pdf"] = bytes(LARGEST_FILE + 1)
    assert (await ways.brings(a_file("large.pdf")))[1] == "(The file large.pdf could not be brought.)"


async def test_a_place_waits_for_the_files_of_a_network_that_is_away_but_not_for_each_and_not_for_ever(
    ways: Ways,
) -> None:
    ways.zulip.away = True
    for ways.time in (0.0, PATIENCE_S - 1):
        with pytest.raises(Unbrought):
            await ways.brings(a_file(), a_file("other.pdf"))
    assert ways.matrix.said == []
    ways.time = PATIENCE_S
    for name in ("plan.pdf", "new.pdf", "newer.pdf"):
        assert (await ways.brings(a_file(name)))[1] == f"(The file {name} could not be brought.)"
    with pytest.raises(Unbrought):
        await ways.brings(a_file(), place=Place("matrix", "!other:here"))


async def test_one_file_that_came_begins_the_patience_anew(ways: Ways) -> None:
    for ways.time in (0.0, 2 * PATIENCE_S):
        ways.zulip.away = True
        with pytest.raises(Unbrought):
            await ways.brings(a_file())
        ways.zulip.away = False
        assert (await ways.brings(a_file()))[1] == "File: plan.pdf, 8 bytes"


async def test_a_network_that_is_there_and_gives_no_files_now_is_waited_for_a_little(ways: Ways) -> None:
    ways.zulip.refuses = True
    with pytest.raises(Unbrought):
        await ways.brings(a_file())
    ways.time = PATIENCE_WHILE_THERE_S
    assert "could not be brought" in (await ways.brings(a_file()))[1]


async def test_a_file_that_does_not_come_in_time_stays_behind_and_the_next_has_less(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "MAY_TAKE_S", 0.01)
    ways.zulip.slow = asyncio.Event()
    assert "could not be brought" in (await ways.brings(a_file()))[1]
    monkeypatch.setattr(bringing, "MAY_TAKE_S", 3600.0)
    monkeypatch.setattr(bringing, "IN_HASTE_S", 0.01)
    ways.time = PATIENCE_S - 1
    assert "could not be brought" in (await ways.brings(a_file()))[1]
    ways.zulip.away = True
    with pytest.raises(Unbrought, match="in time"):
        await ways.brings(a_file())


async def test_what_is_remembered_of_files_that_are_away_has_a_bound(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "REMEMBERED", 2)
    ways.zulip.away = True
    places = [Place("matrix", name) for name in "abc"]
    for place in places:
        with pytest.raises(Unbrought):
            await ways.brings(a_file(), place=place)
    ways.time = PATIENCE_S
    with pytest.raises(Unbrought):
        await ways.brings(a_file(), place=places[0])
    assert "could not be brought" in (await ways.brings(a_file(), place=places[2]))[1]


@pytest.mark.parametrize(
    ("type_", "content", "shown"),
    [
        ("image/png", PNG, "image/png"),
        ("image/png", b"<svg onload=x>", OCTETS),
        ("image/jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("image/gif", b"GIF89a", "image/gif"),
        ("image/webp", PNG, OCTETS),
        ("application/pdf", b"<html>", OCTETS),
        ("audio/ogg", b"OggS", "audio/ogg"),
        (OCTETS, PNG, OCTETS),
    ],
)
async def test_a_file_is_of_the_type_that_it_begins_like(ways: Ways, type_: str, content: bytes, shown: str) -> None:
    ways.zulip.files["/user_uploads/plan.pdf"] = content
    await ways.brings(a_file(type_=type_))
    brought = ways.matrix.said[0].document.blocks[1]
    assert isinstance(brought, Brought)
    assert (brought.file.type, brought.content) == (shown, content)


async def test_few_are_in_memory_at_once_and_words_pass_them(ways: Ways) -> None:
    ways.zulip.slow = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE + 2):
            tasks.create_task(ways.brings(a_file()))
        await ways.zulip.busy.wait()
        post = Post(HERE, document("hello"), Lane.STOP)
        await ways.bringer.send(post, key="k")
        assert ways.matrix.said == [post]
        ways.zulip.slow.set()
    assert (ways.zulip.most_at_once, len(ways.matrix.said)) == (AT_ONCE, AT_ONCE + 3)


async def test_a_file_does_not_wait_for_others_for_long(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    ways.zulip.slow = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(ways.brings(a_file()))
        await ways.zulip.busy.wait()
        monkeypatch.setattr(bringing, "MAY_TAKE_S", 0.01)
        with pytest.raises(Unbrought, match="Other files"):
            await ways.brings(a_file())
        ways.zulip.slow.set()


async def test_words_that_stand_for_a_file_take_no_room(ways: Ways) -> None:
    ways.matrix.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(ways.brings(a_file("gone.pdf")))
        await ways.matrix.heard.wait()
        ways.matrix.heard.clear()
        tasks.create_task(ways.brings(a_file()))
        await ways.matrix.heard.wait()
        ways.matrix.gate.set()
    assert len(ways.matrix.said) == AT_ONCE + 1


@contextlib.asynccontextmanager
async def going_out(store: Store, ways: Ways) -> AsyncGenerator[Outgoing]:
    """What is queued for Matrix is said."""
    out = Outgoing("matrix", ways.bringer, store, draw=lambda: 0.0)
    running = asyncio.create_task(out.run())
    try:
        async with asyncio.timeout(10):
            yield out
    finally:
        running.cancel()
        await asyncio.wait([running])


def the_file(number: int = 0, name: str = "plan.pdf", place: Place = HERE) -> Post:
    """As a channel passes it on."""
    return Post(place, document(a_file(name)), Lane.TALK, subject=Said(Place("zulip", "5/lab"), "$1").file(number))


def words(said: str, lane: Lane, place: Place = HERE) -> Post:
    return Post(place, document(said), lane)


async def queue(store: Store, out: Outgoing, *posts: Post) -> None:
    await store.write(lambda tx: [outbox.queue(tx, each) for each in posts])
    out.wake()


async def test_a_file_on_its_way_holds_up_what_people_say_after_it_and_nothing_else(store: Store, ways: Ways) -> None:
    ways.zulip.slow = asyncio.Event()
    async with going_out(store, ways) as out:
        await queue(store, out, the_file(0), the_file(1, place=Place("matrix", "!other:here")))
        await ways.zulip.busy.wait()
        await queue(store, out, words("after it", Lane.TALK), *(words(each.name, each) for each in LANES))
        while len(ways.matrix.said) < len(LANES):
            ways.matrix.heard.clear()
            await ways.matrix.heard.wait()
        assert [to_plain(each.document) for each in ways.matrix.said] == [each.name for each in LANES]
        ways.zulip.slow.set()
        await out.until_idle()
    said = [to_plain(each.document) for each in ways.matrix.said if each.place == HERE]
    assert said[len(LANES) :] == ["File: plan.pdf, 8 bytes", "after it"]


async def test_a_stop_waits_for_no_file_that_is_being_said(store: Store, ways: Ways) -> None:
    ways.matrix.gate.clear()
    async with going_out(store, ways) as out:
        await queue(store, out, the_file())
        await ways.matrix.heard.wait()
        ways.matrix.heard.clear()
        await queue(store, out, words("STOPPED", Lane.STOP))
        await ways.matrix.heard.wait()
        ways.matrix.gate.set()
        await out.until_idle()
    assert len(ways.matrix.said) == 2


async def test_files_that_do_not_come_hold_up_no_words_in_other_places(store: Store, ways: Ways) -> None:
    ways.zulip.slow = asyncio.Event()
    async with going_out(store, ways) as out:
        await queue(store, out, *(the_file(0, place=Place("matrix", f"!{number}:here")) for number in range(20)))
        await ways.zulip.busy.wait()
        await queue(store, out, words("hello", Lane.TALK))
        await ways.matrix.heard.wait()
        assert [to_plain(each.document) for each in ways.matrix.said] == ["hello"]


async def test_a_place_is_not_away_because_a_file_is_not_there_and_its_order_stays(store: Store, ways: Ways) -> None:
    ways.zulip.away = True
    async with going_out(store, ways) as out:
        await queue(store, out, *(the_file(0, place=Place("matrix", f"!{number}:here")) for number in range(9)))
        await queue(store, out, the_file(), words("after it", Lane.TALK))
        while out.counts["retried"] < 10:
            await store.write(lambda _: None)
        assert out.away() == []
        await queue(store, out, words("an answer", Lane.ANSWER))
        await ways.matrix.heard.wait()
        assert [to_plain(each.document) for each in ways.matrix.said] == ["an answer"]
        ways.zulip.away = False
        while not any(to_plain(each.document) == "after it" for each in ways.matrix.said):
            ways.matrix.heard.clear()
            await ways.matrix.heard.wait()
    said = [to_plain(each.document) for each in ways.matrix.said if each.place == HERE]
    assert said == ["an answer", "File: plan.pdf, 8 bytes", "after it"]
