"""What becomes of copies when messages are moved, and of places and threads when they are called otherwise."""

import asyncio
import dataclasses
import itertools
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from bot.channels import Channel, Linking
from bot.channels import channels as channels_
from bot.channels.allowance import OF_ONE_AT_ONCE
from bot.store import Store, Tx, audit, inbox, keeping, links, moving, outbox, said
from bot.store.links import Link
from bot.store.said import Said
from bot.store.store import Rows
from bot.words.errors import Refused
from bot.words.message import Lane, Message, Moved, Place, Reaction
from bot.words.people import Person, Role
from tests.unit.talk import ALONE, MAIN, MATRIX, MQTT, OTHER, TOPICAL, WHOLE, ZULIP, Talk, a_file, change

LAB = Channel("lab", TOPICAL, share_encrypted=True)
COLD, WARM, HOT = (Place("zulip", f"4/{topic}") for topic in ("cold", "warm", "hot"))
OLGA = Person("olga", Role.COMMANDER, frozenset())
AWAY, RENAMED = Place("zulip", "9/secret plans"), Place("zulip", "5/new lab")
BEGUN, WARMER = "cold (a topic in zulip)", "warm (a topic in zulip)"


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store, lab=LAB)


@pytest.fixture
def plain(store: Store) -> Talk:
    """A channel without topics."""
    return Talk(store, share=True)


async def started_anew(talk: Talk, *filed: Channel) -> Linking:
    """The bot starts again, with the same file or another one."""
    talk.channels = Talk(talk.store, lab=filed[0] if filed else talk.lab, others=filed[1:]).channels
    linking = Linking(talk.channels)
    await linking.read(talk.store)
    return linking


async def records(store: Store, kind: str) -> list[dict[str, audit.Value]]:
    entries = await store.read(lambda tx: audit.last(tx, 100))
    return [entry.all for entry in entries if entry.kind == kind]


async def says(talk: Talk, words: str, place: Place = COLD, **more: object) -> Message:
    message = talk.message(words, place, **more)  # pyright: ignore[reportArgumentType] - as there
    await talk.takes(message)
    return message


async def words_at(talk: Talk, *places: Place) -> list[list[str]]:
    return [[words.rpartition("): ")[2] for _, words in await talk.stands(place)] for place in places]


# Between topics


async def test_a_message_that_is_moved_stands_in_the_other_thread(talk: Talk) -> None:
    moved, stays = await says(talk, "brr"), await says(talk, "stays")
    await talk.all_sent()
    await talk.moves(COLD, WARM, messages=[moved])
    for room in (MATRIX, OTHER):
        assert await talk.stands(room) == [(BEGUN, "olga (zulip): stays"), (WARMER, "olga (zulip): brr")]
    beside = await talk.stands(MQTT)
    assert beside == [("", "olga (zulip, in cold): brr"), ("", "olga (zulip, in cold): stays")], "it is no other place"
    assert talk.channels.counts["moved"] == 1
    await talk.changes(stays.event, COLD, words="stayed")
    await talk.changes(moved.event, WARM, words="phew")
    assert await talk.stands(MATRIX) == [(BEGUN, "olga (zulip): stayed"), (WARMER, "olga (zulip): phew")]
    assert await talk.stands(MQTT) == [("", "olga (zulip, in warm): phew"), ("", "olga (zulip, in cold): stayed")]


@pytest.mark.parametrize(("place", "to"), [(COLD, MAIN), (MAIN, COLD)])
async def test_into_the_main_topic_and_out_of_it(talk: Talk, place: Place, to: Place) -> None:
    message = await says(talk, "brr", place)
    await talk.all_sent()
    await talk.moves(place, to, messages=[message])
    is_main = to == MAIN
    await talk.changes(message.event, to, words="phew")
    assert await talk.stands(MATRIX) == [("" if is_main else BEGUN, "olga (zulip): phew")]
    assert await talk.stands(MQTT) == [("", "olga (zulip): phew" if is_main else "olga (zulip, in cold): phew")]


async def test_old_messages_are_not_said_anew_and_known_in_their_topic_all_the_same(talk: Talk) -> None:
    old = await says(talk, "brr")
    await talk.all_sent()
    for messages in ((), (dataclasses.replace(old, age_s=channels_.TOO_LATE_S + 1),)):
        await talk.moves(COLD, WARM, *(() if messages else (old.event,)), messages=messages)
        assert await talk.stands(MATRIX) == [(BEGUN, "olga (zulip): brr")]
        assert await words_at(talk, WARM, MAIN) == [[], []], "nobody hears of it: it is one conversation"
    await talk.changes(old.event, WARM, words="phew")
    assert await talk.stands(MQTT) == [("", "olga (zulip, in warm): phew")]
    copy = next(event for event, each in talk.there.items() if each.place == MATRIX and "phew" in each.words)
    await talk.says("yes", MATRIX, replies_to=copy)
    assert await words_at(talk, WARM, COLD) == [["yes"], []]


async def test_what_waits_is_said_once_where_it_is_now(talk: Talk) -> None:
    await says(talk, "first in line")
    message = await says(talk, "brr", files=[a_file()])
    await talk.changes(message.event, COLD, words="brrr")
    await talk.moves(COLD, WARM, messages=[dataclasses.replace(message, text="brrr")])
    said = await talk.stands(MATRIX)
    assert said[:2] == [(BEGUN, "olga (zulip): first in line"), (WARMER, "olga (zulip): brrr")]
    assert [(thread, words[:5]) for thread, words in said[2:]] == [(WARMER, "File:")]


