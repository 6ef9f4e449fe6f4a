"""A Zulip server, as far as the bridge needs it: endpoints with typed results, each within what the server takes."""

import asyncio
import collections
import contextlib
import dataclasses
import io
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from typing import Any, Self, cast

import aiohttp

from bot import __version__
from bot.private import Secret
from bot.words.errors import Unreachable
from bot.words.message import Lane
from bridges.zulip import answers
from bridges.zulip.answers import Json, read
from bridges.zulip.budget import LAST_LANE, EventBudget, WebBudget
from bridges.zulip.client import Answer, Client

IDLE_S = 3600
EVENT_TYPES = ("message", "update_message", "delete_message", "subscription", "stream", "realm", "realm_user")
FETCHED = ("message", "subscription", "realm")
CAPABILITIES = {"notification_settings_null": True, "bulk_message_deletion": True}


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """A batch of a queue."""

    events: Sequence[Json]
    answer: Answer


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """Messages that were read back."""

    messages: Sequence[Json]
    found_oldest: bool
    found_newest: bool
    answer: Answer


def _awaitable(passed_on: object) -> Awaitable[Answer]:
    """The package's functions say that they give a dictionary. They pass on what `do_api_query` gives them."""
    return cast("Awaitable[Answer]", passed_on)


class _File(io.BytesIO):
    """A picture with a name."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name = name


class Api:
    """The endpoints that the bridge uses, each with a typed result."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._web = WebBudget()
        self._polls = EventBudget()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, site: str, email: str, key: Secret, counts: "collections.Counter[str]"
    ) -> AsyncGenerator[Self]:
        """A connection that is closed at the end. Nothing is asked yet."""
        # A proxy, or credentials from ~/.netrc, would send what is said elsewhere: trust_env stays off.
        async with aiohttp.ClientSession(
            headers={"User-Agent": f"Tocsin/{__version__}"}, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            yield cls(Client(site, email, key, session, counts))

    async def profile(self) -> answers.Profile:
        """The bot's own account."""
        return read(answers.Profile, (await self._ask(self._client.get_profile)).body)

    async def person(self, user_id: int) -> answers.Person:
        """Somebody's account."""
        return read(answers.Someone, (await self._ask(lambda: self._client.get_user_by_id(user_id))).body).user

    async def subscriptions(self) -> Sequence[answers.Channel]:
        """The channels that the bot is in."""
        answer = await self._ask(self._client.get_subscriptions)
        return read(answers.Subscriptions, answer.body).subscriptions

    async def topics(self, channel_id: int, lane: Lane) -> Sequence[str]:
        """The names of a channel's topics, the one with the newest message first."""
        answer = await self._ask(lambda: self._client.get_stream_topics(channel_id), lane)
        return [topic.name for topic in read(answers.Topics, answer.body).topics]

    async def register(self) -> answers.Registered:
        """A new queue."""
        answer = await self._ask(
            lambda: self._client.register(
                EVENT_TYPES,
                fetch_event_types=FETCHED,
                apply_markdown=False,
                client_capabilities=CAPABILITIES,
                queue_lifespan_secs=IDLE_S,
                idle_queue_timeout=IDLE_S,
            )
        )
        return await asyncio.to_thread(read, answers.Registered, answer.body)

    async def events(self, queue: str, last: int) -> Events:
        """Wait for events after this one, which is acknowledged by asking."""
        await self._polls.turn()
        answer = await _awaitable(self._client.get_events(queue_id=queue, last_event_id=last))
        self._polls.told(answer.headers)
        return Events(read(answers.Batch, answer.body).events, answer)

    async def history(
        self,
        anchor: int,
        *,
        before: int = 0,
        after: int = 0,
        narrow: Iterable[Mapping[str, object]] = (),
        lane: Lane = Lane.ANSWER,
    ) -> History:
        """Messages around one, the oldest first, as they stand now."""
        asked = {
            "anchor": anchor,
            "num_before": before,
            "num_after": after,
            "narrow": list(narrow),
            "apply_markdown": False,
        }
        answer = await self._ask(lambda: self._client.get_messages(asked), lane)
        page = read(answers.Page, answer.body)
        return History(page.messages, page.found_oldest, page.found_newest, answer)

    async def say_in_topic(self, channel_id: int, topic: str, content: str, lane: Lane) -> int:
        """Post into a topic. The same again is a second message."""
        return await self._say({"type": "stream", "to": channel_id, "topic": topic, "content": content}, lane)

    async def say_to(self, people: Sequence[int], content: str, lane: Lane) -> int:
        """Post to people directly. The same again is a second message."""
        return await self._say({"type": "direct", "to": [*people], "content": content}, lane)

    async def _say(self, form: Json, lane: Lane) -> int:
        return read(answers.Sent, (await self._ask(lambda: self._client.send_message(form), lane)).body).id

    async def edit(self, message_id: int, content: str, lane: Lane) -> None:
        """Give a message of ours other words. The same again changes nothing."""
        await self._ask(lambda: self._client.update_message({"message_id": message_id, "content": content}), lane)

    async def upload(self, name: str, data: bytes, lane: Lane) -> str:
        """Put a picture there and return its address on the server."""
        answer = await self._ask(lambda: self._client.upload_file(_File(name, data)), lane)
        return read(answers.Uploaded, answer.body).uri

    async def typing(self, form: Json) -> None:
        """Show that the bot is at work, or that it is done."""
        await self._ask(lambda: self._client.set_typing_status(form), LAST_LANE)

    async def _ask(self, request: Any, lane: int = Lane.ANSWER) -> Answer:
        await self._web.turn(lane)
        try:
            answer = await _awaitable(request())
        except Unreachable as error:
            if error.retry_after:
                self._web.closed(error.retry_after)
            raise
        self._web.told(answer.headers)
        return answer
