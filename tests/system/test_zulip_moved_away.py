"""What was moved on the stand-in while nobody listened for the bot: it is found by comparing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.message import Moved
from bridges.zulip import moving
from tests.system.zulip_moves import Watch, change, copied, heard, topic, topic_of
from tests.system.zulip_stage import TOPIC, Stage, staged
from tests.zulip.lab import SECRET, TOCSIN, UNSUBBED, WEIRD

HIDDEN = "the hidden word"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.world.realm.channels[SECRET].members.append(TOCSIN)
        yield stage


async def found(stage: Stage) -> list[Moved]:
    """All that the bot tells of once it listens again."""
    async with stage.online():
        await heard(stage, "after it", "another")
    return [stage.inbox.moved.get_nowait() for _ in range(stage.inbox.moved.qsize())]


async def test_what_was_moved_while_the_bot_was_away_is_told_way_by_way(stage: Stage) -> None:
    async with stage.online() as bridge:
        ones = [await heard(stage, f"hello {number}") for number in range(4)]
        copy = await copied(stage, bridge)
    stage.world.queues.forget_all()
    for number, _ in ones[:2]:
        await change(stage, number, topic="Elsewhere")
    await change(stage, copy, topic="✔ elsewhere")
    await change(stage, ones[2][0], stream_id=SECRET)
    told = {(each.place, each.to): each for each in await found(stage)}
    events = {way: set(each.events) for way, each in told.items()}
    assert events == {
        (TOPIC, topic("elsewhere")): {ones[0][1], ones[1][1], str(copy)},
        (TOPIC, topic("topic", SECRET)): {ones[2][1]},
    }
    assert not any(each.is_whole or each.messages for each in told.values())
    assert stage.inbox.changed.empty(), "a move is no edit"


async def test_a_topic_that_is_called_otherwise_is_found_as_a_whole(stage: Stage) -> None:
    stage.linked.append(TOPIC)
    async with stage.online():
        number, event = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await change(stage, number, topic="Elsewhere", propagate_mode="change_all")
    (moved,) = await found(stage)
    assert moved == Moved(TOPIC, topic("elsewhere"), (event,), is_whole=True, topic="Elsewhere")


async def test_what_is_gone_from_a_topic_that_is_called_otherwise_is_gone_under_its_new_name(stage: Stage) -> None:
    stage.linked.append(TOPIC)
    async with stage.online():
        (number, _), (gone, event), _ = [await heard(stage, words) for words in ("hello", "a mistake", "hello again")]
    stage.world.queues.forget_all()
    await change(stage, number, topic="Elsewhere", propagate_mode="change_all")
    assert (await stage.alice.ask("DELETE", f"/messages/{gone}")).status == 200
    async with stage.online():
        assert (await stage.inbox.next_move()).is_whole
        told = await stage.inbox.next_change()
        assert (told.event, told.place, told.removed) == (event, topic("elsewhere"), True)


async def test_it_is_no_whole_where_something_older_is_there_still(stage: Stage) -> None:
    await stage.alice.say("an old one", topic="✔ Topic")
    async with stage.online():
        number, _ = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await change(stage, number, topic="elsewhere", propagate_mode="change_all")
    async with stage.online():
        assert not (await stage.inbox.next_move()).is_whole


async def test_what_somebody_begins_under_the_old_name_is_another_topic(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await change(stage, number, topic="elsewhere", propagate_mode="change_all")
    await stage.alice.say("a new one", topic="Topic")
    async with stage.online():
        moved = await stage.inbox.next_move()
        assert (moved.is_whole, moved.events) == (True, (event,))
        said = await stage.inbox.next()
        assert (said.text, said.place) == ("a new one", TOPIC)


async def test_what_the_bot_has_said_under_the_old_name_follows_the_others(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage, "hello")
        stage.inbox.may_go.clear()
        await change(stage, number, topic="elsewhere", propagate_mode="change_all")
        stray = await copied(stage, bridge)
    stage.world.queues.forget_all()
    watch = Watch(stage, await stage.alice.register("update_message"))
    stage.inbox.may_go.set()
    async with stage.online():
        moved = await stage.inbox.next_move()
        assert (moved.is_whole, moved.events) == (True, (event,))
        assert await watch.moved_by_the_bot() == [stray]
    assert topic_of(stage, stray) == "elsewhere"


@pytest.mark.parametrize(
    ("form", "others"),
    [({"topic": "elsewhere"}, "a third"), ({"topic": "elsewhere"}, "topic"), ({"stream_id": WEIRD}, "")],
)
async def test_nor_where_not_all_went_one_way_in_one_channel_and_nobody_is_asked(
    stage: Stage, form: dict[str, object], others: str
) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        if others:
            other, _ = await heard(stage, "hello again")
            stage.world.realm.messages[other].topic = others
    stage.world.queues.forget_all()
    await change(stage, number, **form)
    told = {each.events: each.is_whole for each in await found(stage)}
    assert told[event,] is False
    assert not any(each.path.endswith("/topics") for each in stage.world.requests)


@pytest.mark.parametrize("most", [1, 2])
async def test_few_words_that_others_have_to_hear_are_told(
    stage: Stage, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "MOST_SAID_ANEW", most)
    there = topic("elsewhere", WEIRD)
    stage.linked.append(topic("*", WEIRD))
    async with stage.online():
        ones = [await heard(stage, f"hello {number}") for number in range(2)]
        await heard(stage, "stays")
    stage.world.queues.forget_all()
    for number, _ in ones:
        await change(stage, number, stream_id=WEIRD, topic="Elsewhere")
    (moved,) = await found(stage)
    words = [(each.text, each.place, each.topic) for each in moved.messages]
    assert words == ([("hello 0", there, "Elsewhere"), ("hello 1", there, "Elsewhere")] if most > 1 else [])


async def test_what_was_written_meanwhile_counts_where_the_message_is_now(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await change(stage, number, topic="elsewhere")
    await change(stage, number, content=HIDDEN)
    async with stage.online():
        moved, edit = await stage.inbox.next_move(), await stage.inbox.next_change()
    assert moved.events == (event,)
    assert (edit.event, edit.place, edit.text) == (event, topic("elsewhere"), HIDDEN)


async def test_what_went_where_the_bot_is_not_is_taken_back(stage: Stage) -> None:
    async with stage.online():
        await heard(stage, "stays")
        number, event = await heard(stage, "hello")
        await heard(stage, "stays, too")
    stage.world.queues.forget_all()
    await change(stage, number, stream_id=UNSUBBED)
    async with stage.online():
        gone = await stage.inbox.next_change()
    assert (gone.event, gone.place, gone.removed) == (event, TOPIC, True)


async def test_what_shows_no_more_is_gone_where_its_message_is_now(stage: Stage) -> None:
    stage.linked.append(TOPIC)
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await stage.bob.ask("POST", f"/messages/{number}/reactions", {"emoji_name": "fire"})
        await stage.bob.ask("POST", f"/messages/{number}/reactions", {"emoji_name": "eyes"})
        there = await stage.inbox.next_reaction()
        await stage.inbox.next_reaction()
    stage.world.queues.forget_all()
    await change(stage, number, topic="elsewhere")
    await stage.bob.ask("DELETE", f"/messages/{number}/reactions", {"emoji_name": "fire"})
    stage.linked.append(topic("elsewhere"))
    async with stage.online():
        gone = await stage.inbox.next_reaction()
    assert (gone.own, gone.place, gone.gone) == (there.own, topic("elsewhere"), True)
    assert stage.inbox.reacted.empty(), "what still shows is not told again"


async def test_what_a_queue_tells_of_that_was_seen_already_is_not_moved_back(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
    stage.world.queues.forget_all()
    await stage.fault("502_before", "GET", ".*/messages", 1000)
    async with stage.online():
        await change(stage, number, topic="second")
        await change(stage, number, topic="third")
        stage.world.broken.faults.clear()
        moved = await stage.inbox.next_move()
        await heard(stage, "after it")
    assert (moved.place, moved.to, moved.events) == (TOPIC, topic("third"), (event,))
    assert stage.inbox.moved.empty()


async def test_what_a_channel_that_the_bot_was_put_out_of_hides_is_not_taken_back(stage: Stage) -> None:
    async with stage.online():
        await heard(stage, "first")
        await stage.bob.say("kept", to="secret")
        assert (await stage.inbox.next()).text == "kept"
        gone, _ = await heard(stage, "gone")
        await heard(stage, "last")
    stage.world.queues.forget_all()
    stage.world.realm.channels[SECRET].members.remove(TOCSIN)
    await stage.bob.ask("DELETE", f"/messages/{gone}")
    async with stage.online():
        await heard(stage, "end")
        assert (await stage.inbox.next_change()).place == TOPIC
    assert stage.inbox.changed.empty()
