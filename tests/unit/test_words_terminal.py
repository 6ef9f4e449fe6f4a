"""A document in a terminal: it fits, it folds, and it says the same without colour."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import Color, ColorSystem
from rich.console import Console

from bot.words import glyphs
from bot.words.document import (
    Code,
    Document,
    Items,
    Picture,
    Progress,
    Span,
    Style,
    Table,
    Text,
    Tone,
    code,
    document,
    mono,
    picture,
    progress,
    strong,
    table,
    text,
)
from bot.words.html import COLOURS
from bot.words.plain import to_plain
from bot.words.terminal import TYPED, to_terminal

words = st.text(max_size=30) | st.sampled_from(
    ["\x1b[2J", "[bold]x[/]", "東京 " * 9, "x" * 60, ":fire:", "a\tb\nc", "\ud800"]
)
spans = st.builds(Span, words, st.sampled_from(Style), st.sampled_from(Tone))
paragraphs = st.builds(Text, st.lists(spans, max_size=3).map(tuple))
lists = st.builds(Items, st.lists(paragraphs, max_size=3).map(tuple))
tables = st.integers(0, 4).flatmap(
    lambda width: st.builds(
        Table, st.tuples(*[words] * width), st.lists(st.tuples(*[spans] * width), max_size=3).map(tuple)
    )
)
bars = st.builds(Progress, st.floats(0, 1), words, st.none() | st.floats(0, 1e9))
pictures = st.builds(Picture, words, st.just("image/png"), st.just(b"x"), st.just(1), st.just(1))
documents = st.builds(
    Document, st.lists(paragraphs | lists | tables | bars | pictures | st.builds(Code, words), max_size=4).map(tuple)
)


def shown(saying: Document, width: int = 80, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        legacy_windows=False,
        _environ={},
    )
    console.print(to_terminal(saying))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def bare(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None)
@given(documents, st.integers(1, 100))
def test_no_document_is_too_odd_and_no_terminal_too_narrow(saying: Document, width: int) -> None:
    said = shown(saying, width)
    said.encode()
    assert "\x1b" not in said


@settings(deadline=None)
@given(documents, st.integers(1, 100))
def test_colour_changes_no_word(saying: Document, width: int) -> None:
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown(saying, width, colour=True)) == shown(saying, width)


cells = st.text(st.sampled_from("abc de東京\u0301"), max_size=40).map(Span)


@settings(deadline=None)
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=4), st.integers(4, 100))
def test_a_table_fits_whatever_the_width_and_says_every_word(rows: list[tuple[Span, ...]], width: int) -> None:
    said = shown(Document((Table(("", "", ""), tuple(rows)),)), width)
    assert all(glyphs.width(line) <= width for line in said.splitlines())
    every = "".join(cell.text for row in rows for cell in row)
    assert sorted(bare(said)) == sorted(bare(every))


STATUS = table(
    ("component", "state", "what it is"),
    [
        (mono("swarm-1"), strong("stopped", Tone.GOOD), "a swarm of a million bots"),
        (mono("東京"), Span("silent", tone=Tone.QUIET), "容量"),
    ],
)


def test_a_table_with_room_looks_as_in_plain_text() -> None:
    lines = [line.rstrip() for line in shown(document(STATUS)).splitlines()]
    assert lines == to_plain(document(STATUS)).splitlines()


def test_a_table_with_less_room_folds_the_widest_column() -> None:
    assert shown(document(STATUS), 36).splitlines() == [
        "component  state    what it is",
        "swarm-1    stopped  a swarm of a",
        "                    million bots",
        "東京       silent   容量",
    ]


def test_a_table_without_room_shows_each_row_by_itself() -> None:
    assert shown(document(STATUS), 24).splitlines() == [
        "componen  swarm-1",
        "t",
        "state     stopped",
        "what it   a swarm of a",
        "is        million bots",
        "",
        "componen  東京",
        "t",
        "state     silent",
        "what it   容量",
        "is",
    ]


def test_every_block_in_a_terminal() -> None:
    saying = document(
        text("Go: ", mono("!status")),
        Items((text("an entry that is longer than the line"), text("two"))),
        progress(0.5, "Half", eta_s=5),
        code("a\n\tb"),
        picture("The curve", "image/png", b"x", width=1, height=1),
    )
    assert [line.rstrip() for line in shown(saying, 45).splitlines()] == [
        "Go: !status",
        "",
        "• an entry that is longer than the line",
        "• two",
        "",
        "Half",
        "━━━━━━━━━━━━──────────── 50 % · 5 s left",
        "",
        "    a",
        "        b",
        "",
        "Picture: The curve",
    ]
    assert shown(saying, 30).splitlines()[2:5] == ["• an entry that is longer than", "  the line", "• two"]


@pytest.mark.parametrize(
    ("tone", "colour"),
    [(Tone.GOOD, "33;140;66"), (Tone.WARN, "181;106;0"), (Tone.BAD, "221;59;66"), (Tone.QUIET, "116;125;135")],
)
def test_each_tone_has_its_colour(tone: Tone, colour: str) -> None:
    assert f"38;2;{colour}m" in shown(document(Span("x", tone=tone)), colour=True)
    assert f"\x1b[1;38;2;{colour}m" in shown(document(strong("x", tone)), colour=True)


@pytest.mark.parametrize(
    ("span", "number"),
    [
        (Span("x", tone=Tone.GOOD), 2),
        (Span("x", tone=Tone.WARN), 3),
        (Span("x", tone=Tone.BAD), 9),
        (Span("x", tone=Tone.QUIET), 8),
        (mono("x"), 6),
    ],
)
def test_a_terminal_of_sixteen_colours_shows_each_as_what_it_means(span: Span, number: int) -> None:
    colour = Color.parse(COLOURS.get(span.tone, TYPED))
    assert colour.downgrade(ColorSystem.STANDARD).number == number


def test_plain_words_take_the_colour_of_the_terminal() -> None:
    assert shown(document("x"), colour=True).rstrip() == "x"
