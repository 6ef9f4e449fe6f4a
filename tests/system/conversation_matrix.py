"""Somebody in an encrypted room who talks to people on other networks."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from demo.beside import content, sealed
from demo.operator import Heard, Operator
from tests.system.conversation import FILE, MAIN, MARK, Item, Seen, View, known, parted, until

BEGINNING = re.compile(r"(.+) \(a topic in zulip\)")
BOT = "@tocsin:localhost"


class OnMatrix:
    """alice, whom the bot knows."""

    name, network = "alice", "matrix"
    head = "alice (matrix)"

    def __init__(self, operator: Operator, room: str) -> None:
        self._operator, self._room = operator, room
        self._files: dict[str, bytes] = {}
        self._kept: dict[int, Mapping[str, Any]] = {}
        """Where the files of items are."""

    async def write(self, item: Item) -> str:
        more: dict[str, Any] = {}
        relation: dict[str, Any] = {}
        if item.topic != MAIN:
            root = await self.root(item.topic)
            relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": item.replies_to is None}
        if item.replies_to is not None or relation:
            before = await known(self, item.replies_to) if item.replies_to else relation["event_id"]
            more["m.relates_to"] = {**relation, "m.in_reply_to": {"event_id": before}}
        if item.file is not None:
            self._kept[item.number] = {"file": await sealed(self._operator, item.file)}
        return await self._operator.say(self._room, item.text, **self._content(item), **more)

    async def edit(self, item: Item) -> None:
        new = {"msgtype": "m.text", "body": item.text, **self._content(item)}
        relation = {"rel_type": "m.replace", "event_id": item.own}
        more = {"m.new_content": new, "m.relates_to": relation}
        await self._operator.say(self._room, f"* {item.text}", **self._content(item), **more)

    def _content(self, item: Item) -> dict[str, Any]:
        """What an event says beside the words: the file."""
        if item.file is None:
            return {}
        said = content(item.name, item.file, self._kept[item.number], caption=item.text)
        return {name: value for name, value in said.items() if name != "body"}

    async def remove(self, item: Item) -> None:
        await self._operator.remove(self._room, item.own)

    async def show(self, item: Item, sign: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": await known(self, item), "key": sign}
        return await self._operator.put(self._room, "m.reaction", {"m.relates_to": relation})

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        del item, sign
        await self._operator.remove(self._room, own)

    async def rename(self, name: str) -> None:
        """She is listed, so that nobody sees it elsewhere."""
        path = f"/_matrix/client/v3/profile/{self._operator.user}/displayname"
        await self._operator.connection.request("PUT", path, {"displayname": name})

    async def finds(self, item: Item) -> str | None:
        if item.network == self.network:
            return item.own
        mark = f"[{item.number}]"
        return next((each.event for each in reversed(self._copies()) if mark in each.body), None)

    def reaches(self, topic: str) -> bool:
        return topic == MAIN or topic in self._threads().values()

    async def root(self, topic: str) -> str:
        """The event with which the thread of a topic begins."""

        async def found() -> str | None:
            return next((event for event, name in self._threads().items() if name == topic), None)

        return await until(found, lambda: f"alice sees no thread {topic}: {self._threads()}")

    async def sees_in(self, topic: str, item: Item) -> None:
        """Wait until an item stands in the thread of a topic."""

        async def found() -> bool | None:
            threads = self._threads()
            mine = [each for each in self._copies() if f"[{item.number}]" in each.body]
            return (bool(mine) and threads.get(mine[-1].thread or "", MAIN) == topic) or None

        await until(found, lambda: f"alice does not see {item} in {topic}")

    def _threads(self) -> dict[str, str]:
        """What the threads are called that the bot has begun, by their first events."""
        names: dict[str, str] = {}
        for each in self._operator.heard:
            begun = BEGINNING.fullmatch(each.body.removeprefix("* "))
            if begun is not None and each.room == self._room:
                names[each.edits or each.event] = begun[1]
        return names

    def _copies(self) -> Sequence[Heard]:
        return [each for each in self._operator.heard if each.edits is None and each.room == self._room]

    async def view(self, items: Sequence[Item]) -> View:
        raw = await self._timeline()
        gone = {event["event_id"] for event in raw if "redacted_because" in event.get("unsigned", {})}
        signs = _signs(raw, gone)
        said = [(int(found[1]), each) for each in self._copies() if (found := MARK.search(each.body))]
        sent = [(int(found[1]), each) for each in self._copies() if each.file and (found := FILE.search(each.body))]
        own = {each.own: each.number for each in items if each.network == self.network}
        numbers = {one.event: number for number, one in said} | own
        newest = {each.edits: each.body for each in self._operator.heard if each.edits is not None}
        threads = self._threads()
        copies: dict[int, Seen] = {}
        order: list[tuple[str, int]] = []
        for number in dict.fromkeys(number for number, _ in (*said, *sent)):
            each = [one for of, one in said if of == number]
            there = [one for one in each if one.event not in gone]
            files = [await self._opened(one) for of, one in sent if of == number and one.event not in gone]
            first = (there or each or [one for of, one in sent if of == number])[0]
            head, text = parted(newest.get(first.event, first.body)) if there else ("", "")
            topic = threads.get(first.thread or "", MAIN)
            shows = frozenset(signs.get(first.event, ()))
            answers = numbers.get(first.in_reply_to or "")
            copies[number] = Seen(len(there), frozenset({head}), text, shows, answers, tuple(files), frozenset({topic}))
            order.append((topic, number))
        beside = {number: frozenset(signs.get(event, ())) for event, number in own.items()}
        return View(copies, beside, order)

    async def catch_up(self) -> None:
        path = f"/_matrix/client/v3/rooms/{self._room}/messages?dir=b&limit=1"
        newest = (await self._operator.connection.request("GET", path))["chunk"][0]["event_id"]
        await self._operator.sees(lambda _, each: each.source["event_id"] == newest, f"the last event, {newest}")

    async def _opened(self, file: Heard) -> bytes:
        if file.event not in self._files:
            self._files[file.event] = await self._operator.open(file)
        return self._files[file.event]

    async def _timeline(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        start = ""
        while True:
            path = f"/_matrix/client/v3/rooms/{self._room}/messages?dir=b&limit=500{start}"
            answer = await self._operator.connection.request("GET", path)
            events += answer["chunk"]
            if not answer["chunk"] or "end" not in answer:
                return events
            start = f"&from={answer['end']}"


def _signs(raw: Sequence[Mapping[str, Any]], gone: set[str]) -> dict[str, set[str]]:
    """What the bot shows, by the events beside which it does."""
    signs: dict[str, set[str]] = {}
    for event in raw:
        if event["type"] == "m.reaction" and event["sender"] == BOT and event["event_id"] not in gone:
            relation = event["content"]["m.relates_to"]
            signs.setdefault(relation["event_id"], set()).add(relation["key"])
    return signs