async def test_files_move_with_their_words(talk: Talk) -> None:
    message = await says(talk, "look", files=[a_file("a.pdf"), a_file("b.pdf")])
    await talk.all_sent()
    await talk.moves(COLD, WARM, messages=[message])
    assert [thread for thread, _ in await talk.stands(MATRIX)] == [WARMER] * 3
    await talk.changes(message.event, WARM)
    assert await talk.stands(MATRIX) == []
    assert await talk.stands(MQTT) == []


async def test_there_and_back_again_it_stands_once(talk: Talk) -> None:
    message = await says(talk, "brr")
    for place, to in ((COLD, WARM), (WARM, COLD), (COLD, HOT), (HOT, COLD)):
        await talk.moves(place, to, messages=[message])
        if to == HOT:
            await talk.all_sent()
    assert await talk.stands(MATRIX) == [(BEGUN, "olga (zulip): brr")]
    assert await talk.stands(MQTT) == [("", "olga (zulip, in cold): brr")]


async def test_what_is_shown_beside_it_is_shown_beside_what_is_said_anew_and_nothing_twice(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.all_sent()
    copies = {each.place: event for event, each in talk.there.items() if "brr" in each.words}
    await talk.shows("👍", message.event, COLD)
    await talk.shows("👎", copies[OTHER], OTHER)
    await talk.all_sent()
    await talk.moves(COLD, WARM, messages=[message])
    await talk.all_sent()
    now = {each.place: event for event, each in talk.there.items() if "brr" in each.words}
    assert now[MQTT] == copies[MQTT]
    assert {now[MATRIX], now[OTHER]}.isdisjoint(copies.values())
    on = sorted(each for each in talk.shown.values() if each[0] not in (copies[MATRIX], copies[OTHER]))
    assert on == sorted(
        [(message.event, "👎"), *((now[place], "👍") for place in now), *((now[each], "👎") for each in (MATRIX, MQTT))]
    )


async def test_what_was_to_be_shown_beside_it_is_shown_beside_what_is_said_anew_alone(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.all_sent()
    await talk.shows("👍", message.event, COLD)
    await talk.shows("👎", message.event, COLD)
    await talk.moves(COLD, WARM, messages=[message])
    assert [each.emoji for each in await talk.reactions(MATRIX)] == ["👍", "👍", "👎"], "the first may be on its way"
    await talk.all_sent()
    now = {event for event, each in talk.there.items() if "brr" in each.words}
    assert sorted(each for each in talk.shown.values() if each[0] in now) == sorted(
        (event, emoji) for event in now for emoji in "👍👎"
    )


async def test_what_is_shown_stays_where_the_copy_stays(plain: Talk) -> None:
    both = Channel("lab", (MATRIX, ZULIP, Place("zulip", "5/more")), share_encrypted=True)
    plain.channels.take([both])
    message = await says(plain, "brr", ZULIP)
    await plain.all_sent()
    copies = {each.place: event for event, each in plain.there.items() if "brr" in each.words}
    await plain.shows("👍", message.event, ZULIP)
    await plain.shows("👎", copies[MATRIX], MATRIX)
    await plain.all_sent()
    await plain.moves(ZULIP, both.places[2], messages=[message])
    assert await words_at(plain, *both.places) == [["brr"], ["brr"], []]
    shown = [each for each in plain.shown.values() if each[0] == copies[MATRIX]]
    assert shown == [(copies[MATRIX], "👍")], "it is shown there once"


async def test_answers_hang_on_what_is_said_anew(talk: Talk) -> None:
    message = await says(talk, "brr?")
    await talk.all_sent()
    old = next(event for event, each in talk.there.items() if each.place == MATRIX and "brr" in each.words)
    await talk.moves(COLD, WARM, messages=[message])
    await talk.says("yes", WARM, replies_to=message.event)
    await talk.all_sent()
    new = next(event for event, each in talk.there.items() if each.place == MATRIX and "brr" in each.words)
    assert [each.answers for each in talk.there.values() if each.place == MATRIX and "yes" in each.words] == [new]
    for copy in (old, new):
        await talk.says("so it is", MATRIX, replies_to=copy)
    assert await words_at(talk, WARM, COLD) == [["so it is"] * 2, []]
    assert {each.answers for each in talk.there.values() if each.place == WARM} == {message.event}


async def test_a_copy_of_the_bots_that_is_moved_is_edited_and_taken_back_where_it_stands(talk: Talk) -> None:
    await says(talk, "brr")
    mine = await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.all_sent()
    ((copy, _),) = [(event, each) for event, each in talk.there.items() if each.place == COLD]
    await talk.shows("👍", mine, MATRIX)
    await talk.all_sent()
    await talk.moves(COLD, WARM, copy)
    await talk.changes(mine, MATRIX, words="ohh")
    assert await words_at(talk, COLD, WARM, MAIN) == [[], ["ohh"], []]
    own = await talk.shows("👎", copy, WARM)
    await talk.all_sent()
    assert (mine, "👎") in talk.shown.values()
    await talk.hides(own, WARM)
    await talk.says("indeed", WARM, replies_to=copy)
    assert (await talk.stands(OTHER))[-1][1] == "olga (zulip): indeed"
    assert [each.answers for each in talk.there.values() if "indeed" in each.words and each.place == MATRIX] == [mine]
    await talk.changes(mine, MATRIX)
    assert await words_at(talk, COLD, WARM, MAIN) == [[], [], []]


async def test_what_shows_at_home_moves_with_the_message(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.all_sent()
    copy = next(event for event, each in talk.there.items() if each.place == MQTT)
    own = await talk.shows("👍", copy, MQTT)
    await talk.all_sent()
    await talk.moves(COLD, WARM, message.event)
    await talk.hides(own, MQTT)
    await talk.all_sent()
    assert talk.shown == {}


# Out of a channel, and into one


async def test_what_is_moved_out_is_taken_back_and_nothing_of_it_goes_on(talk: Talk) -> None:
    message = await says(talk, "brr", files=[a_file()])
    await talk.all_sent()
    await talk.moves(COLD, AWAY, message.event)
    await talk.changes(message.event, AWAY, words="hunter2")
    await talk.shows("👍", message.event, AWAY)
    assert await words_at(talk, *TOPICAL, MAIN) == [[]] * 5
    assert talk.shown == {}
    await talk.changes(message.event, AWAY)
    assert await talk.head(MATRIX) is None, "it was taken back already"


async def test_nothing_leaks_of_what_is_moved_out_with_an_edit_waiting(talk: Talk) -> None:
    message = await says(talk, "first")
    await talk.all_sent()
    await says(talk, "in line")
    await talk.changes(message.event, COLD, words="second")
    await talk.moves(COLD, AWAY, message.event)
    heads = [await talk.posts(place) for place in (MATRIX, OTHER, MQTT)]
    assert not [words for each in heads for words in each if "second" in words]
    assert await words_at(talk, MATRIX, MQTT) == [["in line"]] * 2


async def test_nor_do_new_words_that_are_first_in_line_but_what_takes_it_back_does(talk: Talk) -> None:
    mine = await talk.says("first", MATRIX)
    await talk.all_sent()
    copy = next(event for event, each in talk.there.items() if each.place == MAIN)
    await talk.changes(mine, MATRIX, words="second")
    await talk.moves(MAIN, AWAY, copy)
    assert await talk.head(AWAY) is None
    farther = Place("zulip", "9/farther")
    await talk.changes(mine, MATRIX)
    await talk.moves(AWAY, farther, copy)
    head = await talk.head(farther)
    assert head is not None
    assert head.edits == copy


async def test_new_words_for_a_copy_that_is_moved_out_do_not_follow_it(talk: Talk) -> None:
    mine = await talk.says("first", MATRIX)
    await talk.all_sent()
    copy = next(event for event, each in talk.there.items() if each.place == MAIN)
    await talk.says("in line", MATRIX)
    await talk.changes(mine, MATRIX, words="second")
    await talk.moves(MAIN, AWAY, copy)
    await talk.changes(mine, MATRIX, words="third")
    assert await words_at(talk, AWAY, MAIN) == [["first"], ["in line"]]
    assert (await words_at(talk, OTHER))[0] == ["third", "in line"]
    await talk.changes(mine, MATRIX)
    assert await words_at(talk, AWAY) == [[]], "it can still be taken back"


@pytest.mark.parametrize("is_known", [True, False])
async def test_words_that_are_written_elsewhere_never_come_back(talk: Talk, *, is_known: bool) -> None:
    message = talk.message("harmless", COLD)
    if is_known:
        await talk.takes(message)
        await talk.all_sent()
    moved = Moved(COLD, AWAY, (message.event,))
    edit = change(message.event, AWAY, words="hunter2")
    await talk.takes(*([] if is_known else [message]), moves=[moved], changes=[edit])
    posts = [words for place in (MATRIX, OTHER, MQTT) for words in await talk.posts(place)]
    assert not [words for words in posts if "hunter2" in words]
    assert await words_at(talk, MATRIX, OTHER, MQTT) == [[]] * 3


async def test_what_comes_and_is_moved_and_edited_at_once_stands_where_it_is_as_it_is(talk: Talk) -> None:
    message = talk.message("brr", COLD)
    now = dataclasses.replace(message, place=WARM, text="phew")
    moved = Moved(COLD, WARM, (message.event,), messages=(now,))
    await talk.takes(message, moves=[moved], changes=[change(message.event, WARM, words="phew")])
    assert await talk.beginnings(MATRIX) == [WARMER], "nobody has seen it there"
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): phew")]
    gone = talk.message("hunter2", COLD)
    moved = Moved(COLD, WARM, (gone.event,), messages=(dataclasses.replace(gone, place=WARM),))
    await talk.takes(gone, moves=[moved], changes=[change(gone.event, WARM)])
    assert await words_at(talk, MATRIX, MQTT) == [["phew"]] * 2


async def test_what_comes_and_is_taken_back_at_once_is_never_said_in_a_renamed_topic(
    talk: Talk,
) -> None:
    gone, edited = talk.message("hunter2", COLD), talk.message("brr", COLD)
    moves = [Moved(COLD, WARM, (gone.event, edited.event), is_whole=True)]
    edits = [change(gone.event, WARM), change(edited.event, WARM, words="phew")]
    await talk.takes(gone, edited, moves=moves, changes=edits)
    assert [words.rpartition("): ")[2] for words in await talk.posts(MQTT)] == ["phew"]


async def test_what_comes_with_a_move_that_did_not_move_it_is_said(talk: Talk) -> None:
    there, whole = talk.message("there already", WARM), talk.message("hello", COLD)
    moves = [
        Moved(COLD, WARM, ("$other",), messages=(there,)),
        Moved(COLD, HOT, (whole.event,), is_whole=True, messages=(dataclasses.replace(whole, place=HOT),)),
    ]
    await talk.takes(there, whole, moves=moves)
    assert await talk.stands(MQTT) == [
        ("", "olga (zulip, in warm): there already"),
        ("", "olga (zulip, in cold): hello"),
    ]


async def test_a_move_and_an_edit_at_once_say_the_newest_words_in_the_new_place(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.all_sent()
    now = dataclasses.replace(message, text="phew")
    await talk.moves(COLD, WARM, messages=[now], changes=[change(message.event, WARM, words="phew")])
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): phew")]
    await talk.moves(WARM, HOT, message.event, changes=[change(message.event, HOT, words="phew!")])
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): phew!")]


async def test_what_is_moved_in_is_said_or_told_of(talk: Talk) -> None:
    young, old = await says(talk, "young", AWAY), await says(talk, "old", AWAY)
    late = dataclasses.replace(old, age_s=channels_.TOO_LATE_S + 1)
    await talk.moves(AWAY, COLD, "7", messages=[young, late])
    assert sorted(await talk.stands(MATRIX)) == [
        ("", "zulip:4/cold has messages that were moved there and are not said here: 1."),
        (BEGUN, "olga (zulip): young"),
    ]
    said = [words for place in (*TOPICAL, MAIN) for _, words in await talk.stands(place)]
    assert not [words for words in said if "secret plans" in words], "how that place is called is not for all"
    await talk.changes(young.event, COLD, words="younger")
    await talk.changes(old.event, COLD, words="older")
    assert ("", "olga (zulip, in cold): younger") in await talk.stands(MQTT)
    assert "older" not in str(await words_at(talk, MATRIX, OTHER, MQTT))
    await talk.says("an answer", COLD, replies_to=young.event)
    await talk.all_sent()
    copies = {event for event, each in talk.there.items() if "younger" in each.words}
    assert {each.answers for each in talk.there.values() if "an answer" in each.words} == copies


async def test_a_place_is_not_told_of_what_stands_there_itself(plain: Talk) -> None:
    message = await says(plain, "old", AWAY)
    await plain.moves(AWAY, ZULIP, message.event)
    assert [len(await plain.stands(place)) for place in (MATRIX, OTHER, MQTT, ZULIP)] == [1, 1, 1, 0]


async def test_from_channel_to_channel_it_changes_who_hears_it(store: Store) -> None:
    hall = Channel("hall", (there := Place("mqtt", "chat/hall"), ALONE))
    talk = Talk(store, lab=LAB)
    talk.channels.take([LAB, hall])
    message, old = await says(talk, "brr"), await says(talk, "old")
    await talk.all_sent()
    await talk.moves(COLD, ALONE, old.event, messages=[message])
    assert await words_at(talk, MATRIX, OTHER, MQTT) == [[]] * 3
    said = await talk.stands(there)
    assert sorted(said) == [
        ("", "olga (zulip): brr"),
        ("", f"{ALONE} has messages that were moved there and are not said here: 1."),
    ]
    await talk.moves(ALONE, COLD, messages=[message])
    assert await words_at(talk, MATRIX, MQTT) == [["brr"]] * 2
    assert "brr" not in str(await words_at(talk, there))


async def test_what_is_nobodys_affair_moves_without_a_word(talk: Talk) -> None:
    message = await says(talk, "hello", AWAY)
    for is_whole in (False, True):
        await talk.moves(AWAY, Place("zulip", "9/plans"), message.event, is_whole=is_whole)
    assert talk.channels.counts["moved"] == 0
    assert await words_at(talk, *TOPICAL, MAIN) == [[]] * 5


async def test_a_message_that_is_deleted_after_its_move_is_gone_everywhere(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.all_sent()
    await talk.moves(COLD, WARM, messages=[message])
    await talk.changes(message.event, COLD)
    assert await words_at(talk, MATRIX, MQTT) == [["brr"]] * 2, "it is not there any more"
    await talk.changes(message.event, WARM)
    assert await words_at(talk, MATRIX, OTHER, MQTT) == [[]] * 3


async def test_what_was_refused_comes_where_it_is_now_and_is_not_tried_again_where_it_was(talk: Talk) -> None:
    message = await says(talk, "brr")
    await talk.says_next(MATRIX)
    await talk.refused(MATRIX)
    await talk.moves(COLD, WARM, messages=[message])
    await talk.store.write(lambda tx: outbox.retry(tx, None))
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): brr")]


@pytest.mark.parametrize("limits", [{"only_hear": frozenset({WHOLE})}, {"passes": {WHOLE: ("status*",)}}])
async def test_what_is_not_given_is_not_given_by_moving_it(store: Store, limits: dict[str, object]) -> None:
    talk = Talk(store, lab=dataclasses.replace(LAB, **limits))  # pyright: ignore[reportArgumentType] - as there
    message = await says(talk, "hunter2", AWAY)
    await talk.moves(AWAY, COLD, messages=[message])
    await talk.moves(COLD, WARM, messages=[message])
    assert await words_at(talk, MATRIX, OTHER, MQTT) == [[]] * 3


async def test_a_place_that_only_speaks_is_brought_nothing_that_moves(store: Store) -> None:
    talk = Talk(store, lab=dataclasses.replace(LAB, only_speak=frozenset({MQTT})))
    message = await says(talk, "brr")
    await talk.moves(COLD, WARM, messages=[message])
    assert await words_at(talk, MATRIX, MQTT) == [["brr"], []]


async def test_an_odd_move_keeps_nothing_else_from_being_taken_in(talk: Talk) -> None:
    message = await says(talk, "brr")
    odd = Moved(COLD, WARM, ("\ud800",))
    fine = Moved(COLD, WARM, (message.event,), messages=(dataclasses.replace(message, place=WARM),))
    await talk.store.write(lambda tx: talk.channels.take_in(tx, "zulip", [], moves=[odd, fine]))
    assert talk.channels.counts["passed_over"] == 1
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): brr")]


