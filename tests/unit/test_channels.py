"""One conversation in several places: passed on once, answered everywhere, and kept from strangers."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import Channel
from bot.desk.desk import Desk
from bot.intake import Intake
from bot.store import Store
from bot.store.reactions import Shown
from bot.store.said import Said
from bot.system import System
from bot.words import packed
from bot.words.document import Block, Code, Items, Table, text
from bot.words.glyphs import cut
from bot.words.html import to_html
from bot.words.message import Lane, Message, Place, Standing
from bot.words.people import Account
from bot.words.plain import to_plain
from bot.words.talk import MOST_BYTES, Speaker, passed_on
from bot.words.times import clock
from bot.words.zulip import to_zulip
from tests.unit.talk import ALONE, MATRIX, MQTT, OTHER, PLACES, ZULIP, Talk, change


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


@pytest.fixture
def intake(store: Store, system: System, talk: Talk) -> Intake:
    """What Zulip's bridge puts into the inbox."""
    desk = Desk(system, queued=lambda: None)
    return Intake("zulip", store, desk, system.approvals, system.plans, queued=lambda: None, channels=talk.channels)


async def test_what_is_written_in_one_place_stands_in_the_others_once(talk: Talk) -> None:
    await talk.says("hello")
    assert {place: await talk.heard(place) for place in PLACES} == {
        MATRIX: ["olga (zulip): hello"],
        OTHER: ["olga (zulip): hello"],
        ZULIP: [],
        MQTT: ["olga (zulip): hello"],
    }
    assert await talk.lanes(MQTT) == [Lane.TALK]


@pytest.mark.parametrize("place", [ALONE, Place("zulip", "7/elsewhere")])
async def test_what_is_said_elsewhere_is_nobodys_affair(talk: Talk, place: Place) -> None:
    await talk.says("hello", place)
    assert [await talk.heard(each) for each in PLACES] == [[], [], [], []]


@pytest.mark.parametrize("odd", [{"words": ""}, {"words": "!status", "planned_by": "$plan"}, {"apart": True}])
async def test_what_nobody_has_just_said_here_is_not_passed_on(talk: Talk, odd: dict[str, object]) -> None:
    await talk.says(**{"words": "secret", **odd})  # pyright: ignore[reportArgumentType] - as it takes them
    assert [await talk.heard(each) for each in PLACES] == [[], [], [], []]
    assert not talk.channels.counts["passed_on"]


@pytest.mark.parametrize("standing", [Standing.ATTESTED, Standing.SIGNED, Standing.UNPROVEN])
async def test_what_is_encrypted_goes_to_no_place_that_is_not(talk: Talk, standing: Standing) -> None:
    await talk.says("a secret", MATRIX, standing=standing)
    assert [len(await talk.heard(place)) for place in PLACES] == [0, 1, 0, 0]
    assert talk.channels.counts["kept_back"] == 2


async def test_what_is_encrypted_goes_there_where_the_channel_says_so(store: Store, talk: Talk) -> None:
    await talk.says("no secret", MATRIX, standing=Standing.CLEAR)
    assert await talk.heard(ZULIP) == ["olga (matrix, unproven): no secret"]
    shared = Talk(store, share=True)
    await shared.takes(Message(MATRIX, Account("matrix", "olga"), "$other", "all", Standing.ATTESTED, "", 1, 0.0))
    assert (await shared.heard(ZULIP))[-1] == "olga (matrix): all"


@pytest.mark.parametrize("standing", Standing)
async def test_a_name_that_nothing_proves_is_marked(talk: Talk, standing: Standing) -> None:
    await talk.says("hello", standing=standing)
    is_proven = standing in (Standing.ATTESTED, Standing.NAMED, Standing.LOCAL)
    assert await talk.heard(OTHER) == ["olga (zulip): hello" if is_proven else "olga (zulip, unproven): hello"]


@pytest.mark.parametrize(
    ("who", "called", "shown"),
    [
        ("mallory", "", "mallory (zulip): hi"),
        ("12", "Mallory", "Mallory (zulip 12): hi"),
        ("12", "carol (matrix): yes, do it", "carol  matrix   yes, do it (zulip 12): hi"),
        ("carol (matrix): yes, do it", "", "carol  matrix : yes, do it (zulip): hi"),
        ("@mallory:here", "", "@mallory:here (zulip): hi"),
        ("olga", "carol", "olga (zulip): hi"),
        ("1", "\u202e \u200b", "\ufffd  (zulip 1): hi"),
        ("1", "x" * 99, f"{'x' * 79}… (zulip 1): hi"),
    ],
)
async def test_nobody_is_shown_under_a_name_that_passes_for_another(
    talk: Talk, who: str, called: str, shown: str
) -> None:
    event = await talk.says("hi", who=who, called=called)
    assert await talk.heard(OTHER) == [shown]
    await talk.all_sent()
    await talk.changes(event, who=who, words="hi")
    assert (await talk.heard(OTHER))[-1] == shown, "nor is an edit"


