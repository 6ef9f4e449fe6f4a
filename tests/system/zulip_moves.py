"""What people do to messages in tests of moves, and how the bot has heard of it."""

import asyncio

from bot.store import Tx, said
from bot.store.said import Said
from bot.words.message import Lane, Place
from bridges.zulip.bridge import ZulipBridge
from tests.system.zulip_stage import SOON_S, TOPIC, Stage, says
from tests.zulip.lab import INCIDENTS, TOCSIN

ELSEWHERE = Said(Place("matrix", "!room:localhost"), "$one")


class Watch:
    """Alice's own queue: she sees what is moved."""

    def __init__(self, stage: Stage, queue: str) -> None:
        self._stage = stage
        self._queue = queue
        self._last = -1

    async def moved_by_the_bot(self) -> list[int]:
        """The messages that the bot moves next."""
        async with asyncio.timeout(SOON_S):
            while True:
                events = (await self._stage.alice.poll(self._queue, self._last, wait=True)).body["events"]
                for event in events:
                    self._last = event["id"]
                    if event["type"] == "update_message" and event["user_id"] == TOCSIN:
                        return event["message_ids"]


def topic(name: str, channel: int = INCIDENTS) -> Place:
    """The place of a topic."""
    return Place("zulip", f"{channel}/{name}")


async def change(stage: Stage, number: int, **form: object) -> None:
    """Bob edits a message, or alice moves it, without a notice."""
    person = stage.bob if "content" in form else stage.alice
    quietly = {} if "content" in form else {"send_notification_to_new_thread": False}
    assert (await person.ask("PATCH", f"/messages/{number}", {**quietly, **form})).status == 200


async def heard(stage: Stage, words: str, name: str = "topic") -> tuple[int, str]:
    """The id of a message of bob that the bot has heard, and its event."""
    number: int = (await stage.bob.say(words, topic=name)).body["id"]
    message = await stage.inbox.next()
    assert message.text == words
    return number, message.event


async def copied(stage: Stage, bridge: ZulipBridge, place: Place = TOPIC) -> int:
    """The id of a copy of something that was said elsewhere."""
    event = await bridge.send(says("a copy", place, lane=Lane.TALK), key=f"copy in {place}")

    def link(tx: Tx) -> None:
        said.link(tx, Said(place, event), ELSEWHERE)

    await stage.store.write(link)
    return int(event)


def topic_of(stage: Stage, event: str | int) -> str:
    """How the topic is spelled in which a message is on the server."""
    return stage.world.realm.messages[int(event)].topic
