"""What people show beside messages in Zulip, and what the bot shows there for others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import reactions as reacted
from bot.store import said
from bot.store.said import Said
from bot.words.document import Document, Reacts
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bridges.zulip import voice
from bridges.zulip.bridge import ZulipBridge
from tests.system.zulip_stage import TOPIC, Stage, says, staged
from tests.zulip.client import Person
from tests.zulip.lab import BOB, INCIDENTS, TOCSIN, WEIRD

ELSEWHERE = Said(Place("matrix", "!room:localhost"), "$one")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.linked.append(TOPIC)
        yield stage


async def heard(stage: Stage, words: str = "hello", topic: str = "topic") -> tuple[int, str]:
    """The message's id, and its event."""
    number = (await stage.bob.say(words, topic=topic)).body["id"]
    return number, (await stage.inbox.next()).event


async def show(who: Person, message: int, name: str, method: str = "POST") -> None:
    assert (await who.ask(method, f"/messages/{message}/reactions", {"emoji_name": name})).status == 200


async def copied(stage: Stage, bridge: ZulipBridge) -> str:
    """The event of a copy of something that was said elsewhere."""
    event = await bridge.send(says("a copy", lane=Lane.TALK), key="copy")
    await stage.store.write(lambda tx: said.link(tx, Said(TOPIC, event), ELSEWHERE))
    return event


def reacts(emoji: str, *, gone: bool = False, reply_to: str | None = None, edits: str | None = None) -> Post:
    return Post(TOPIC, Document((Reacts(emoji, gone),)), Lane.TALK, reply_to=reply_to, edits=edits)


def beside(stage: Stage, message: int) -> list[tuple[int, str]]:
    return [(each.user_id, each.name) for each in stage.world.realm.messages[message].reactions]


async def test_what_people_show_beside_a_message_is_told_and_that_they_take_it_back(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage)
        await show(stage.alice, number, "heart")
        there = await stage.inbox.next_reaction()
        await show(stage.alice, number, "love", "DELETE")
        gone = await stage.inbox.next_reaction()
        await show(stage.bob, number, "eyes")
        other = await stage.inbox.next_reaction()
    assert (there.place, there.event, there.emoji) == (TOPIC, event, "❤️")
    assert (gone.place, gone.own, gone.gone) == (TOPIC, there.own, True)
    assert (other.account.id, other.emoji) == (str(BOB), "👀")


async def test_what_is_shown_and_taken_back_at_once_does_not_stay(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage)
        stage.inbox.may_go.clear()
        await stage.bob.say("while this stands")
        for _ in range(2):
            await show(stage.alice, number, "eyes")
            await show(stage.alice, number, "eyes", "DELETE")
        stage.inbox.may_go.set()
        told = [await stage.inbox.next_reaction() for _ in range(4)]
    assert [each.gone for each in told] == [False, True, False, True]
    assert await stage.store.read(lambda tx: reacted.owns_on(tx, "zulip")) == []


