"""Somebody on a topic of MQTT who talks to people on other networks."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from tests.system.conversation import FILE, MAIN, MARK, Item, Seen, View, insist, known, until
from wire.mqtt import Delivery, Link

NAMELESS = "somebody"
LISTED = ("alice", "bob")
"""What people are called whom the bot knows. He is none of them, whatever he says."""
TAKEN_BACK = "(taken back)"
FILE_SAID, SIGN_SAID, SIGN_GONE = "File: ", "Reaction: ", " is taken back"


class OnMqtt:
    """dave: a program that reads along and publishes each thing twice, under one id. Payloads know no reactions."""

    name, network = "dave", "mqtt"

    def __init__(self, link: Link, topic: str) -> None:
        self._link, self._topic = link, topic
        self._called = self.name
        self._heard: list[dict[str, Any]] = []
        self._looks = itertools.count()

    @classmethod
    def at(cls, address: Any, topic: str) -> "OnMqtt":
        """Somebody whose session the broker keeps."""
        mqtt = cls.__new__(cls)
        link = Link(address, "dave", receive=mqtt._receive, session_s=3600, draw=lambda: 0.1)
        mqtt.__init__(link, topic)
        return mqtt

    @property
    def head(self) -> str:
        account = f" {self._called}" if self._called in LISTED else ""  # so that nobody takes him for them
        return f"{self._called} (mqtt{account}, unproven)"

    async def run(self) -> None:
        await self._link.subscribe(self._topic, 1)
        await self._link.run()

    def _receive(self, delivery: Delivery) -> None:
        self._heard.append(orjson.loads(delivery.payload))

    async def write(self, item: Item) -> str:
        fields = {"id": f"dave-{item.number}", "text": item.text}
        if item.replies_to is not None:
            fields["replies_to"] = await known(self, item.replies_to)
        await self._publish(item, fields)
        return fields["id"]

    async def edit(self, item: Item) -> None:
        await self._publish(item, {"id": f"{item.own}-{item.edits}", "text": item.text, "edits": item.own})

    async def remove(self, item: Item) -> None:
        await self._publish(item, {"id": f"{item.own}-gone", "text": "", "edits": item.own})

    async def show(self, item: Item, sign: str) -> str:
        raise NotImplementedError

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        raise NotImplementedError

    async def rename(self, name: str) -> None:
        self._called = name

    async def _publish(self, item: Item, fields: Mapping[str, str]) -> None:
        """Under the name that he had when he said it. Who has none says none."""
        name = item.head.partition(" (")[0]
        whole = fields if name == NAMELESS else {**fields, "from": name}
        for _ in range(2):
            await insist(lambda: self._send(whole))

    async def _send(self, fields: Mapping[str, str]) -> None:
        await self._link.ready()
        await self._link.publish(self._topic, orjson.dumps(fields), qos=1)

    async def finds(self, item: Item) -> str | None:
        if item.network == self.network:
            return item.own
        mark = f"[{item.number}]"
        return next((each["id"] for each in reversed(self._firsts()) if mark in each["text"]), None)

    def reaches(self, topic: str) -> bool:
        del topic
        return True

    def _said(self) -> list[dict[str, Any]]:
        """What the bot has published, each id once."""
        return list({each["id"]: each for each in self._heard if each.get("origin") == "tocsin/tocsin"}.values())

    def _firsts(self) -> list[dict[str, Any]]:
        return [each for each in self._said() if "edits" not in each]

    async def view(self, items: Sequence[Item]) -> View:
        now = {each.get("edits", each["id"]): each for each in self._said()}
        there = [each for each in self._firsts() if now[each["id"]]["text"] != TAKEN_BACK]
        said = [(int(found[1]), each) for each in there if (found := MARK.search(each["text"]))]
        own = {each.own: each.number for each in items if each.network == self.network}
        numbers = {each["id"]: number for number, each in said} | own
        signs: dict[str, set[str]] = {}
        files: dict[int, list[bytes]] = {}
        for each in there:
            words: str = now[each["id"]]["text"]
            if words.startswith(SIGN_SAID) and not words.endswith(SIGN_GONE):
                signs.setdefault(each.get("replies_to", ""), set()).add(words.removeprefix(SIGN_SAID))
            elif (found := FILE.fullmatch(words.removeprefix(FILE_SAID))) is not None:
                files.setdefault(int(found[1]), []).append(found[0].encode())
        copies: dict[int, Seen] = {}
        for number in {number for number, _ in said} | files.keys():
            each = [one for of, one in said if of == number]
            texts = [now[one["id"]]["text"] for one in each]
            shows = frozenset(sign for one in each for sign in signs.get(one["id"], ()))
            answers = numbers.get(each[0].get("replies_to", "")) if each else None
            kept = tuple(files.get(number, ()))
            whole = self._all_of(each)
            heads, topics = frozenset(map(_head, whole)), frozenset(one.get("topic", MAIN) for one in whole)
            copies[number] = Seen(len(each), heads, "".join(texts), shows, answers, kept, topics)
        beside = {number: frozenset(signs.get(id_, ())) for id_, number in own.items()}
        return View(copies, beside, [("", number) for number, _ in said])

    def _all_of(self, firsts: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """What was published of something, with its edits."""
        ids = {each["id"] for each in firsts}
        return [each for each in self._said() if each.get("edits", each["id"]) in ids]

    async def catch_up(self) -> None:
        """Nothing that has an origin like this is taken in by a bot."""
        fields = {"id": f"tocsin-look-{next(self._looks)}", "origin": "tocsin/dave", "text": "This far."}
        await insist(lambda: self._send(fields))

        async def heard() -> bool | None:
            return fields in self._heard or None

        await until(heard, lambda: f"dave does not hear {fields}")


def _head(payload: Mapping[str, Any]) -> str:
    where = f"{payload.get('network')} {payload.get('account', '')}".strip()
    return f"{payload.get('from')} ({where}{', unproven' if payload.get('unproven') else ''})"
