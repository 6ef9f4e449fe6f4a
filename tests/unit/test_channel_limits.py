"""How much is passed on: nobody silences the others, no try counts twice, and people hear that something is missing."""

import sqlite3

import pytest

from bot.channels import Channel, bounds
from bot.channels.allowance import (
    AT_ONCE,
    CALM_S,
    LATE_AT_ONCE,
    LATE_OF_ONE_AT_ONCE,
    OF_ONE_AT_ONCE,
    REMEMBERED,
    Allowance,
    Verdict,
)
from bot.store import Store, Tx
from bot.words.message import Lane, Standing
from tests.unit.talk import ALONE, MATRIX, MQTT, OTHER, PLACES, ZULIP, Talk


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


def said_too_much(posts: list[str]) -> list[str]:
    return [each for each in posts if "not passed on" in each]


async def test_a_flood_is_stemmed_and_told_once_in_all_places(talk: Talk) -> None:
    for number in range(AT_ONCE + 20):
        await talk.says(f"{number}", who=f"somebody {number % 5}")
    said = await talk.heard(MQTT)
    assert len(said) == AT_ONCE + 1
    assert said_too_much(said) == [said[-1]]
    assert len(said_too_much(await talk.posts(ZULIP))) == 1
    assert (await talk.lanes(MQTT))[-1] is Lane.ALERT
    assert talk.channels.counts["stemmed"] == 20
    talk.time += 1
    for number in range(8):
        await talk.says(f"a second later {number}", who=f"somebody {number % 5}")
    assert len(await talk.heard(MQTT)) == AT_ONCE + 1 + 5
    talk.time += CALM_S + 1
    await talk.says("calm")
    assert (await talk.heard(MQTT))[-1] == "olga (zulip): calm"


async def test_the_next_flood_is_told_anew_and_one_that_goes_on_is_not(talk: Talk) -> None:
    for _ in range(5):
        for _ in range(OF_ONE_AT_ONCE + 5):
            await talk.says("x")
        talk.time += CALM_S - 1
    assert len(said_too_much(await talk.posts(OTHER))) == 1
    await talk.sent(OTHER)
    talk.time += CALM_S + 1
    for _ in range(OF_ONE_AT_ONCE + 5):
        await talk.says("x")
    head = await talk.head(OTHER)
    assert head is not None
    assert (head.lane, head.edits) == (Lane.ALERT, None), "where all see it, and not far above"


async def test_one_writer_silences_nobody_else(talk: Talk) -> None:
    for _ in range(AT_ONCE * 2):
        await talk.says("x", MQTT, "mallory")
    await talk.says("help", MQTT, "olga")
    await talk.says("here", ZULIP, "mallory")
    assert (await talk.heard(OTHER))[-2:] == ["olga (mqtt): help", "mallory (zulip): here"]


async def test_one_channel_takes_nothing_from_another(talk: Talk) -> None:
    for number in range(AT_ONCE * 2):
        await talk.says("x", ALONE, f"somebody {number}")
    await talk.says("hello")
    assert await talk.heard(OTHER) == ["olga (zulip): hello"]


async def test_what_goes_nowhere_takes_nothing_from_others(store: Store) -> None:
    talk = Talk(store, lab=Channel("lab", PLACES, only_hear=frozenset({MQTT})))
    for number in range(AT_ONCE * 2):
        await talk.says("x", MQTT, f"somebody {number}")
    await talk.says("hello")
    assert await talk.heard(OTHER) == ["olga (zulip): hello"]


async def test_edits_count_too_and_so_does_one_that_goes_to_and_fro(talk: Talk) -> None:
    event = await talk.says("x")
    for number in range(AT_ONCE):
        await talk.changes(event, words=f"{number % 2}")
    assert talk.channels.counts["stemmed"] == AT_ONCE - (OF_ONE_AT_ONCE - 1)


async def test_what_was_said_while_the_bot_was_away_is_no_flood(talk: Talk) -> None:
    people = LATE_AT_ONCE // LATE_OF_ONE_AT_ONCE + 1
    for number in range(people * LATE_OF_ONE_AT_ONCE):
        await talk.says(f"{number}", who=f"somebody {number % people}", age_s=3_600.0)
    assert talk.channels.counts["passed_on"] == LATE_AT_ONCE * (len(PLACES) - 1)
    assert talk.channels.counts["stemmed"] == (people * LATE_OF_ONE_AT_ONCE) - LATE_AT_ONCE


