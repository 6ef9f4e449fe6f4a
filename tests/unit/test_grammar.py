"""How a line of text asks for a command, and how it does not."""

import contextlib
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.desk import grammar
from bot.words.errors import UsageError

messy = st.text() | st.text("!/\\'\" \t\nshutdown-_.,:;éß١", max_size=40)


@given(messy, st.booleans())
@example("!x '", False)
@example("!x \\", False)
@example("!" + "a" * 100_000, False)
@example("!stop" + " " * 100_000 + "x", False)
@example("!\ud800", True)
def test_no_text_raises_anything_but_a_usage_error(text: str, addressed: bool) -> None:
    line = grammar.parse(text, addressed=addressed)
    if line is not None:
        assert line.name
        assert line.name[0] in string.ascii_lowercase
        assert len(line.name) <= 64
        with contextlib.suppress(UsageError):
            assert all(isinstance(word, str) for word in line.words())


@given(messy)
def test_what_has_no_prefix_is_no_command_unless_the_bot_is_spoken_to(text: str) -> None:
    if not text.lstrip().startswith(("!", "/")):
        assert grammar.parse(text, addressed=False) is None


@pytest.mark.parametrize("text", ["!status", "/status", "//status", "  !status ", "!STATUS", "!status\n", "!status!"])
@pytest.mark.parametrize("addressed", [True, False])
def test_all_forms_of_a_prefix_are_the_same(text: str, addressed: bool) -> None:
    line = grammar.parse(text, addressed=addressed)
    assert line is not None
    assert (line.name, line.words()) == ("status", [])


@pytest.mark.parametrize("text", ["status", "Status", " STATUS\n", "status?"[:-1]])
def test_who_speaks_to_the_bot_needs_no_prefix(text: str) -> None:
    line = grammar.parse(text, addressed=True)
    assert line is not None
    assert line.name == "status"
    assert grammar.parse(text, addressed=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "!",
        "!!",
        "!!stop",
        "! status",
        "/",
        "///status",
        "/ status",
        "/usr/bin/env",
        "!1",
        "!?",
        "!🔔",
        "!é",
        "a !b",
    ],
)
def test_what_only_looks_like_a_command_is_none(text: str) -> None:
    assert grammar.parse(text, addressed=False) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!shutdown all", ["all"]),
        ("!shutdown   all\tnow", ["all", "now"]),
        ("!shutdown! all", ["all"]),
        ("!shutdown, all", ["all"]),
        ("!shutdown\nall", ["all"]),
        ("!x 'two words' \"and two\"", ["two words", "and two"]),
        ("!x it''s", ["its"]),
        ("!x a=1 # not a comment", ["a=1", "#", "not", "a", "comment"]),
        ("!x ''", [""]),
        ("!me waves", ["waves"]),
    ],
)
def test_what_follows_is_split_into_words(text: str, words: list[str]) -> None:
    line = grammar.parse(text, addressed=False)
    assert line is not None
    assert line.words() == words


@pytest.mark.parametrize("text", ["!x 'open", '!x "', "!x it's", "!x \\"])
def test_a_quotation_that_does_not_end_is_told(text: str) -> None:
    line = grammar.parse(text, addressed=False)
    assert line is not None
    with pytest.raises(UsageError, match="stands alone"):
        line.words()


def test_what_somebody_may_have_meant_is_near() -> None:
    known = ["help", "shutdown", "status", "stop"]
    assert grammar.nearest("shutdwn", known) == "shutdown"
    assert grammar.nearest("stpo", known) == "stop"
    assert grammar.nearest("stat", known) == "status"
    assert grammar.nearest("xyzzy", known) is None
    assert grammar.nearest("stop", []) is None


@pytest.mark.parametrize(
    "text", ["STOP ALL", "stop", "! stop all", "!!halt everything!!", "Shut down now!", "*stop it*"]
)
def test_a_cry_to_stop_is_heard_without_its_prefix(text: str) -> None:
    assert grammar.sounds_like_a_stop(text)


@pytest.mark.parametrize(
    "text", ["", "don't stop", "stop that laser please", "stopped", "unstoppable", "all stop here"]
)
def test_talk_about_stopping_is_no_cry(text: str) -> None:
    assert not grammar.sounds_like_a_stop(text)


@given(messy)
@example("stop" + " " * 100_000 + "x")
@example("stop" + " all" * 30_000 + " x")
@example("!" * 100_000)
def test_any_text_may_be_asked_whether_it_is_a_cry(text: str) -> None:
    assert grammar.sounds_like_a_stop(text) in (True, False)
