"""What people write is read as what it is, calls nobody, and hides what they hid."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.words import packed
from bot.words.document import Code, Document, Items, Span, Style, Table, Text, text
from bot.words.hiding import HIDDEN
from bot.words.html import to_html
from bot.words.markup import MOST_LINES, read, without_code
from bot.words.plain import to_plain
from bot.words.zulip import to_zulip
from bridges.matrix import content
from tests.zulip.clock import Clock
from tests.zulip.lab import furnish
from tests.zulip.markup import render
from tests.zulip.realm import Realm

OLGA = "@olga:example.org"


def name_of(account: str) -> str:
    return {"12": "olga", OLGA: "olga"}.get(account, "")


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("hello", "hello"),
        ("**now** and `x*y`", "now and x*y"),
        ("@**Olga S|12** and @_**Otto|7** and @**Mia**", "@olga and @Otto and @Mia"),
        ("@**all** @**stream|3**", "@all @stream"),
        (f"@**Olga S|{OLGA}**: @**Otto|@otto:example.org:8448**", "@olga: @Otto"),
        (f"**see @**Olga S|{OLGA}** now** and **then**, @**Olga|12**", "see @olga now and then, @olga"),
        (f"2 ** 3 @**Olga|{OLGA}**", "2 ** 3 @olga"),
        (f"***@**Olga|{OLGA}*****", "*@olga*"),
        ("@**Otto|@otto:x y**", "@Otto|@otto:x y"),
        ("@**Otto|@o|tto:x**", "@Otto|@o|tto:x"),
        ("@**Otto|@otto**", "@Otto|@otto"),
        (f"@**Otto|@otto:{'x' * 255}**", f"@Otto|@otto:{'x' * 255}"),
        (f"| who | what |\n|---|---|\n| @**Olga|{OLGA}** | x |\n|@**O|7**|y|", "who    what\n@olga  x\n@O     y"),
        (f"@**Olga|{OLGA}**\n-|-", "@olga\n\n-|-"),
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


@pytest.mark.parametrize("everybody", ["all", "everyone", "channel", "stream", "topic", "room", "here"])
@pytest.mark.parametrize("account", ["", "|3", "|@all:example.org"])
@pytest.mark.parametrize("said", ["{}", "@{}", "**{}**", "*{}*", "see [{}](https://lab.example)", "- {}", "> {}"])
def test_a_mention_of_all_calls_nobody(everybody: str, account: str, said: str) -> None:
    """Nor does it in Matrix: what the bot says there says that it mentions nobody."""
    document = Document(tuple(read(said.format(f"@**{everybody}{account}**"))))
    realm = Realm(None, Clock())
    furnish(realm)
    called = render(realm, "", to_zulip(document))
    assert (called.people, called.everybody, called.everybody_in_topic) == (set(), False, False)
    assert content.words(document)["m.mentions"] == {}
    assert everybody in to_plain(document)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("a `b` c", "a ``` c"),
        ("a\r\n```py\nb\r\n\n```\nc `d`", "a\r\n```py\n`\r\n\n```\nc ```"),
        ("~~~\nnever ended", "~~~\n```````````"),
        ("```quote\na `b`\n```\nc", "```quote\na ```\n```\nc"),
    ],
)
def test_without_its_code_words_are_as_long(said: str, seen: str) -> None:
    assert without_code(said) == seen


@given(st.text(st.sampled_from("`~ \nab\r\u2028q"), max_size=60).map(lambda said: said.replace("q", "```quote\n")))
def test_without_its_code_every_line_stands_where_it_stood(said: str) -> None:
    seen = without_code(said)
    assert len(seen) == len(said)
    assert all(new in (old, "`") for old, new in zip(said, seen, strict=True))
    assert [*map(len, seen.splitlines())] == [*map(len, said.splitlines())]


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