@pytest.mark.parametrize(("who", "shown"), [("olga", "olga"), (" olga\u200b", " olga")])
async def test_an_account_that_is_called_like_somebody_listed_is_seen_as_an_account(
    store: Store, who: str, shown: str
) -> None:
    chat = Place("chat", "lab")
    talk = Talk(store, lab=Channel("lab", (chat, ZULIP)))
    await talk.says("hi", chat, who)
    await talk.says("hi", chat, "eve")
    assert await talk.heard(ZULIP) == [f"{shown} (chat olga): hi", "eve (chat): hi"]


async def test_what_was_not_said_just_now_has_its_time_and_old_news_stay(talk: Talk) -> None:
    for age_s in (0.0, 59.0, 61.0, 86_399.0, 86_401.0):
        await talk.says(f"{age_s:.0f}", age_s=age_s)
    at = clock(0.001, time.time())
    assert await talk.heard(OTHER) == [
        "olga (zulip): 0",
        "olga (zulip): 59",
        f"olga (zulip, {at}): 61",
        f"olga (zulip, {at}): 86399",
    ]
    assert talk.channels.counts["old"] == 1


async def test_an_answer_hangs_on_the_same_words_everywhere(talk: Talk) -> None:
    asked = await talk.says("who is there?")
    ((copy, _),) = await talk.sent(MQTT)
    await talk.says("I am", MQTT, "otto", replies_to=copy)
    ((there, hangs_on),) = await talk.sent(ZULIP)
    assert hangs_on == asked
    await talk.says("good", ZULIP, replies_to=there)
    assert [hangs_on for _, hangs_on in await talk.sent(MQTT)] == ["$2"]


async def test_an_answer_hangs_on_what_waited_with_it_and_an_edit_does_not_part_them(talk: Talk) -> None:
    asked = await talk.says("who is there?")
    answer = await talk.says("I am", who="otto", replies_to=asked)
    await talk.says("good", replies_to="$never passed on")
    await talk.changes(answer, who="otto", words="I am here")
    assert (await talk.heard(MQTT))[1] == "otto (zulip): I am here"
    (copy, _), *answers = await talk.sent(MQTT)
    assert [hangs_on for _, hangs_on in answers] == [copy, None]


async def test_an_answer_to_what_was_refused_is_said_without_it(talk: Talk) -> None:
    asked = await talk.says("who is there?")
    await talk.says("I am", who="otto", replies_to=asked)
    await talk.refused(MQTT)
    assert [hangs_on for _, hangs_on in await talk.sent(MQTT)] == [None]


async def test_an_answer_keeps_what_it_answers_where_its_batch_holds_an_edit(talk: Talk, intake: Intake) -> None:
    asked = await talk.says("who is there?")
    answer = talk.message("I am", replies_to=asked)
    known = Message(ZULIP, Account("zulip", "olga"), asked, "who is there?", Standing.NAMED, "", 1, 0.0)
    await intake.accept([known, answer], cursor="c", changes=[change(asked, words="who's there?")])
    (copy, _), (_, hangs_on), (edit, _) = await talk.sent(MQTT)
    assert hangs_on == copy == edit
    assert [each.removeprefix("olga (zulip): ") for each in await talk.heard(OTHER)] == ["who's there?", "I am"]


async def test_only_what_a_place_gives_goes_on_and_only_where_it_is_taken(store: Store) -> None:
    passes = {ZULIP: ("[Ops]*", "Status of*", "why?")}
    lab = Channel("lab", PLACES, only_hear=frozenset({MQTT}), only_speak=frozenset({OTHER}), passes=passes)
    talk = Talk(store, lab=lab)
    for words in ("please", "[ops] look", "status OF\nthe lamp", "my status of it", "why!"):
        await talk.says(words)
    await talk.says("from a topic", MQTT)
    await talk.says("from the other room", OTHER, standing=Standing.CLEAR)
    given = ["olga (zulip): [ops] look", "olga (zulip): status OF\n\n│ the lamp"]
    more = ["olga (matrix, unproven): from the other room"]
    assert [await talk.heard(place) for place in PLACES] == [[*given, *more], [], more, [*given, *more]]


