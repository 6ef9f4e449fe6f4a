"""A document as HTML and as plain text. What comes from outside is never markup."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.document import Document, Items, Span, Style, Table, Text, Tone, document, mono, strong, table, text
from bot.words.html import COLOURS, to_html
from bot.words.plain import to_plain

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
documents = st.builds(Document, st.lists(paragraphs | lists | tables, max_size=4).map(tuple))


class Reader(HTMLParser):
    """Reads HTML as strictly as one can, and keeps its words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} == ALLOWED[tag]
        assert all(value in COLOURS.values() for _, value in attrs)
        self.open.append(tag)

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
    found = ""
    for block in saying.blocks:
        match block:
            case Text():
                found += "".join(span.text for span in block.spans)
            case Items():
                found += "".join(span.text for entry in block.entries for span in entry.spans)
            case Table():
                found += "".join(block.head) + "".join(cell.text for row in block.rows for cell in row)
    return found


def read(saying: Document) -> Reader:
    reader = Reader()
    reader.feed(to_html(saying))
    reader.close()
    assert reader.open == []
    return reader


@given(documents)
def test_html_holds_the_allowed_tags_only_and_says_every_word(saying: Document) -> None:
    heard = read(saying).words
    assert "".join(heard.split("\r")) == "".join(all_words(saying).split("\r"))


@given(documents)
def test_no_document_is_too_odd_for_plain_text(saying: Document) -> None:
    to_plain(saying)


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
    )
    assert to_html(saying) == (
        "<p>a &lt; <strong>b</strong></p>"
        "<table><thead><tr><th>x</th><th>y</th></tr></thead>"
        "<tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table>"
        "<ul><li>one</li><li>two</li></ul>"
    )


def test_a_document_as_plain_text() -> None:
    saying = document(
        "Hello.",
        table(("component", "says"), [("a", strong("stopped")), ("longer-name-than-head", "no")]),
        Items((text("one"), text("two"))),
    )
    assert to_plain(saying) == (
        "Hello.\n"
        "\n"
        "component              says\n"
        "a                      stopped\n"
        "longer-name-than-head  no\n"
        "\n"
        "• one\n"
        "• two"
    )


@pytest.mark.parametrize("render", [to_html, to_plain])
def test_a_table_without_a_head_shows_none(render: object) -> None:
    assert callable(render)
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