# Places that are called otherwise


async def test_a_linked_place_is_followed_told_and_recorded(plain: Talk) -> None:
    event = await plain.says("hello")
    await plain.all_sent()
    await plain.says("waits", MATRIX)
    await plain.moves(ZULIP, RENAMED, event, is_whole=True, topic="New Lab")
    told = f"{ZULIP} is called {RENAMED} now. It stays a place of the channel."
    assert await words_at(plain, ZULIP, RENAMED) == [[], [told, "waits"]]
    assert [words.count(told) for words in await words_at(plain, MATRIX, OTHER, MQTT, RENAMED)] == [1, 1, 1, 1]
    (entry,) = await records(plain.store, "followed")
    assert (entry["channel"], entry["places"]) == ("lab", [str(ZULIP), str(RENAMED)])
    await plain.says("new", RENAMED)
    await plain.changes(event, RENAMED, words="hello!")
    await plain.says("to a stranger", ZULIP)
    assert (await words_at(plain, MQTT))[0] == ["hello!", told, "waits", "new"]


@pytest.mark.parametrize("by_file", [True, False])
async def test_a_place_is_followed_over_restarts_and_again(store: Store, *, by_file: bool) -> None:
    file = Channel("lab", (MATRIX, ZULIP), share_encrypted=True) if by_file else Channel("other", ())
    talk = Talk(store, lab=file)
    if not by_file:
        both = [Link("linked-1", MATRIX, "olga"), Link("linked-1", ZULIP, "olga")]
        await store.write(lambda tx: [links.put(tx, each) for each in both])
        await started_anew(talk)
    names = [ZULIP, RENAMED, HOT, ZULIP, RENAMED]
    for place, to in itertools.pairwise(names):
        await talk.moves(place, to, is_whole=True)
        for _ in range(2):
            channel = talk.channels.exactly(to)
            assert channel is not None
            assert channel.places == (MATRIX, to)
            assert talk.channels.of(place) is None
            await started_anew(talk)


