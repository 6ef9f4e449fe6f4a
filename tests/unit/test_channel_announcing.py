"""Who is in an encrypted room knows from when on their words leave it, where to, and from when on not."""

import pytest

from bot.channels import Channel, Channels
from bot.store import Store
from bot.words.message import Lane, Place, Standing
from tests.unit.talk import MATRIX, MQTT, OTHER, PEOPLE, PLACES, ZULIP, Talk, is_encrypted

BEGINS = "From now on what is said here is passed on in clear, to: "
ENDS = "What is said here is not passed on in clear any more."


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


async def told(talk: Talk, place: Place, *channels: Channel) -> list[str]:
    """What a room hears of these channels, each time the bot is started or takes its file anew."""
    before = len(await talk.posts(place))
    talk.channels.take(channels)
    for _ in range(2):
        await talk.store.write(talk.channels.announce)
    return (await talk.posts(place))[before:]


def lab(*places: Place, share: bool = True, only_hear: frozenset[Place] = frozenset()) -> Channel:
    return Channel("lab", places or PLACES, share_encrypted=share, only_hear=only_hear)


async def test_rooms_hear_once_that_it_begins_and_that_it_ends(talk: Talk) -> None:
    assert await told(talk, MATRIX, lab()) == [f"{BEGINS}zulip:5/lab, mqtt:chat/lab"]
    assert await told(talk, MATRIX, lab(share=False)) == [ENDS]
    assert await told(talk, MATRIX, lab()) == [f"{BEGINS}zulip:5/lab, mqtt:chat/lab"]
    assert await talk.lanes(OTHER) == [Lane.ALERT] * 3
    assert (await talk.posts(ZULIP), await talk.posts(MQTT)) == ([], [])


async def test_they_hear_it_of_a_channel_that_is_gone_and_where_they_have_left_it(talk: Talk) -> None:
    await told(talk, MATRIX, lab())
    assert await told(talk, MATRIX, lab(OTHER, ZULIP)) == [ENDS]
    assert await told(talk, OTHER) == [ENDS]
    assert await told(talk, MATRIX) == []


async def test_they_hear_where_to_when_that_changes_and_not_when_a_name_does(talk: Talk) -> None:
    await told(talk, MATRIX, lab(MATRIX, ZULIP))
    assert await told(talk, MATRIX, Channel("renamed", (MATRIX, OTHER, ZULIP), share_encrypted=True)) == []
    assert await told(talk, MATRIX, lab(MATRIX, ZULIP, MQTT)) == [f"{BEGINS}zulip:5/lab, mqtt:chat/lab"]


async def test_they_hear_of_a_place_that_is_not_encrypted_any_more(talk: Talk, store: Store) -> None:
    assert await told(talk, MATRIX, lab(MATRIX, OTHER)) == []
    later = Channels([lab(MATRIX, OTHER)], PEOPLE, is_encrypted=lambda place: place == MATRIX)
    await store.write(later.announce)
    assert await talk.posts(MATRIX) == [f"{BEGINS}matrix:!other:here"]
    assert is_encrypted(OTHER)


async def test_a_room_of_which_nothing_goes_anywhere_hears_nothing(talk: Talk) -> None:
    only_hear = frozenset({MATRIX})
    assert await told(talk, MATRIX, lab(only_hear=only_hear)) == []
    assert await talk.posts(OTHER) == [f"{BEGINS}zulip:5/lab, mqtt:chat/lab"]
    speaks = Channel("lab", (MATRIX, ZULIP), share_encrypted=True, only_speak=frozenset({ZULIP}))
    assert await told(talk, MATRIX, speaks) == []


async def test_what_was_said_before_a_room_was_told_does_not_leave_it(talk: Talk) -> None:
    await told(talk, MATRIX, lab(MATRIX, OTHER, ZULIP))
    await talk.says("before", MATRIX, age_s=5.0)
    await talk.says("after", MATRIX)
    assert await talk.posts(ZULIP) == ["olga (matrix): after"]
    assert (await talk.posts(OTHER))[1:] == ["olga (matrix): before", "olga (matrix): after"]
    assert talk.channels.counts["kept_back"] == 1
    await talk.store.write(lambda tx: tx.execute("UPDATE known_key SET since = since - 3"))
    await told(talk, MATRIX, lab())
    await talk.says("before the next", MATRIX, age_s=2.0)
    await talk.says("in clear", MATRIX, age_s=5.0, standing=Standing.CLEAR)
    assert await talk.posts(MQTT) == ["olga (matrix, unproven): in clear"]
    assert (await talk.posts(ZULIP))[1:] == ["olga (matrix): before the next", "olga (matrix, unproven): in clear"]
