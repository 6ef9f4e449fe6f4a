"""The lines on the console's socket: each comes back as it was, and no bytes do more than be refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.document import Document, code, document, mono, picture, progress, strong, table, text
from bridges.console.lines import (
    MOST_FROM_CLIENT,
    OLDEST_S,
    BadLine,
    Closed,
    FromBot,
    Heard,
    Hello,
    NotTaken,
    Posted,
    Say,
    Taken,
    from_bot,
    from_client,
    to_line,
)

NAME = "0123456789abcdef" * 2
words = st.text(st.characters(exclude_categories=("Cs",)))
names = st.text("0123456789abcdef", min_size=32, max_size=32)
ages = st.floats(0, OLDEST_S)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.sampled_from([NAME, "hello", "say"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
KEYS = ("say", "id", "age_s", "heard", "hello", "taken", "refused", "why", "closed", "post", "key", "document", "lane")
objects = st.dictionaries(st.sampled_from(KEYS) | words, anything, max_size=6)


def everything() -> Document:
    """One of each block."""
    return document(
        text("plain ", strong("strong"), mono("mono")),
        table(("a", "b"), [("1", "2")]),
        code("line\n\tline"),
        progress(0.5, "half", eta_s=3.0),
        picture("a square", "image/png", bytes(range(256)), width=16, height=16),
    )


@given(names, words, ages)
def test_what_a_client_says_arrives_as_it_was(name: str, said: str, age_s: float) -> None:
    line = to_line(Say(name, said, age_s))
    assert line.count(b"\n") == 1
    assert from_client(line) == Say(name, said, age_s)


@given(names)
def test_what_a_client_heard_arrives_as_it_was(key: str) -> None:
    assert from_client(to_line(Heard(key))) == Heard(key)


@given(words)
def test_what_the_bot_says_arrives_as_it_was(said: str) -> None:
    lines: tuple[FromBot, ...] = (
        Hello(said, said, said, said),
        Taken(said),
        NotTaken(NAME, said),
        Closed(said),
        Posted(said, everything(), 3, said, None),
        Posted(said, document(said), 0, None, said),
    )
    for each in lines:
        assert to_line(each).count(b"\n") == 1
        assert from_bot(to_line(each)) == each


@given(st.binary(max_size=200) | objects.map(lambda content: json.dumps(content).encode()))
def test_no_bytes_raise_anything_but_a_bad_line(line: bytes) -> None:
    for read in (from_client, from_bot):
        with contextlib.suppress(BadLine):
            read(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"say": 1, "id": "%b"}' % NAME.encode(),
        b'{"say": "hay"}',
        b'{"say": "hay", "id": "short"}',
        b'{"say": "hay", "id": "%b\\n"}' % NAME.encode(),
        b'{"say": "hay", "id": "%b", "age_s": -1}' % NAME.encode(),
        b'{"say": "hay", "id": "%b", "age_s": true}' % NAME.encode(),
        b'{"say": "hay", "id": "%b", "age_s": 1e9}' % NAME.encode(),
        b'{"say": "\\ud800", "id": "%b"}' % NAME.encode(),
        b'{"heard": ["key"]}',
        b"[" * MOST_FROM_CLIENT,
    ],
)
def test_a_line_that_is_none_of_ours_is_refused(line: bytes) -> None:
    with pytest.raises(BadLine):
        from_client(line)


def test_what_a_later_version_adds_to_a_line_is_passed_over() -> None:
    line = json.dumps({"say": "hay", "id": NAME, "colour": "green"}).encode()
    assert from_client(line) == Say(NAME, "hay")
