"""A test's hand in the stand-in: what it breaks is broken as on a real server, and what is kept outlives a kill."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.zulip.client import Person, hand, person
from tests.zulip.lab import ALICE, TOCSIN, key_of
from tests.zulip.program import started
from tests.zulip.world import World


async def messages(who: Person) -> list[str]:
    form = {"anchor": "newest", "num_before": 100, "num_after": 0, "apply_markdown": False}
    return [each["content"] for each in (await who.ask("GET", "/messages", form)).body["messages"]]


async def test_a_connection_that_drops_after_the_post_was_taken_leaves_the_message(
    world: World, session: aiohttp.ClientSession, tocsin: Person
) -> None:
    await hand(world.url, session, "fault", kind="drop_after", method="POST", path=".*/messages")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await tocsin.say("did it arrive?")
    assert await messages(tocsin) == ["did it arrive?"]
    assert (await tocsin.say("again")).status == 200


async def test_a_server_that_hangs_answers_others(
    world: World, session: aiohttp.ClientSession, tocsin: Person, bob: Person
) -> None:
    await hand(world.url, session, "fault", kind="hang_after", method="POST", path=".*/messages")
    hanging = asyncio.create_task(tocsin.say("hello?"))
    queue = await bob.register("message")
    while not (await bob.poll(queue)).body["events"] and not await messages(bob):
        continue
    assert (await bob.say("I am here")).status == 200
    assert not hanging.done()
    hanging.cancel()


@pytest.mark.parametrize(("kind", "left"), [("502_before", []), ("502_after", ["did it arrive?"])])
async def test_a_502_tells_nothing_of_the_post(
    world: World, session: aiohttp.ClientSession, tocsin: Person, kind: str, left: list[str]
) -> None:
    await hand(world.url, session, "fault", kind=kind, method="POST", path=".*/messages")
    said = await tocsin.say("did it arrive?")
    assert (said.status, said.headers["content-type"]) == (502, "text/html")
    assert await messages(tocsin) == left


async def test_a_killed_event_server_has_lost_its_queues(
    world: World, session: aiohttp.ClientSession, tocsin: Person
) -> None:
    queue = await tocsin.register("message")
    waiting = asyncio.create_task(tocsin.poll(queue, wait=True))
    await hand(world.url, session, "listening", **{"as": "tocsin"})
    await hand(world.url, session, "events", do="kill")
    assert (await waiting).status == 502
    assert (await tocsin.ask("POST", "/register")).status == 500
    assert (await tocsin.say("meanwhile")).status == 200
    await hand(world.url, session, "events", do="start")
    assert (await tocsin.poll(queue)).body["code"] == "BAD_EVENT_QUEUE_ID"
    assert await messages(tocsin) == ["meanwhile"]


async def test_a_stopped_event_server_keeps_them(world: World, session: aiohttp.ClientSession, tocsin: Person) -> None:
    queue = await tocsin.register("message", "restart")
    waiting = asyncio.create_task(tocsin.poll(queue, wait=True))
    await hand(world.url, session, "listening", **{"as": "tocsin"})
    await hand(world.url, session, "events", do="stop")
    assert (await waiting).status == 502
    assert (await tocsin.poll(queue)).status == 502
    await tocsin.say("meanwhile")
    await hand(world.url, session, "events", do="start")
    events = (await tocsin.poll(queue)).body["events"]
    assert [event["type"] for event in events] == ["restart", "message"]


async def test_without_the_web_application_events_are_still_told(
    world: World, session: aiohttp.ClientSession, tocsin: Person
) -> None:
    queue = await tocsin.register("message")
    await hand(world.url, session, "web", down=True)
    assert (await tocsin.say("nobody there")).status == 502
    assert (await tocsin.poll(queue)).status == 200


async def test_an_aged_message_can_no_longer_be_edited(
    world: World, session: aiohttp.ClientSession, tocsin: Person
) -> None:
    sent = (await tocsin.say("status")).body["id"]
    assert (await tocsin.ask("PATCH", f"/messages/{sent}", {"content": "new"})).status == 200
    await hand(world.url, session, "age", message_id=sent, seconds=621)
    refused = await tocsin.ask("PATCH", f"/messages/{sent}", {"content": "newer"})
    assert refused.body["msg"] == "The time limit for editing this message has passed"
    await hand(world.url, session, "settings", message_content_edit_limit_seconds=None)
    assert (await tocsin.ask("PATCH", f"/messages/{sent}", {"content": "newer"})).status == 200


async def test_somebody_acts_outside_all_limits(world: World, session: aiohttp.ClientSession, tocsin: Person) -> None:
    await hand(world.url, session, "limits", requests=1)
    queue = await tocsin.register("message")
    for text in ("one", "two"):
        form = {"type": "stream", "to": "incidents", "topic": "t", "content": text}
        await hand(world.url, session, "act", **{"as": "bob", "method": "POST", "path": "/messages", "form": form})
    assert len((await tocsin.poll(queue)).body["events"]) == 2
    assert (await tocsin.say("refused")).status == 429


async def test_new_people_and_channels_are_like_the_others(
    world: World, session: aiohttp.ClientSession, tocsin: Person
) -> None:
    carol = await hand(world.url, session, "person", full_name="carol")
    await hand(world.url, session, "channel", name="night", members=[carol["id"], TOCSIN])
    queue = await tocsin.register("message")
    said = await person(world, session, carol["id"]).say("good evening", to="night")
    assert said.status == 200
    assert (await tocsin.poll(queue)).body["events"][0]["message"]["sender_full_name"] == "carol"


async def test_what_came_in_is_remembered(world: World, session: aiohttp.ClientSession, tocsin: Person) -> None:
    await tocsin.say("hello")
    async with session.get(f"{world.url}/stand-in/requests") as answer:
        requests = (await answer.json())["requests"]
    assert requests == [{"method": "POST", "path": "/api/v1/messages", "who": tocsin.email}]


async def test_messages_outlive_a_kill_and_queues_do_not(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    data = tmp_path / "realm.sqlite"
    async with started(data) as url:
        alice = Person(url, "alice@lab.test", key_of("alice"), session)
        queue = await alice.register("message")
        kept = (await alice.say("kept")).body["id"]
        deleted = (await alice.say("deleted")).body["id"]
        assert (await alice.ask("POST", f"/messages/{kept}/reactions", {"emoji_name": "fire"})).status == 200
        assert (await alice.ask("DELETE", f"/messages/{deleted}")).status == 200
    async with started(data, port=urlsplit(url).port or 0) as again:
        alice = Person(again, "alice@lab.test", key_of("alice"), session)
        assert (await alice.poll(queue)).body["code"] == "BAD_EVENT_QUEUE_ID"
        assert await messages(alice) == ["kept"]
        found = (await alice.ask("GET", f"/messages/{kept}")).body["message"]
        assert [each["user_id"] for each in found["reactions"]] == [ALICE]
        assert (await alice.say("new")).body["id"] > deleted
