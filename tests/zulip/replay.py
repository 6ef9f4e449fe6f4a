"""Plays a recording against a stand-in: the same requests by the same people, in the same order."""

import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.zulip.lab import credentials
from tests.zulip.left_out import BEFORE, is_left_out
from tests.zulip.likeness import Likeness
from tests.zulip.openapi import Schemas
from tests.zulip.recording import Exchange, read
from tests.zulip.things import Json, is_object
from tests.zulip.told import Told
from tests.zulip.world import World

PATIENCE = aiohttp.ClientTimeout(total=10)
PAUSE_S = 120
"""The stand-in's clock goes on by so much between two recordings."""
_IN_A_PATH = re.compile(r"(?<=/messages/)\d+")
_NOT_A_KEY = "f" * 32


@dataclass(frozen=True)
class Answered:
    """What the stand-in said to one recorded request."""

    exchange: Exchange
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Replay:
    world: World
    session: aiohttp.ClientSession
    schemas: Schemas
    likeness: Likeness = field(default_factory=Likeness)
    token: str = ""

    def __post_init__(self) -> None:
        self.likeness.strings["@BASE@"] = self.world.url

    async def play(self, name: str) -> list[str]:
        """All differences between this recording and the stand-in, which goes on from where it is."""
        self.world.clock.ahead += PAUSE_S
        exchanges = [each for each in read(name) if not is_left_out(name, each.step)]
        told = Told(self.likeness, self.schemas)
        found: list[str] = []
        prepared: set[str] = set()
        for exchange in exchanges:
            if exchange.events:
                told.hear(exchange)
                continue
            if (name, exchange.step) in BEFORE and exchange.step not in prepared:
                prepared.add(exchange.step)
                BEFORE[name, exchange.step](self.world)
            answered = await self._ask(exchange)
            self._learn(answered)
            found += self._differences(answered)
        for queue, who in told.queues():
            found += told.differences(queue, await self._drain(queue, who))
        return found

    async def _ask(self, exchange: Exchange) -> Answered:
        params = {name: self._own_value(name, value) for name, value in exchange.asked.get("params", {}).items()}
        async with self.session.request(
            exchange.method,
            self.world.url + self._own_path(exchange.path),
            params=params,
            data=self._form(exchange),
            headers=self._headers(exchange),
            allow_redirects=False,
            timeout=PATIENCE,
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            raw = await answer.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = raw.decode("utf-8", "replace")
        return Answered(exchange, answer.status, headers, body)

    def _learn(self, answered: Answered) -> None:
        """Which id or address of the stand-in stands for which of the recording."""
        there, here = answered.exchange.body, answered.body
        if not is_object(there) or not is_object(here):
            return
        for name in ("queue_id", "url"):
            if there.get(name) and here.get(name):
                self.likeness.strings[there[name]] = here[name]
        if "temporary" in here.get("url", ""):
            self.token = here["url"].split("/")[3]
        if answered.exchange.path.endswith("/messages") and "id" in there and "id" in here:
            self.likeness.messages[there["id"]] = here["id"]

    def _differences(self, answered: Answered) -> list[str]:
        exchange = answered.exchange
        self.likeness.with_html = True
        found = self.likeness.headers(exchange.headers, answered.headers) if exchange.headers else []
        if exchange.status != answered.status:
            found.append(f"{exchange.status} in the recording, {answered.status} here: {str(answered.body)[:300]}")
        elif is_object(exchange.body) and not {"@text", "@bytes"} & set(exchange.body):
            found += self.likeness.differences(_comparable(exchange), answered.body)
            path = exchange.path.removeprefix("/api/v1")
            recorded = {key: value for key, value in exchange.body.items() if not key.startswith("@")}
            if not self.schemas.faults(exchange.method, path, exchange.status, recorded):
                found += self.schemas.faults(exchange.method, path, answered.status, answered.body)
        return [f"{exchange.step}: {each}" for each in found]

    async def _drain(self, queue: str, who: str) -> list[Json]:
        asked = {"params": {"queue_id": queue, "last_event_id": "-1", "dont_block": "true"}}
        answered = await self._ask(Exchange("", who, "GET", "/api/v1/events", asked, 200, {}, None, events=True))
        return answered.body["events"]

    def _form(self, exchange: Exchange) -> Any:
        if "raw" in exchange.asked:
            return exchange.asked["raw"]
        if "files" in exchange.asked:
            return _multipart(exchange.asked["files"])
        return {name: self._own_value(name, value) for name, value in exchange.asked.get("form", {}).items()} or None

    def _own_path(self, path: str) -> str:
        path = self.likeness.own(path.replace("@TMPTOKEN@", self.token))
        return _IN_A_PATH.sub(lambda found: str(self.likeness.messages.get(int(found[0]), found[0])), path)

    def _own_value(self, name: str, value: str) -> str:
        value = self.likeness.own(value)
        for user in self.world.realm.users.values():
            value = value.replace(f"@KEY:{user.full_name}@", user.key)
        if name in {"anchor", "messages"} or '"id"' in value:
            known = self.likeness.messages
            return re.sub(r"\d+", lambda found: str(known.get(int(found[0]), found[0])), value)
        return value

    def _headers(self, exchange: Exchange) -> dict[str, str]:
        name, _, fault = exchange.who.split("(")[0].partition("/")
        headers = {"User-Agent": "python-requests/2"} | exchange.asked.get("request_headers", {})
        if name == "anon":
            return headers
        people = {re.split("[-@]", user.email)[0]: user for user in self.world.realm.users.values()}
        email, key = people[name].email, people[name].key
        if fault == "wrong-key":
            key = "short" if exchange.step == "short-key" else _NOT_A_KEY
        elif fault == "wrong-email":
            email = "nobody@lab.test"
        elif fault == "bobs-key":
            key = people["bob"].key
        return headers | {"Authorization": credentials(email, key)}


def _comparable(exchange: Exchange) -> Json:
    """Of /register's many keys the stand-in tells only some."""
    return exchange.body | {"@trimmed": True} if exchange.path.endswith("/register") else exchange.body


def _multipart(files: Json) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, file in files.items():
        data = file["text"].encode() if "text" in file else bytes(file["size"])
        if file["filename"] is None:
            form.add_field(name, data.decode(), content_type="text/plain; charset=utf-8")
        else:
            form.add_field(name, io.BytesIO(data), filename=file["filename"], content_type=file["type"])
    return form
