"""What somebody sees who types while the bot speaks, on a small terminal of the test's own."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.words import glyphs
from bot.words.document import document, table, text
from bridges.console.client import Said
from bridges.console.editor import Editor
from bridges.console.lines import Hello, Posted
from bridges.console.screen import PROMPT, Screen

WIDTH, HEIGHT = 40, 60
ME = Hello("ann", "alice", "operator", "1.0")
_PIECE = re.compile(r"\x1b\[(\d*)([ACHJ])|([\r\n])|([^\x1b\r\n])")


class Terminal(io.StringIO):
    """Understands what the screen writes, and nothing more. It is as high as it needs to be."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = [""]
        self.row = self.column = 0

    def isatty(self) -> bool:
        return True

    def write(self, drawn: str) -> int:
        at = 0
        while at < len(drawn):
            match = _PIECE.match(drawn, at)
            assert match, f"the terminal does not know {drawn[at : at + 10]!r}"
            at = match.end()
            number, command, end, character = match.groups()
            if command:
                self._obey(command, int(number or 1))
            elif end:
                self.column = 0
                self._down(end == "\n")
            else:
                self._put(character)
        return len(drawn)

    def _obey(self, command: str, number: int) -> None:
        match command:
            case "A":
                self.row -= number
                assert self.row >= 0
            case "C":
                self.column = min(self.column + number, WIDTH - 1)
            case "H":
                self.row = self.column = 0
            case _:
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]

    def _put(self, character: str) -> None:
        if self.column + glyphs.width(character) > WIDTH:
            self.column = 0
            self._down(True)
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
        self.column += 1

    def _down(self, down: bool) -> None:
        self.row += down
        self.rows += [""] * (self.row + 1 - len(self.rows))

    @property
    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


class Desk:
    """A screen in a terminal, with somebody at the keys."""

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.editor = Editor()
        console = Console(file=self.terminal, width=WIDTH, height=HEIGHT, color_system=None, force_terminal=True)
        self.screen = Screen(console, self.editor)
        self.screen.met(ME)
        self.above = self.terminal.shown[:-1]

    def type(self, keys: str) -> None:
        for line in self.editor.feed(keys.encode()):
            assert isinstance(line, str)
            self.screen.entered(line)
            self.above += [f"alice{PROMPT}{line}".rstrip()]
        self.screen.draw()

    def check(self) -> None:
        shown, cell = self.editor.view(WIDTH - len("alice" + PROMPT))
        assert self.terminal.shown == [*self.above, f"alice{PROMPT}{shown}".rstrip()]
        assert (self.terminal.row, self.terminal.column) == (len(self.above), len("alice" + PROMPT) + cell)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def post(words: str, key: str = "a", edits: str | None = None) -> Posted:
    return Posted(key, document(words), 1, None, edits)


def test_who_is_there_is_said_first_and_again_when_the_bot_is_back(desk: Desk) -> None:
    assert desk.terminal.shown[0] == "Tocsin 1.0"
    assert "You are alice, operator." in desk.terminal.shown[1]
    desk.type("half a li")
    desk.screen.lost()
    desk.screen.lost()
    desk.screen.met(ME)
    shown = "\n".join(desk.terminal.shown)
    assert shown.count("The bot is away.") == 1
    assert "The bot is back: version 1.0." in shown
    assert desk.terminal.shown[-1] == f"alice{PROMPT}half a li"


def test_the_answer_to_the_last_line_stands_below_it_without_more_words(desk: Desk) -> None:
    said = Said("1", "status", 0.0)
    desk.type("status\r")
    desk.screen.said(said)
    desk.screen.show(post("all well"), said)
    desk.above += ["all well", ""]
    desk.check()


def test_an_answer_to_an_earlier_line_says_to_which(desk: Desk) -> None:
    early, late = Said("1", "status", 0.0), Said("2", "help", 0.0)
    desk.type("status\r")
    desk.screen.said(early)
    desk.type("help\r")
    desk.screen.said(late)
    desk.screen.show(post("all well"), early)
    assert desk.terminal.shown[-4].endswith("answer to: status")


