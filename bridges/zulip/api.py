"""A Zulip server, as far as the bridge needs it: endpoints with typed results, each within what the server takes."""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import io
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import aiohttp

from bot.private import Secret
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane
from bridges.zulip import answers
from bridges.zulip.answers import Json, decoded, read
from bridges.zulip.budget import LAST_LANE, EventBudget, WebBudget
from bridges.zulip.client import AGENT, Answer, Client
from bridges.zulip.fetching import Fetcher
from bridges.zulip.rules import Rules

IDLE_S = 3600
EVENT_TYPES = (
    "message",
    "update_message",
    "delete_message",
    "reaction",
    "subscription",
    "stream",
    "realm",
    "realm_user",
)
FETCHED = ("message", "subscription", "realm")
LARGEST_TABLE = 4 * 1024 * 1024
P = TypeVar("P", bound=answers.Part)
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
    """A file with a name."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name = name


class Api:
    """The endpoints that the bridge uses, each with a typed result."""

    def __init__(self, client: Client, fetcher: Fetcher) -> None:
        self._client = client
        self._fetcher = fetcher
        self._web = WebBudget()
        self._polls = EventBudget()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, site: str, email: str, key: Secret, counts: "collections.Counter[str]"
    ) -> AsyncGenerator[Self]:
        """A connection that is closed at the end. Nothing is asked yet."""
        # A proxy, or credentials from ~/.netrc, would send what is said elsewhere: trust_env stays off.
        async with aiohttp.ClientSession(headers=AGENT, cookie_jar=aiohttp.DummyCookieJar()) as session:
            client = Client(site, email, key, session, counts)
            yield cls(client, Fetcher(site, client.credentials, session))

    async def profile(self) -> answers.Profile:
        """The bot's own account."""
        return read(answers.Profile, (await self._ask(self._client.get_profile)).body)

    async def person(self, user_id: int, lane: Lane = Lane.ANSWER) -> answers.Person:
        """Somebody's account."""
        return read(answers.Someone, (await self._ask(lambda: self._client.get_user_by_id(user_id), lane)).body).user

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

    async def as_it_stands(self, message_id: int, within_s: float, channel: int | None = None) -> Json | None:
        """One message as it stands now; nothing where it is not to be seen.

        What went away and came back is seen only by who asks in its channel.

        Raises Unreachable where that takes longer, and at once where it is known to: what comes waits for it.
        """
        try:
            async with asyncio.timeout(within_s) as waiting:
                found = (await self._history_in_turn(message_id, channel, waiting)).messages
        except TimeoutError as late:
            raise Unreachable("Zulip does not tell in time.") from late
        return next((each for each in found if each.get("id") == message_id), None)

    async def _history_in_turn(self, message_id: int, channel: int | None, waiting: asyncio.Timeout) -> History:
        """Where the server takes nothing just now, and says so, its turn comes when that is over."""
        narrow = [] if channel is None else [{"operator": "stream", "operand": channel}]
        while True:
            until = waiting.when()
            if until is not None and asyncio.get_running_loop().time() + self._web.wait_s(Lane.TALK) >= until:
                raise Unreachable("Zulip takes few requests for now.")
            try:
                return await self.history(message_id, narrow=narrow, lane=Lane.TALK)
            except Unreachable as error:
                if not error.retry_after:
                    raise

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

    async def move(self, message_id: int, topic: str, lane: Lane) -> None:
        """Put a message of ours into another topic of its channel, without a notice. The same again is refused."""
        quietly = {"send_notification_to_old_thread": False, "send_notification_to_new_thread": False}
        form: Json = {"message_id": message_id, "topic": topic, "propagate_mode": "change_one", **quietly}
        await self._ask(lambda: self._client.update_message(form), lane)

    async def upload(self, name: str, data: bytes, lane: Lane) -> str:
        """Put a file there and return its address on the server."""
        answer = await self._ask(lambda: self._client.upload_file(_File(name, data)), lane)
        return read(answers.Uploaded, answer.body).url

    async def file(self, reference: str, most: int) -> bytes:
        """What is in a file that somebody put there: at most so many bytes, else NetworkError."""
        return await self._fetcher.file(reference, most)

    async def react(self, message_id: int, form: Json, lane: Lane) -> None:
        """Show an emoji beside a message. The same again is refused."""
        await self._ask(lambda: self._client.add_reaction({"message_id": message_id, **form}), lane)

    async def react_no_more(self, message_id: int, form: Json, lane: Lane) -> None:
        """Take one back. The same again is refused."""
        await self._ask(lambda: self._client.remove_reaction({"message_id": message_id, **form}), lane)

    async def delete(self, message_id: int, lane: Lane) -> None:
        """Take a message of ours away. The same again is refused."""
        await self._ask(lambda: self._client.delete_message(message_id), lane)

    async def rules(self, lane: Lane) -> Rules:
        """What the organization lets be done."""
        return await self._told_at_once(Rules, lane)

    def requests_a_minute(self) -> int:
        """How many the server takes, as it has told in its last answer."""
        return self._web.limit

    async def _told_at_once(self, part: type[P], lane: Lane) -> P:
        """What of the realm only a new queue tells. Nobody listens at it, so it is gone at once."""
        new = functools.partial(self._client.register, [], fetch_event_types=["realm"])
        body = (await self._ask(new, lane)).body
        queue = read(answers.Queue, body).queue_id
        with contextlib.suppress(NetworkError):  # it ends by itself
            await self._ask(lambda: self._client.deregister(queue), lane)
        return await asyncio.to_thread(read, part, body)

    async def emoji(self, lane: Lane) -> Mapping[str, str]:
        """The server's own name for each emoji that is a character, by its code. Where it stands, a new queue tells."""
        told = await self._told_at_once(answers.EmojiTold, lane)
        if not told.server_emoji_data_url:
            raise NetworkError("This Zulip server does not tell which emoji it knows.")
        raw = await self._fetcher.published(told.server_emoji_data_url, LARGEST_TABLE)
        table = await asyncio.to_thread(lambda: read(answers.EmojiTable, decoded(raw)))
        return {code: names[0] for code, names in table.code_to_names.items() if names}

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