async def test_what_shows_beside_a_copy_is_known_by_what_the_copy_is(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await copied(stage, bridge)
        await show(stage.alice, int(event), "fire")
        told = await stage.inbox.next_reaction()
    assert (told.place, told.event, told.emoji) == (TOPIC, event, "🔥")
    assert await stage.store.read(lambda tx: said.origin_of(tx, Said(told.place, told.event))) == ELSEWHERE


async def test_a_picture_of_the_servers_own_is_told_by_its_name(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage)
        await show(stage.alice, number, "zulip")
        assert (await stage.inbox.next_reaction()).emoji == ":zulip:"


async def test_neither_the_bots_own_nor_what_shows_in_other_places_is_told(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage)
        other, _ = await heard(stage, topic="another")
        moved, _ = await heard(stage)
        await stage.alice.ask("PATCH", f"/messages/{moved}", {"stream_id": WEIRD, "topic": "topic"})
        for message in (other, moved, number):
            await show(stage.tocsin, message, "eyes")
        for message in (other, moved, number):
            await show(stage.bob, message, "fire")
        assert (await stage.inbox.next_reaction()).own.startswith(f"{number} ")
        assert stage.inbox.reacted.empty()


async def test_what_shows_where_the_bot_is_not_any_more_is_not_told(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage)
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents"]})
        await show(stage.bob, number, "fire")
        await stage.alice.say("@**tocsin** status")
        await stage.inbox.next()
    assert stage.inbox.reacted.empty()


async def test_in_all_topics_of_a_channel_it_is_told_what_people_show(stage: Stage) -> None:
    stage.linked[:] = [Place("zulip", f"{INCIDENTS}/*")]
    async with stage.online():
        number, event = await heard(stage, topic="another")
        await show(stage.alice, number, "heart")
        there = await stage.inbox.next_reaction()
    await stage.hand("events", do="kill")
    await stage.hand("events", do="start")
    await show(stage.alice, number, "heart", "DELETE")
    await show(stage.bob, number, "fire")
    async with stage.online():
        told = {(each.gone, each.place) for each in [await stage.inbox.next_reaction() for _ in range(2)]}
    assert (there.place, there.event) == (Place("zulip", f"{INCIDENTS}/another"), event)
    assert told == {(True, there.place), (False, there.place)}


async def test_what_showed_and_went_while_the_bot_was_away_is_told(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        copy = await copied(stage, bridge)
        await show(stage.bob, number, "heart")
        await stage.inbox.next_reaction()
        await show(stage.alice, number, "eyes")
        there = await stage.inbox.next_reaction()
    await stage.hand("events", do="kill")
    await stage.hand("events", do="start")
    await show(stage.alice, number, "eyes", "DELETE")
    await show(stage.bob, number, "fire")
    await show(stage.alice, int(copy), "+1")
    new = (await stage.bob.say("new")).body["id"]
    await show(stage.alice, new, "heart")
    async with stage.online():
        told = [await stage.inbox.next_reaction() for _ in range(4)]
        new_event = (await stage.inbox.next()).event
    assert stage.inbox.reacted.empty(), "what still shows is not told again"
    assert [each.own for each in told if each.gone] == [there.own]
    assert {(each.event, each.emoji) for each in told if not each.gone} == {
        (event, "🔥"),
        (copy, "👍"),
        (new_event, "❤️"),
    }


async def test_an_emoji_is_shown_once_and_taken_back_also_after_a_restart(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        shown = await bridge.send(reacts("❤️", reply_to=event), key="one")
        assert await bridge.send(reacts("❤️", reply_to=event), key="again") == shown
        assert beside(stage, number) == [(TOCSIN, "heart")]
    async with stage.online() as bridge:
        for key in ("gone", "gone again"):
            assert await bridge.send(reacts("❤️", gone=True, reply_to=event, edits=shown), key=key) == shown
            assert beside(stage, number) == []
        assert await bridge.send(reacts("❤️", gone=True, reply_to=event), key="never there") == ""


@pytest.mark.parametrize(
    ("emoji", "name"), [("👍", "+1"), ("⚠️", "warning"), ("⚠", "warning"), ("1️⃣", "one"), (":zulip:", "zulip")]
)
async def test_an_emoji_is_shown_by_the_name_that_the_server_has_for_it(stage: Stage, emoji: str, name: str) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        shown = await bridge.send(reacts(emoji, reply_to=event), key="one")
        assert beside(stage, number) == [(TOCSIN, name)]
        await bridge.send(reacts(emoji, gone=True, edits=shown), key="two")
        assert beside(stage, number) == []


@pytest.mark.parametrize("emoji", ["🫠", "👍🏽", ":nothing:", "yes"])
async def test_an_emoji_that_the_server_does_not_know_is_refused(stage: Stage, emoji: str) -> None:
    async with stage.online() as bridge:
        _, event = await heard(stage)
        with pytest.raises(NetworkError) as refused:
            await bridge.send(reacts(emoji, reply_to=event), key="one")
        assert not isinstance(refused.value, Unreachable)


async def test_nothing_shows_beside_a_message_that_was_moved_or_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online() as bridge:
        moved, event = await heard(stage)
        await stage.alice.ask("PATCH", f"/messages/{moved}", {"stream_id": WEIRD, "topic": "topic"})
        with pytest.raises(Unreachable, match="was moved"):
            await bridge.send(reacts("👍", reply_to=event), key=event)
        monkeypatch.setattr(voice, "MOVE_HEARD_S", 0.0)
        for reply_to in (event, "999999", None):
            with pytest.raises(NetworkError) as refused:
                await bridge.send(reacts("👍", reply_to=reply_to), key=str(reply_to))
            assert not isinstance(refused.value, Unreachable)
    assert beside(stage, moved) == []


async def test_a_reaction_whose_message_is_gone_is_taken_back(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        shown = await bridge.send(reacts("👍", reply_to=event), key="one")
        await stage.alice.ask("DELETE", f"/messages/{number}")
        assert await bridge.send(reacts("👍", gone=True, edits=shown), key="two") == shown


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "502_before", "502_after"])
async def test_a_connection_that_breaks_leaves_one_reaction(stage: Stage, kind: str) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        for path in (".*/register", "/static/.*", ".*/reactions"):
            await stage.fault(kind, ".*", path)
        shown = await stage.until_said(bridge, reacts("👍", reply_to=event), "one")
        assert beside(stage, number) == [(TOCSIN, "+1")]
        await stage.fault(kind, "DELETE", ".*/reactions")
        await stage.until_said(bridge, reacts("👍", gone=True, edits=shown), "two")
        assert beside(stage, number) == []


async def test_a_stop_is_heard_where_nobody_tells_what_a_reaction_is_beside(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage)
        await stage.be_out_for_a_while()
        await stage.fault("hang_before", "GET", ".*/messages")
        await show(stage.alice, number, "eyes")
        await stage.bob.say("!stop all")
        await stage.inbox.until_hurried("!stop all")


async def test_what_shows_beside_a_message_waits_for_its_turn_in_a_busy_minute(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage)
        await stage.be_out_for_a_while()
        stage.world.limits.fill(TOCSIN, 1.0)
        with pytest.raises(Unreachable):  # so that the bot knows of it
            await bridge.send(says("refused"), key="one")
        await show(stage.alice, number, "heart")
        there = await stage.inbox.next_reaction()
    assert there.event == event
