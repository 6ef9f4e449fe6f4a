"""A homeserver that takes few messages at once, as most do: what is urgent goes first, and nothing is lost."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.bridge import Health
from bot.outgoing import Outgoing
from bot.store import Tx, outbox
from bot.words.document import document
from bot.words.errors import Unreachable
from bot.words.message import Lane, Place, Post
from bridges.matrix.bridge import MatrixBridge
from demo.homeserver import Homeserver
from demo.stage import SOON_S, Stage

FEW = {"per_second": 2, "burst_count": 3}
ANSWERS = [f"answer {number}" for number in range(9)]


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with Homeserver(tmp_path / "homeserver", rc_message=FEW) as homeserver:
        (own := tmp_path / "stage").mkdir()
        async with Stage.built(homeserver, own) as stage:
            yield stage


class Held:
    """The way to a bridge, on which the first refusal is held until a test lets it go on."""

    def __init__(self, bridge: MatrixBridge) -> None:
        self._bridge = bridge
        self.refused = asyncio.Event()
        self.go_on = asyncio.Event()

    def health(self) -> Health:
        return self._bridge.health()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, post: Post, *, key: str) -> str:
        try:
            return await self._bridge.send(post, key=key)
        except Unreachable:
            self.refused.set()
            await self.go_on.wait()
            raise


@contextlib.asynccontextmanager
async def going_out(outgoing: Outgoing) -> AsyncGenerator[None]:
    run = asyncio.create_task(outgoing.run())
    try:
        async with asyncio.timeout(3 * SOON_S):
            yield
    finally:
        run.cancel()
        await asyncio.wait([run])


async def test_of_more_than_a_homeserver_takes_the_stop_comes_first_and_all_of_it_comes_once(strict: Stage) -> None:
    async with strict.bot_online() as bot, strict.online(strict.alice) as alice:
        place = Place("matrix", await strict.room_of(alice))
        await alice.say(place.id, "here we are")
        assert (await strict.inbox.next()).text == "here we are"  # so nothing but too much can be refused
        held = Held(bot)
        outgoing = Outgoing("matrix", held, strict.store)

        async def queue(*posts: Post) -> None:
            def write(tx: Tx) -> None:
                for post in posts:
                    outbox.queue(tx, post)

            await strict.store.write(write)
            outgoing.wake()

        def progress(subject: str, done: str) -> Post:
            return Post(place, document(f"{subject}: {done}"), Lane.PROGRESS, subject=subject)

        async with going_out(outgoing):
            await queue(progress("walk", "0 %"))
            begun = await alice.wait_for(lambda heard: heard.body == "walk: 0 %")
            reports = [progress("climb", "0 %"), progress("walk", "30 %"), progress("swim", "0 %")]
            await queue(*reports, *(Post(place, document(each), Lane.ANSWER) for each in ANSWERS))
            await held.refused.wait()
            taken = outgoing.counts["sent"]
            await queue(Post(place, document("STOPPED"), Lane.STOP), progress("walk", "90 %"))
            held.go_on.set()
            await alice.wait_for(lambda heard: heard.body == "swim: 0 %")
            await outgoing.until_idle()
            await queue(Post(place, document("the end"), Lane.WITNESS))
            await alice.wait_for(lambda heard: heard.body == "the end")

        before, after = ["walk: 0 %", *ANSWERS][:taken], ["walk: 0 %", *ANSWERS][taken:]
        assert after, "the homeserver took all of it"
        rest = ["climb: 0 %", "walk: 90 %", "swim: 0 %", "the end"]
        assert [heard.body for heard in alice.heard] == [*before, "STOPPED", *after, *rest]
        assert {heard.body: heard.edits for heard in alice.heard if heard.edits} == {"walk: 90 %": begun.event}
        assert await strict.store.read(outbox.waiting_at) == []
        assert outgoing.counts["failed"] == 0
