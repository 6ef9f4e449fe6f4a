"""Answers in Zulip: who quotes a message answers it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import said
from bot.store.said import Said
from bot.words.message import Lane, Message, Place
from tests.system.zulip_stage import TOPIC, Stage, says, staged
from tests.zulip.client import Person
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.linked.append(TOPIC)
        yield stage


def quoting(stage: Stage, who: str, number: int, words: str, site: str | None = None) -> str:
    """As Zulip's apps begin an answer."""
    site = stage.world.url if site is None else site
    link = f"{site}/#narrow/channel/{INCIDENTS}-incidents/topic/topic/near/{number}"
    return f"@_**{who}** [said]({link}):\n```quote\nwhat was said\n```\n{words}"


async def answer(stage: Stage, who: Person, content: str, topic: str = "topic") -> Message:
    await who.say(content, topic=topic)
    return await stage.inbox.next()


async def test_an_answer_to_what_somebody_said_is_known_by_its_event(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.bob.say("the lamp is on")).body["id"]
        first = await stage.inbox.next()
        message = await answer(stage, stage.alice, quoting(stage, f"bob|{BOB}", number, "I see it"))
    assert (message.text, message.replies_to) == ("I see it", first.event)
    async with stage.online():  # what was said is on disk
        message = await answer(stage, stage.alice, quoting(stage, f"bob|{BOB}", number, "still"))
    assert (message.text, message.replies_to) == ("still", first.event)


async def test_an_answer_to_a_copy_leads_to_what_the_copy_is_of(stage: Stage) -> None:
    elsewhere = Said(Place("matrix", "!room:localhost"), "$one")
    async with stage.online() as bridge:
        event = await bridge.send(says("a copy", lane=Lane.TALK), key="one")
        await stage.store.write(lambda tx: said.link(tx, Said(TOPIC, event), elsewhere))
        message = await answer(stage, stage.alice, quoting(stage, f"tocsin|{TOCSIN}", int(event), "yes"))
    assert message.text == "yes"
    assert await stage.store.read(lambda tx: said.origin_of(tx, Said(message.place, message.replies_to))) == elsewhere


async def test_what_was_said_in_another_topic_can_be_answered_and_others_look_whether_it_is_one_conversation(
    stage: Stage,
) -> None:
    stage.linked.append(Place("zulip", f"{INCIDENTS}/another"))
    async with stage.online():
        number = (await stage.bob.say("elsewhere", topic="another")).body["id"]
        first = await stage.inbox.next()
        message = await answer(stage, stage.alice, quoting(stage, f"bob|{BOB}", number, "I see it"))
    assert message.replies_to == first.event


async def test_a_quotation_that_links_another_server_is_no_answer(stage: Stage) -> None:
    content = ""
    async with stage.online():
        number = (await stage.bob.say("the lamp is on")).body["id"]
        await stage.inbox.next()
        content = quoting(stage, f"bob|{BOB}", number, "I see it", "https://there.test")
        message = await answer(stage, stage.alice, content)
    assert (message.text, message.replies_to) == (content, "")


async def test_what_is_said_to_a_quotation_may_be_said_to_the_bot(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.bob.say("the lamp is on")).body["id"]
        await stage.inbox.next()
        stop = await answer(stage, stage.bob, quoting(stage, f"bob|{BOB}", number, "!stop all"))
        named = await answer(stage, stage.bob, quoting(stage, f"bob|{BOB}", number, "@**tocsin** status"))
        quoted = await answer(
            stage, stage.bob, quoting(stage, f"alice|{ALICE}", number, "no").replace("what was", "!stop all")
        )
    assert (stop.text, stop.addressed) == ("!stop all", False)
    assert (named.text, named.addressed) == ("status", True)
    assert quoted.text == "no"


async def test_who_writes_is_told_by_name_and_what_was_said_elsewhere_is_apart(stage: Stage) -> None:
    async with stage.online():
        here = await answer(stage, stage.bob, "hello")
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["Störung / Netz"]})
        await stage.bob.say("@**tocsin** status", to="Störung / Netz")
        there = await stage.inbox.next()
    assert (here.called, here.apart) == ("bob", False)
    assert (there.called, there.apart) == ("bob", True)


async def test_an_edited_answer_is_told_without_its_quotation(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.bob.say("the lamp is on")).body["id"]
        await stage.inbox.next()
        own = (await stage.alice.say(quoting(stage, f"bob|{BOB}", number, "I see it"))).body["id"]
        await stage.inbox.next()
        content = quoting(stage, f"bob|{BOB}", number, "I saw it")
        await stage.alice.ask("PATCH", f"/messages/{own}", {"content": content})
        assert (await stage.inbox.next_change()).text == "I saw it"
