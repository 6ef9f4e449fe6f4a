"""Messages and topics that are moved on the stand-in while the bot listens: what it tells of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import heard as inbox_heard
from bot.words.message import Place
from bridges.zulip import moving
from tests.system.zulip_moves import change, copied, heard, topic
from tests.system.zulip_stage import TOPIC, Stage, staged
from tests.zulip.lab import ALICE, INCIDENTS, SECRET, TOCSIN, UNSUBBED, WEIRD


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.world.realm.channels[SECRET].members.append(TOCSIN)
        yield stage


MOVES: list[tuple[dict[str, object], Place, bool]] = [
    ({"topic": "Elsewhere"}, topic("elsewhere"), False),
    ({"topic": "✔ Elsewhere", "propagate_mode": "change_later"}, topic("elsewhere"), False),
    ({"topic": "Elsewhere", "propagate_mode": "change_all"}, topic("elsewhere"), True),
    ({"stream_id": WEIRD}, topic("topic", WEIRD), False),
    ({"stream_id": SECRET, "topic": "Elsewhere", "propagate_mode": "change_all"}, topic("elsewhere", SECRET), False),
    ({"stream_id": UNSUBBED, "propagate_mode": "change_all"}, topic("topic", UNSUBBED), False),
]


@pytest.mark.parametrize(("form", "to", "is_whole"), MOVES)
async def test_a_move_is_told_with_whom_it_concerns(
    stage: Stage, form: dict[str, object], to: Place, *, is_whole: bool
) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        await change(stage, number, **form)
        moved = await stage.inbox.next_move()
    assert (moved.place, moved.to, moved.events, moved.is_whole) == (TOPIC, to, (event,), is_whole)
    assert moved.topic == ("Elsewhere" if "topic" in form else "topic")
    assert moved.messages == ()


async def test_the_bots_own_copies_go_along_and_what_nobody_knows_does_not(stage: Stage) -> None:
    await stage.bob.say("before the bot was there")
    async with stage.online() as bridge:
        first, event = await heard(stage, "hello")
        copy = await copied(stage, bridge)
        await change(stage, first, topic="elsewhere", propagate_mode="change_all")
        moved = await stage.inbox.next_move()
    assert moved.events == (event, str(copy))


async def test_a_topic_that_is_called_otherwise_is_told_where_nobody_has_heard_a_word_of_it(stage: Stage) -> None:
    number = (await stage.bob.say("before the bot was there")).body["id"]
    async with stage.online():
        await change(stage, number, topic="elsewhere", propagate_mode="change_all")
        moved = await stage.inbox.next_move()
    assert (moved.place, moved.to, moved.events, moved.is_whole) == (TOPIC, topic("elsewhere"), (), True)


async def test_a_topic_in_other_letters_and_a_resolved_one_are_not_moved(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage, "hello")
        for name in ("TOPIC", "✔ Topic", "topic"):
            await change(stage, number, topic=name, propagate_mode="change_all")
        await heard(stage, "after it")
    assert stage.inbox.moved.empty()


@pytest.mark.parametrize(("stays", "goes"), [("topic", "✔ topic"), ("✔ topic", "topic"), ("✔ ✔ Topic", "✔ topic")])
async def test_what_is_there_resolved_and_not_is_no_whole_where_only_one_goes(
    stage: Stage, stays: str, goes: str
) -> None:
    async with stage.online():
        await heard(stage, "hello", stays)
        other, event = await heard(stage, "hello again", goes)
        await change(stage, other, topic="elsewhere", propagate_mode="change_all")
        moved = await stage.inbox.next_move()
    assert (moved.place, moved.events, moved.is_whole) == (TOPIC, (event,), False)


async def test_a_message_of_which_a_move_was_missed_is_told_from_where_it_was_known_to_be(stage: Stage) -> None:
    stage.linked.append(topic("elsewhere"))
    async with stage.online():
        missed, missed_event = await heard(stage, "missed")
        _, event = await heard(stage, "hello", "second")
        await stage.be_out_for_a_while()
        stage.world.realm.messages[missed].topic = "second"
        await change(stage, missed, topic="elsewhere", propagate_mode="change_later")
        told = {(each := await stage.inbox.next_move()).place: each for _ in range(2)}
    assert {place: each.events for place, each in told.items()} == {TOPIC: (missed_event,), topic("second"): (event,)}
    words = {place: [message.text for message in each.messages] for place, each in told.items()}
    assert words == {TOPIC: ["missed"], topic("second"): ["hello"]}


async def test_what_is_said_in_a_topic_after_all_of_it_was_moved_is_said_there(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
    await stage.bob.say("hello again")
    await change(stage, number, topic="elsewhere", propagate_mode="change_all")
    await stage.bob.say("a new topic")
    async with stage.online():  # all of it comes at once
        news = [await stage.inbox.next() for _ in range(2)]
        assert (await stage.inbox.next_move()).events == (event, news[0].event)
    there = await stage.store.read(lambda tx: inbox_heard.heard_since(tx, "zulip", 0))
    places = {each.event: each.place for each in there}
    assert places == {event: topic("elsewhere"), news[0].event: topic("elsewhere"), news[1].event: TOPIC}


def quoting(stage: Stage, number: int, words: str) -> str:
    link = f"{stage.world.url}/#narrow/channel/{INCIDENTS}-incidents/topic/topic/near/{number}"
    return f"@_**alice|{ALICE}** [said]({link}):\n```quote\nwhat was said\n```\n{words}"


@pytest.mark.parametrize("linked", [topic("topic"), topic("elsewhere", WEIRD), topic("*", WEIRD)])
async def test_words_that_others_have_to_hear_are_told_as_they_stand_there_now(stage: Stage, linked: Place) -> None:
    stage.linked.append(linked)
    await stage.bob.say("stays", to="Störung / Netz", topic="elsewhere")
    async with stage.online() as bridge:
        last, event = await heard(stage, "last")
        await stage.alice.say(quoting(stage, last, "an answer"))
        answered = await stage.inbox.next()
        await copied(stage, bridge)
        await change(stage, last, content="@**tocsin** last of all")
        await stage.inbox.next_change()
        await change(stage, last, stream_id=WEIRD, topic="Elsewhere", propagate_mode="change_later")
        moved = await stage.inbox.next_move()
    assert moved.to == topic("elsewhere", WEIRD)
    assert [(each.text, each.event, each.replies_to) for each in moved.messages] == [
        ("last of all", event, ""),
        ("an answer", answered.event, event),
    ]
    assert {(each.place, each.topic) for each in moved.messages} == {(moved.to, "Elsewhere")}
    assert [each.called for each in moved.messages] == ["bob", "alice"]


async def test_words_that_the_inbox_never_had_are_told_where_they_are_young(stage: Stage) -> None:
    stage.linked.append(topic("elsewhere"))
    old = (await stage.bob.say("old")).body["id"]
    await stage.bob.say("young")
    await stage.hand("age", message_id=old, seconds=90_000)
    async with stage.online():
        await change(stage, old, topic="elsewhere", propagate_mode="change_later")
        moved = await stage.inbox.next_move()
    assert (moved.events, [each.text for each in moved.messages]) == ((), ["young"])


async def test_of_many_that_are_moved_no_words_are_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "MOST_SAID_ANEW", 1)
    stage.linked.append(TOPIC)
    async with stage.online():
        number, _ = await heard(stage, "one")
        await heard(stage, "two")
        await change(stage, number, topic="elsewhere", propagate_mode="change_later")
        moved = await stage.inbox.next_move()
    assert (len(moved.events), moved.messages) == (2, ())


async def test_words_among_too_much_are_not_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "LOOKED_AT", 1)
    stage.linked.append(TOPIC)
    async with stage.online():
        number, _ = await heard(stage, "one")
        await heard(stage, "between", "elsewhere")
        await heard(stage, "between, too", "elsewhere")
        await heard(stage, "two")
        await change(stage, number, topic="elsewhere", propagate_mode="change_later")
        moved = await stage.inbox.next_move()
    assert (len(moved.events), moved.messages) == (2, ())


async def test_a_move_waits_for_the_words_and_stops_do_not_wait_for_it(stage: Stage) -> None:
    stage.linked.append(TOPIC)
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await stage.fault("502_before", "GET", ".*/messages", 3)
        await change(stage, number, topic="elsewhere")
        await stage.bob.say("!stop all")
        await stage.inbox.until_hurried("!stop all")
        moved = await stage.inbox.next_move()
    assert [each.text for each in moved.messages] == ["hello"]


async def test_moves_are_told_in_their_order_and_what_is_written_and_shown_is_where_all_ends(stage: Stage) -> None:
    stage.linked.append(topic("third"))
    async with stage.online() as bridge:
        number, event = await heard(stage, "hello")
        copy = await copied(stage, bridge)
        await stage.until_heard()
    await change(stage, number, content="written")
    await change(stage, number, topic="second", propagate_mode="change_later")
    for message in (number, copy):
        await stage.bob.ask("POST", f"/messages/{message}/reactions", {"emoji_name": "fire"})
    await change(stage, number, topic="third", propagate_mode="change_later")
    async with stage.online():  # all of it comes at once
        moves = [await stage.inbox.next_move() for _ in range(2)]
        edit = await stage.inbox.next_change()
        shown = [await stage.inbox.next_reaction() for _ in range(2)]
    assert [(each.place, each.to) for each in moves] == [
        (TOPIC, topic("second")),
        (topic("second"), topic("third")),
    ]
    assert (edit.place, edit.event, edit.text) == (topic("third"), event, "written")
    assert {(each.place, each.event) for each in shown} == {(topic("third"), event), (topic("third"), str(copy))}


async def test_what_shows_no_more_is_gone_where_its_message_is(stage: Stage) -> None:
    stage.linked.append(TOPIC)
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await stage.bob.ask("POST", f"/messages/{number}/reactions", {"emoji_name": "fire"})
        there = await stage.inbox.next_reaction()
    await change(stage, number, topic="elsewhere")
    await stage.bob.ask("DELETE", f"/messages/{number}/reactions", {"emoji_name": "fire"})
    async with stage.online():  # all of it comes at once
        gone = await stage.inbox.next_reaction()
    assert (gone.own, gone.gone, gone.place) == (there.own, True, topic("elsewhere"))


async def test_a_mention_elsewhere_stays_its_writers_wherever_it_is_moved(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.alice.say("@**tocsin** status", to="unsubbed")).body["id"]
        said_to_the_bot = await stage.inbox.next()
        await change(stage, number, topic="elsewhere", propagate_mode="change_later")
        await heard(stage, "after it")
    assert said_to_the_bot.place == Place("zulip", f"dm/{ALICE}")
    assert stage.inbox.moved.empty()
