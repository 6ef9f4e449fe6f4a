"""Quirks of a real server that the recordings cannot show step by step: limits, polls that wait, writers at once."""

import asyncio
from typing import Any

from tests.zulip.client import Person, Said
from tests.zulip.lab import BOB, TOCSIN
from tests.zulip.world import World

STOCK_LIMIT = 200


def told(said: Said) -> list[Any]:
    return [event["message"]["content"] for event in said.body["events"] if event["type"] == "message"]


async def test_the_201st_request_of_a_minute_is_refused_with_a_wait_in_fractions_of_seconds(tocsin: Person) -> None:
    for _ in range(STOCK_LIMIT):
        assert (await tocsin.ask("GET", "/users/me")).status == 200
    refused = await tocsin.ask("GET", "/users/me")
    assert refused.status == 429
    assert refused.body["code"] == "RATE_LIMIT_HIT"
    assert isinstance(refused.body["retry-after"], float)
    assert float(refused.headers["retry-after"]) == refused.body["retry-after"]
    assert refused.headers["x-ratelimit-remaining"] == "0"


async def test_hammering_does_not_prolong_the_wait(world: World, tocsin: Person) -> None:
    world.limits.requests = 2
    await tocsin.say("one")
    await tocsin.say("two")
    first = await tocsin.say("three")
    last = await tocsin.say("three")
    assert first.status == last.status == 429
    assert last.body["retry-after"] < first.body["retry-after"]
    world.clock.ahead += last.body["retry-after"]
    assert (await tocsin.say("three")).status == 200


async def test_the_event_server_has_a_bucket_of_its_own_that_leaks(world: World, tocsin: Person, bob: Person) -> None:
    queue = await tocsin.register("message")
    for _ in range(STOCK_LIMIT - 1):
        await tocsin.ask("GET", "/users/me")
    assert (await tocsin.ask("GET", "/users/me")).status == 429
    said = await tocsin.poll(queue)
    while said.status == 200:
        said = await tocsin.poll(queue)
    assert said.status == 429
    assert 0 < said.body["retry-after"] <= 60 / STOCK_LIMIT
    assert (await bob.ask("GET", "/users/me")).status == 200
    world.clock.ahead += said.body["retry-after"]
    assert (await tocsin.poll(queue)).status == 200


async def test_a_poll_that_waited_counts_twice(world: World, tocsin: Person, bob: Person) -> None:
    queue = await tocsin.register("message")
    before = int((await tocsin.poll(queue)).headers["x-ratelimit-remaining"])
    waiting = asyncio.create_task(tocsin.poll(queue, wait=True))
    await world.queues.until_heard_by(TOCSIN)
    await bob.say("wake up")
    said = await waiting
    assert told(said) == ["wake up"]
    assert said.body["queue_id"] == queue
    assert "x-ratelimit-remaining" not in said.headers
    after = await tocsin.poll(queue, 0)
    assert int(after.headers["x-ratelimit-remaining"]) == before - 3


async def test_the_same_post_twice_is_two_messages_and_both_come_back(tocsin: Person) -> None:
    queue, other = await tocsin.register("message"), await tocsin.register("message")
    for _ in range(2):
        assert (await tocsin.say("once?", queue_id=queue, local_id="7")).status == 200
    mine, others = (await tocsin.poll(queue)).body["events"], (await tocsin.poll(other)).body["events"]
    assert [event["local_message_id"] for event in mine] == ["7", "7"]
    assert mine[0]["message"]["id"] != mine[1]["message"]["id"]
    assert [event.get("local_message_id") for event in others] == [None, None]


async def test_a_second_poll_sends_the_first_away_with_nothing(world: World, tocsin: Person, bob: Person) -> None:
    queue = await tocsin.register("message")
    first = asyncio.create_task(tocsin.poll(queue, wait=True))
    await world.queues.until_heard_by(TOCSIN)
    second = asyncio.create_task(tocsin.poll(queue, wait=True))
    assert (await first).body["events"] == []
    await world.queues.until_heard_by(TOCSIN)
    await bob.say("for the second")
    assert told(await second) == ["for the second"]


