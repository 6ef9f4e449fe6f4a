"""What people write, as the bot passes it on: it fits into an event twice, as an edit has it, and shows who speaks."""

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.words.html import to_html
from bot.words.plain import to_plain
from bot.words.talk import LONGEST, MOST_BYTES, SURELY_SHORT, Speaker, passed_on

WIDE = "漢" * 240 + "|b\n-|-\n" + "||x\n" * 60
pieces = st.lists(
    st.sampled_from(["漢", "|", "\n", "|-|-|\n", "-|-\n", "||x\n", "- ", "'", "`", "\x01", "a"]), max_size=8
)
repeated = st.tuples(pieces.map("".join), st.integers(1, LONGEST)).map(lambda it: (it[0] * LONGEST)[: it[1]])


@settings(max_examples=60, deadline=None)
@given(st.lists(repeated, min_size=1, max_size=3).map("".join), st.booleans())
@example(WIDE, True)
def test_whatever_is_written_is_of_bounded_size_also_where_it_is_short(said: str, is_short: bool) -> None:
    words = passed_on(Speaker("olga", "zulip"), said[:SURELY_SHORT] if is_short else said)
    assert len(orjson.dumps([to_plain(words), to_html(words)])) <= MOST_BYTES


@pytest.mark.parametrize(
    ("account", "topic", "shown"),
    [
        ("@bob:here", "", "bob (chat @bob:here): hi"),
        ("@bob(a),b:here", "", "bob (chat @bob a b:here): hi"),
        ("12, unproven", "", "bob (chat 12 unproven): hi"),
        ("12", "x, 11:02 UTC", "bob (chat 12, in x 11 02 UTC): hi"),
        ("\u200b", "", "bob (chat ?): hi"),
        ("", "):", "bob (chat, in ?): hi"),
    ],
)
def test_what_somebody_chose_passes_for_no_other_mark(account: str, topic: str, shown: str) -> None:
    assert to_plain(passed_on(Speaker("bob", "chat", account, topic=topic), "hi")) == shown
