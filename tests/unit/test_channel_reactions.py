"""What people show beside messages: shown everywhere by the bot, once however many they are, and gone with the last."""

import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.channels import Channel
from bot.channels.reacting import MOST_KINDS
from bot.store import Store, keeping, reactions
from bot.words.document import Reacts
from bot.words.message import Place, Reaction
from bot.words.people import Account
from tests.unit.talk import ALONE, MATRIX, MQTT, OTHER, PLACES, ZULIP, Talk, change


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


ON, OFF = Reacts("👍"), Reacts("👍", gone=True)


async def test_it_is_shown_once_however_many_show_it_and_goes_with_the_last(talk: Talk) -> None:
    event = await talk.says("hello", ALONE)
    await talk.shows("👍", event, ALONE)
    event = await talk.says("hello")
    for place in (MATRIX, OTHER, MQTT):
        await talk.sent(place)
    own = [await talk.shows("👍", event, who=who) for who in ("olga", "otto", "mallory")]
    assert await talk.reactions(OTHER) == [ON]
    head = await talk.says_next(OTHER)
    assert (head.reply_to, head.edits) == (f"{OTHER.id} 2", None)
    for each in own[:2]:
        await talk.hides(each)
    assert await talk.reactions(OTHER) == []
    await talk.hides(own[2])
    assert await talk.reactions(OTHER) == [OFF]
    assert (await talk.says_next(OTHER)).edits == f"{OTHER.id} {head.row}"
    assert await talk.reactions(ZULIP) == [], "it is there already"


async def test_what_is_shown_beside_a_copy_stands_beside_the_original_and_all_copies_but_that(store: Store) -> None:
    talk = Talk(store, share=True)
    event = await talk.says("hello")
    copies = {place: (await talk.sent(place))[0][0] for place in (MATRIX, OTHER, MQTT)}
    own = await talk.shows("👍", copies[OTHER], OTHER)
    assert {place: (await talk.says_next(place)).reply_to for place in (ZULIP, MATRIX, MQTT)} == {
        ZULIP: event,
        MATRIX: copies[MATRIX],
        MQTT: copies[MQTT],
    }
    assert await talk.reactions(OTHER) == []
    await talk.shows("👍", event, ZULIP)
    assert await talk.reactions(OTHER) == [ON], "somebody elsewhere shows it, too"
    assert await talk.reactions(MATRIX) == []
    await talk.takes(changes=[change(own, OTHER)])  # as a homeserver tells of it
    assert await talk.reactions(ZULIP) == [OFF]
    assert await talk.reactions(MQTT) == []


@pytest.mark.parametrize("share", [True, False])
async def test_what_is_secret_is_shown_in_no_place_that_is_not_encrypted(store: Store, *, share: bool) -> None:
    talk = Talk(store, share=share)
    await talk.says("hello")
    ((copy, _),) = await talk.sent(MATRIX)
    await talk.shows("👍", copy, MATRIX)
    clear = [ON] if share else []
    assert [await talk.reactions(place) for place in PLACES] == [[], [ON], clear, clear]


