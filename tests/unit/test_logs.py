"""The log: one form for all, and never the values of variables."""

import asyncio
import io
import logging
import re
from collections.abc import Iterator

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot import logs

SECRET = "opensesame"  # noqa: S105 - somebody's words, to be looked for where they must not be


class Terminal(io.StringIO):
    """A stream with people before it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    for handler in handlers:  # setting up closes what it finds there
        root.removeHandler(handler)
    yield
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


def break_with(secret: str) -> None:
    words = [secret]
    try:
        int(str(len(words)) + "x")
    except ValueError:
        structlog.get_logger("test").exception("it broke")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_trace_shows_no_values(stream: type[io.StringIO]) -> None:
    written = stream()
    logs.set_up(written)
    break_with(SECRET)
    assert "it broke" in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert SECRET not in written.getvalue()


def test_elsewhere_each_line_is_json_also_of_a_library() -> None:
    written = io.StringIO()
    logs.set_up(written)
    structlog.get_logger("test").info("ours", number=1)
    logging.getLogger("library").warning("theirs %s", "too")
    logging.getLogger("library").debug("too much")
    ours, theirs = (orjson.loads(line) for line in written.getvalue().splitlines())
    assert (ours["event"], ours["number"], ours["level"], ours["logger"]) == ("ours", 1, "info", "test")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs too", "warning", "library")


FORGED = "late\n12:00:00 [info     ] forged\r12:00:00\x85x\u2028y\x1b[2K\x1b[A\x00\x7f\u202egnihton\ud800"
COLOUR = re.compile(r"\x1b\[\d+m")


def tell_all(words: str) -> None:
    """Log the words wherever words can come to stand."""
    ours, theirs = structlog.get_logger("test"), logging.getLogger("library")
    ours.info(words)
    ours.info("a field", value=words, listed=[words], error=ValueError(words), nothing=None, number=1.5)
    theirs.warning(words)
    theirs.warning("with an argument %s", words)
    with structlog.contextvars.bound_contextvars(id=words):
        ours.info("from the context")


def break_saying(words: str) -> None:
    structlog.get_logger("test").error("it broke", exc_info=ValueError(words))


@given(words=st.text(st.characters(codec=None)) | st.just(FORGED))
def test_words_from_outside_cannot_look_like_a_line_in_a_terminal(words: str) -> None:
    written = Terminal()
    logs.set_up(written)
    tell_all(words)
    lines = written.getvalue().split("\n")
    assert len(lines) == 5 + 1
    plain = COLOUR.sub("", "".join(lines))
    assert plain.isprintable(), plain


@given(words=st.text(st.characters(codec=None)) | st.just(FORGED))
def test_words_from_outside_cannot_look_like_a_line_of_json(words: str) -> None:
    written = io.StringIO()
    logs.set_up(written)
    tell_all(words)
    break_saying(words)
    assert len(written.getvalue().splitlines()) == 5 + 1
    assert written.getvalue().replace("\n", "").isprintable()


def test_no_line_of_a_trace_looks_like_one_of_the_log() -> None:
    written = Terminal()
    logs.set_up(written)
    break_saying(FORGED)
    first, *trace = written.getvalue().rstrip("\n").split("\n")
    assert "it broke" in first
    assert all(line.startswith("  ") and line.isprintable() for line in trace)
    assert any("forged" in line for line in trace)


async def test_every_line_of_a_command_carries_its_id() -> None:
    written = io.StringIO()
    logs.set_up(written)
    ours, theirs = structlog.get_logger("test"), logging.getLogger("library")

    async def command(name: str) -> None:
        structlog.contextvars.bind_contextvars(id=name)
        await asyncio.sleep(0)
        ours.info("ours")
        theirs.warning("theirs")
        await asyncio.to_thread(theirs.warning, "from a thread")

    async with asyncio.TaskGroup() as commands:
        commands.create_task(command("one"))
        commands.create_task(command("two"))
    ours.info("outside")
    lines = [orjson.loads(line) for line in written.getvalue().splitlines()]
    said = sorted((line.get("id", ""), line["event"]) for line in lines)
    expected = [(name, event) for name in ("one", "two") for event in ("from a thread", "ours", "theirs")]
    assert said == [("", "outside"), *expected]


def test_what_a_line_says_itself_comes_before_the_context() -> None:
    written = io.StringIO()
    logs.set_up(written)
    with structlog.contextvars.bound_contextvars(id="context"):
        structlog.get_logger("test").info("ours", id="own")
    assert orjson.loads(written.getvalue())["id"] == "own"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_line_that_cannot_be_formed_is_named_without_what_it_was_made_of(
    stream: type[io.StringIO], capfd: pytest.CaptureFixture[str]
) -> None:
    written = stream()
    logs.set_up(written)
    logging.getLogger("library").warning("%d", SECRET)
    assert written.getvalue().count("\n") == 1
    assert "could not be written" in written.getvalue()
    assert SECRET not in written.getvalue() + capfd.readouterr().err
