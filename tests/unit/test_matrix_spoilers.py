"""What the HTML of a message in Matrix hides stays hidden elsewhere, also where the plain words show it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.hiding import HIDDEN
from bridges.matrix.spoilers import MARK, without_spoilers


def hides(formatted: object) -> str:
    return without_spoilers({"body": "so he dies", "formatted_body": formatted})


@pytest.mark.parametrize(
    ("formatted", "told"),
    [
        (f"so <span {MARK}>he dies</span>, sad", f"so {HIDDEN}, sad"),
        (f'so <span {MARK}="">he <b>dies</b></span>', f"so {HIDDEN}"),
        (f'<span {MARK}="the &lt;end&gt;">he dies</span>', f"the <end>: {HIDDEN}"),
        ("<SPAN DATA-MX-SPOILER>he <span>dies</span></SPAN> &amp; so", f"{HIDDEN} & so"),
        (f"<p>one<br/>two</p><ul><li>a</li><li><span {MARK}>dies</span></li></ul>", f"one\ntwo\na\n{HIDDEN}"),
        (f"<mx-reply><blockquote>dies</blockquote></mx-reply>so <span {MARK}>dies</span>", f"so {HIDDEN}"),
        (f'<img data-mx-emoticon src="mxc://a/b" alt=":x:"><span {MARK}><img alt="dies"></span>', f":x:{HIDDEN}"),
        (f"<span {MARK}></span>", HIDDEN),
        (f"<span {MARK}>he dies", HIDDEN),
        (f"<a title='>'>so</a> <span {MARK}>dies</span>", f"so {HIDDEN}"),
    ],
)
def test_what_is_hidden_gives_way_to_a_sign(formatted: str, told: str) -> None:
    assert hides(formatted) == told


@pytest.mark.parametrize("formatted", ["so <b>he</b> dies", "", None, 5, [MARK], {MARK: MARK}])
def test_where_nothing_is_hidden_the_plain_words_stand(formatted: object) -> None:
    assert hides(formatted) == ""


@pytest.mark.parametrize(
    "odd",
    [
        f"<span {MARK}><p></span>dies</p></span>",
        f"<span x {MARK}>dies</span",
        f'<span a"b {MARK}>dies</span>',
        f"<!-- <span {MARK}> -->dies",
        f"1 < 2 <span {MARK}>dies</span>",
        f"<span/{MARK}>dies</span>",
        f"&#{'9' * 5_000}; <span {MARK}>dies</span>",
    ],
)
def test_of_odd_html_that_hides_something_nothing_is_told(odd: str) -> None:
    assert hides(odd) == HIDDEN


TEXTS = st.text(st.sampled_from("abc &;'\"> \n"), max_size=10)


def tree(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from(["p", "b", "span", "li", "div", "code"])
    return st.tuples(names, st.lists(inner, max_size=3).map("".join)).map(lambda it: f"<{it[0]}>{it[1]}</{it[0]}>")


@given(st.recursive(TEXTS | st.just("<br>"), tree, max_leaves=8), st.recursive(TEXTS, tree, max_leaves=8))
def test_whatever_stands_around_it_it_is_not_told_and_the_rest_is(around: str, within: str) -> None:
    told = hides(f"{around}1ucid<span {MARK}>{within}s3cret{within}</span>{around}1ucid")
    assert "s3cret" not in told
    assert told.count("1ucid") == 2


@given(st.text(st.sampled_from(f"<>/=\"' &#xpan{MARK}"), max_size=60) | st.text())
def test_any_html_is_read(formatted: str) -> None:
    assert HIDDEN in hides(f"{formatted}<span {MARK}>") or formatted


@pytest.mark.parametrize("each", ["<a ", "<a\n", "<!--", "<a x='", '<a x="', "</", "<?", "<a =", "<span>", "<span a>"])
def test_html_that_is_hard_to_read_is_read_in_one_pass(each: str) -> None:
    """It takes the parser of the standard library minutes."""
    content: dict[str, Any] = {"formatted_body": each * (200_000 // len(each)) + MARK}
    assert without_spoilers(content)