async def test_it_waits_for_the_copy_that_it_is_shown_beside(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.shows("👍", event)
    copy = await talk.says_next(OTHER)
    shown = await talk.says_next(OTHER)
    assert shown.reply_to == f"{OTHER.id} {copy.row}"
    assert shown.post.document.blocks == (ON,)


async def test_nothing_is_shown_where_the_message_is_not(talk: Talk) -> None:
    secret = await talk.says("a secret", MATRIX)
    await talk.shows("👍", secret, MATRIX)
    await talk.shows("👎", "$never", ZULIP)
    await talk.shows("👎", secret, MATRIX, own="another network's")
    assert [len(await talk.reactions(place)) for place in PLACES] == [0, 2, 0, 0]


async def test_who_only_hears_shows_nothing_and_who_only_speaks_sees_nothing(store: Store) -> None:
    lab = Channel("lab", PLACES, only_hear=frozenset({ZULIP}), only_speak=frozenset({OTHER}), passes={MQTT: ("ok*",)})
    talk = Talk(store, lab=lab)
    event = await talk.says("ok then", MQTT)
    ((copy, _),) = await talk.sent(ZULIP)
    await talk.shows("👍", copy, ZULIP)
    await talk.shows("👎", event, MQTT)
    assert [await talk.reactions(place) for place in PLACES] == [[], [], [], []]
    await talk.shows("ok", event, MQTT)
    assert [len(await talk.reactions(place)) for place in PLACES] == [1, 0, 1, 0]


async def test_there_is_a_bound_to_how_many_things_are_shown_beside_a_message(talk: Talk) -> None:
    event = await talk.says("hello")
    for number in range(MOST_KINDS + 2):
        talk.time += 60
        await talk.shows(f":{number}:", event)
    assert len(await talk.reactions(OTHER)) == MOST_KINDS
    await talk.shows(":0:", event, who="otto")
    mine = await talk.store.read(lambda tx: tx.execute("SELECT own FROM reaction WHERE emoji = ':0:'").fetchall())
    assert len(mine) == 2, "what is shown already may be shown by others, too"


async def test_the_same_again_changes_nothing_and_shown_anew_it_counts_anew(talk: Talk) -> None:
    event = await talk.says("hello")
    for _ in range(3):
        await talk.shows("👍", event, own="5 8 thumbs")
    assert await talk.reactions(OTHER) == [ON]
    passed_on = talk.channels.counts["passed_on"]
    for _ in range(60):
        await talk.hides("5 8 thumbs")
        await talk.shows("👍", event, own="5 8 thumbs")
    assert talk.channels.counts["stemmed"] > 20, "who turns it on and off for ever is stemmed"
    assert talk.channels.counts["passed_on"] < passed_on + 60 * 6
    await talk.hides("5 8 thumbs")
    talk.time += 60
    await talk.shows("👍", event, own="5 8 thumbs")
    assert (await talk.reactions(OTHER))[-1] == ON


async def test_another_network_cannot_show_anything_here(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.takes(reactions=[Reaction(ZULIP, event, Account("zulip", "olga"), "👍", "own")], network="matrix")
    await talk.shows("👍", event, Place("zulip", "7/elsewhere"))
    assert await talk.reactions(OTHER) == []


async def test_what_goes_after_its_place_has_left_the_channel_is_let_go_of(talk: Talk) -> None:
    event = await talk.says("hello")
    own = await talk.shows("👍", event)
    talk.channels.take([])
    await talk.hides(own)
    assert await talk.store.read(lambda tx: reactions.find(tx, ZULIP, own)) is None


async def test_old_ones_are_let_go_of(talk: Talk) -> None:
    event = await talk.says("hello")
    own = await talk.shows("👍", event)
    for later, kept in ((keeping.LINKS_S - 60, True), (keeping.LINKS_S + 60, False)):
        swept = await talk.store.write(lambda tx, later=later: keeping.sweep(tx, time.time() + later))
        assert (swept.reactions, swept.total) == (not kept, not kept)
        assert (await talk.store.read(lambda tx: reactions.find(tx, ZULIP, own)) is not None) is kept


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(emoji=st.text(max_size=80), own=st.text(max_size=80))
@example(emoji="\ud800", own="x")
@example(emoji='said ["zulip"', own="")
@example(emoji="file 0 said [", own="said ")
async def test_whatever_is_shown_keeps_nothing_else_from_being_taken_in(talk: Talk, emoji: str, own: str) -> None:
    talk.time += 60
    event = await talk.says("hello")
    await talk.shows(emoji, event, own=own)
    await talk.store.write(talk.channels.announce)
    await talk.takes(changes=[change(own)])
    assert (await talk.posts(OTHER)).count("olga (zulip): hello") >= 1
    assert not talk.channels.counts["stemmed"]


async def test_an_emoji_is_one_however_apps_write_it_and_shown_as_it_was_first(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.sent(OTHER)
    mine, theirs = await talk.shows("\u2764\ufe0f", event), await talk.shows("\u2764", event, who="otto")
    assert await talk.reactions(OTHER) == [Reacts("\u2764\ufe0f")]
    await talk.says_next(OTHER)
    await talk.hides(mine)
    assert await talk.reactions(OTHER) == []
    await talk.hides(theirs)
    assert await talk.reactions(OTHER) == [Reacts("\u2764\ufe0f", gone=True)]


async def test_what_shows_beside_a_message_shows_beside_a_copy_that_is_said_only_after_an_edit(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.refused(MQTT)
    await talk.shows("👍", event)
    assert await talk.reactions(MQTT) == []
    await talk.changes(event, words="hello!")
    assert await talk.reactions(MQTT) == [ON]
    assert await talk.reactions(OTHER) == [ON], "once"
