"""Files on their way from one network to another: as they are, bounded, never stored, and none holds up a place."""

import asyncio

import pytest

from bot import bringing
from bot.bringing import AT_ONCE, PATIENCE_S, Bringer
from bot.words.document import OCTETS, Brought, Document, Enclosed, document, text
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain
from bot.words.talk import LARGEST_FILE
from tests.unit.talk import Silent, a_file

PNG = b"\x89PNG\r\n\x1a\n and more"
HERE = Place("matrix", "!lab:here")


class Keeper(Silent):
    """A bridge whose network keeps files. It is away while `away` is set, and slow where `slow` is there."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {"/user_uploads/plan.pdf": b"%PDF-1.7"}
        self.away = False
        self.slow: asyncio.Event | None = None
        self.bringing, self.most_at_once = 0, 0
        self.busy = asyncio.Event()
        self.asked: list[int] = []

    async def bring(self, reference: str, most: int) -> bytes:
        self.asked.append(most)
        self.bringing += 1
        self.most_at_once = max(self.most_at_once, self.bringing)
        if self.bringing == AT_ONCE:
            self.busy.set()
        if self.slow is not None:
            await self.slow.wait()
        self.bringing -= 1
        if self.away:
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
        self.zulip, self.matrix = Keeper(), Silent()
        bridges = {"zulip": self.zulip, "matrix": self.matrix}
        self.bringer = Bringer(self.matrix, bridges, clock=lambda: self.time)

    async def brings(self, *files: Enclosed) -> list[str]:
        """What is said, in words."""
        await self.bringer.send(Post(HERE, Document((text("look"), *files)), Lane.TALK), key="k")
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


@pytest.mark.parametrize(
    "file",
    [a_file("gone.pdf"), Enclosed("matrix", "x", "gone.pdf", 1), Enclosed("elsewhere", "x", "gone.pdf", 1)],
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


async def test_the_whole_post_waits_for_a_network_that_is_away_but_not_for_ever(ways: Ways) -> None:
    ways.zulip.away = True
    for ways.time in (0.0, PATIENCE_S - 1):
        with pytest.raises(Unreachable):
            await ways.brings(a_file(), a_file("other.pdf"))
    assert ways.matrix.said == []
    ways.time = PATIENCE_S
    assert (await ways.brings(a_file()))[1] == "(The file plan.pdf could not be brought.)"
    with pytest.raises(Unreachable):
        await ways.brings(a_file("new.pdf"))
    ways.zulip.away = False
    assert (await ways.brings(a_file()))[1] == "File: plan.pdf, 8 bytes"


async def test_what_is_remembered_of_files_that_are_away_has_a_bound(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "REMEMBERED", 2)
    ways.zulip.away = True
    for name in "abc":
        with pytest.raises(Unreachable):
            await ways.brings(a_file(name))
    ways.time = PATIENCE_S
    with pytest.raises(Unreachable):
        await ways.brings(a_file("a"))
    assert "could not be brought" in (await ways.brings(a_file("c")))[1]


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