async def test_what_the_file_says_of_a_place_counts_by_its_new_name(store: Store) -> None:
    lab = Channel(
        "lab",
        (MATRIX, ZULIP, MQTT),
        only_hear=frozenset({MATRIX}),
        only_speak=frozenset({MQTT}),
        passes={ZULIP: ("a*",)},
    )
    talk = Talk(store, lab=lab)
    await talk.moves(ZULIP, RENAMED, is_whole=True)
    for words in ("all", "none"):
        await talk.says(words, RENAMED)
    assert await words_at(talk, MATRIX, MQTT) == [
        [f"{ZULIP} is called {RENAMED} now. It stays a place of the channel.", "all"],
        [f"{ZULIP} is called {RENAMED} now. It stays a place of the channel."],
    ]
    talk.channels.take([dataclasses.replace(lab, only_hear=frozenset({ZULIP}), passes={})])
    await talk.says("all", RENAMED)
    assert (await words_at(talk, MATRIX))[0][-1] == "all"
    assert talk.channels.exactly(RENAMED) == talk.channels.all[0]
    assert talk.channels.all[0].only_hear == frozenset({RENAMED})
    talk.channels.take([dataclasses.replace(lab, only_hear=frozenset(), only_speak=frozenset({ZULIP}))])
    assert talk.channels.all[0].only_speak == frozenset({RENAMED})


