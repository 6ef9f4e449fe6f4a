"""A document in Zulip's Markdown, held against what was recorded from a real server: which signs make what markup."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.words import glyphs
from bot.words.document import (
    Code,
    Document,
    Items,
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
from bot.words.zulip import to_zulip

APART = "\u200b"
WITHIN = re.compile(r"@_?\*|#\*|:(?!\d\d:)[\w+-]+:|\](?:\(|\[)|\$\$|~~|<time:|&#?\w+;")
BEGIN = re.compile(r"(?:\#{1,6}\s|>|[*+-]\s|\d+[.)]\s|/\w|(?:[-_*][ ]*){3,}$|\s)")
SIGNS = "@ _ * ** # ` `` ``` \\ | [ ]( ) $ $$ ~ ~~ : :fire: <time:x> &#64; &#x202e; all --- x https://a.example/b_c"
pieces = st.sampled_from([*SIGNS.split(), "1. ", "- ", "> ", "/me ", "/poll ", " ", "\n"])
words = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=10)
spans = st.builds(Span, words, st.sampled_from(Style), st.sampled_from(Tone))
paragraphs = st.builds(Text, st.lists(spans, max_size=4).map(tuple))


def without_code(line: str) -> tuple[str, list[str]]:
    """A line without what stands in backticks, and that. Each run of backticks must find its equal."""
    codes: list[str] = []
    rest = ""
    while found := re.search("`+", line):
        closing = re.compile(rf"(?<!`){found[0]}(?!`)").search(line, found.end())
        assert closing is not None
        assert not line[: found.start()].endswith("\\"), "the backtick would be taken as escaped"
        codes.append(line[found.end() : closing.start()])
        rest += line[: found.start()] + "\x00"
        line = line[closing.end() :]
    return rest + line, codes


def calm(line: str) -> str:
    """What Zulip would still look at, with a mark in place of our own markup."""
    rest, _ = without_code(line)
    assert re.search(r"@_?\*\*|#\*\*", rest) is None
    plain = re.sub(r"\*\*([^*]+?)\*\*", "\x01\\1\x01", rest)
    assert "*" not in plain
    return re.sub(r"https?://[A-Za-z0-9./?=%_+,:@#!~-]+", "URL", plain)


def told(line: str) -> str:
    """The words of a line, without markup, in no special form."""
    rest, codes = without_code(line.replace("\u2217", "\u02c4"))
    plain = rest.replace("**", "").replace("\u02c4", "*")
    for each in codes:
        plain = plain.replace("\x00", each, 1)
    return "".join(plain.replace("\u02cb", "`").replace("\u2223", "|").replace(APART, "").split())


def said(block_spans: tuple[Span, ...]) -> str:
    return "".join(glyphs.one_line("".join(span.text for span in block_spans)).split())


@settings(deadline=None)
@given(paragraphs)
def test_a_paragraph_says_every_word_and_nothing_in_it_is_live(saying: Text) -> None:
    line = to_zulip(Document((saying,)))
    assert "\n" not in line
    assert WITHIN.search(calm(line)) is None
    assert BEGIN.match(calm(line)) is None
    odd = "\u2217\u02cb\u2223\u02c4"
    if not set(said(saying.spans)) & set(odd):
        assert told(line) == said(saying.spans)


@settings(deadline=None)
@example([Text((Span("$"), Span("", Style.STRONG), Span("$")))])
@given(st.lists(paragraphs, max_size=4))
def test_every_entry_of_a_list_is_a_line_of_its_own(entries: list[Text]) -> None:
    lines = to_zulip(Document((Items(tuple(entries)),))).splitlines()
    assert len(lines) == len(entries)
    for line in lines:
        assert line.startswith("- ")
        assert len(line) > 2
        assert WITHIN.search(calm(line[2:])) is None
        assert BEGIN.match(calm(line[2:])) is None


@settings(deadline=None)
@given(st.lists(st.tuples(spans, spans), max_size=4), st.tuples(words, words))
def test_every_cell_stays_in_its_column(rows: list[tuple[Span, Span]], head: tuple[str, str]) -> None:
    lines = to_zulip(Document((Table(head, tuple(rows)),))).splitlines()
    assert lines[1] == "| --- | --- |"
    assert len(lines) == 2 + len(rows)
    for line in lines:
        rest, _ = without_code(line)
        assert rest.count("|") == 3
        assert WITHIN.search(calm(line)) is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(["`", "```", "````", "~~~", "\n", "x", "@**all**", "\r\n"])).map("".join) | st.text())
def test_code_stays_in_its_fence(source: str) -> None:
    shown = to_zulip(document(code(source)))
    opening, *lines, closing = shown.split("\n")
    assert opening == f"{closing}text"
    assert re.fullmatch("`{3,}", closing)
    assert lines == glyphs.lines(source)
    assert all(closing not in line for line in lines)


@settings(deadline=None)
@given(st.lists(paragraphs | st.builds(Code, words) | st.builds(Progress, st.floats(0, 1), words), max_size=5))
def test_no_document_is_too_odd(blocks: list[Text | Code | Progress]) -> None:
    to_zulip(Document(tuple(blocks))).encode()


@pytest.mark.parametrize(
    ("foul", "shown"),
    [
        ("@**all** stop", f"{APART}@\u2217\u2217all\u2217\u2217 stop"),
        ("see @_**alice|6**", "see @_\u2217\u2217alice|6\u2217\u2217"),
        ("in #**secret>x**", "in #\u2217\u2217secret>x\u2217\u2217"),
        ("so :fire:", f"so :{APART}fire:"),
        ("[here](https://x.example/a)", f"{APART}[here]{APART}(https://x.example/a)"),
        ("it is $$x$$", f"it is ${APART}$x${APART}$"),
        ("```spoiler x", "\u02cb\u02cb\u02cbspoiler x"),
        ("~~~quote", f"{APART}~{APART}~{APART}~quote"),
        ("/me waves", f"{APART}/me waves"),
        ("/poll lunch?", f"{APART}/poll lunch?"),
        ("# loud", f"{APART}# loud"),
        ("1. one", f"{APART}1. one"),
        ("at <time:2026-11-21T10:00:00Z>", f"at <{APART}time:{APART}2026-11-21T10:00:00Z>"),
        ("turned &#x202e;", f"turned &{APART}#x202e;"),
        ("two\n\n@**lines**", "two  @\u2217\u2217lines\u2217\u2217"),
        ("https://a.example/x_y?b=c&d=e#f is left alone", "https://a.example/x_y?b=c&d=e#f is left alone"),
        ("mail alice@example.org, 10:00:00 #1", "mail alice@example.org, 10:00:00 #1"),
    ],
)
def test_what_would_be_markup_is_shown_as_it_was_typed(foul: str, shown: str) -> None:
    assert to_zulip(document(foul)) == shown


def test_bold_after_an_at_sign_mentions_nobody() -> None:
    assert to_zulip(document(text("@", strong("all")))) == f"{APART}@{APART}**all**"
    assert to_zulip(document(text("x @_", strong("all")))) == f"x @{APART}_**all**"
    assert to_zulip(document(text(strong("a @"), "all", strong("b")))) == f"**a @{APART}**all**b**"
    assert to_zulip(document(text("see #", strong("general")))) == f"see #{APART}**general**"


def test_words_are_set() -> None:
    line = text(strong("Open incident ", Tone.BAD), mono("3f9a"), mono("a`b"), " ", strong("x"), mono("`c\\"), ".")
    assert to_zulip(document(line)) == f"**Open incident** ``3f9aa`b`` **x**{APART}`` `c\\ ``."


def test_a_backslash_does_not_take_code_out_of_its_backticks() -> None:
    assert to_zulip(document(text("a\\", mono("@**all**")))) == f"a\\{APART}`@**all**`"


def test_a_table_a_bar_code_and_a_picture() -> None:
    saying = document(
        table(("a", "b|c"), [("1", mono("x|y")), ("", mono("`|"))]),
        table(("", ""), [("role", strong("viewer"))]),
        progress(0.5, "Half", eta_s=61),
        code("x = `1`\n````", "python"),
        code("q", "quote"),
        picture("The [curve]", "image/png", b"x", width=1, height=1),
        text(),
    )
    assert to_zulip(saying) == (
        "| a | b\u2223c |\n| --- | --- |\n| 1 | `x|y` |\n|  | `` `\u2223`` |\n"
        "\n"
        "|  |  |\n| --- | --- |\n| role | **viewer** |\n"
        "\n"
        f"Half\n`{'━' * 12}{'─' * 12}` **50 %** · 1 min 1 s left\n"
        "\n"
        "`````python\nx = `1`\n````\n`````\n"
        "\n"
        "```text\nq\n```\n"
        "\n"
        "Picture: The [curve]"
    )
