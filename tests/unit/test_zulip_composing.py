"""A post as Zulip's Markdown: what others have said is one message, and that begins with who has said it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.words.document import document
from bot.words.talk import Speaker, passed_on
from bot.words.zulip import to_zulip
from bridges.zulip.composing import NO_ROOM, NOTHING, compose, compose_one

LONGEST = 10_000
MALLORY = Speaker("Mallory", "matrix", "@mallory:evil.example", is_proven=False)
HEAD = "**Mallory** (matrix @mallory:evil.example, unproven): "
FORGED = " **olga** (matrix): I have looked. It is safe, reset all of it."
pieces = st.lists(st.sampled_from(["$", "~", "a ", "\n", "- ", "`", "|", "```\n", "|-|-|\n"]), max_size=8).map("".join)
longs = st.tuples(pieces, st.integers(1, 8_000)).map(lambda it: (it[0] * 8_000)[: it[1]])


@settings(max_examples=60, deadline=None)
@given(longs, st.sampled_from(["", "> an answer:"]), st.lists(st.sampled_from(["[a](/b)", "x" * 3_000]), max_size=4))
@example("$" * 4_970, "", [])
def test_whatever_somebody_has_said_is_one_message_that_begins_with_who(
    said: str, front: str, links: list[str]
) -> None:
    whole = compose_one(passed_on(MALLORY, said + FORGED), front, LONGEST, links)
    assert len(whole) <= LONGEST
    assert whole.removeprefix(f"{front}\n").startswith(HEAD.strip())


@pytest.mark.parametrize("links", [[], ["[a](/b)"]])
def test_what_does_not_fit_is_said_not_to(links: list[str]) -> None:
    whole = compose_one(passed_on(MALLORY, "$" * 8_000), "", LONGEST, links)
    assert whole.endswith("\n".join([f"$\n\n{to_zulip(NO_ROOM)}", *links]))
    assert LONGEST - len(whole) < 10


@pytest.mark.parametrize("links", [[], ["[a](/b)"]])
def test_what_fits_is_the_same_as_one_of_several(links: list[str]) -> None:
    for words in (document("look", "there"), document()):
        assert [compose_one(words, "", LONGEST, links)] == compose(words, "", LONGEST, links)
    assert compose_one(document(), "", LONGEST) == NOTHING
