"""Whom a message in Matrix names is written as every network's words have it, and none of the other words is lost."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.words.document import Document
from bot.words.hiding import HIDDEN, without_hidden
from bot.words.markup import read
from bot.words.plain import to_plain
from bridges.matrix.enclosing import enclosed
from bridges.matrix.mentions import MOST_NAMED, mention, user_of
from bridges.matrix.spoilers import MARK, as_read

OLGA, OTTO = "@olga:example.org", "@otto:example.org"
SITE = "https://matrix.to/#/"
O, T = mention("Olga", OLGA), mention("Otto", OTTO)  # noqa: E741


def pill(shown: str = "Olga", user: str = OLGA, more: str = "") -> str:
    return f'<a href="{SITE}{user}{more}">{shown}</a>'


def reads(body: str, formatted: object = None) -> str:
    return as_read({"body": body, "formatted_body": formatted}, body)


def test_a_person_is_written_as_elsewhere() -> None:
    assert O == "@**Olga|@olga:example.org**"


@pytest.mark.parametrize(
    ("body", "formatted", "read_as"),
    [
        ("Olga: hello", f"{pill()}: hello", f"{O}: hello"),
        ("Olga: hello", f"{pill(more='?via=example.org&amp;via=a.b')}: hello", f"{O}: hello"),
        ("Olga: hello", f"{pill(user='%40olga%3Aexample.org')}: hello", f"{O}: hello"),
        ("@olga:example.org: hello", f"{pill()}: hello", f"{O}: hello"),
        ("@Olga hello", f"{pill()} hello", f"{O} hello"),
        ("@Olga hello", f"{pill('@Olga')} hello", f"{O} hello"),
        (
            "hello\n**Olga** and Otto!",
            f"hello<br>{pill()} and <b>{pill('Otto', OTTO)}</b>!",
            f"hello\n**{O}** and {T}!",
        ),
        ("hello @otto:example.org, Olga", f"hello {pill('Otto', OTTO)}, {pill()}", f"hello {T}, {O}"),
        ("is Olga Olga?", f"is Olga {pill()}?", f"is Olga {O}?"),
        ("Olga S, Olga", f"{pill('Olga S', OTTO)}, {pill()}", f"{mention('Olga S', OTTO)}, {O}"),
        ("[log](https://a/Olga) Olga", f'<a href="https://a/Olga">log</a> {pill()}', f"[log](https://a/Olga) {O}"),
        ("<Olga>", f"&lt;{pill()}&gt;", f"<{O}>"),
        ("Olga & co", f"<p>{pill('<span> Olga </span>')} &amp; co</p>", f"{O} & co"),
        (f"{SITE}{OLGA} hello", f"{pill(f'{SITE}{OLGA}')} hello", f"{mention(OLGA, OLGA)} hello"),
        (f"[Olga]({SITE}{OLGA}) hello", f"{pill()} hello", f"{O} hello"),
        (f"[Olga]({SITE}{OLGA}) hello", None, f"{O} hello"),
        (f"[Olga]({SITE}%40olga%3Aexample.org?via=a.b) hello", "hello", f"{O} hello"),
        (f"`Olga` and [Olga]({SITE}{OLGA})", f"<code>Olga</code> and {pill()}", f"`Olga` and {O}"),
        ("a ||secret|| Olga", f"a ||secret|| {pill()}", f"a {HIDDEN} {O}"),
    ],
)
def test_a_name_is_written_so_and_the_rest_stays(body: str, formatted: str | None, read_as: str) -> None:
    assert reads(body, formatted) == read_as


@pytest.mark.parametrize(
    ("body", "formatted"),
    [
        ("Olga: hello", "Olga: hello"),
        ("Olga: hello", None),
        ("Olga: hello", 5),
        ("Olga: hello", '<a href="https://matrix.to/#/!room:example.org">Olga</a>: hello'),
        ("Olga: hello", '<a href="https://matrix.to/#/%23olga:example.org">Olga</a>: hello'),
        ("Olga: hello", '<a href="https://evil.example/#/@olga:example.org">Olga</a>: hello'),
        ("Olga: hello", f"{pill(user='@olga')}: hello"),
        ("Olga: hello", f"{pill(user='@olga%7Cx:example.org')}: hello"),
        ("Olga: hello", f"{pill(user='@ol%2Aga:example.org')}: hello"),
        ("Olga: hello", f"{pill(user='@ol%20ga:example.org')}: hello"),
        ("Olga: hello", f"{pill(user='@ol%E2%80%8Bga:example.org')}: hello"),
        ("Olga: hello", f"{pill(user='@ol%0Aga:example.org')}: hello"),
        ("Olga: hello", pill(user=f"@olga:{'x' * 255}") + ": hello"),
        ("Olga: hello", f"<!-- odd -->{pill()}: hello"),
        ("Olga: hello", f"<code>{pill()}</code>: hello"),
        ("Olga: hello", f"</code><pre>{pill()}</pre>: hello"),
        ("Olga: hello", f"<mx-reply>{pill()}</mx-reply>hello"),
        ("Olga: hello", f"{pill('')}: hello"),
        ("Olga: hello", f'<a href="{SITE}{OLGA}">Olga: hello'),
        ("`Olga`: hello", f"`{pill()}`: hello"),
        ("hello", f"{pill()}: hello"),
        ("](Olga)", f"]({pill()})"),
        ("](Olga) Olga", f"]({pill()}) Olga"),
        ("a](b)c", pill("a]   c")),
        ("Olga and Olga", f"{pill()} and somebody"),
        ("x" * 101, pill("x" * 101)),
        ("one\ntwo", pill("one<br>two")),
        (f"`[Olga]({SITE}{OLGA})`", None),
        (f"```\n[Olga]({SITE}{OLGA})\n```", None),
        (f"[Olga]({SITE}!room:example.org) [Olga]({SITE}@olga)", None),
    ],
)
def test_where_nobody_is_named_or_nobody_can_tell_where_the_words_stay(body: str, formatted: object) -> None:
    assert reads(body, formatted) == ""


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("Olga  **S** | `x`", "Olga S x"),
        ("@@Olga", "Olga"),
        (" \n", "olga:example.org"),
        ("@*", "olga:example.org"),
        ("\u200b", "olga:example.org"),
        ("x" * 101, f"{'x' * 99}…"),
    ],
)
def test_no_name_ends_the_mention_or_begins_anything(shown: str, name: str) -> None:
    assert mention(shown, OLGA) == f"@**{name}|{OLGA}**"


@pytest.mark.parametrize(
    ("formatted", "read_as"),
    [
        (f"{pill()}: <span {MARK}>he dies</span>", f"{O}: {HIDDEN}"),
        (f"<p>{pill()}</p><p><span {MARK}='with {OTTO}'>he</span></p>", f"{O}\nwith {OTTO}: {HIDDEN}"),
        (f"so @{pill()}, <span {MARK}>he dies</span>", f"so {O}, {HIDDEN}"),
        (f"so <span {MARK}>{pill()} dies</span>", f"so {HIDDEN}"),
        (pill(f"<span {MARK}>Olga</span>"), HIDDEN),
        (f'<a {MARK} href="{SITE}{OLGA}">Olga</a>', HIDDEN),
    ],
)
def test_who_is_hidden_is_not_named_and_who_stands_beside_it_is(formatted: str, read_as: str) -> None:
    assert reads("Olga: he dies", formatted) == read_as


def test_what_is_said_of_a_file_names_people_too() -> None:
    file = {"url": "mxc://example.org/abc", "filename": "a.pdf", "body": "for Olga", "formatted_body": f"for {pill()}"}
    assert enclosed(file)[1] == f"for {O}"


def test_not_so_many_are_looked_for_that_reading_takes_long() -> None:
    names = [f"n{number:03}" for number in range(MOST_NAMED + 1)]
    told = reads(" ".join(names), " ".join(pill(name, f"@{name}:x") for name in names))
    assert told == " ".join([*(mention(name, f"@{name}:x") for name in names[:-1]), names[-1]])


@pytest.mark.parametrize("each", [pill(), pill("O"), f'<a href="{SITE}{OLGA}">', f"<a href='{SITE}", "</a>", "<code>"])
def test_html_that_is_hard_to_read_is_read_in_one_pass(each: str) -> None:
    assert reads("O" * 100_000, f"{each * (100_000 // len(each))}{pill('Nobody')}") == ""


@pytest.mark.parametrize(
    "each", ["[", "[a](", f"[a]({SITE}", f"[a]({SITE}{OLGA}", "](", "`", "```\n", "@", f"[O]({SITE}@a:b)"]
)
def test_words_that_are_hard_to_read_are_read_in_one_pass(each: str) -> None:
    reads(each * (100_000 // len(each)) + SITE, pill())


NAMES = {"Olga": OLGA, "Otto S": OTTO, "a": "@a:b", "all": "@all:x"}
BITS = st.sampled_from(
    [
        "a",
        "all ",
        "so ",
        " b",
        "\n",
        "@",
        "**",
        "*",
        "`",
        "```\n",
        "|",
        "||",
        "> ",
        "- ",
        "[",
        "](x)",
        "](",
        ")",
        "<",
        "&",
    ]
)
BODY_NAMES = st.sampled_from([*NAMES, *NAMES.values(), *(f"[{name}]({SITE}{user})" for name, user in NAMES.items())])
TAGS = st.sampled_from(
    ["<b>", "</b>", "<br>", "<code>", "</code>", "</a>", "<mx-reply>", "</mx-reply>", "&lt;", "<a>", "<!"]
)
BODIES = st.lists(BITS | BODY_NAMES, max_size=12).map("".join)
PILLS = st.sampled_from([*NAMES.items(), ("Olga", OTTO)]).map(lambda each: pill(*each))
FORMATTED = st.lists(BITS.filter(lambda bit: bit not in "<&") | PILLS | PILLS | TAGS, max_size=12).map("".join)
MENTION = re.compile(r"@\*\*[^*|\n]+\|[^\s*|]+\*\*")
WAS = rf"@?(?:{'|'.join(map(re.escape, [*NAMES, *NAMES.values()]))}|\[[^\[\]\n]+\]\([^()\s]+\))"


@given(body=BODIES, formatted=FORMATTED)
@example(body="@a a", formatted=f"{pill('a', '@a:b')} a")
def test_whatever_is_written_the_words_that_name_nobody_stay_where_they_are(body: str, formatted: str) -> None:
    told = reads(body, formatted) or without_hidden(body)
    rest = WAS.join(map(re.escape, MENTION.split(told)))
    assert re.fullmatch(rest, without_hidden(body))


CALM = st.text(max_size=20).map(lambda said: re.sub(r"[&<>`|~@\[\]\n\r]|(?i:spoiler)", "", said))


@given(before=CALM, after=CALM, name=CALM)
@example(before="a ", after=" b", name=" x ")
def test_whoever_is_named_once_is_written_so_and_the_words_around_stay(before: str, after: str, name: str) -> None:
    body, bare = f"{before}{name}{after}", name.strip()
    told = reads(body, f"{before}{pill(name)}{after}")
    start = len(before) + name.find(bare)
    if len(bare.splitlines()) == 1 and body.find(bare) == start and body.find(bare, start + 1) < 0:
        assert told == f"{body[:start]}{mention(bare, OLGA)}{body[start + len(bare) :]}"


ODD = st.text(st.characters(exclude_categories=()), max_size=50)
JSON = st.none() | st.integers() | ODD | st.lists(ODD, max_size=2)


@given(body=ODD, formatted=JSON, href=ODD, shown=ODD)
def test_whatever_comes_is_read(body: str, formatted: object, href: str, shown: str) -> None:
    reads(body, formatted)
    for link in (f"<a href='{SITE}@{href}:x'>{shown}</a>", f"[{shown}]({SITE}@{href}:x)"):
        told = reads(body + link + shown, link + str(formatted))
        to_plain(Document(tuple(read(told))))
    assert "|" not in user_of(f"{SITE}@{href}:x")
    content: dict[str, Any] = {"formatted_body": f"{link}<i {MARK}>"}
    as_read(content, body)