async def test_a_file_that_has_the_new_name_means_what_it_says(store: Store) -> None:
    before, after = (Channel("lab", (MATRIX, place), share_encrypted=True) for place in (ZULIP, RENAMED))
    talk = Talk(store, lab=before)
    await talk.moves(ZULIP, RENAMED, is_whole=True)
    talk.channels.take([after])
    assert talk.channels.all[0].places == (MATRIX, RENAMED)
    await talk.moves(RENAMED, HOT, is_whole=True)
    assert talk.channels.all[0].places == (MATRIX, HOT), "it is followed under the name that the file has now"
    await started_anew(talk, after)
    assert talk.channels.all[0].places == (MATRIX, HOT)
    assert await store.read(lambda tx: tx.execute("SELECT place, now FROM renamed").fetchall()) == [
        (RENAMED.id, HOT.id)
    ]
    talk.channels.take([after, Channel("more", (HOT, OTHER))])
    assert [each.places for each in talk.channels.all] == [(MATRIX, RENAMED), (HOT, OTHER)]


async def test_places_that_swap_their_names_are_followed(store: Store) -> None:
    talk = Talk(store, lab=Channel("lab", (MATRIX, ZULIP)), others=[Channel("more", (MQTT, RENAMED))])
    for place, to in ((ZULIP, HOT), (RENAMED, ZULIP), (HOT, RENAMED)):
        await talk.moves(place, to, is_whole=True)
    for _ in range(2):
        assert {each.name: each.places for each in talk.channels.all if len(each.places) > 1} == {
            "lab": (MATRIX, RENAMED),
            "more": (MQTT, ZULIP),
        }
        await started_anew(talk, talk.lab, Channel("more", (MQTT, RENAMED)))