def test_what_comes_in_does_not_tear_what_is_being_typed(desk: Desk) -> None:
    desk.type("half a li")
    desk.screen.show(post("news"), None)
    assert desk.terminal.shown[-4].endswith(" · news")
    desk.type("ne")
    assert desk.terminal.shown[-1] == f"alice{PROMPT}half a line"


def test_a_post_that_edits_the_one_right_above_takes_its_place(desk: Desk) -> None:
    wide = document(text("a heading"), table(("who", "how"), [("one", "READY"), ("two", "SILENT")]))
    desk.screen.show(Posted("a", wide, 1, None, None), None)
    desk.type("typing")
    desk.screen.show(post("now", "b", "a"), None)
    desk.screen.show(post("then", "c", "a"), None)
    desk.screen.show(post("last", "d", "c"), None)
    desk.above += ["last", ""]
    desk.check()


def test_a_post_that_edits_one_further_up_stands_by_itself(desk: Desk) -> None:
    desk.screen.show(post("10 %", "a"), None)
    desk.screen.show(post("news", "b"), None)
    desk.screen.show(post("20 %", "c", "a"), None)
    assert [row for row in desk.terminal.shown if row in ("10 %", "news", "20 %")] == ["10 %", "news", "20 %"]
    assert desk.terminal.shown[-4].endswith(" · update")


def test_a_post_that_has_left_the_screen_is_not_drawn_over(desk: Desk) -> None:
    long = document(*(f"line {number}" for number in range(HEIGHT)))
    desk.screen.show(Posted("a", long, 1, None, None), None)
    desk.screen.show(post("shorter", "b", "a"), None)
    assert "line 59" in desk.terminal.shown
    assert "shorter" in desk.terminal.shown


def test_a_line_longer_than_the_screen_is_left_whole_when_it_is_entered(desk: Desk) -> None:
    desk.type("x" * 100)
    assert len(desk.terminal.shown) == len(desk.above) + 1
    desk.type("\r")
    assert "".join(desk.terminal.shown).count("x") == 100


def test_words_from_outside_command_no_terminal(desk: Desk) -> None:
    evil = "\x1b[2J\x1b]0;title\x07\r\nalice ▸ shutdown"
    desk.screen.show(post(evil), None)
    desk.screen.refused(Said("1", evil, 0.0), evil)
    desk.screen.tell(evil)
    desk.screen.met(Hello(evil, evil, evil, evil))
    assert desk.terminal.shown[0] == "Tocsin 1.0"


steps = st.lists(
    st.tuples(st.just("type"), st.text("ab é\x7f\x01\x05\r", max_size=12))
    | st.tuples(st.just("show"), st.sampled_from("abcd"))
    | st.tuples(st.just("edit"), st.sampled_from("abcd"))
    | st.tuples(st.just("tell"), st.text("xyz ", min_size=1, max_size=30).map(str.strip).filter(bool)),
    max_size=12,
)


@given(steps)
def test_whatever_happens_each_thing_stands_in_its_place(steps: list[tuple[str, str]]) -> None:
    desk = Desk()
    foot = ""
    for number, (what, words) in enumerate(steps):
        match what:
            case "type":
                desk.type(words)
                foot = "" if "\r" in words else foot
            case "tell":
                desk.screen.tell(words)
                desk.above += [words, ""]
                foot = ""
            case "edit" if words == foot:
                desk.screen.show(post(f"edit {number}", f"{number}", words), None)
                desk.above[-2] = f"edit {number}"
                if len(desk.above) > 2 and " · " in desk.above[-3]:
                    del desk.above[-3]
            case _:
                desk.screen.show(post(f"post {number}", words), None)
                desk.above += [desk.terminal.shown[-4], f"post {number}", ""]
                foot = words
        desk.check()
