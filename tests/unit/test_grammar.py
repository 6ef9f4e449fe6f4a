"""How a message asks for a command, and how it does not."""

import string
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.desk import grammar
from bot.desk.grammar import Line
from bot.words import glyphs

messy = st.text() | st.text("!/\\'\" \t\nshutdown-_.,:;éß١", max_size=40)


@given(messy, st.booleans())
@example("!x '", False)
@example("!x \\", False)
@example("!" + "a" * 100_000, False)
@example("!stop" + " " * 100_000 + "x", False)
@example("STOP" + " " * 100_000 + "x", False)
@example("!\ud800", True)
def test_no_text_raises(text: str, addressed: bool) -> None:
    line = grammar.parse(text, addressed=addressed)
    if line is not None:
        assert line.name
        assert line.name[0] in string.ascii_lowercase
        assert len(line.name) <= 64


@given(messy)
def test_what_has_no_prefix_is_no_command_unless_the_bot_is_spoken_to(text: str) -> None:
    if not text.lstrip().startswith(("!", "/")):
        assert grammar.parse(text, addressed=False) is None


@pytest.mark.parametrize("text", ["!status", "/status", "//status", "  !status ", "!STATUS", "!status\n", "!status!"])
@pytest.mark.parametrize("addressed", [True, False])
def test_all_forms_of_a_prefix_are_the_same(text: str, addressed: bool) -> None:
    assert grammar.parse(text, addressed=addressed) == Line("status", "")


@pytest.mark.parametrize("text", ["status", "Status", " STATUS\n", "status!"])
def test_who_speaks_to_the_bot_needs_no_prefix(text: str) -> None:
    assert grammar.parse(text, addressed=True) == Line("status", "")
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
    ("text", "rest"),
    [
        ("!shutdown all", "all"),
        ("!shutdown   all\tnow", "all\tnow"),
        ("!shutdown! all", "all"),
        ("!shutdown, all", "all"),
        ("!shutdown\nall", "all"),
        ("!shutdown\u00a0all", "all"),
        ("!x 'two words' \"and two\"", "'two words' \"and two\""),
        ("!x a=1 # not a comment", "a=1 # not a comment"),
        ("!x 'open", "'open"),
    ],
)
def test_what_follows_the_name_is_kept_as_it_was_typed(text: str, rest: str) -> None:
    line = grammar.parse(text, addressed=False)
    assert line is not None
    assert line.rest == rest


@pytest.mark.parametrize(
    "text",
    [
        "STOP ALL",
        "HALT ALL",
        "STOP EVERYTHING",
        "STOP ALL!!!",
        "HALT EVERYTHING.",
        " STOP ALL\n",
        "STOP  ALL",
        "STOP\u00a0ALL",
    ],
)
@pytest.mark.parametrize("addressed", [True, False])
def test_a_whole_message_in_capitals_that_says_stop_all_is_the_stop(text: str, addressed: bool) -> None:
    assert grammar.parse(text, addressed=addressed) == Line("stop", "all")


@pytest.mark.parametrize(
    "text",
    [
        "stop all",
        "Stop All",
        "STOP all",
        "STOP",
        "STOPALL",
        "SHUTDOWN ALL",
        "STOP ALL THE NOISE",
        "PLEASE STOP ALL",
        "STOP ALL?",
        "STOP ALL, PLEASE",
        "DON'T STOP ALL",
        "*STOP ALL*",
        "> STOP ALL",
        "'STOP ALL'",
        "STOP ALL\nSTOP ALL",
    ],
)
def test_whatever_differs_from_it_is_talk(text: str) -> None:
    assert grammar.parse(text, addressed=False) is None


def test_what_somebody_may_have_meant_is_near() -> None:
    known = ["help", "shutdown", "status", "stop"]
    assert grammar.nearest("shutdwn", known) == "shutdown"
    assert grammar.nearest("stpo", known) == "stop"
    assert grammar.nearest("stat", known) == "status"
    assert grammar.nearest("STPO", known) == "stop"
    assert grammar.nearest("olga", ["Olga"]) == "Olga"
    assert grammar.nearest("xyzzy", known) is None
    assert grammar.nearest("stop", []) is None
    assert grammar.nearest("x" * 1_000_000, known) is None


def test_a_word_is_quoted_short_and_on_one_line() -> None:
    assert glyphs.quoted("two words") == "'two words'"
    assert glyphs.quoted("a\nb\tc") == "'a b c'"
    assert glyphs.quoted("a\u2028b") == "'a b'"
    assert glyphs.quoted("\u202egnp.exe\u2066\x1b[31m\x00") == "'\ufffdgnp.exe\ufffd\ufffd[31m\ufffd'"
    assert glyphs.quoted("x" * 64) == f"'{'x' * 64}'"
    assert glyphs.quoted("x" * 65) == f"'{'x' * 63}…'"


@given(st.text())
@example("\u202e" * 1000 + "x")
@example("\ud800")
def test_no_word_controls_how_it_is_quoted(word: str) -> None:
    shown = glyphs.quoted(word)
    assert len(shown) <= 64 + len("''")
    assert glyphs.one_line(shown) == shown
    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]


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