async def test_who_says_that_it_is_old_says_no_more_than_one_who_was_away_may(talk: Talk) -> None:
    for number in range(400):
        await talk.says(f"{number}", who="mallory", age_s=11.0)
    await talk.says("hello", age_s=11.0)
    said = await talk.heard(OTHER)
    assert (len(said), said[-1]) == (LATE_OF_ONE_AT_ONCE + 2, "olga (zulip): hello")
    assert talk.channels.counts["stemmed"] == 400 - LATE_OF_ONE_AT_ONCE


async def test_one_publisher_under_many_names_silences_nobody(talk: Talk) -> None:
    for number in range(AT_ONCE * 2):
        await talk.says("x", MQTT, f"lamp {number}", standing=Standing.RELAYED)
    await talk.says("help", ZULIP, "olga")
    assert (await talk.heard(OTHER))[-1] == "olga (zulip): help"
    assert talk.channels.counts["stemmed"] == 2 * AT_ONCE - OF_ONE_AT_ONCE
    event = await talk.says("y", ZULIP, "olga")
    await talk.changes(event, words="z")
    assert (await talk.heard(OTHER))[-1] == "olga (zulip): z"


async def test_edits_under_many_names_count_as_one_writers(talk: Talk) -> None:
    events = [
        await talk.says("x", MQTT, f"lamp {number}", standing=Standing.RELAYED) for number in range(OF_ONE_AT_ONCE)
    ]
    for number, event in enumerate(events):
        await talk.changes(event, MQTT, f"lamp {number}", words="y", standing=Standing.RELAYED)
    assert talk.channels.counts["stemmed"] == OF_ONE_AT_ONCE


async def test_a_commit_that_is_tried_again_loses_nothing_and_tells_of_a_flood(talk: Talk) -> None:
    messages = [talk.message(f"{number}") for number in range(OF_ONE_AT_ONCE + 10)]
    edit = messages[0]

    def fails(tx: Tx) -> None:
        talk.channels.take_in(tx, "zulip", messages)
        raise sqlite3.IntegrityError("of another piece of work")

    for _ in range(5):
        with pytest.raises(Exception, match="another piece"):
            await talk.store.write(fails)
    await talk.takes(*messages)
    said = await talk.heard(OTHER)
    assert len(said) == OF_ONE_AT_ONCE + 1
    assert len(said_too_much(said)) == 1
    assert edit.text in said[0]


async def test_so_much_waits_for_a_place_and_no_more_and_it_hears_of_that(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_WAITING", 5)
    old = await talk.says("old")
    await talk.sent(OTHER)
    waiting = [await talk.says(f"{number}") for number in range(5)]
    for number in range(3):
        await talk.says(f"too much {number}")
    await talk.sent(MATRIX)
    await talk.says("more")
    assert (await talk.heard(MATRIX))[-1] == "olga (zulip): more"
    await talk.changes(old, words="new")
    await talk.changes(waiting[3], words="changed")
    await talk.changes(waiting[4])
    assert await talk.heard(OTHER) == [
        *(f"olga (zulip): {number}" for number in range(3)),
        "olga (zulip): changed",
        "Something is missing: too much waited. Some of what was said in the other places was not brought here.",
    ]
    assert talk.channels.counts["overfull"] == 14


def test_what_was_decided_stays_so_while_it_is_the_same() -> None:
    allowance = Allowance(lambda: 0.0)
    verdicts = [allowance.decide("lab", "olga", number) for number in range(OF_ONE_AT_ONCE + 2)]
    assert verdicts[-3:] == [Verdict.PASSES, Verdict.STEMMED_FIRST, Verdict.STEMMED]
    assert [allowance.decide("lab", "olga", number) for number in range(OF_ONE_AT_ONCE + 2)] == verdicts
    assert allowance.decide("lab", "olga", 0, how="other") is Verdict.STEMMED
    allowance.forget(1)
    assert allowance.decide("lab", "olga", 1) is Verdict.STEMMED


def test_what_is_remembered_has_a_bound() -> None:
    time = [0.0]
    allowance = Allowance(lambda: time[0])
    for number in range(REMEMBERED + 1):
        time[0] += 1
        allowance.decide("lab", "olga", number)
    time[0] -= 1
    for _ in range(OF_ONE_AT_ONCE):
        allowance.decide("lab", "olga", object())
    assert allowance.decide("lab", "olga", REMEMBERED) is Verdict.PASSES
    assert allowance.decide("lab", "olga", 0) is not Verdict.PASSES
