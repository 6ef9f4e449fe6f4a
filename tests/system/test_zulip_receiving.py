"""What people say in Zulip, and what the bridge makes of it, on a stand-in that breaks in the ways of a real server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.store import Store
from bot.words.errors import OutOfService, Unreachable
from bot.words.message import Place, Post, Standing
from bot.words.people import Account, People
from bridges.zulip import catching_up
from tests.system.zulip_stage import (
    SOON_S,
    TO_ALICE,
    TOPIC,
    Inbox,
    Stage,
    bridge_to,
    says,
    staged,
    until_said,
)
from tests.zulip.client import Person
from tests.zulip.lab import ALICE, BOB, INCIDENTS, SECRET, TOCSIN, key_of
from tests.zulip.program import started


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


async def direct(who: object, stage: Stage, words: str) -> int:
    assert who in (stage.alice, stage.bob)
    person = stage.alice if who is stage.alice else stage.bob
    form = {"type": "direct", "to": [TOCSIN], "content": words}
    return (await person.ask("POST", "/messages", form)).body["id"]


async def test_a_direct_message_is_said_to_the_bot(stage: Stage) -> None:
    async with stage.online():
        await direct(stage.alice, stage, "status")
        message = await stage.inbox.next()
    assert (message.place, message.account, message.text) == (TO_ALICE, Account("zulip", str(ALICE)), "status")
    assert message.addressed
    assert message.standing is Standing.NAMED
    assert message.age_s < 5


async def test_what_begins_with_a_mention_is_said_to_the_bot_and_what_does_not_is_heard(stage: Stage) -> None:
    async with stage.online():
        for said, text, addressed in (
            ("@**tocsin** status", "status", True),
            ("@**Tocsin|8**, status", "status", True),
            ("@**|8**: status", "status", True),
            ("@_**tocsin|8** [said](x)", "@_**tocsin|8** [said](x)", False),
            ("@**tocsin|7** status", "@**tocsin|7** status", False),
            ("ask @**tocsin** later", "ask @**tocsin** later", False),
            ("!stop all", "!stop all", False),
        ):
            await stage.bob.say(said)
            message = await stage.inbox.next()
            assert (message.text, message.addressed) == (text, addressed)
            assert (message.place, message.account) == (TOPIC, Account("zulip", str(BOB)))


async def test_the_bot_is_known_by_its_new_name(stage: Stage) -> None:
    async with stage.online():
        await stage.alice.ask("PATCH", f"/users/{TOCSIN}", {"full_name": "alarm"})
        await stage.bob.say("@**alarm** status")
        assert (await stage.inbox.next()).addressed


async def test_a_mention_in_a_channel_that_the_bot_is_not_in_is_said_in_the_direct_chat(stage: Stage) -> None:
    async with stage.online() as bridge:
        await stage.alice.say("@**tocsin** status", to="secret")
        message = await stage.inbox.next()
        assert (message.place, message.text, message.addressed) == (TO_ALICE, "status", True)
        await bridge.send(says_answer(message.place, message.event), key="answer")
    assert [each.channel_id for each in stage.world.realm.messages.values() if each.sender_id == TOCSIN] == [None]
    assert SECRET not in {each.channel_id for each in stage.world.realm.messages.values() if each.sender_id == TOCSIN}


async def test_a_topic_is_the_same_in_other_letters_and_when_it_is_resolved(stage: Stage) -> None:
    async with stage.online():
        for topic in ("Status ", "status", "✔ STATUS"):
            await stage.bob.say("hello", topic=topic)
            assert (await stage.inbox.next()).place == Place("zulip", f"{INCIDENTS}/status")


async def test_people_see_a_topic_as_it_is_spelled_and_none_where_a_message_stands_in_none(stage: Stage) -> None:
    async with stage.online():
        await stage.bob.say("hello", topic="✔ Die Störung")
        here = await stage.inbox.next()
        await stage.alice.say("@**tocsin** status", to="secret")
        elsewhere = await stage.inbox.next()
        await direct(stage.bob, stage, "status")
        directly = await stage.inbox.next()
    assert [each.topic for each in (here, elsewhere, directly)] == ["Die Störung", "", ""]


async def test_an_edit_and_a_deletion_change_what_was_said(stage: Stage) -> None:
    async with stage.online():
        ids = [await direct(stage.alice, stage, "one"), (await stage.bob.say("two")).body["id"]]
        said = [await stage.inbox.next() for _ in ids]
        await stage.alice.ask("PATCH", f"/messages/{ids[0]}", {"content": "three"})
        edit = await stage.inbox.next_change()
        await stage.bob.ask("DELETE", f"/messages/{ids[1]}")
        removal = await stage.inbox.next_change()
    assert (edit.event, edit.place, edit.account, edit.removed) == (said[0].event, TO_ALICE, said[0].account, False)
    assert edit.text == "three"
    assert (removal.event, removal.place, removal.removed) == (said[1].event, TOPIC, True)


async def test_an_edit_after_a_restart_changes_what_was_said_before_it(stage: Stage) -> None:
    async with stage.online():
        number = await direct(stage.alice, stage, "one")
        said = await stage.inbox.next()
    async with stage.online():
        await stage.alice.ask("PATCH", f"/messages/{number}", {"content": "two"})
        change = await stage.inbox.next_change()
    assert (change.event, change.place) == (said.event, TO_ALICE)


async def test_the_queue_is_taken_up_after_a_restart(stage: Stage) -> None:
    async with stage.online():
        await stage.bob.say("one")
        await stage.inbox.next()
    await stage.bob.say("two")
    async with stage.online():
        await stage.bob.say("three")
        assert [(await stage.inbox.next()).text for _ in range(2)] == ["two", "three"]
    assert asked(stage, "POST", "register") == 1
    assert [each.text for each in stage.inbox.rows] == ["one", "two", "three"]


async def test_what_came_while_a_queue_was_lost_is_read_back_once(stage: Stage) -> None:
    await stage.bob.say("before the bot was ever there")
    async with stage.online():
        kept = (await stage.bob.say("one")).body["id"]
        gone = (await stage.bob.say("two")).body["id"]
        said = [await stage.inbox.next() for _ in range(2)]
    stage.world.queues.forget_all()
    await stage.bob.say("three")
    await stage.bob.ask("PATCH", f"/messages/{kept}", {"content": "other"})
    await stage.bob.ask("DELETE", f"/messages/{gone}")
    async with stage.online():
        assert (await stage.inbox.next()).text == "three"
        changes = {(each.event, each.removed) for each in [await stage.inbox.next_change() for _ in range(2)]}
        await stage.bob.say("four")
        assert (await stage.inbox.next()).text == "four"
    assert changes == {(said[0].event, False), (said[1].event, True)}
    assert [each.text for each in stage.inbox.rows] == ["one", "two", "three", "four"]


async def test_what_is_read_back_is_as_old_as_it_is(stage: Stage) -> None:
    async with stage.online():
        pass
    stage.world.queues.forget_all()
    number = (await stage.bob.say("!stop all")).body["id"]
    await stage.hand("age", message_id=number, seconds=300)
    async with stage.online():
        assert 299 <= (await stage.inbox.next()).age_s < 400


async def test_a_long_gap_is_read_back_in_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "AFTER", 3)
    monkeypatch.setattr(catching_up, "BEFORE", 2)
    async with stage.online():
        for number in range(5):
            await stage.bob.say(f"before {number}")
            await stage.inbox.next()
    stage.world.queues.forget_all()
    for number in range(10):
        await stage.bob.say(f"after {number}")
    async with stage.online():
        assert [(await stage.inbox.next()).text for _ in range(10)] == [f"after {number}" for number in range(10)]
    assert len(stage.inbox.rows) == 15


async def test_what_was_not_changed_while_a_queue_was_lost_is_not_changed(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.bob.say("one")).body["id"]
        await stage.inbox.next()
        await stage.bob.say("two")
        await stage.inbox.next()
    stage.world.queues.forget_all()
    async with stage.online():
        await stage.bob.say("three")
        await stage.inbox.next()
    assert stage.inbox.changed.empty()
    assert number


async def test_a_wrong_position_in_the_queue_loses_nothing(stage: Stage) -> None:
    async with stage.online():
        await stage.bob.say("one")
        await stage.inbox.next()
        await stage.until_heard()  # it has acknowledged the event, so that what is before it is no position any more
    kept = await stage.inbox.cursor()
    assert kept is not None
    await stage.bob.say("two")
    queue = re.findall(r'"queue": "([^"]+)"', kept)[0]
    for wrong in (-1, 900):
        registered = asked(stage, "POST", "register")
        position = re.sub(r'"last": -?\d+', f'"last": {wrong}', kept)
        assert position != kept
        await stage.inbox.accept([], cursor=position)
        async with stage.online():
            await stage.bob.say(f"after {wrong}")
            while (await stage.inbox.next()).text != f"after {wrong}":
                pass
        assert asked(stage, "POST", "register") > registered, "the bot was refused"
        refused = await stage.tocsin.poll(queue, wrong)
        assert (refused.status, refused.body["code"]) == (400, "BAD_REQUEST")
    assert sorted(each.text for each in stage.inbox.rows) == ["after -1", "after 900", "one", "two"]


async def test_a_killed_event_server_loses_nothing(stage: Stage) -> None:
    async with stage.online():
        await stage.bob.say("one")
        await stage.inbox.next()
        await stage.until_heard()
        await stage.hand("events", do="kill")
        await stage.bob.say("two")
        await stage.hand("events", do="start")
        assert (await stage.inbox.next()).text == "two"
    assert [each.text for each in stage.inbox.rows] == ["one", "two"]


async def test_a_server_that_is_killed_and_comes_back_costs_nothing(tmp_path: Path) -> None:
    people, data = People(), tmp_path / "zulip.sqlite"
    async with (
        Store.opened(tmp_path / "tocsin.db") as store,
        aiohttp.ClientSession() as session,
        AsyncExitStack() as first,
    ):
        inbox = Inbox(store)
        url = await first.enter_async_context(started(data))
        bob = Person(url, "bob@lab.test", key_of("bob"), session)
        bridge = bridge_to(url, tmp_path, people, store, inbox)
        running = asyncio.create_task(bridge.run())
        await until_said(bridge, says("I am there"), "zero")
        await bob.say("one")
        assert (await inbox.next()).text == "one"
        await first.aclose()
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="one")
        async with started(data, urlsplit(url).port or 0):
            await bob.say("two")
            assert (await inbox.next()).text == "two"
            await until_said(bridge, says("hello"), "one")
            asked = {"anchor": "newest", "num_before": 10, "num_after": 0, "apply_markdown": False}
            told = (await bob.ask("GET", "/messages", asked)).body["messages"]
        running.cancel()
        await asyncio.wait([running])
    assert [each["content"] for each in told] == ["I am there", "one", "two", "hello"]


async def test_an_id_that_comes_late_is_read_back_after_a_lost_queue(stage: Stage) -> None:
    async with stage.online():
        await stage.bob.say("zero")
        await stage.inbox.next()
        held = stage.world.teller
        await stage.hand("disorder", on=True)
        await stage.bob.say("low")
        await stage.bob.say("high")
        assert [(await stage.inbox.next()).text for _ in range(2)] == ["high", "low"]
        await stage.bob.say("lost")
        held.disorder, held._held = False, None  # pyright: ignore[reportPrivateUsage] - nobody is ever told of it
        await stage.bob.say("last")
        assert (await stage.inbox.next()).text == "last"
    stage.world.queues.forget_all()
    async with stage.online():
        assert (await stage.inbox.next()).text == "lost"
    assert [each.text for each in stage.inbox.rows] == ["zero", "high", "low", "last", "lost"]


async def test_a_full_bucket_of_the_event_server_loses_nothing(stage: Stage) -> None:
    async with stage.online() as bridge:
        full = stage.world.clock.now() + 60
        stage.world.limits._events[TOCSIN] = full  # pyright: ignore[reportPrivateUsage] - as after many polls
        for number in range(6):
            await stage.hand("act", **{"as": "bob", "method": "POST", "path": "/messages", "form": form(str(number))})
        assert [(await stage.inbox.next()).text for _ in range(6)] == [str(number) for number in range(6)]
        assert bridge.health().counts["limited"]
    assert len(stage.inbox.rows) == 6


async def test_what_the_bot_says_itself_is_no_message(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("!stop all"), key="one")
        await bridge.send(says("!stop all", TO_ALICE), key="two")
        await stage.bob.say("hello")
        assert (await stage.inbox.next()).text == "hello"
    stage.world.queues.forget_all()
    async with stage.online():
        await stage.bob.say("hello again")
        assert (await stage.inbox.next()).text == "hello again"


async def test_what_another_bot_like_this_one_says_is_no_message(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("hello"), key="one")
        (own,) = stage.world.realm.messages.values()
        async with aiohttp.ClientSession(headers={"User-Agent": f"{own.client}/9.9"}) as session:
            other = Person(stage.world.url, stage.alice.email, stage.alice.key, session)
            await other.say("round and round")
        await stage.alice.say("hello again")
        assert (await stage.inbox.next()).text == "hello again"


async def test_a_stop_is_heard_while_the_disk_hangs(stage: Stage) -> None:
    async with stage.online():
        stage.inbox.may_go.clear()
        stage.inbox.offered.clear()
        await stage.bob.say("one")
        async with asyncio.timeout(SOON_S):
            await stage.inbox.offered.wait()
            await stage.bob.say("!stop all")
            await stage.inbox.until_hurried("!stop all")
        stage.inbox.may_go.set()
        assert [(await stage.inbox.next()).text for _ in range(2)] == ["one", "!stop all"]


async def test_unsubscribed_the_bot_is_spoken_to_directly(stage: Stage) -> None:
    async with stage.online():
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents"]})
        await stage.alice.say("@**tocsin** status")
        assert (await stage.inbox.next()).place == TO_ALICE


async def test_a_key_that_is_refused_ends_the_bridge_and_says_so(stage: Stage) -> None:
    stage.world.realm.users[TOCSIN].key = "another" * 4 + "0000"
    bridge = stage.bridge()
    waiting = asyncio.create_task(bridge.send(says("hello"), key="one"))
    with pytest.raises(OutOfService, match="does not take the bot's key"):
        await bridge.run()
    assert not bridge.health().ready
    assert "key" in bridge.health().what
    with pytest.raises(Unreachable):
        await waiting


async def test_a_key_that_is_taken_away_later_ends_the_bridge_too(stage: Stage) -> None:
    bridge = stage.bridge()
    running = asyncio.create_task(bridge.run())
    await stage.until_heard(running)
    stage.world.realm.users[TOCSIN].key = "another" * 4 + "0000"
    await stage.hand("events", do="beat")
    with pytest.raises(OutOfService):
        await running


async def test_after_a_move_to_another_server_nothing_is_taken_for_known(stage: Stage) -> None:
    other = '{"site": "https://elsewhere", "queue": "q", "last": 5, "newest": 100000, "first": 5}'
    await stage.inbox.accept([], cursor=other)
    async with stage.online():
        await stage.bob.say("one")
        assert (await stage.inbox.next()).text == "one"


def asked(stage: Stage, method: str, path: str) -> int:
    return sum(each.method == method and each.path.endswith(path) for each in stage.world.requests)


def form(words: str) -> dict[str, str]:
    return {"type": "stream", "to": "incidents", "topic": "topic", "content": words}


def says_answer(place: Place, event: str) -> Post:
    return says("an answer", place, reply_to=event)