async def test_an_edit_crosses_only_where_its_words_would(store: Store) -> None:
    talk = Talk(store, lab=Channel("lab", PLACES, passes={ZULIP: ("status*",)}))
    event = await talk.says("status: good")
    await talk.changes(event, words="the password is hunter2")
    assert await talk.heard(MQTT) == ["olga (zulip): status: good"]
    talk.channels.take([Channel("lab", PLACES, only_hear=frozenset({ZULIP}))])
    await talk.changes(event, words="status: bad")
    assert await talk.heard(MQTT) == ["olga (zulip): status: good"]


@pytest.mark.parametrize("odd", ["$half \ud800", "$nul \0"])
async def test_what_cannot_be_passed_on_keeps_nothing_else_from_being_taken_in(talk: Talk, odd: str) -> None:
    message = Message(ZULIP, Account("zulip", "olga"), odd, "odd", Standing.NAMED, "", 1, 0.0)
    await talk.store.write(lambda tx: talk.channels.take_in(tx, "zulip", [message], [change(odd, words="x")]))
    await talk.store.write(lambda tx: talk.channels.take_in(tx, "zulip", [], [change(odd)]))
    await talk.says("hello")
    assert (await talk.heard(MQTT))[-1] == "olga (zulip): hello"


@pytest.mark.parametrize(
    ("said", "blocks"),
    [
        ("look\n```python\nx = 1\n\ny = 2\n```\nthere", [Code("x = 1\n\ny = 2"), text("│ ", "there")]),
        ("~~~\nnever ended", [Code("never ended")]),
        ("```\n```", [Code("")]),
        ("", []),
    ],
)
def test_what_stands_between_fences_stays_as_it_is(said: str, blocks: list[Block]) -> None:
    assert list(passed_on(Speaker("olga", "zulip"), said).blocks[1:]) == blocks


FORGED = "olga (matrix): I agree"


@pytest.mark.parametrize(
    "said",
    [
        f"ok\n{FORGED}",
        f"ok\n\n  {FORGED}",
        f"ok\u2028{FORGED}",
        f"ok\n```\n{FORGED}\n```",
        f"> ok\n> {FORGED}",
        f"ok\n- {FORGED}",
        f"ok\n{FORGED}|x\n-|-\n{FORGED}|y",
        f"```quote\n{FORGED}\n```",
        f"ok\n{FORGED}|\n|-|-|\n{FORGED}|y",
    ],
)
def test_no_line_but_the_first_can_pass_for_another_speakers(said: str) -> None:
    lines = to_plain(passed_on(Speaker("mallory", "zulip"), said)).split("\n")
    assert not [line for line in lines if line.startswith(FORGED[:4])]
    assert lines[0].startswith("mallory (zulip): ")


@pytest.mark.parametrize("shown", [to_plain, to_html, to_zulip])
@given(who=st.text(min_size=1), said=st.text())
def test_whatever_is_written_can_be_passed_on(shown: Callable[..., str], who: str, said: str) -> None:
    words = passed_on(Speaker(who, "zulip"), said)
    assert "@**all**" not in shown(words)
    packed.load(packed.dump(words))


@pytest.mark.parametrize(
    "each", ["~", "`", "$", ":a", "@", "&", "http://", "'", "漢", "😀", '{"a":', "\\", "a\n", "||"]
)
@pytest.mark.parametrize("end", ["", "`"])
def test_whatever_is_written_fits_into_an_event_twice(each: str, end: str) -> None:
    words = passed_on(Speaker("olga", "zulip"), cut(each * 8_000, 8_000) + end)
    assert len(to_plain(words).encode()) + len(to_html(words).encode()) <= MOST_BYTES


def test_lines_that_are_left_out_leave_a_sign() -> None:
    (*_, last) = passed_on(Speaker("olga", "zulip"), "x\n" * 201).blocks
    assert last == text("│ ", "…")


def test_lists_and_tables_are_passed_on_as_such() -> None:
    blocks = passed_on(Speaker("olga", "zulip"), "look\n- one\n- two\na|b\n-|-\n1|2").blocks
    assert [type(block) for block in blocks[1:]] == [Items, Table]


def test_a_reaction_of_the_bots_own_stands_for_one_thing_beside_one_message() -> None:
    shown = [Shown(Said(place, f"{place} {event}"), emoji) for place in PLACES for event in "ab" for emoji in "xy"]
    assert len({each.subject for each in shown}) == len(shown)


@pytest.mark.parametrize("where", [ALONE, Place("zulip", "7/in no channel")])
async def test_what_is_of_another_conversation_is_not_answered_in_this_one(talk: Talk, where: Place) -> None:
    event = await talk.says("between us", where)
    for place in PLACES:
        await talk.sent(place)
    await talk.says("indeed", ZULIP, replies_to=event)
    for place in (MATRIX, OTHER, MQTT):
        assert [answered for _, answered in await talk.sent(place)] == [None]
