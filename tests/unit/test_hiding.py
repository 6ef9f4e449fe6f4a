"""What people have hidden is told to nobody else, and what they have not hidden is."""

import dataclasses
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.hiding import HIDDEN, without_hidden
from bot.words.plain import to_plain
from bot.words.talk import Speaker, passed_on


@pytest.mark.parametrize(
    "opens",
    ["spoiler", "Spoiler The end", "SPOILER", ".spoiler", "{.spoiler}", "{spoiler}", "  spoiler", "spoiler: The end"],
)
@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_a_spoiler_is_one_however_it_is_written(opens: str, fence: str) -> None:
    told = without_hidden(f"so\n{fence}{opens}\nhe dies\n\nhe does\n{fence}\nsad")
    assert re.fullmatch(rf"so\n\*\*Spoiler\*\*: .*{HIDDEN}\nsad", told)


@pytest.mark.parametrize(
    "said",
    [
        "```spoiler\nhe dies",
        "```spoiler\n````\nhe dies\n````\n```",
        "```spoiler\n ```\nhe dies\n```",
        "```spoiler\n~~~\n```\nhe dies\n~~~\n```",
        "~~~spoiler\n```quote\n~~~\n```\nhe dies",
        "````quote\n```spoiler\nhe dies\n```\n````",
        "```spoiler\r\nhe dies\r\n```",
        "```spoiler\n\u2028```\u2028he dies\n```",
        "||he dies||",
        "||he|dies||",
        "||he\ndies||",
        "so: ||he `really` **dies**||, sad",
        "a ||b\nc || he dies || d",
        "a || b\nc ||he dies||",
        "||" + "he dies " * 1_000 + "||",
    ],
)
def test_what_is_hidden_is_not_told(said: str) -> None:
    told = without_hidden(said)
    assert "dies" not in told
    assert HIDDEN in told


@pytest.mark.parametrize(
    "said",
    [
        "make || exit 1\nrun || exit 1",
        "make||exit\nrun||exit",
        "`a || b || c`",
        "```\na || b || c\n```spoiler\n```",
        "```spoilers\nx\n```",
        "use ```spoiler to hide",
        "|a||b|\n|-|-|-|\n|c||d|",
        "a ||b\n\nc|| d",
        "||",
        "|||||",
        "",
    ],
)
def test_what_is_not_hidden_is_told_as_it_is(said: str) -> None:
    assert without_hidden(said) == said


@dataclasses.dataclass(frozen=True)
class Fenced:
    """A block between fences, as Zulip has them."""

    kind: str
    inner: tuple["str | Fenced", ...]

    def written(self, depth: int = 0) -> str:
        """No block within ends another one."""
        fence = ("`" if depth % 2 else "~") * (3 + depth)
        inner = [each if isinstance(each, str) else each.written(depth + 1) for each in self.inner]
        return "\n".join([fence + self.kind, *inner, fence])

    def words(self, *, is_hidden: bool = False) -> Iterator[tuple[str, bool]]:
        """All words in it, and whether they are hidden."""
        for each in self.inner:
            if isinstance(each, str):
                yield each, is_hidden or self.kind == "spoiler"
            else:
                yield from each.words(is_hidden=is_hidden or self.kind == "spoiler")


lines = st.text(st.sampled_from("abc"), min_size=1, max_size=8)
code = st.builds(Fenced, st.just("py"), st.lists(lines | st.sampled_from(["```spoiler", "x `"]), max_size=3).map(tuple))
blocks = st.recursive(
    lines | code,
    lambda inner: st.builds(
        Fenced, st.sampled_from(["quote", "Spoiler", "spoiler"]), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


def numbered(block: str | Fenced, numbers: Iterator[int]) -> str | Fenced:
    """The same with each word another one."""
    if isinstance(block, str):
        return block if block.startswith("`") else f"{block}{next(numbers)}w"
    inner = tuple(numbered(each, numbers) for each in block.inner)
    return Fenced(block.kind.lower(), inner)


@given(st.lists(blocks, max_size=4), st.sampled_from(["", "```spoiler\nnever ended"]))
def test_of_blocks_in_blocks_all_that_is_hidden_is_left_out_and_nothing_else(
    said: list[str | Fenced], end: str
) -> None:
    whole = [numbered(each, iter(range(100 * number, 100 * number + 100))) for number, each in enumerate(said)]
    text = "\n".join(each if isinstance(each, str) else each.written() for each in whole)
    told = without_hidden(f"{text}\n{end}").split("\n")
    for each in whole:
        for word, is_hidden in [(each, False)] if isinstance(each, str) else each.words():
            if not word.startswith("`"):
                assert (word in told) is not is_hidden


AROUND = st.text(st.sampled_from("ab \n>-*.\u2028"), max_size=40)


@given(AROUND, AROUND)
def test_whatever_stands_around_it_what_stands_between_two_signs_is_not_told(before: str, after: str) -> None:
    told = without_hidden(f"{before}||s3cret||{after}")
    assert told == f"{before}{HIDDEN}{after}"


@given(
    st.text(st.sampled_from("ab|`~\n "))
    | st.lists(st.sampled_from(["```spoiler", "```", "~~~quote", "~~~", "a||b", "||"])).map("\n".join)
)
def test_what_is_told_hides_nothing_any_more(said: str) -> None:
    told = without_hidden(said)
    assert without_hidden(told) == told


@pytest.mark.parametrize("said", ["x " * 2_997 + "||he dies||" + " x" * 1_000, "x\n" * 199 + "||he\ndies||"])
def test_what_is_hidden_where_words_are_cut_stays_so(said: str) -> None:
    assert "he" not in to_plain(passed_on(Speaker("olga", "matrix"), said)).removeprefix("olga (matrix)")


@pytest.mark.parametrize(
    "said",
    [
        "`" * 300_000 + "a`",
        " ".join("`" * length for length in range(1, 1_500)) + "a" * 500_000,
        "||a " * 200_000,
        "||\n" * 200_000,
        "~" * 300_000 + "`",
        "```" + "a" * 300_000 + "`",
        "\n".join(["```quote"] * 50_000),
        "\n".join(["|"] * 100_000),
    ],
    ids=range(8),
)
def test_a_text_that_is_hard_to_read_is_read_in_one_pass(said: str) -> None:
    """It would take minutes in several."""
    assert without_hidden(said)
