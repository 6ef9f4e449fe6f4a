"""A channel with all topics of a place: each is a thread elsewhere, or a mark beside the speaker, and stays itself."""

import dataclasses

import pytest

from bot.channels import Channel, Channels, bounds
from bot.store import Store, outbox, threads
from bot.words.document import document
from bot.words.message import Lane, Place, Post, Standing
from tests.unit.talk import (
    ALONE,
    MAIN,
    MATRIX,
    MQTT,
    OTHER,
    PEOPLE,
    TOPICAL,
    WHOLE,
    ZULIP,
    Talk,
    a_file,
    change,
    is_encrypted,
)

LAB = Channel("lab", TOPICAL, share_encrypted=True)
COLD, WARM = Place("zulip", "4/cold"), Place("zulip", "4/warm")
BEGUN = "cold (a topic in zulip)"


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store, lab=LAB)


async def test_a_topic_is_a_thread_where_there_are_threads_and_a_mark_where_there_are_none(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.says("still", COLD, "otto")
    for room in (MATRIX, OTHER):
        assert await talk.stands(room) == [(BEGUN, "olga (zulip): brr"), (BEGUN, "otto (zulip): still")]
        assert await talk.beginnings(room) == [BEGUN]
    assert await talk.stands(MQTT) == [("", "olga (zulip, in cold): brr"), ("", "otto (zulip, in cold): still")]
    assert await talk.posts(COLD) == []


async def test_what_is_of_no_topic_is_of_the_main_one_which_nothing_shows(talk: Talk) -> None:
    await talk.says("to all", MATRIX)
    await talk.says("to all", MAIN)
    assert await talk.stands(MAIN) == [("", "olga (matrix): to all")]
    assert await talk.stands(OTHER) == [("", "olga (matrix): to all"), ("", "olga (zulip): to all")]
    assert (await talk.stands(MQTT))[1] == ("", "olga (zulip): to all")
    assert await talk.posts(WHOLE) == []


async def test_the_main_topic_is_the_channels_name_in_small_letters(store: Store) -> None:
    talk = Talk(store, lab=Channel("Hall", (MATRIX, WHOLE), share_encrypted=True))
    await talk.says("hello", MATRIX)
    await talk.says("to all", Place("zulip", "4/hall"))
    assert await talk.stands(Place("zulip", "4/hall")) == [("", "olga (matrix): hello")]
    assert await talk.stands(MATRIX) == [("", "olga (zulip): to all")]


async def test_a_channel_without_such_a_place_knows_no_topics(store: Store) -> None:
    talk = Talk(store, share=True)
    event = await talk.says("hello", ZULIP)
    ((copy, _),) = await talk.sent(MATRIX)
    await talk.says("yes", MATRIX, thread=copy)
    assert await talk.stands(OTHER) == [("", "olga (zulip): hello"), ("", "olga (matrix): yes")]
    assert [answers for _, answers in await talk.sent(ZULIP)] == []
    assert [each.answers for each in talk.there.values() if each.place == ZULIP] == [event]


async def test_what_is_said_in_a_thread_goes_to_its_topic(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.says("oh", MATRIX, "otto", thread=await talk.thread(MATRIX, "cold"))
    assert await talk.stands(COLD) == [("", "otto (matrix): oh")]
    assert (await talk.stands(OTHER))[-1] == (BEGUN, "otto (matrix): oh")
    assert (await talk.stands(MQTT))[-1] == ("", "otto (matrix, in cold): oh")
    assert await talk.stands(MAIN) == []


async def test_a_thread_of_another_room_stands_for_nothing_here(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.says("oh", MATRIX, thread=await talk.thread(OTHER, "cold"))
    assert await talk.stands(COLD) == []
    assert await talk.stands(MAIN) == [("", "olga (matrix): oh")]


async def test_an_answer_goes_where_what_it_answers_stands(talk: Talk) -> None:
    asked = await talk.says("cold?", COLD)
    await talk.all_sent()
    copies = {each.place: event for event, each in talk.there.items() if "cold?" in each.words}
    await talk.says("yes", MATRIX, replies_to=copies[MATRIX])
    await talk.says("no", MQTT, replies_to=copies[MQTT])
    assert await talk.stands(COLD) == [("", "olga (matrix): yes"), ("", "olga (mqtt): no")]
    assert [each.answers for each in talk.there.values() if each.place == COLD] == [asked, asked]
    assert (await talk.stands(OTHER))[1:] == [(BEGUN, "olga (matrix): yes"), (BEGUN, "olga (mqtt): no")]


async def test_an_answer_to_what_is_of_no_topic_is_of_none(talk: Talk) -> None:
    asked = await talk.says("anybody?", MATRIX)
    await talk.says("I am", MATRIX, "otto", replies_to=asked)
    await talk.says("so am I", MATRIX, "otto", replies_to="$never heard of")
    assert await talk.stands(MAIN) == [
        ("", "olga (matrix): anybody?"),
        ("", "otto (matrix): I am"),
        ("", "otto (matrix): so am I"),
    ]


async def test_an_answer_to_an_answer_in_a_thread_is_of_that_topic(talk: Talk) -> None:
    await talk.says("brr", COLD)
    mine = await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.all_sent()
    await talk.says("indeed", MATRIX, "otto", replies_to=mine)
    assert (await talk.stands(COLD))[-1] == ("", "otto (matrix): indeed")


async def test_a_thread_that_people_have_begun_is_of_the_topic_of_what_it_begins_with(talk: Talk) -> None:
    await talk.says("brr", COLD)
    of_none = await talk.says("to all", MATRIX)
    await talk.all_sent()
    copy = next(event for event, each in talk.there.items() if each.place == MATRIX and "brr" in each.words)
    await talk.says("oh", MATRIX, thread=copy)
    await talk.says("who?", MATRIX, thread=of_none)
    assert await talk.stands(COLD) == [("", "olga (matrix): oh")]
    assert (await talk.stands(MAIN))[-1] == ("", "olga (matrix): who?")


async def test_in_a_thread_of_which_nothing_is_known_counts_what_is_answered(talk: Talk) -> None:
    await talk.says("brr", COLD)
    await talk.all_sent()
    copy = next(event for event, each in talk.there.items() if each.place == MATRIX and "brr" in each.words)
    await talk.says("oh", MATRIX, thread="$long ago", replies_to=copy)
    assert await talk.stands(COLD) == [("", "olga (matrix): oh")]


async def test_an_edit_stays_where_it_is_and_in_its_topic(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    mine = await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.changes(event, COLD, words="brrr")
    await talk.changes(mine, MATRIX, words="ohh")
    assert await talk.stands(COLD) == [("", "olga (matrix): ohh")]
    assert await talk.stands(OTHER) == [(BEGUN, "olga (zulip): brrr"), (BEGUN, "olga (matrix): ohh")]
    assert await talk.stands(MQTT) == [
        ("", "olga (zulip, in cold): brrr"),
        ("", "olga (matrix, in cold): ohh"),
    ]


async def test_an_edit_of_what_was_refused_is_said_in_its_thread(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    await talk.says_next(MATRIX)
    await talk.refused(MATRIX)
    await talk.changes(event, COLD, words="brrr")
    assert await talk.stands(MATRIX) == [(BEGUN, "olga (zulip): brrr")]


async def test_what_is_taken_back_is_gone_in_all_places(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    mine = await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.all_sent()
    await talk.changes(event, COLD)
    await talk.changes(mine, MATRIX)
    assert [await talk.stands(place) for place in (*TOPICAL, COLD)] == [[], [], [], [], []]
    assert await talk.beginnings(MATRIX) == [BEGUN], "the thread stays"


async def test_nothing_that_is_done_in_one_place_takes_back_what_was_said_in_another(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    secret = await talk.says("mine", MATRIX)
    await talk.all_sent()
    await talk.changes(event, WARM)
    await talk.changes(event, ALONE)
    await talk.changes(secret, OTHER)
    await talk.changes(secret, OTHER, words="yours")
    assert await talk.stands(OTHER) == [(BEGUN, "olga (zulip): brr"), ("", "olga (matrix): mine")]
    assert await talk.stands(MAIN) == [("", "olga (matrix): mine")]


async def test_what_is_shown_crosses_threads_and_topics(talk: Talk) -> None:
    event = await talk.says("brr", COLD)
    await talk.all_sent()
    copies = {each.place: event for event, each in talk.there.items() if "brr" in each.words}
    own = await talk.shows("👍", copies[MATRIX], MATRIX)
    await talk.all_sent()
    assert sorted(talk.shown.values()) == sorted([(event, "👍"), (copies[OTHER], "👍"), (copies[MQTT], "👍")])
    await talk.hides(own, MATRIX)
    await talk.all_sent()
    assert talk.shown == {}


async def test_files_stand_in_the_same_thread(talk: Talk) -> None:
    await talk.says("look", COLD, files=[a_file()])
    assert [thread for thread, _ in await talk.stands(MATRIX)] == [BEGUN, BEGUN]
    assert [words.partition(":")[0] for _, words in await talk.stands(MATRIX)] == ["olga (zulip)", "File"]


async def test_nothing_of_an_encrypted_room_reaches_topics_where_that_is_not_shared(store: Store) -> None:
    talk = Talk(store, lab=dataclasses.replace(LAB, share_encrypted=False))
    await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    copy = next(event for event, each in talk.there.items() if each.place == MATRIX and "brr" in each.words)
    before = [await talk.stands(each) for each in (COLD, MAIN, MQTT)]
    for standing in (Standing.ATTESTED, Standing.UNPROVEN):
        mine = await talk.says("secret", MATRIX, standing=standing, thread=thread, files=[a_file("secret.pdf")])
        await talk.says("secret", MATRIX, standing=standing, replies_to=copy)
        await talk.says("secret", MATRIX, standing=standing)
        await talk.shows("👍", copy, MATRIX)
        await talk.changes(mine, MATRIX, words="no secret", standing=Standing.CLEAR)
    assert [await talk.stands(each) for each in (COLD, MAIN, MQTT)] == before
    others = [event for event, each in talk.there.items() if each.place == OTHER and "brr" in each.words]
    assert [event for event, _ in talk.shown.values()] == others, "it is shown in the other room alone"
    assert len(await talk.stands(OTHER)) > 1


async def test_what_was_shared_once_is_not_said_in_topics_where_it_is_not_shared_any_more(talk: Talk) -> None:
    await talk.says("first", MATRIX)
    await talk.says("second", MATRIX)
    talk.channels.take([dataclasses.replace(LAB, share_encrypted=False)])
    await talk.store.write(talk.channels.announce)
    assert await talk.stands(MAIN) == [("", "olga (matrix): first")], "the first in line may be on its way"


async def test_only_hear_only_speak_and_passes_count_for_all_topics(store: Store) -> None:
    heard_only = Talk(store, lab=dataclasses.replace(LAB, only_hear=frozenset({WHOLE})))
    event = await heard_only.says("brr", COLD)
    await heard_only.shows("👍", event, COLD)
    await heard_only.changes(event, COLD, words="brrr")
    await heard_only.says("hello", MATRIX)
    assert [len(await heard_only.stands(place)) for place in (MATRIX, OTHER, MQTT, MAIN)] == [0, 1, 1, 1]


async def test_nothing_is_brought_to_topics_that_only_speak(store: Store) -> None:
    talk = Talk(store, lab=dataclasses.replace(LAB, only_speak=frozenset({WHOLE})))
    await talk.says("brr", COLD)
    await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.says("hello", MATRIX)
    assert [len(await talk.stands(place)) for place in (MATRIX, OTHER, MQTT, MAIN, COLD)] == [1, 3, 3, 0, 0]


async def test_of_all_topics_only_what_matches_goes_on(store: Store) -> None:
    talk = Talk(store, lab=dataclasses.replace(LAB, passes={WHOLE: ("status*",)}))
    event = await talk.says("status: good", COLD)
    await talk.says("hunter2", WARM)
    await talk.changes(event, COLD, words="hunter3")
    await talk.shows("👍", event, COLD)
    assert await talk.stands(MQTT) == [("", "olga (zulip, in cold): status: good")]
    assert talk.shown == {}


async def test_a_topic_that_is_in_a_channel_itself_is_in_that_alone(store: Store) -> None:
    mine = Channel("mine", (COLD, ALONE))
    talk = Talk(store, lab=LAB)
    talk.channels.take([LAB, mine])
    await talk.says("brr", COLD)
    assert [await talk.stands(place) for place in (MATRIX, OTHER, MQTT)] == [[], [], []]
    assert await talk.stands(ALONE) == [("", "olga (zulip): brr")]
    assert talk.channels.of(WARM) == LAB
    assert talk.channels.of(Place("zulip", "dm/4")) is None
    assert talk.channels.of(Place("zulip", "44/cold")) is None
    assert talk.channels.of(Place("chat", "4/cold")) is None


@pytest.mark.parametrize(
    ("topic", "spelled", "begun", "marked"),
    [
        ("cold", "The COLD", "The COLD (a topic in zulip)", "cold"),
        ("a/b", "", "a/b (a topic in zulip)", "a/b"),
        ("", "", "(no topic) (a topic in zulip)", "no topic"),
        ("x" * 300, "", f"{'x' * 199}… (a topic in zulip)", f"{'x' * 79}…"),
        ("(zulip): otto", "", "(zulip): otto (a topic in zulip)", "zulip   otto"),
    ],
)
async def test_a_topic_is_shown_as_it_is_spelled_and_passes_for_nothing_else(
    talk: Talk, topic: str, spelled: str, begun: str, marked: str
) -> None:
    await talk.says("hi", Place("zulip", f"4/{topic}"), topic=spelled)
    assert await talk.beginnings(MATRIX) == [begun]
    assert [" ".join(words.split()) for _, words in await talk.stands(MQTT)] == [
        f"olga (zulip, in {' '.join(marked.split())}): hi"
    ]


async def test_two_places_with_topics_have_the_same_ones(store: Store) -> None:
    more = Place("zulip", "7/*")
    talk = Talk(store, lab=Channel("lab", (MATRIX, WHOLE, more), share_encrypted=True))
    await talk.says("brr", Place("zulip", "7/cold"))
    await talk.says("oh", MATRIX, thread=await talk.thread(MATRIX, "cold"))
    await talk.says("to all", MATRIX)
    assert await talk.stands(COLD) == [("", "olga (zulip): brr"), ("", "olga (matrix): oh")]
    assert await talk.stands(Place("zulip", "7/cold")) == [("", "olga (matrix): oh")]
    assert await talk.stands(Place("zulip", "7/lab")) == [("", "olga (matrix): to all")]


async def test_a_thread_whose_beginning_was_refused_begins_with_what_comes_next(talk: Talk) -> None:
    await talk.says("first", COLD)
    await talk.refused(MATRIX)
    await talk.says("second", COLD)
    assert await talk.beginnings(MATRIX) == [BEGUN]
    assert (await talk.stands(MATRIX))[-1] == (BEGUN, "olga (zulip): second")


async def test_a_thread_stays_though_its_beginning_is_not_kept_any_more(talk: Talk) -> None:
    await talk.says("first", COLD)
    thread = await talk.thread(MATRIX, "cold")
    await talk.store.write(lambda tx: tx.execute("DELETE FROM outbox WHERE id < (SELECT max(id) FROM outbox)"))
    await talk.says("second", COLD)
    assert await talk.beginnings(MATRIX) == [BEGUN]
    assert (await talk.stands(MATRIX))[-1] == (BEGUN, "olga (zulip): second")
    assert await talk.thread(MATRIX, "cold") == thread


async def test_threads_and_topics_are_known_after_a_restart(talk: Talk) -> None:
    asked = await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    talk.channels = Talk(talk.store, lab=LAB).channels
    await talk.says("oh", MATRIX, thread=thread)
    await talk.changes(asked, COLD, words="brrr")
    assert await talk.stands(COLD) == [("", "olga (matrix): oh")]
    assert await talk.beginnings(MATRIX) == [BEGUN]
    assert (await talk.stands(MATRIX)) == [(BEGUN, "olga (zulip): brrr")]


async def test_a_topic_for_which_too_much_waits_hears_of_it_and_no_other(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.says("brr", COLD)
    thread = await talk.thread(MATRIX, "cold")
    monkeypatch.setattr(bounds, "MOST_WAITING", 2)
    for number in range(4):
        await talk.says(f"{number}", MATRIX, thread=thread)
        await talk.sent(OTHER)
        await talk.sent(MQTT)
    await talk.says("elsewhere", MATRIX)
    assert [words for _, words in await talk.stands(COLD)] == [
        "Something is missing: too much waited. Some of what was said in the other places was not brought here.",
        "olga (matrix): 0",
        "olga (matrix): 1",
    ]
    assert await talk.stands(MAIN) == [("", "olga (matrix): elsewhere")]


async def test_what_the_bot_tells_all_places_is_told_in_the_main_topic(talk: Talk) -> None:
    assert LAB.spoken_at == (MATRIX, OTHER, MAIN, MQTT)
    for number in range(40):
        await talk.says(str(number), COLD)
    assert [words for _, words in await talk.stands(MAIN)] == [
        "Too much is said here: some of it is not passed on to the other places."
    ]
    assert await talk.posts(WHOLE) == []


async def test_a_commit_that_is_tried_again_begins_one_thread_and_says_it_once(talk: Talk) -> None:
    await talk.takes(talk.message("brr", COLD, topic="Cold"), tries=3)
    assert await talk.beginnings(MATRIX) == ["Cold (a topic in zulip)"]
    assert len(await talk.stands(MATRIX)) == 1


async def test_a_post_of_a_topic_stands_in_its_thread_or_in_none(store: Store) -> None:
    post = Post(MATRIX, document("hello"), Lane.TALK, topic=str(COLD))
    await store.write(lambda tx: outbox.queue(tx, post))
    (head,) = await store.read(lambda tx: outbox.heads(tx, "matrix", [], 9))
    assert head.post.thread is None
    await store.write(lambda tx: threads.begin(tx, MATRIX, str(COLD), document("cold")))
    await store.write(lambda tx: threads.begin(tx, OTHER, str(COLD), document("cold")))
    (_, begins) = await store.read(lambda tx: outbox.heads(tx, "matrix", [], 9))
    await store.write(lambda tx: outbox.sent(tx, begins.row, "$other"))
    (head,) = await store.read(lambda tx: outbox.heads(tx, "matrix", [], 9))
    assert head.post.thread is None, "that is a thread of another room"


def test_an_origin_takes_what_its_whole_takes() -> None:
    assert LAB.takers(COLD) == [MATRIX, OTHER, MQTT]
    assert LAB.takes(MATRIX, COLD)
    assert not LAB.takes(COLD, WARM)
    assert not LAB.takes(COLD, ALONE)
    assert LAB.entry(COLD) == WHOLE
    assert LAB.entry(WHOLE) == WHOLE
    assert LAB.entry(ALONE) is None


def test_nothing_is_brought_twice_where_a_topic_and_all_topics_are_of_one_channel() -> None:
    channels = Channels([Channel("lab", (MATRIX, WHOLE))], PEOPLE, is_encrypted=is_encrypted)
    (lab,) = channels.all
    assert lab.overlaps(COLD)
    assert Channel("lab", (COLD,)).overlaps(WHOLE)
    assert not lab.overlaps(ALONE)
    assert not lab.overlaps(Place("zulip", "7/*"))


async def test_a_change_that_comes_with_what_it_changes_stands_in_the_topic(talk: Talk) -> None:
    message = talk.message("brr", COLD)
    await talk.takes(message, changes=[change(message.event, COLD, words="brrr")])
    assert await talk.stands(MATRIX) == [(BEGUN, "olga (zulip): brrr")]


async def test_a_topic_in_a_channel_of_its_own_hears_nothing_of_the_others(store: Store) -> None:
    lab = Channel("lab", (MATRIX, WHOLE), share_encrypted=True)
    talk = Talk(store, lab=lab)
    here = talk.message("brr", COLD)
    await talk.takes(here)
    thread = await talk.thread(MATRIX, "cold")
    written = await talk.says("oh", MATRIX, thread=thread)
    waits = await talk.says("I say", MATRIX, thread=thread)
    talk.channels = Talk(
        store,
        lab=lab,
        others=[
            Channel(f"own-{number}", (each, Place("mqtt", f"own/{number}"))) for number, each in enumerate((COLD, MAIN))
        ],
    ).channels
    await talk.store.write(talk.channels.announce)
    await talk.says("so cold", MATRIX, thread=thread)
    await talk.says("to all", MATRIX)
    await talk.changes(written, MATRIX, words="oh!")
    assert talk.channels.counts["kept_back"] == 2
    assert [words for _, words in await talk.stands(COLD)] == ["olga (matrix): oh"], waits
    assert await talk.stands(MAIN) == []


async def test_a_thread_is_known_as_soon_as_its_network_shows_its_beginning(talk: Talk) -> None:
    await talk.says("brr", COLD)
    beginning = await talk.head(MATRIX)
    assert beginning is not None
    await talk.store.write(lambda tx: outbox.recognise(tx, "matrix", {beginning.key: "$begun"}))
    await talk.says("so cold", MATRIX, thread="$begun")
    await talk.store.write(lambda tx: outbox.recognise(tx, "matrix", {beginning.key: "$its-edit"}))
    await talk.says("brrr", MATRIX, thread="$begun")
    assert await talk.posts(COLD) == ["olga (matrix): so cold", "olga (matrix): brrr"]
    assert await talk.posts(MAIN) == []
