"""The line that is being typed: the keys that a shell has taught people, and bytes of every other kind."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words import glyphs
from bridges.console.editor import LONGEST, MOST_KEPT, Editor, Key

LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
HOME, END, DELETE, BACK = "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"
KEYS = (LEFT, RIGHT, UP, DOWN, HOME, END, DELETE, BACK, "\x1bb", "\x1bf", "\x15", "\x17", "\x0b", "\x04", "\x0c", "\r")
PASTES = ("\x1b[200~", "\x1b[201~", "\x1b[", "\x1bO", "\x1b", "\x1b[1;5", "\x1b[\xe9")

pieces = st.lists(st.sampled_from(KEYS + PASTES) | st.text(max_size=5)).map("".join)


def typed(*keys: str) -> tuple[Editor, list[str | Key]]:
    editor = Editor()
    return editor, [out for key in keys for out in editor.feed(key.encode())]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("status",), "status"),
        (("sttus", LEFT * 3, "a"), "status"),
        (("tatus", HOME, "s", END, " all"), "status all"),
        (("statuss", BACK), "status"),
        (("xstatus", HOME, DELETE), "status"),
        (("help shutdown now", "\x17\x17", "status"), "help status"),
        (("nonsense", "\x15", "status"), "status"),
        (("status nonsense", "\x1bb", "\x0b"), "status "),
        (("a b c", "\x01\x1bf\x1bf", "!"), "a b! c"),
        (("status", RIGHT * 3, BACK * 20, DELETE * 3, "help"), "help"),
        (("\x1b[15~\x1bOP\x1b[?1;2c", "status", "\x07\x00\x1bz"), "status"),
        (("größe ", "猫", LEFT, BACK, "!"), "größe!猫"),
    ],
)
def test_keys_edit_the_line_as_in_a_shell(keys: tuple[str, ...], line: str) -> None:
    assert typed(*keys, "\r")[1] == [line]


def test_the_arrows_bring_back_what_was_said_and_keep_what_is_being_typed() -> None:
    editor, lines = typed("one\r", "two\r", "two\r", "\r", "dra", UP, UP, UP, DOWN, DOWN, DOWN, "ft", "\r")
    assert lines == ["one", "two", "two", "", "draft"]
    assert list(editor.feed(f"{UP}{UP}{UP}\r".encode())) == ["one"]


def test_only_so_many_lines_are_kept() -> None:
    editor, _ = typed(*(f"{number}\r" for number in range(MOST_KEPT + 10)))
    assert list(editor.feed(f"{UP * (MOST_KEPT + 10)}\r".encode())) == ["10"]


def test_a_paste_of_many_lines_is_one_line_and_says_nothing() -> None:
    editor, lines = typed("\x1b[200~shutdown all\nshutdown\twalker\r\x03\x1b[A\x1b[201~")
    assert lines == []
    assert editor.text.startswith("shutdown all shutdown walker")
    assert editor.text.isprintable()


def test_ctrl_d_ends_an_empty_line_and_deletes_in_another() -> None:
    assert typed("\x04")[1] == [Key.END]
    assert typed("xy", HOME, "\x04", "\r")[1] == ["y"]


def test_a_line_has_a_bound() -> None:
    editor, _ = typed("x" * (LONGEST + 10))
    assert len(editor.text) == LONGEST


@given(pieces, st.lists(st.integers(1, 30)))
def test_it_is_all_the_same_how_the_bytes_are_cut(keys: str, cuts: list[int]) -> None:
    whole, parts = Editor(), Editor()
    data = keys.encode()
    expected = list(whole.feed(data))
    found: list[str | Key] = []
    for cut in cuts:
        found += parts.feed(data[:cut])
        data = data[cut:]
    found += parts.feed(data)
    assert (found, parts.text, parts.cursor) == (expected, whole.text, whole.cursor)


@given(st.lists(st.binary(max_size=20) | pieces.map(str.encode)), st.integers(-3, 60))
def test_any_keys_leave_a_line_that_a_terminal_can_show(keys: Iterable[bytes], cells: int) -> None:
    editor = Editor()
    for key in keys:
        for out in editor.feed(key):
            assert isinstance(out, Key) or out.isprintable()
        assert 0 <= editor.cursor <= len(editor.text)
        shown, cell = editor.view(cells)
        assert shown == glyphs.one_line(shown)
        assert glyphs.width(shown) <= max(cells - 1, 0)
        assert 0 <= cell <= glyphs.width(shown)


@given(st.text(st.characters(categories=["L", "N", "Zs"]), max_size=80), st.integers(4, 40), st.data())
def test_what_stands_around_the_cursor_is_seen(line: str, cells: int, data: st.DataObject) -> None:
    editor = Editor()
    editor.text = line
    editor.cursor = data.draw(st.integers(0, len(line)))
    shown, cell = editor.view(cells)
    if glyphs.width(line) < cells:
        assert shown == line
    else:
        assert "…" in shown
        assert shown.strip("…") in line
    assert cell <= cells - 1


def test_a_key_that_never_ends_is_let_go() -> None:
    editor, _ = typed("\x1b[" + "1" * 100, "x")
    assert editor.text.endswith("x")
