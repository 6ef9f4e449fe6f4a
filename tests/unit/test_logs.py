"""The log: one form for all, and never the values of variables."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from bot import logs

SECRET = "opensesame"  # noqa: S105 - somebody's words, to be looked for where they must not be


class Terminal(io.StringIO):
    """A stream with people before it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for handler in handlers:  # setting up closes what it finds there
        root.removeHandler(handler)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


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