async def test_a_place_of_the_file_is_followed_though_it_was_linked_from_chat_before(store: Store) -> None:
    talk = Talk(store, lab=Channel("lab", (MATRIX, ZULIP)))
    both = [Link("linked-1", OTHER, "olga"), Link("linked-1", ZULIP, "olga"), Link("linked-1", MQTT, "olga")]
    await store.write(lambda tx: [links.put(tx, each) for each in both])
    await started_anew(talk)
    await talk.moves(ZULIP, RENAMED, is_whole=True)
    for _ in range(2):
        assert talk.channels.all[0].places == (MATRIX, RENAMED)
        assert talk.channels.of(ZULIP) is None, "what rests does not wake by the old name"
        await started_anew(talk)


async def test_a_commit_that_is_tried_again_follows_once_and_loses_nothing(store: Store) -> None:
    talk = Talk(store, share=True, others=[Channel("more", (AWAY, Place("mqtt", "chat/more")))])
    message = talk.message("hello", ZULIP)
    moves = [
        Moved(ZULIP, RENAMED, (message.event,), is_whole=True),
        Moved(AWAY, Place("zulip", "9/plans"), (), is_whole=True),
    ]
    edit = change(message.event, RENAMED, words="hello!")
    await talk.takes(message, moves=moves, changes=[edit], tries=3)
    assert (await words_at(talk, MQTT))[0] == [
        f"{ZULIP} is called {RENAMED} now. It stays a place of the channel.",
        "hello!",
    ]
    assert len(await records(store, "followed")) == 2
    for _ in range(2):
        assert talk.channels.exactly(RENAMED) is not None
        assert talk.channels.exactly(Place("zulip", "9/plans")) is not None
        assert talk.channels.exactly(ZULIP) is None
        await started_anew(talk, talk.lab, Channel("more", (AWAY, Place("mqtt", "chat/more"))))


async def test_a_linked_place_that_becomes_part_of_another_is_not_followed(store: Store) -> None:
    talk = Talk(store, share=True, others=[Channel("more", (AWAY, Place("mqtt", "chat/more")))])
    message = await says(talk, "hello", ZULIP)
    await talk.all_sent()
    await talk.moves(ZULIP, AWAY, message.event, is_whole=True)
    assert await words_at(talk, MATRIX, MQTT) == [[], []]
    assert talk.channels.exactly(ZULIP) is not None
    assert (await words_at(talk, Place("mqtt", "chat/more")))[0] == [
        f"{AWAY} has messages that were moved there and are not said here: 1."
    ]


# Threads that are called otherwise


