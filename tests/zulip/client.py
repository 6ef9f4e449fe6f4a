"""A person at the stand-in, as tests need one: asks, and shows what came back. It repeats nothing."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.zulip.lab import credentials
from tests.zulip.things import Json, User
from tests.zulip.world import World

OK = 200


@dataclass(frozen=True)
class Said:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Person:
    url: str
    email: str
    key: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, form: Json | None = None, root: str = "/api/v1") -> Said:
        """The form is sent in the body, or in the address of a GET. Lists and booleans go as JSON."""
        sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (form or {}).items()}
        async with self.session.request(
            method,
            self.url + root + path,
            params=sent if method == "GET" else None,
            data=None if method == "GET" else sent,
            headers={"Authorization": credentials(self.email, self.key)},
            allow_redirects=False,
        ) as answer:
            raw = await answer.read()
            body = json.loads(raw) if answer.content_type == "application/json" else raw
            return Said(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)

    async def say(self, content: str, topic: str = "topic", to: str = "incidents", **more: str) -> Said:
        form = {"type": "stream", "to": to, "topic": topic, "content": content}
        return await self.ask("POST", "/messages", form | more)

    async def put(self, name: str, content: bytes) -> str:
        """Where a file is now."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", content, filename=name)
        asked = {"Authorization": credentials(self.email, self.key)}
        async with self.session.post(f"{self.url}/api/v1/user_uploads", data=form, headers=asked) as answer:
            return (await answer.json())["url"]

    async def register(self, *event_types: str, **more: Any) -> str:
        form = {"event_types": list(event_types), "fetch_event_types": [], "apply_markdown": False}
        return (await self.ask("POST", "/register", form | more)).body["queue_id"]

    async def poll(self, queue: str, last: int = -1, *, wait: bool = False) -> Said:
        form = {"queue_id": queue, "last_event_id": last, "dont_block": not wait}
        return await self.ask("GET", "/events", form)


def person(world: World, session: aiohttp.ClientSession, user_id: int) -> Person:
    user: User = world.realm.users[user_id]
    return Person(world.url, user.email, user.key, session)


async def hand(url: str, session: aiohttp.ClientSession, name: str, /, **asked: Any) -> Json:
    """A test's hand in the stand-in: see `control.py`."""
    async with session.post(f"{url}/stand-in/{name}", json=asked) as answer:
        if answer.status != OK:
            raise ValueError(await answer.text())
        return await answer.json()
