"""A document: what it may hold, how it is stored, and how it reads as HTML and as plain text.

What comes from outside is never markup.
"""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.words import gauge, glyphs
from bot.words.document import (
    LONGEST_S,
    MEDIA_TYPES,
    MOST_BYTES,
    MOST_PIXELS,
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
from bot.words.html import COLOURS, to_html
from bot.words.plain import to_plain

STORED = TypeAdapter(Document)

ALLOWED = {
    "p": set[str](),
    "ul": set[str](),
    "li": set[str](),
    "table": set[str](),
    "thead": set[str](),
    "tbody": set[str](),
    "tr": set[str](),
    "th": set[str](),
    "td": set[str](),
    "strong": set[str](),
    "code": set[str](),
    "pre": set[str](),
    "br": set[str](),
    "font": {"color", "data-mx-color"},
}

words = st.text(max_size=20) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "<a href='javascript:x'>",
        "&lt;b&gt;",
        "</p></table>",
        "<!--",
        "\u202eover",
        "\x1b[31m",
        "two\r\nlines",
        "\ud800",
    ]
)
spans = st.builds(Span, words, st.sampled_from(Style), st.sampled_from(Tone))
paragraphs = st.builds(Text, st.lists(spans, max_size=4).map(tuple))
lists = st.builds(Items, st.lists(paragraphs, max_size=3).map(tuple))
tables = st.integers(1, 3).flatmap(
    lambda width: st.builds(
        Table,
        st.tuples(*[words] * width),
        st.lists(st.tuples(*[spans] * width), max_size=3).map(tuple),
    )
)
codes = st.builds(Code, words, st.sampled_from(["", "python", "c++"]))
bars = st.builds(Progress, st.floats(0, 1), words, st.none() | st.floats(0, LONGEST_S))
sides = st.integers(1, MOST_PIXELS)
pictures = st.builds(Picture, words, st.sampled_from(sorted(MEDIA_TYPES)), st.binary(min_size=1), sides, sides)
blocks = paragraphs | lists | tables | codes | bars | pictures
documents = st.builds(Document, st.lists(blocks, max_size=4).map(tuple))