async def test_a_topic_that_is_called_otherwise_keeps_its_thread(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    await talk.says("waits", COLD)
    await talk.moves(COLD, WARM, event, "$2", is_whole=True, topic="Warm")
    assert await talk.beginnings(MATRIX) == ["Warm (a topic in zulip)"]
    assert [thread for thread, _ in await talk.stands(MATRIX)] == ["Warm (a topic in zulip)"] * 2
    assert await talk.thread(MATRIX, "warm") == thread
    await talk.says("phew", MATRIX, thread=thread)
    await talk.says("now", WARM)
    await talk.changes(event, WARM, words="brrr")
    assert await words_at(talk, COLD, WARM, MAIN) == [[], ["phew"], []]
    assert [words for _, words in await talk.stands(MATRIX)] == [
        "olga (zulip): brrr",
        "olga (zulip): waits",
        "olga (zulip): now",
    ]
    await talk.says("cold again", COLD)
    assert await talk.beginnings(MATRIX) == ["Warm (a topic in zulip)", BEGUN]


async def test_what_waits_for_a_topic_is_said_in_it_under_its_new_name(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    said = await talk.says("said", MATRIX, thread=thread)
    await talk.all_sent()
    waits = await talk.says("waits", MATRIX, thread=thread)
    own = await talk.shows("👍", next(event for event, each in talk.there.items() if each.place == COLD), COLD)
    await talk.moves(COLD, WARM, event, is_whole=True)
    for mine in (said, waits):
        await talk.changes(mine, MATRIX, words="edited")
    assert await words_at(talk, COLD, WARM) == [[], ["edited"] * 2]
    await talk.hides(own, WARM)
    await talk.all_sent()
    assert talk.shown == {}
    await talk.changes(said, MATRIX)
    assert await words_at(talk, COLD, WARM) == [[], ["edited"]]


async def test_what_was_refused_in_a_thread_is_said_in_it_though_its_topic_is_called_otherwise(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.all_sent()
    event = await talk.says("refused", COLD)
    await talk.refused(MATRIX)
    await talk.moves(COLD, WARM, is_whole=True)
    await talk.changes(event, WARM, words="said after all")
    assert await talk.stands(MATRIX) == [(WARMER, "olga (zulip): brr"), (WARMER, "olga (zulip): said after all")]


async def test_a_thread_of_long_ago_stays_that_of_its_topic(talk: Talk) -> None:
    await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    await talk.says("waits", MAIN)
    later = time.time() + keeping.ROWS_S + 60
    await talk.store.write(lambda tx: keeping.sweep(tx, later))
    await talk.moves(COLD, WARM, is_whole=True)
    assert await talk.thread(MATRIX, "warm") == thread
    await talk.says("oh", MATRIX, thread=thread)
    assert await words_at(talk, WARM, MAIN) == [["oh"], []]


@pytest.mark.parametrize("to", [WARM, MAIN])
async def test_a_topic_that_becomes_part_of_another_is_answered_there(talk: Talk, to: Place) -> None:
    event = await talk.says("brr", COLD)
    await talk.says("phew", WARM)
    thread = await talk.thread(MATRIX, "cold")
    await talk.moves(COLD, to, event, is_whole=True)
    topic = to.id.removeprefix("4/")
    assert sorted(await talk.beginnings(MATRIX)) == sorted([f"cold (part of {topic} in zulip)", WARMER])
    await talk.says("oh", MATRIX, thread=thread)
    await talk.says("all", to)
    await talk.changes(event, to, words="brrr")
    assert await words_at(talk, COLD, to) == [[], ["oh"]]
    begun = WARMER if to == WARM else ""
    assert (await talk.stands(MATRIX))[-1] == (begun, "olga (zulip): all")
    assert await talk.stands(OTHER) == [
        (f"cold (part of {topic} in zulip)", "olga (zulip): brrr"),
        (WARMER, "olga (zulip): phew"),
        (begun, "olga (matrix): oh"),
        (begun, "olga (zulip): all"),
    ]


async def test_what_is_part_of_a_topic_follows_it_under_its_new_name(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.says("phew", WARM)
    thread = await talk.thread(MATRIX, "cold")
    await talk.moves(COLD, WARM, is_whole=True)
    await talk.moves(WARM, HOT, is_whole=True)
    await talk.says("oh", MATRIX, thread=thread)
    assert await words_at(talk, COLD, WARM, HOT) == [[], [], ["oh"]]


async def test_a_topic_that_is_there_again_has_its_thread_again_in_all_rooms(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.says("phew", WARM)
    thread = await talk.thread(OTHER, "cold")
    await talk.moves(COLD, WARM, is_whole=True)
    await talk.says("cold again", COLD, topic="Cold")
    for room in (MATRIX, OTHER):
        assert sorted(await talk.beginnings(room)) == ["Cold (a topic in zulip)", WARMER]
        assert (await talk.stands(room))[-1] == ("Cold (a topic in zulip)", "olga (zulip): cold again")
    await talk.says("oh", OTHER, thread=thread)
    assert await words_at(talk, COLD, WARM) == [["oh"], []]


async def test_the_main_topic_that_is_called_otherwise_is_a_topic_like_others(talk: Talk) -> None:
    event = await talk.says("to all", MAIN)
    await talk.all_sent()
    await talk.moves(MAIN, WARM, event, is_whole=True)
    await talk.says("now", WARM)
    await talk.says("to all of us", MATRIX)
    assert await talk.stands(OTHER) == [
        ("", "olga (zulip): to all"),
        (WARMER, "olga (zulip): now"),
        ("", "olga (matrix): to all of us"),
    ]
    assert await words_at(talk, WARM, MAIN) == [[], ["to all of us"]]


async def test_a_topic_that_becomes_that_of_another_channel_leaves_this_one(store: Store) -> None:
    more = Channel("more", (WARM, ALONE))
    talk = Talk(store, lab=LAB)
    talk.channels.take([LAB, more])
    message = await says(talk, "brr")
    await talk.all_sent()
    await talk.moves(COLD, WARM, message.event, is_whole=True)
    assert await words_at(talk, MATRIX, OTHER, MQTT) == [[]] * 3
    assert (await words_at(talk, ALONE))[0] == [f"{WARM} has messages that were moved there and are not said here: 1."]


async def test_a_commit_of_a_renamed_topic_that_is_tried_again_changes_nothing_twice(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    await talk.thread(MATRIX, "cold")
    await talk.moves(COLD, WARM, event, is_whole=True, tries=3)
    assert await talk.beginnings(MATRIX) == [WARMER]
    message = await says(talk, "phew", WARM)
    await talk.all_sent()
    await talk.moves(WARM, HOT, messages=[message], tries=3)
    assert (await talk.stands(MATRIX))[-1] == ("hot (a topic in zulip)", "olga (zulip): phew")
    assert await words_at(talk, MATRIX) == [["brr", "phew"]]


async def test_what_was_heard_is_known_where_it_is_now(talk: Talk) -> None:
    one, two = await says(talk, "one"), await says(talk, "two")
    await talk.moves(COLD, WARM, one.event)
    await talk.moves(COLD, HOT, two.event, is_whole=True)

    async def where(events: Sequence[str]) -> list[Place | None]:
        return await talk.store.read(
            lambda tx: [(found := said.origin_in(tx, Said(COLD, each).subject)) and found.place for each in events]
        )

    assert await where([one.event, two.event, "$never"]) == [WARM, HOT, None]
    assert await talk.store.read(lambda tx: inbox.writer_of(tx, COLD, one.event)) is None


class Watched:
    """A transaction that notes how each statement finds its rows."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.ways: set[str] = set()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        self._note(sql, parameters)
        return self._tx.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        each = [*parameters]
        if each:
            self._note(sql, each[0])
        return self._tx.executemany(sql, each)

    def _note(self, sql: str, parameters: Sequence[Any]) -> None:
        self.ways |= {f"{row[3]} IN {sql}" for row in self._tx.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)}


@pytest.mark.parametrize("is_renamed_first", [True, False])
@pytest.mark.parametrize("is_parted", [True, False])
async def test_who_links_or_parts_beside_a_rename_undoes_it_not(
    store: Store, *, is_renamed_first: bool, is_parted: bool
) -> None:
    talk, more, stays = Talk(store, lab=Channel("other", ())), Place("zulip", "8/more"), (MATRIX, Place("chat", "lab"))
    all_ = [Link("linked-1", each, "olga") for each in (*stays, ZULIP, MQTT)]
    await store.write(lambda tx: [links.put(tx, each) for each in all_])
    linking = await started_anew(talk)
    await talk.says("first", stays[1], "eve")
    await talk.says("waits", stays[1], "eve")
    asked = linking.unlink(store, MQTT, OLGA) if is_parted else linking.link(store, OTHER, more, OLGA)
    renamed = talk.moves(ZULIP, RENAMED, is_whole=True)
    both = (renamed, asked) if is_renamed_first else (asked, renamed)
    done = await asyncio.gather(*both, return_exceptions=True)
    told = done[1] if is_renamed_first else done[0]
    assert isinstance(told, Refused if is_renamed_first else Channel), told
    asked_for = {*stays, RENAMED} if is_parted else {*stays, RENAMED, MQTT, OTHER, more}
    linked = {each.place for each in talk.channels.links}
    assert linked == ({*stays, RENAMED, MQTT} if is_renamed_first else asked_for)
    assert linked == {each.place for each in await store.read(links.everything)}
    assert talk.channels.exactly(RENAMED) is not None
    there = [words for _, words in await talk.stands(RENAMED)]
    assert [words for words in there if "eve" in words] == ["eve (chat): first", "eve (chat): waits"]


async def test_moving_to_and_fro_is_a_flood_as_any_other(talk: Talk) -> None:
    message, (here, there) = await says(talk, "brr"), (COLD, WARM)
    for _ in range(100):
        message = dataclasses.replace(message, place=there)
        await talk.moves(here, there, messages=[message])
        here, there = there, here
    assert talk.channels.counts["passed_on"] <= 3 * (OF_ONE_AT_ONCE + 1)
    alerts = "SELECT count(*) FROM outbox WHERE lane = ?"
    told = await talk.store.read(lambda tx: tx.execute(alerts, (int(Lane.ALERT),)).fetchone()[0])
    assert told == len(talk.lab.places)


async def test_what_is_old_is_told_as_moved_there_in_bounds(talk: Talk) -> None:
    for _ in range(100):
        await talk.moves(AWAY, COLD, (await says(talk, "old", AWAY)).event)
    alerts = "SELECT count(*) FROM outbox WHERE lane = ?"
    told = await talk.store.read(lambda tx: tx.execute(alerts, (int(Lane.ALERT),)).fetchone()[0])
    assert OF_ONE_AT_ONCE < told <= (OF_ONE_AT_ONCE + 1) * len(talk.lab.places)


ALL_THERE_IS = re.compile(
    r"SCAN (?!at\b|head\b|json_each|CONSTANT|\(subquery)(?!.* USING INDEX (inbox_open|outbox_waiting) IN )"
    r"|\((origin_)?network=\?\) IN |\(subject>\?\) IN "
)
SMALL = re.compile(r"SCAN (plan|thread|link|renamed|keychain)\b")
"""Few rows are in these."""


async def test_nothing_goes_through_all_that_was_ever_said_but_what_is_called_otherwise(talk: Talk) -> None:
    message, mine = await says(talk, "brr"), await talk.says("oh", MATRIX)
    await talk.shows("👍", message.event, COLD)
    now = dataclasses.replace(message, place=WARM)
    ways: set[str] = set()

    def write(tx: Tx) -> None:
        watched = Watched(tx)
        moves = [Moved(COLD, WARM, (message.event,), messages=(now,)), Moved(WARM, AWAY, (message.event,))]
        for moved in moves:
            moving.in_inbox(watched, moved)
        more = [talk.message("more", COLD, replies_to=message.event), talk.message("yes", MATRIX, replies_to=mine)]
        edits = [change(mine, MATRIX, words="ohh"), change(mine, MATRIX)]
        shown = [Reaction(MATRIX, mine, message.account, "👍", "own")]
        talk.channels.take_in(watched, "zulip", more[:1], moves=moves)
        talk.channels.take_in(watched, "matrix", more[1:], edits, shown)
        talk.channels.announce(watched)
        ways.update(watched.ways)

    await talk.store.write(write)
    assert len(ways) > 20
    assert [way for way in sorted(ways) if ALL_THERE_IS.search(way) and not SMALL.match(way)] == []
