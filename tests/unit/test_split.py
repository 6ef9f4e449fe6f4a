"""How a line becomes words: white space, quotes, and nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.desk.split import LONGEST_LINE, MOST_WORDS, Quoted, bare_or_quoted, split
from bot.words.errors import UsageError

messy = st.text() | st.text("ab=-–—\"'“”„‘’\\ \t\n\u00a0", max_size=40)


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("", []),
        (" \n ", []),
        ("all", ["all"]),
        ("all\tnow\nplease\u00a0and\u2028thanks", ["all", "now", "please", "and", "thanks"]),
        ("'two words' \"and two\"", ["two words", "and two"]),
        (
            "“two words” ‘and two’ „und zwei“ ”och två” ’and two’",
            ["two words", "and two", "und zwei", "och två", "and two"],
        ),
        ("a=“b c” --d='e f' g=h", ["a=b c", "--d=e f", "g=h"]),
        ("'' a=\"\"", ["", "a="]),
        ("don't it's dogs'", ["don't", "it's", "dogs'"]),
        ("don’t", ["don’t"]),
        ("'don't do it'", ["don't do it"]),
        ("‘don’t do it’", ["don’t do it"]),
        ('5" 6"', ['5"', '6"']),
        ('"a "b" c', ['a "b', "c"]),
        ('"""', ['"']),
        ("a=b='c d", ["a=b='c", "d"]),
        ("# no comment $HOME *", ["#", "no", "comment", "$HOME", "*"]),
        (r"C:\new 'a\' \n", [r"C:\new", "a\\", r"\n"]),
        ("'line one\nline two'", ["line one\nline two"]),
    ],
)
def test_white_space_parts_words_and_quotes_keep_them_together(rest: str, words: list[str]) -> None:
    assert split(rest) == words


def test_what_stood_in_quotes_as_a_whole_is_known() -> None:
    assert [isinstance(word, Quoted) for word in split("a 'b' c='d' '--e'")] == [False, True, False, True]


@pytest.mark.parametrize(
    ("rest", "word"),
    [
        ("'open", "'open"),
        ('a "', '"'),
        ("x=“open end", "x=“open"),
        ("'a'b", "'a'b"),
        ("\"a'", "\"a'"),
        ("'90s", "'90s"),
    ],
)
def test_a_quotation_that_does_not_end_is_told(rest: str, word: str) -> None:
    with pytest.raises(UsageError, match="does not end: close it at the end of a word") as wrong:
        split(rest)
    assert f"'{word}'" in wrong.value.what


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UsageError, match="'before' is followed by half a character"):
        split("before\ud800")


def test_a_line_is_bounded() -> None:
    assert len(split("x " * MOST_WORDS)) == MOST_WORDS
    assert split("x" * LONGEST_LINE) == ["x" * LONGEST_LINE]
    with pytest.raises(UsageError, match="too many words"):
        split("x " * (MOST_WORDS + 1))
    with pytest.raises(UsageError, match="too long"):
        split("x" * (LONGEST_LINE + 1))


@given(messy)
@example('"' * 60_000)
@example("'a" * 30_000)
@example("a=" * 30_000)
@example(" " * 60_000)
def test_every_word_reads_as_itself_when_it_is_written(rest: str) -> None:
    try:
        words = split(rest)
    except UsageError:
        return
    for word in map(str, words):
        assert split(bare_or_quoted(word)) == [word]
        assert split("key=" + bare_or_quoted(word, behind_key=True)) == ["key=" + word]
    assert split(" ".join(map(bare_or_quoted, words))) == words


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("swarm", "swarm"),
        ("-3", "-3"),
        ("–", "–"),
        ("don't", "don't"),
        ("", '""'),
        ("a=b", '"a=b"'),
        ("--dry", '"--dry"'),
        ("—dry", '"—dry"'),
        ("“a”", '"“a”"'),
        ('say "hi" now', "'say \"hi\" now'"),
        ("\" ' ", "“\" ' ”"),
        ("\" ' ” ", "‘\" ' ” ’"),
    ],
)
def test_only_a_word_that_needs_quotes_is_written_in_quotes(word: str, written: str) -> None:
    assert bare_or_quoted(word) == written
    assert split(written) == [word]
