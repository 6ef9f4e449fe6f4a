"""A document cut into pages: nothing lost, nothing twice, in order, each page within its bound, and an end in sight."""

from collections.abc import Callable, Sized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    shown,
    strong,
    table,
    text,
)
from bot.words.html import to_html
from bot.words.pages import Bound, split
from bot.words.plain import to_plain
from bot.words.zulip import to_zulip

# Letters in heads are none of those elsewhere, so that a head that is said again can be told apart.
heads = st.text(st.sampled_from("XYZ"), max_size=40)


def documents(longest: int) -> st.SearchStrategy[Document]:
    """Documents with words of up to so many letters, and odd ones."""
    odd = st.text(st.sampled_from("abc <&`*\"'\\e\u0301東\n"), max_size=min(30, longest))
    letters = odd | st.integers(0, longest // 5).map(lambda n: "word " * n)
    spans = st.builds(Span, letters, st.sampled_from(Style), st.sampled_from(Tone))
    paragraphs = st.builds(Text, st.lists(spans, max_size=4).map(tuple))
    tables = st.integers(0, 4).flatmap(
        lambda width: st.builds(
            Table, st.tuples(*[heads] * width), st.lists(st.tuples(*[spans] * width), max_size=9).map(tuple)
        )
    )
    blocks = (
        paragraphs
        | tables
        | st.builds(Items, st.lists(paragraphs, max_size=5).map(tuple))
        | st.builds(Code, letters, st.sampled_from(["", "python"]))
        | st.builds(Progress, st.floats(0, 1), letters, st.none() | st.floats(0, 1e9))
        | st.builds(Picture, letters, st.just("image/png"), st.just(b"x"), st.just(1), st.just(1))
    )
    return st.builds(Document, st.lists(blocks, max_size=4).map(tuple))


def pages(saying: Document, bound: Bound) -> list[Document]:
    found: list[Document] = []
    rest: Document | None = saying
    while rest is not None:
        first, rest = split(rest, bound)
        found.append(first)
    return found


def told(*sayings: Document) -> str:
    """Every word but those of heads, in order, without blanks."""
    found = ""
    for saying in sayings:
        for block in map(shown, saying.blocks):
            match block:
                case Text():
                    found += "".join(span.text for span in block.spans)
                case Items():
                    found += "".join(span.text for entry in block.entries for span in entry.spans)
                case Table():
                    found += "".join(cell.text for row in block.rows for cell in row)
                case Code():
                    found += block.text
                case Progress():
                    found += f"{block.label}<{block.done},{block.eta_s}>"
                case Picture():
                    found += f"{block.alt}<{block.media_type}>"
    return "".join(letter for letter in found if not letter.isspace() and letter not in "XYZ")


@settings(max_examples=60, deadline=None)
@given(documents(1_000), st.integers(3, 60), st.integers(600, 2_000), st.sampled_from([to_plain, to_html, to_zulip]))
def test_every_page_is_within_its_bound(
    saying: Document, rows: int, characters: int, render: Callable[[Document], str]
) -> None:
    bound = Bound(rows, characters, render)
    found = pages(saying, bound)
    assert all(len(render(page)) <= characters for page in found)
    assert all(len(to_plain(page).splitlines()) <= rows for page in found)
    assert told(*found) == told(saying)


@settings(max_examples=60, deadline=None)
@given(documents(20), st.integers(1, 4), st.integers(1, 300), st.sampled_from([to_plain, to_html, to_zulip]))
def test_a_bound_too_small_to_keep_still_comes_to_an_end(
    saying: Document, rows: int, characters: int, render: Callable[[Document], str]
) -> None:
    found = pages(saying, Bound(rows, characters, render))
    assert told(*found) == told(saying)
    assert all(page.blocks for page in found[:-1])


@settings(deadline=None)
@given(documents(100))
def test_what_fits_is_left_as_it_is(saying: Document) -> None:
    assert split(saying, Bound(100_000, 1_000_000)) == (saying, None)


def test_a_page_that_counts_bytes() -> None:
    def as_bytes(page: Document) -> Sized:
        return to_plain(page).encode()

    found = pages(document("é" * 100), Bound(10, 50, as_bytes))
    assert [len(to_plain(page)) for page in found] == [25, 25, 25, 25]


@pytest.mark.parametrize("length", [200, 4_000])
def test_what_is_tried_is_little_more_than_what_is_told(length: int) -> None:
    """However many blocks there are: it took seconds for a few thousand."""
    tried: list[int] = []

    def counted(page: Document) -> Sized:
        said = to_plain(page)
        tried.append(len(said))
        return said

    saying = document(*["word " * 10] * length)
    found = pages(saying, Bound(10_000, 5_000, counted))
    assert told(*found) == told(saying)
    assert len(tried) <= 20 * len(found)
    assert sum(tried) <= 20 * sum(len(to_plain(page)) for page in found)


def test_a_cut_falls_between_blocks_and_a_paragraph_is_kept_whole() -> None:
    saying = document("one two three", "four five six", "seven")
    assert split(saying, Bound(9, 30)) == (document("one two three", "four five six"), document("seven"))
    assert split(saying, Bound(9, 20)) == (document("one two three"), document("four five six", "seven"))


def test_a_table_is_cut_between_rows_and_keeps_its_head() -> None:
    rows = [(mono(f"bot-{i}"), strong("up")) for i in range(5)]
    found = pages(document("All of them:", table(("id", "state"), rows), "Done."), Bound(5, 1_000))
    assert found == [
        document("All of them:", table(("id", "state"), rows[:2])),
        document(table(("id", "state"), rows[2:])),
        document("Done."),
    ]


def test_a_list_is_cut_between_entries_and_code_between_lines() -> None:
    entries = Items((text("one"), text("two"), text("three")))
    assert pages(document(entries), Bound(2, 100)) == [
        document(Items((text("one"), text("two")))),
        document(Items((text("three"),))),
    ]
    assert pages(document(code("a\n\nb\nc\n", "json")), Bound(2, 100)) == [
        document(code("a\n", "json")),
        document(code("b\nc", "json")),
        document(code("", "json")),
    ]
    assert pages(document(code("a\n\nb")), Bound(9, 1, to_html)) == [document(code(line)) for line in ("a", "", "b")]


def test_a_word_larger_than_a_page_is_cut_inside_and_else_none_is() -> None:
    assert pages(document("aaaa bbbb cccc dddd"), Bound(1, 12)) == [
        document("aaaa bbbb "),
        document("cccc dddd"),
    ]
    assert pages(document("x" * 25), Bound(1, 10)) == [document("x" * 10), document("x" * 10), document("x" * 5)]
    assert pages(document("e\u0301" * 3), Bound(1, 3)) == [document("e\u0301")] * 3


def test_a_row_larger_than_a_page_goes_on_in_its_own_column() -> None:
    saying = document(table(("id", "says"), [("a", "x" * 40), ("b", "y")]))
    first, *others = pages(saying, Bound(3, 40))
    assert len(others) == 1
    assert isinstance(first.blocks[0], Table)
    assert first.blocks[0].rows[0][0] == Span("a")
    rest = others[0].blocks[0]
    assert isinstance(rest, Table)
    assert rest.rows[0][0] == Span("")
    assert rest.rows[1] == (Span("b"), Span("y"))


def test_a_head_that_fills_the_page_becomes_a_paragraph() -> None:
    saying = document(table(("X" * 30, "Y" * 30), [("a", "b")]))
    found = pages(saying, Bound(5, 40))
    assert all(isinstance(block, Text) for page in found for block in page.blocks)
    assert "".join(to_plain(page) for page in found).replace(" ", "").replace("\n", "") == "X" * 30 + "Y" * 30 + "ab"


def test_a_bar_and_a_picture_stay_with_their_last_words() -> None:
    bar = progress(0.5, "word " * 30, eta_s=5)
    *before, last = pages(document(bar), Bound(3, 100))
    assert before
    assert all(isinstance(block, Text) for page in before for block in page.blocks)
    assert isinstance(last.blocks[-1], Progress)
    shot = picture("word " * 30, "image/png", b"x", width=1, height=1)
    *before, last = pages(document(shot), Bound(3, 100))
    assert before
    assert isinstance(last.blocks[-1], Picture)


@pytest.mark.parametrize(("rows", "characters"), [(0, 10), (10, 0), (-1, 10)])
def test_a_page_that_holds_nothing_is_no_page(rows: int, characters: int) -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        Bound(rows, characters)