class Reader(HTMLParser):
    """Reads HTML as strictly as one can, and keeps its words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "code" and self.open and self.open[-1] == "pre":
            assert attrs in ([], [("class", "language-python")], [("class", "language-c++")])
        else:
            assert {name for name, _ in attrs} == ALLOWED[tag]
            assert all(value in COLOURS.values() for _, value in attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert (tag, attrs) == ("br", [])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def all_words(saying: Document) -> str:
    """Every word, as it is harmless."""
    found = ""
    for block in map(shown, saying.blocks):
        match block:
            case Text():
                found += "".join(glyphs.one_line(span.text) for span in block.spans)
            case Items():
                found += "".join(glyphs.one_line(span.text) for entry in block.entries for span in entry.spans)
            case Table():
                head = block.head if any(block.head) else ()
                cells = [cell.text for row in block.rows for cell in row]
                found += "".join(glyphs.one_line(cell) for cell in (*head, *cells))
            case Code():
                found += "\n".join(glyphs.lines(block.text)) + "\n"
            case Progress():
                found += glyphs.one_line(block.label) + "".join(gauge.bar(block)) + " " + gauge.percent(block)
                found += gauge.left(block)
            case Picture():
                found += "Picture: " + glyphs.one_line(block.alt)
    return found


def read(saying: Document) -> Reader:
    reader = Reader()
    reader.feed(to_html(saying))
    reader.close()
    assert reader.open == []
    return reader


@settings(deadline=None)
@given(documents)
def test_html_holds_the_allowed_tags_only_and_says_every_word(saying: Document) -> None:
    assert read(saying).words == all_words(saying)


@pytest.mark.parametrize("render", [to_html, to_plain])
@settings(deadline=None)
@given(saying=documents)
def test_nothing_that_commands_turns_or_breaks_comes_through(
    render: Callable[[Document], str], saying: Document
) -> None:
    said = render(saying)
    said.encode()
    assert not set(said) & {"\x1b", "\r", "\t", "\x7f", "\x9b", "\u202e", "\u2066", "\u200e", "\u200b", "\x00"}


documents_of_letters = st.builds(
    Document,
    st.lists(
        st.builds(Text, st.lists(st.builds(Span, st.text(), st.sampled_from(Style), st.sampled_from(Tone))).map(tuple))
        | st.builds(Code, st.text(), st.sampled_from(["", "python"]))
        | st.builds(Progress, st.floats(0, 1), st.text(), st.none() | st.floats(0, LONGEST_S))
        | st.builds(Picture, st.text(), st.sampled_from(sorted(MEDIA_TYPES)), st.binary(min_size=1), sides, sides)
        | st.builds(Table, st.tuples(st.text()), st.lists(st.tuples(st.builds(Span, st.text()))).map(tuple))
        | st.builds(Items, st.lists(st.builds(Text, st.tuples(st.builds(Span, st.text())))).map(tuple)),
        max_size=4,
    ).map(tuple),
)


@settings(deadline=None)
@given(documents_of_letters)
def test_a_document_comes_back_from_the_store_as_it_went_in(saying: Document) -> None:
    back = STORED.validate_json(STORED.dump_json(STORED.validate_python(saying), warnings="error"))
    assert back == saying
    assert [type(block) for block in back.blocks] == [type(block) for block in saying.blocks]


def test_a_document_that_an_older_version_stored_still_loads() -> None:
    stored = (
        b'{"blocks":[{"spans":[{"text":"a","style":"plain","tone":"bad"}]},'
        b'{"head":["x"],"rows":[[{"text":"1","style":"mono","tone":"plain"}]]},'
        b'{"entries":[{"spans":[{"text":"one","style":"strong","tone":"plain"}]}]},{"spans":[]}]}'
    )
    assert STORED.validate_json(stored) == document(
        Span("a", tone=Tone.BAD), table(("x",), [(mono("1"),)]), Items((text(strong("one")),)), text()
    )


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: picture("x", "image/svg+xml", b"<svg>", width=1, height=1), "image/jpeg, image/png, image/webp"),
        (lambda: picture("x", "image/png", b"", width=1, height=1), "a picture of 0 bytes"),
        (lambda: picture("x", "image/png", b"x" * (MOST_BYTES + 1), width=1, height=1), "a picture of 4194305 bytes"),
        (lambda: picture("x", "image/png", b"x", width=0, height=1), "a picture 0 pixels"),
        (lambda: picture("x", "image/png", b"x", width=1, height=MOST_PIXELS + 1), "a picture 16385 pixels"),
        (lambda: progress(1.01), "1.01 is not between 0 and 1"),
        (lambda: progress(float("nan")), "nan is not between 0 and 1"),
        (lambda: progress(0.5, eta_s=-1), "-1 s is no time"),
        (lambda: progress(0.5, eta_s=float("inf")), "inf s is no time"),
        (lambda: code("x", 'x" onclick="'), "is no name of a language"),
    ],
)
def test_what_is_out_of_form_is_no_block(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


def test_a_stored_picture_that_is_out_of_form_does_not_load() -> None:
    stored = STORED.dump_json(document(picture("x", "image/png", b"x", width=1, height=1)))
    assert b"image/png" in stored
    with pytest.raises(ValueError, match=r"image/svg"):
        STORED.validate_json(stored.replace(b"image/png", b"image/svg+xml"))


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("tone", Tone)
def test_every_style_and_tone_has_its_form(style: Style, tone: Tone) -> None:
    html = to_html(document(Span("x", style, tone)))
    assert ("<strong>" in html) is (style is Style.STRONG)
    assert ("<code>" in html) is (style is Style.MONO)
    assert ("<font" in html) is (tone is not Tone.PLAIN)


def test_a_document_as_html() -> None:
    saying = document(
        text("a < ", strong("b")),
        table(("x", "y"), [("1", mono("2"))]),
        Items((text("one"), text("two"))),
        code("a\n  < b", "python"),
        progress(0.5, "Half & half", eta_s=90),
        picture("The <curve>", "image/png", b"x", width=1, height=1),
    )
    quiet = COLOURS[Tone.QUIET]
    font = f'<font color="{quiet}" data-mx-color="{quiet}">'
    assert to_html(saying) == (
        "<p>a &lt; <strong>b</strong></p>"
        "<table><thead><tr><th>x</th><th>y</th></tr></thead>"
        "<tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table>"
        "<ul><li>one</li><li>two</li></ul>"
        '<pre><code class="language-python">a\n  &lt; b\n</code></pre>'
        f"<p>Half &amp; half<br/>{'━' * 12}{font}{'─' * 12}</font> <strong>50 %</strong>"
        f"{font} · 1 min 30 s left</font></p>"
        f"<p>{font}Picture: </font>The &lt;curve&gt;</p>"
    )


def test_a_document_as_plain_text() -> None:
    saying = document(
        "Hello.",
        table(("component", "says"), [("a", strong("stopped")), ("longer-name-than-head", "no")]),
        Items((text("one"), text("two"))),
        code("a\n\n\tb"),
        progress(0.25, "A quarter"),
        picture("The curve", "image/png", b"x", width=1, height=1),
    )
    assert to_plain(saying) == (
        "Hello.\n"
        "\n"
        "component              says\n"
        "a                      stopped\n"
        "longer-name-than-head  no\n"
        "\n"
        "• one\n"
        "• two\n"
        "\n"
        "    a\n"
        "\n"
        "        b\n"
        "\n"
        "A quarter\n"
        "━━━━━━────────────────── 25 %\n"
        "\n"
        "[picture: The curve]"
    )


def test_a_plain_table_aligns_by_what_a_terminal_shows() -> None:
    saying = document(table(("id", "state"), [("東京", "up"), ("e\u0301te\u0301", "up"), ("abcd", "up")]))
    assert to_plain(saying) == "id    state\n東京  up\ne\u0301te\u0301   up\nabcd  up"


def test_a_table_without_a_head_shows_none() -> None:
    saying = document(table(("", ""), [("role", "viewer")]))
    assert "<th" not in to_html(saying)
    assert to_plain(saying) == "role  viewer"


def test_an_empty_document_says_nothing() -> None:
    assert to_html(document()) == ""
    assert to_plain(document()) == ""
    assert to_plain(document(table((), []))) == ""


def test_a_row_that_does_not_fit_its_head_is_no_table() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells under a head of 2"):
        table(("a", "b"), [("1",)])
