"""What people write is read as what it is, calls nobody, and hides what they hid."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.words import packed
from bot.words.document import Code, Document, Items, Span, Style, Table, Text, text
from bot.words.hiding import HIDDEN
from bot.words.html import to_html
from bot.words.markup import MOST_LINES, read
from bot.words.plain import to_plain
from bot.words.zulip import to_zulip


def name_of(account: str) -> str:
    return {"12": "olga"}.get(account, "")


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("hello", "hello"),
        ("**now** and `x*y`", "now and x*y"),
        ("@**Olga S|12** and @_**Otto|7** and @**Mia**", "@olga and @Otto and @Mia"),
        ("@**all** @**stream|3**", "@all @stream"),
        ("look at #**lab>night shift**", "look at #lab>night shift"),
        ("[the log](https://lab.example/log)", "the log (https://lab.example/log)"),
        ("[https://lab.example](https://lab.example)", "https://lab.example"),
        ("[a bank](javascript:alert)", "a bank (javascript:alert)"),
        ("it is ||in the cellar||", f"it is {HIDDEN}"),
        ("**it is ||in the cellar|| now**", f"it is {HIDDEN} now"),
        ("[look ||in the cellar||](https://lab.example)", f"look {HIDDEN} (https://lab.example)"),
        ("- it is ||in\n- the cellar||", f"• it is {HIDDEN}"),
        ("|a|b||\n|-|-|-|\n||c|d|", "a  b\n   c  d"),
        ("> was it you?\nno", "» was it you?\n\nno"),
        ("````quote\nwas it you?\n````\nno", "» was it you?\n\nno"),
        ("```spoiler The end\nhe dies\n```", f"Spoiler: The end {HIDDEN}"),
        ("````Quote\n```spoiler The end\nhe dies\n```\n````", f"» Spoiler: The end {HIDDEN}"),
        ("~~~\nnever ended", "    never ended"),
        ("- one\n* two\n+ three", "• one\n• two\n• three"),
        ("a | b\nno table", "a | b\n\nno table"),
        ("|a|b|\n|--|--|\n|1|\n|2|3|4|", "a  b\n1\n2  3"),
        ("| a | b |\n|---|:-:|\n| `x` | **y** |", "a  b\nx  y"),
        ("2 * 3 * 4 and __init__ and a_b_c", "2 * 3 * 4 and __init__ and a_b_c"),
        ("**", "**"),
        ("", ""),
    ],
)
def test_what_is_written_is_read(said: str, plain: str) -> None:
    assert to_plain(Document(tuple(read(said, name_of)))) == plain


def test_each_form_is_what_it_is() -> None:
    said = "**now** `x`\n- one\n|a|b|\n|-|-|\n|--|--|\n```python\nx = 1\n\ny = 2\n```"
    assert read(said) == [
        text(Span("now", Style.STRONG), " ", Span("x", Style.MONO)),
        Items((text("one"),)),
        Table(("a", "b"), ((Span("--"), Span("--")),)),
        Code("x = 1\n\ny = 2"),
    ]


def test_what_is_too_long_ends_with_a_sign() -> None:
    blocks = read("\n".join(map(str, range(MOST_LINES + 5))))
    assert blocks[-2:] == [text(str(MOST_LINES - 1)), text("…")]


SIGNS = st.text(st.sampled_from("*`~|[]()@#_>-:\\ \nab1"), max_size=400)


@given(said=SIGNS | st.text(max_size=400))
@example("@**")
def test_whatever_is_written_is_read_and_calls_nobody(said: str) -> None:
    document = Document(tuple(read(said)))
    assert not re.search(r"@_?\*\*", to_zulip(document))
    (to_plain(document) + to_html(document)).encode()
    assert packed.load(packed.dump(document)) == document


@given(st.text(st.sampled_from("abc "), min_size=1, max_size=50).filter(str.strip), SIGNS)
def test_what_somebody_has_hidden_stands_nowhere(words: str, around: str) -> None:
    secret = f"s3cret{words.strip()}"
    (paragraph,) = read(f"see ||{secret}||")
    assert isinstance(paragraph, Text)
    assert "s3cret" not in to_plain(Document((paragraph,)))
    blocks = read(f"```spoiler\n{secret}\n```\n{around}")
    assert "s3cret" not in to_html(Document(tuple(blocks)))
