"""What people write, as the bot passes it on: whatever it is, it fits into an event twice, as an edit holds it."""

import orjson
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
