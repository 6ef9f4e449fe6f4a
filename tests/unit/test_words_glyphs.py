"""Characters as a screen takes them, and progress in words."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words import gauge, glyphs
from bot.words.document import LONGEST_S, Progress, progress

FAMILY = "👩\u200d👩\u200d👧"
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
odd = st.text(
    st.sampled_from(f"a b\n\r\t\x00\x1b\x85\x9b\u2028\u200b\u200d\u200e\ufeff\U000e0041\ud800é{BIDI}東\u0301")
)


@settings(deadline=None)
@given(st.text() | odd)
def test_one_line_holds_nothing_that_commands_turns_or_breaks(text: str) -> None:
    line = glyphs.one_line(text)
    line.encode()
    assert all(unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"} and each not in BIDI for each in line)
    assert glyphs.one_line(line) == line


@settings(deadline=None)
@given(st.text() | odd)
def test_lines_are_each_harmless(text: str) -> None:
    for line in glyphs.lines(text):
        assert glyphs.one_line(line) == line


@pytest.mark.parametrize(
    ("foul", "harmless"),
    [
        ("two\r\nlines\nmore", "two lines more"),
        ("\x1b[31mred\x9b", "\ufffd[31mred\ufffd"),
        ("user\u202egnp.exe", "user\ufffdgnp.exe"),
        ("pay\u200bload\ufeff", "payload"),
        ("\U000e0041tag", "tag"),
        ("a\u2028b", "a b"),
        ("half\ud83d", "half\ufffd"),
        ("👩\u200d🚒 é", "👩\u200d🚒 é"),
    ],
)
def test_what_becomes_of_odd_characters(foul: str, harmless: str) -> None:
    assert glyphs.one_line(foul) == harmless


def test_lines_and_tabs_of_code_stay_where_they_are() -> None:
    assert glyphs.lines("a\r\n\tb\u2028c\n") == ["a", "    b", "c", ""]
    assert glyphs.lines("ab\tc") == ["ab  c"]


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("東京", 4), ("é", 1), ("e\u0301", 1), ("한", 2), ("🔥", 2), ("", 0)]
)
def test_width_counts_cells(text: str, cells: int) -> None:
    assert glyphs.width(text) == cells
    assert glyphs.width(glyphs.pad(text, 10)) == 10


@settings(deadline=None)
@given(st.text() | odd, st.integers(1, 20))
def test_folded_lines_fit_and_say_every_word(text: str, cells: int) -> None:
    line = glyphs.one_line(text)
    folded = glyphs.fold(line, cells)
    assert "".join("".join(folded).split(" ")) == "".join(line.split(" "))
    assert all(glyphs.width(each) <= max(2, cells) for each in folded)
    assert folded


def test_a_fold_falls_between_words_where_it_can() -> None:
    assert glyphs.fold("the quick brown fox", 10) == ["the quick", "brown fox"]
    assert glyphs.fold("a incomprehensible b", 8) == ["a", "incompre", "hensible", "b"]
    assert glyphs.fold("東京東京", 5) == ["東京", "東京"]
    assert glyphs.fold("", 5) == [""]


@pytest.mark.parametrize(
    ("eta_s", "words"),
    [
        (0, "0 s left"),
        (59.9, "59 s left"),
        (60, "1 min left"),
        (200, "3 min 20 s left"),
        (1_000, "16 min left"),
        (7_260, "2 h 1 min left"),
        (86_400, "1 d left"),
        (LONGEST_S, "11574 d left"),
    ],
)
def test_time_is_told_as_exactly_as_it_matters(eta_s: float, words: str) -> None:
    assert gauge.left(progress(0.5, eta_s=eta_s)) == f" · {words}"


@pytest.mark.parametrize(
    ("done", "words"), [(0, "0 %"), (0.29, "29 %"), (0.999, "99 %"), (1 - 1e-12, "99 %"), (1, "100 %")]
)
def test_nothing_is_complete_before_it_is(done: float, words: str) -> None:
    block = progress(done)
    assert gauge.percent(block) == words
    assert (gauge.bar(block)[1] == "") is (done == 1)


@settings(deadline=None)
@given(st.floats(0, 1))
def test_every_bar_is_as_long(done: float) -> None:
    assert len("".join(gauge.bar(Progress(done)))) == gauge.CELLS


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("in time", 7, "in time"),
        ("the quick brown fox", 16, "the quick brown…"),
        ("the quick brown fox", 15, "the quick…"),
        ("incomprehensible", 8, "incompr…"),
        ("a incomprehensible", 8, "a incom…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        (FAMILY * 2, 9, f"{FAMILY}…"),
    ],
)
def test_what_is_too_long_ends_after_a_word_and_tears_no_sign(text: str, most: int, short: str) -> None:
    assert glyphs.cut(text, most) == short


@given(st.text() | st.text("a \u0301\u200d👩", max_size=50), st.integers(1, 40))
def test_what_is_cut_is_as_long_as_it_may_be_and_begins_as_it_did(text: str, most: int) -> None:
    short = glyphs.cut(text, most)
    assert len(short) <= most
    assert text.startswith(short.removesuffix("…"))


def test_a_family_is_quoted_whole() -> None:
    assert glyphs.quoted(f" {FAMILY}\n at home ") == f"'{FAMILY} at home'"
