"""Messages and topics that are moved on the stand-in. What is written where a message is now goes nowhere else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.errors import Unreachable
from bot.words.message import Place
from bridges.zulip import alterations
from tests.system.zulip_stage import TO_ALICE, TOPIC, Stage, says, staged
from tests.zulip.lab import ALICE, SECRET, TOCSIN, WEIRD

HIDDEN = "the hidden word"
MOVES = [
    {"stream_id": SECRET},
    {"stream_id": WEIRD, "topic": "topic"},
    {"topic": "elsewhere"},
    {"stream_id": SECRET, "topic": "elsewhere", "propagate_mode": "change_all"},
]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.world.realm.channels[SECRET].members.append(TOCSIN)
        yield stage


async def change(stage: Stage, number: int, **form: object) -> None:
    """Bob edits a message, or alice moves it."""
    person = stage.bob if "content" in form else stage.alice
    assert (await person.ask("PATCH", f"/messages/{number}", form)).status == 200


async def heard(stage: Stage, words: str) -> int:
    """The id of a message of bob that the bot has heard."""
    number: int = (await stage.bob.say(words)).body["id"]
    assert (await stage.inbox.next()).text == words
    return number


@pytest.mark.parametrize("move", MOVES)
async def test_what_is_written_into_a_message_that_was_moved_stays_where_it_is(
    stage: Stage, move: dict[str, object]
) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        await change(stage, number, **move)
        await change(stage, number, content=HIDDEN)
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.place, edit.text) == (stage.inbox.rows[0].event, TOPIC, "")


@pytest.mark.parametrize("move", MOVES)
async def test_so_it_does_where_both_happened_while_the_bot_was_away(stage: Stage, move: dict[str, object]) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await change(stage, number, **move)
    await change(stage, number, content=HIDDEN)
    async with stage.online():
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.text) == (stage.inbox.rows[0].event, "")


async def test_so_it_does_where_the_bot_was_started_anew_between(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        await change(stage, number, topic="elsewhere")
        await stage.inbox.next()  # the server's notice
    async with stage.online():
        await change(stage, number, content=HIDDEN)
        assert (await stage.inbox.next_change()).text == ""


async def test_words_that_move_a_message_go_nowhere_either(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        await change(stage, number, content=HIDDEN, topic="elsewhere")
        assert (await stage.inbox.next_change()).text == ""


async def test_what_was_written_elsewhere_is_not_told_once_the_message_is_back(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        stage.inbox.may_go.clear()
        await stage.bob.say("something that the disk takes long for")
        await change(stage, number, topic="elsewhere")
        await change(stage, number, content=HIDDEN)
        await change(stage, number, content="harmless")
        await change(stage, number, topic="topic")
        stage.inbox.may_go.set()
        texts = {(await stage.inbox.next_change()).text for _ in range(2)}
    assert texts <= {"", "harmless"}


async def test_an_edit_where_a_message_was_said_has_its_words(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert edit.text == "hello all"


@pytest.mark.parametrize("kind", ["502_before", "hang_before", "401_before"])
async def test_where_the_server_does_not_tell_where_a_message_is_an_edit_has_no_words(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alterations, "LOOKING_MAY_TAKE_S", 0.2)
    async with stage.online():
        number = await heard(stage, "hello")
        await stage.fault(kind, "GET", ".*/messages")
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.text) == (stage.inbox.rows[0].event, "")


async def test_an_edit_of_a_mention_in_a_foreign_channel_is_the_writers_alone(stage: Stage) -> None:
    stage.world.realm.channels[SECRET].members.remove(TOCSIN)
    async with stage.online():
        number = (await stage.alice.say("@**tocsin** status", to="secret")).body["id"]
        assert (await stage.inbox.next()).place == TO_ALICE
        await stage.alice.ask("PATCH", f"/messages/{number}", {"content": HIDDEN})
        assert (await stage.inbox.next_change()).place == Place("zulip", f"dm/{ALICE}")


async def test_a_topic_that_was_resolved_and_opened_again_is_spoken_to_where_it_is(stage: Stage) -> None:
    async with stage.online() as bridge:
        number = await heard(stage, "hello")
        await change(stage, number, topic="✔ topic", propagate_mode="change_all")
        await stage.inbox.next()  # the notice
        assert await topic_of(stage, await bridge.send(says("resolved"), key="1")) == "✔ topic"
        await change(stage, number, topic="topic", propagate_mode="change_all")
        await stage.bob.say("the bot hears this after it", topic="another")
        await stage.inbox.next()
        assert await topic_of(stage, await bridge.send(says("open"), key="2")) == "topic"


async def test_a_topic_that_was_moved_without_a_word_is_spoken_to_where_it_is(stage: Stage) -> None:
    async with stage.online() as bridge:
        number = await heard(stage, "hello")
        await change(stage, number, topic="TOPIC", propagate_mode="change_all", send_notification_to_new_thread=False)
        await stage.bob.say("the bot hears this after it", topic="another")
        await stage.inbox.next()
        assert await topic_of(stage, await bridge.send(says("there"), key="1")) == "TOPIC"


@pytest.mark.parametrize("decoy", ["✔ topic", "✔ ✔ TOPIC", "✔  topic"])
async def test_nobody_diverts_what_is_said_by_a_topic_that_looks_resolved(stage: Stage, decoy: str) -> None:
    async with stage.online() as bridge:
        await heard(stage, "hello")
        for number in range(2):
            await stage.alice.say("diverted", topic=decoy)
            await stage.inbox.next()
            assert await topic_of(stage, await bridge.send(says("alarm"), key=str(number))) == "topic"
    async with stage.online() as bridge:
        assert await topic_of(stage, await bridge.send(says("alarm"), key="again")) == "topic"


async def topic_of(stage: Stage, event: str) -> str:
    return stage.world.realm.messages[int(event)].topic


async def test_what_a_channel_that_the_bot_was_put_out_of_hides_is_not_taken_back(stage: Stage) -> None:
    async with stage.online():
        await heard(stage, "first")
        await stage.bob.say("kept", to="secret")
        assert (await stage.inbox.next()).text == "kept"
        gone = await heard(stage, "gone")
        await heard(stage, "last")
    stage.world.queues.forget_all()
    stage.world.realm.channels[SECRET].members.remove(TOCSIN)
    await stage.bob.ask("DELETE", f"/messages/{gone}")
    async with stage.online():
        await heard(stage, "end")
        assert (await stage.inbox.next_change()).place == TOPIC
    assert stage.inbox.changed.empty()


async def test_the_words_of_an_edit_wait_for_their_turn_in_a_busy_minute(stage: Stage) -> None:
    async with stage.online() as bridge:
        number = await heard(stage, "hello")
        stage.world.limits.fill(TOCSIN, 1.0)
        with pytest.raises(Unreachable):  # so that the bot knows of it
            await bridge.send(says("refused"), key="one")
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert edit.text == "hello all"


async def test_the_words_of_an_edit_are_asked_for_again_where_the_server_says_when(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        stage.world.limits.fill(TOCSIN, 1.0)
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert edit.text == "hello all"


async def test_where_their_turn_comes_too_late_an_edit_has_no_words(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "hello")
        stage.world.limits.fill(TOCSIN, 50.0)
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.text) == (stage.inbox.rows[0].event, "")


async def test_a_stop_is_heard_while_words_wait_for_their_turn(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alterations, "LOOKING_MAY_TAKE_S", 60.0)
    async with stage.online():
        number = await heard(stage, "hello")
        stage.world.limits.fill(TOCSIN, 50.0)
        await change(stage, number, content="hello all")
        await stage.bob.say("!stop all")
        await stage.inbox.until_hurried("!stop all")
        assert stage.inbox.changed.empty()
