"""What people write in Zulip, taken apart: what they answer, the files they send, and emoji. Any text is taken."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.words.glyphs import one_line
from bot.words.talk import LARGEST_FILE
from bridges.zulip.emoji import bare, code_of, shown_as
from bridges.zulip.files import MOST_FILES, SIGN, enclosed_in, is_kept
from bridges.zulip.quoting import answered

SITE = "https://here.test"
PATH = "/user_uploads/2/ab/c-D_e/a.png"
HEAD = f"@_**bob|7** [said]({SITE}/#narrow/channel/4-incidents/topic/topic/near/105):\n"
pieces = st.lists(
    st.sampled_from(
        ["```", "````", "~~~", "`", "\n", "quote", "[", "](", ")", PATH, SITE, "a.png", "!", "@_**bob|7**", " ", "said",
         "../", "%2e%2e", "#narrow/x/near/105", ":\n"]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)  # fmt: skip


@given(pieces)
@example("[x](/user_uploads/2/../../api/v1/users)")
@example("[x](/user_uploads/2/%2e%2e/x)")
@example(f"[x]({SITE}.evil.test{PATH})")
def test_of_any_text_a_file_is_one_of_this_server(text: str) -> None:
    rest, files = enclosed_in(text, SITE, "zulip")
    assert len(files) <= MOST_FILES
    for file in files:
        assert file.reference.startswith("/user_uploads/")
        assert is_kept(file.reference)
        assert ".." not in file.reference.split("/")
        assert 0 < file.size <= LARGEST_FILE
        assert file.name in file.reference or "%" in file.reference
    if not files:
        assert rest == text.strip()


@given(pieces)
def test_no_text_becomes_a_command_by_losing_a_file_that_it_begins_with(text: str) -> None:
    rest, _ = enclosed_in(f"[stop]({PATH}){text}", SITE, "zulip")
    assert rest == "" or rest.startswith(SIGN)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"[a.png]({PATH})", ""),
        (f"![a.png]({PATH})", ""),
        (f"{SITE}{PATH}", ""),
        (f"look:\n[a.png]({PATH})", "look:"),
        (f"look at [this]({PATH}), please", "look at this, please"),
        (f"look at []({SITE}{PATH})", "look at a.png"),
        (f"[stop]({PATH}) all", f"{SIGN} stop all"),
        (f"[a.png]({PATH})\n!stop all", f"{SIGN} a.png\n!stop all"),
        (f"!stop all\n\n[a.png]({PATH})", "!stop all"),
    ],
)
def test_a_link_to_a_file_gives_way_to_its_name_or_to_nothing(said: str, left: str) -> None:
    rest, (file,) = enclosed_in(said, SITE, "zulip")
    assert rest == left
    assert (file.network, file.reference, file.name, file.type) == ("zulip", PATH, "a.png", "image/png")


@pytest.mark.parametrize(
    "said",
    [
        f"`[a.png]({PATH})`",
        f"```\n[a.png]({PATH})\n```",
        f"[a.png](https://there.test{PATH})",
        "[a.png](/user_uploads/temporary/token/a.png)",
        "[a.png](/user_avatars/2/a.png)",
        f"[a.png]({PATH}?x=1)",
    ],
)
def test_what_is_no_link_to_a_file_of_this_server_stays(said: str) -> None:
    assert enclosed_in(said, SITE, "zulip") == (said, ())


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"see [`x[1]`]({PATH})", "see `x[1]`"),
        (f"`` ` `` []({PATH})", "`` ` `` a.png"),
        (f"` []({PATH}) ``", "` a.png ``"),
        (f"`a` []({PATH}) `b`", "`a` a.png `b`"),
        (f"`[a`]({PATH}) []({PATH})", f"`[a`]({PATH}) a.png"),
    ],
)
def test_what_is_code_is_told_by_runs_of_as_many_backticks(said: str, left: str) -> None:
    rest, (file,) = enclosed_in(said, SITE, "zulip")
    assert (rest, file.reference) == (left, PATH)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
@example("x\n!stop all\0.txt")
@example("\u202e")
def test_a_file_is_called_by_one_line_that_can_be_read(name: str) -> None:
    said, files = enclosed_in(f"see [](/user_uploads/2/ab/{quote(name, safe='')})", SITE, "zulip")
    assert "\n" not in said
    assert "\0" not in said
    for file in files:
        assert file.name
        assert file.name == one_line(file.name)
        assert said == f"see {file.name}".strip()


def test_links_to_more_files_than_are_taken_stay_in_the_text() -> None:
    links = [f"[{number}](/user_uploads/2/ab/cd/{number}.txt)" for number in range(MOST_FILES + 1)]
    rest, files = enclosed_in("these: " + " ".join(links), SITE, "zulip")
    assert len(files) == MOST_FILES
    assert rest.endswith(links[-1])


@given(pieces, pieces)
def test_any_text_is_an_answer_or_none(head: str, text: str) -> None:
    for said in (text, HEAD + text, f"{HEAD}{head}\n{text}"):
        found = answered(said, SITE)
        if found is not None:
            number, rest = found
            assert number == 105
            assert rest
            assert rest in said


@given(st.text(st.characters(exclude_characters="`~\r\x85\u2028\u2029")), st.text(min_size=1).filter(str.strip))
def test_what_stands_after_the_quotation_is_what_was_said(quoted: str, said: str) -> None:
    assert answered(f"{HEAD}```quote\n{quoted}\n```\n{said}", SITE) == (105, said.strip())


@pytest.mark.parametrize(
    "link",
    [
        f"{SITE}/#narrow/channel/4-incidents/topic/topic/near/105",
        "#narrow/stream/4/topic/topic/near/105",
        "/#narrow/dm/7,8-dm/near/105",
    ],
)
@pytest.mark.parametrize("word", ["said", "schrieb", "написал"])
def test_an_answer_is_known_in_each_language_of_the_app(link: str, word: str) -> None:
    quotation = "````quote\nsome\n```\ncode\n```\n````"
    assert answered(f"@_**bob (ops)|7** [{word}]({link}):\n{quotation}\n\nyes", SITE) == (105, "yes")


@pytest.mark.parametrize(
    "said",
    [
        "@_**bob|7** [said](https://there.test/#narrow/channel/4/topic/t/near/105):\n```quote\nx\n```\nyes",
        "@_**bob|7** [said](#narrow/channel/4/topic/t):\n```quote\nx\n```\nyes",
        "@_**bob|7** [said](#narrow/channel/4/topic/t/near/105):\n```text\nx\n```\nyes",
        "@_**bob|7** [said](#narrow/channel/4/topic/t/near/105):\n```quote\nx\nyes",
        "@_**bob|7** [said](#narrow/channel/4/topic/t/near/105):\n```quote\nx\n```\n",
        "look: @_**bob|7** [said](#narrow/channel/4/topic/t/near/105):\n```quote\nx\n```\nyes",
        "yes",
    ],
)
def test_what_quotes_nothing_of_this_server_or_says_nothing_to_it_is_no_answer(said: str) -> None:
    assert answered(said, SITE) is None


@pytest.mark.parametrize(
    "text",
    [
        "`" * 10_000,
        "` `` " * 2000,
        "[" * 10_000,
        "[](" * 3000,
        f"[a]({PATH})" * 200,
        HEAD * 80,
        " ".join("`" * length for length in range(1, 1_500)) + "a" * 500_000,
        "~" * 300_000 + "`",
    ],
    ids=range(8),
)
def test_a_text_that_is_hard_to_take_apart_is_taken_in_one_pass(text: str) -> None:
    """It would take minutes in several."""
    assert len(enclosed_in(text, SITE, "zulip")[0]) <= len(text)
    assert answered(text, SITE) is None


@pytest.mark.parametrize(
    ("code", "character"),
    [
        ("1f44d", "👍"),
        ("2764", "❤️"),
        ("26a0", "⚠️"),
        ("2705", "✅"),
        ("0031-20e3", "1️⃣"),
        ("00a9", "©️"),
        ("1f1e9-1f1ea", "🇩🇪"),
        ("1f3f3-200d-1f308", "🏳️‍🌈"),
        ("1f469-200d-1f692", "👩‍🚒"),
        ("1f3f4-e0067-e0062-e0065-e006e-e0067-e007f", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
    ],
)
def test_an_emoji_is_the_character_that_other_networks_show(code: str, character: str) -> None:
    assert shown_as(code, "any", is_character=True) == character
    assert code_of(character) == code


@given(st.text(max_size=40), st.text(max_size=40), st.booleans())
@example("d800", "x", True)
@example("110000", "x", True)
@example("0a", "x", True)
@example("202e", "x", True)
def test_any_code_is_an_emoji_or_none(code: str, name: str, is_character: bool) -> None:
    shown = shown_as(code, name, is_character=is_character)
    if shown is not None:
        shown.encode()
        assert shown
        assert "\n" not in shown
        assert not is_character or bare(code_of(shown)) == "-".join(f"{int(each, 16):04x}" for each in code.split("-"))


def test_a_picture_of_the_servers_own_is_its_name() -> None:
    assert shown_as("1", "tocsin_bell", is_character=False) == ":tocsin_bell:"
    assert shown_as("1", "a\nb", is_character=False) is None