async def test_the_end_of_a_queue_sends_its_poll_away(world: World, tocsin: Person) -> None:
    queue = await tocsin.register("message")
    waiting = asyncio.create_task(tocsin.poll(queue, wait=True))
    await world.queues.until_heard_by(TOCSIN)
    assert (await tocsin.ask("DELETE", "/events", {"queue_id": queue})).status == 200
    assert (await waiting).body["events"] == []
    assert (await tocsin.poll(queue)).body["code"] == "BAD_EVENT_QUEUE_ID"


async def test_a_poll_that_waits_survives_the_end_of_its_account(world: World, alice: Person, bob: Person) -> None:
    queue = await bob.register("message")
    waiting = asyncio.create_task(bob.poll(queue, wait=True))
    await world.queues.until_heard_by(BOB)
    assert (await alice.ask("DELETE", f"/users/{BOB}")).status == 200
    refused = await bob.poll(queue)
    assert (refused.status, refused.body["msg"]) == (401, "Account is deactivated")
    assert not waiting.done()
    waiting.cancel()


async def test_a_queue_that_nobody_polls_ends_after_ten_minutes_or_when_it_was_asked_to(
    world: World, tocsin: Person
) -> None:
    usual = await tocsin.register("message")
    longer = await tocsin.register("message", queue_lifespan_secs=3600)
    world.clock.ahead += 570
    assert (await tocsin.poll(usual)).status == 200
    world.clock.ahead += 675
    assert (await tocsin.poll(usual)).body["code"] == "BAD_EVENT_QUEUE_ID"
    assert (await tocsin.poll(longer)).status == 200


async def test_with_several_writers_ids_arrive_out_of_order(world: World, tocsin: Person, bob: Person) -> None:
    queue = await tocsin.register("message")
    world.teller.disorder = True
    sent = [(await bob.say(str(number))).body["id"] for number in range(4)]
    events = (await tocsin.poll(queue)).body["events"]
    assert [event["message"]["id"] for event in events] == [sent[1], sent[0], sent[3], sent[2]]
    assert [event["id"] for event in events] == [0, 1, 2, 3]


async def test_writers_at_once_lose_nothing(tocsin: Person, bob: Person, alice: Person) -> None:
    queue = await tocsin.register("message")
    writers = [person.say(f"{person.email} {number}") for person in (tocsin, bob, alice) for number in range(7)]
    sent = {said.body["id"] for said in await asyncio.gather(*writers)}
    events = (await tocsin.poll(queue)).body["events"]
    assert len(sent) == 21
    assert {event["message"]["id"] for event in events} == sent


async def test_heartbeats_have_ids_like_all_events(world: World, tocsin: Person) -> None:
    queue = await tocsin.register("message")
    waiting = asyncio.create_task(tocsin.poll(queue, wait=True))
    await world.queues.until_heard_by(TOCSIN)
    world.queues.beat()
    assert (await waiting).body["events"] == [{"type": "heartbeat", "id": 0}]


async def test_strangers_are_sent_to_the_login_and_a_changed_address_fetches_nothing(tocsin: Person) -> None:
    for path, status in (("2/aa/x/report.txt", 302), ("temporary/changed/report.txt", 400)):
        async with tocsin.session.get(f"{tocsin.url}/user_uploads/{path}", allow_redirects=False) as answer:
            assert answer.status == status


async def test_what_was_never_given_to_somebody_counts_as_read_long_ago(tocsin: Person, bob: Person) -> None:
    await bob.say("nobody told the bot", to="unsubbed")
    form = {"anchor": "newest", "num_before": 1, "num_after": 0, "narrow": [["channel", "unsubbed"]]}
    found = (await tocsin.ask("GET", "/messages", form)).body["messages"]
    assert found[0]["flags"] == ["read", "historical"]
