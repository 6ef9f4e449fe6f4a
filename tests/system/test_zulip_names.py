"""Where the bot's words go: a channel's name never comes to mean another, and no post waits for another's look-up."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.errors import NetworkError
from bot.words.message import Lane, Place
from bridges.zulip import names, places
from tests.system.zulip_stage import TOPIC, Stage, says, staged
from tests.zulip.lab import BOB, INCIDENTS, SECRET, TOCSIN, UNSUBBED

ALARMS = Place("zulip", "secret/alarms")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.world.realm.channels[SECRET].members.append(TOCSIN)
        yield stage


def channels(stage: Stage) -> list[int | None]:
    """Those that the bot has spoken in."""
    messages = sorted(stage.world.realm.messages.values(), key=lambda each: each.id)
    return [each.channel_id for each in messages if each.sender_id == TOCSIN]


async def taken_over(stage: Stage, name: str) -> None:
    """Anybody makes a channel of that name with the bot in it, and the bot has heard of that."""
    made = {"subscriptions": [{"name": name}], "principals": [TOCSIN, BOB]}
    assert (await stage.bob.ask("POST", "/users/me/subscriptions", made)).status == 200
    await stage.bob.say("here I am", to=name)
    while (await stage.inbox.next()).text != "here I am":
        pass


async def test_a_name_means_no_other_channel_once_the_bot_is_put_out(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("one", ALARMS), key="1")
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["secret"]})
        await stage.alice.ask("PATCH", f"/streams/{SECRET}", {"new_name": "older"})
        await taken_over(stage, "secret")
        with pytest.raises(NetworkError, match="not in the channel"):
            await bridge.send(says("two", ALARMS), key="2")
    async with stage.online() as bridge:
        with pytest.raises(NetworkError, match="not in the channel"):
            await bridge.send(says("two", ALARMS), key="2")
        back = {"subscriptions": [{"name": "older"}], "principals": [TOCSIN]}
        await stage.alice.ask("POST", "/users/me/subscriptions", back)
        await stage.bob.say("the bot is there again", to="older")
        await stage.inbox.next()
        await bridge.send(says("two", ALARMS), key="2")
    assert channels(stage) == [SECRET, SECRET]


@pytest.mark.parametrize("kept", [{"incidents": UNSUBBED}, {"site": "https://before", "names": {"incidents": SECRET}}])
async def test_a_name_means_no_channel_of_another_server(stage: Stage, kept: dict[str, object]) -> None:
    bridge_folder = stage.folder / "zulip"
    bridge_folder.mkdir(mode=0o700)
    (bridge_folder / names.FILE).write_text(json.dumps(kept))
    async with stage.online() as bridge:
        await bridge.send(says("an alarm", Place("zulip", "incidents/alarms")), key="1")
    assert channels(stage) == [INCIDENTS]


async def test_a_name_that_could_mean_two_channels_means_none(stage: Stage) -> None:
    async with stage.online() as bridge:
        await taken_over(stage, "incidents/alarms")
        with pytest.raises(NetworkError, match="could mean several"):
            await bridge.send(says("an alarm", Place("zulip", "incidents/alarms/door")), key="1")
    assert channels(stage) == []


async def test_a_name_whose_meaning_is_known_is_not_taken_over(stage: Stage) -> None:
    place = Place("zulip", "incidents/alarms/door")
    async with stage.online() as bridge:
        await bridge.send(says("an alarm", place), key="1")
        await taken_over(stage, "incidents/alarms")
        await bridge.send(says("an alarm", place), key="2")
    assert channels(stage) == [INCIDENTS, INCIDENTS]


async def test_an_answer_waits_for_no_look_up_of_talk(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("known"), key="known")
        await stage.fault("hang_before", "GET", ".*/topics")
        elsewhere = Place("zulip", f"{INCIDENTS}/elsewhere")
        talk = asyncio.create_task(bridge.send(says("talk", elsewhere, lane=Lane.TALK), key="talk"))
        while stage.world.broken.faults:
            await bridge.send(says("known"), key=str(len(stage.said())))
        await bridge.send(says("answer", elsewhere), key="answer")
        assert not talk.done()
        talk.cancel()
        await asyncio.wait([talk])
    assert stage.said()[-1] == "answer"


@pytest.mark.parametrize("kind", ["502_before", "hang_before", "drop_before", "401_before"])
async def test_a_stop_is_answered_without_a_list_of_topics(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "STOP_LOOKS_S", 0.2)
    async with stage.online() as bridge:
        await stage.fault(kind, "GET", ".*/topics", 1000)
        await bridge.send(says("stopped", TOPIC, lane=Lane.STOP), key="1")
    assert stage.said() == ["stopped"]


@pytest.mark.parametrize(
    "topic", ["soft\u00adhyphen", "zero\u200bwidth", "🏴\U000e0067\U000e0062\U000e007f cup", "100 %"]
)
async def test_a_topic_with_unseen_characters_is_answered_where_it_is(stage: Stage, topic: str) -> None:
    async with stage.online() as bridge:
        await stage.bob.say("@**tocsin** status", topic=topic)
        await bridge.send(says("fine", (await stage.inbox.next()).place), key="1")
    async with stage.online() as bridge:
        await bridge.send(says("fine", stage.inbox.rows[0].place), key="2")
    assert {each.topic for each in stage.world.realm.messages.values()} == {topic}
