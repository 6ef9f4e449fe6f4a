"""Three people on three networks, what they have said, and what of it each of them sees."""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from demo.beside import send_file
from demo.operator import Heard, Operator
from tests.zulip.client import Person as ZulipPerson
from wire.mqtt import Delivery, Link

T = TypeVar("T")

MARK = re.compile(r"\[(\d+)\]")
FILE = re.compile(r"file-(\d+)\.txt")
LINK = re.compile(r"\[file-(\d+)\.txt\]\((/user_uploads/\S+)\)")
MAIN = "lab"
"""The topic of what is of none."""
BEGINNING = re.compile(r"(.+) \(a topic in zulip\)")
SIGNS = {"👍": "thumbs_up", "🎉": "tada", "👀": "eyes"}
AGAIN_S = 0.05
PATIENCE_S = 60.0


@dataclasses.dataclass
class Item:
    """Something that one of them has said."""

    number: int
    author: str
    words: str
    replies_to: "Item | None" = None
    own: str = ""
    """What it is called on its author's network."""
    removed: bool = False
    edits: int = 0
    file: bytes | None = None
    """What is in the file that was sent along."""
    signs: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict[tuple[str, str], str])
    """Who shows what beside it, and what the network calls that."""
    topic: str = MAIN
    """In which it stands now."""
    was_moved: bool = False
    """Alone, so that it is not where its number says any more."""

    @property
    def text(self) -> str:
        """As it is typed."""
        return f"[{self.number}] {self.words}"

    @property
    def name(self) -> str:
        """How the file is called."""
        return f"file-{self.number}.txt"

    def shown_by(self, *people: str) -> set[str]:
        """What these show beside it."""
        return {sign for who, sign in self.signs if who in people}


@dataclasses.dataclass(frozen=True)
class Seen:
    """What of an item one of them sees who has not written it."""

    copies: int
    text: str
    """What stands behind the head. Empty where it is taken back."""
    signs: frozenset[str]
    """What the bot shows beside it."""
    answers: int | None
    """The number of what it answers."""
    file: bytes | None = None
    """What is in the file that came along."""
    topic: str | None = None
    """In which it stands there, where that is to be seen."""


View = Mapping[int, Seen]


class Talker(Protocol):
    """One person at their network."""

    name: str

    async def write(self, item: Item) -> str: ...
    async def edit(self, item: Item) -> None: ...
    async def remove(self, item: Item) -> None: ...
    async def show(self, item: Item, sign: str) -> str: ...
    async def show_no_more(self, item: Item, sign: str, own: str) -> None: ...
    async def view(self, items: Sequence[Item]) -> View: ...
    def order(self) -> Sequence[tuple[str, int]]:
        """What the last view held, each topic in its order."""
        ...

    async def knows(self, item: Item) -> str: ...


async def insist(do: Callable[[], Awaitable[T]]) -> T:
    """Do it again while its server is away."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await do()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(AGAIN_S)


async def until(holds: Callable[[], Awaitable[T | None]], what: Callable[[], str], within_s: float = PATIENCE_S) -> T:
    """Wait until something is there."""
    try:
        async with asyncio.timeout(within_s):
            while (found := await holds()) is None:  # noqa: ASYNC110 - what others see is looked at again and again
                await asyncio.sleep(AGAIN_S)
            return found
    except TimeoutError:
        raise TimeoutError(what()) from None


def body_of(words: str) -> str:
    """The words of a copy, behind who has said them."""
    return words.partition("): ")[2].replace("│ ", "").strip()


class OnMatrix:
    """alice, in an encrypted room."""

    name = "alice"

    def __init__(self, operator: Operator, room: str) -> None:
        self._operator, self._room = operator, room
        self._files: dict[str, bytes] = {}
        self._order: list[tuple[str, int]] = []

    async def write(self, item: Item) -> str:
        more: dict[str, Any] = {}
        relation: dict[str, Any] = {}
        if item.topic != MAIN:
            root = await self.root(item.topic)
            relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": item.replies_to is None}
        if item.replies_to is not None or relation:
            before = await self.knows(item.replies_to) if item.replies_to else relation["event_id"]
            more["m.relates_to"] = {**relation, "m.in_reply_to": {"event_id": before}}
        if item.file is not None:
            return await send_file(self._operator, self._room, item.name, item.file, relates=more, caption=item.text)
        return await self._operator.say(self._room, item.text, **more)

    async def edit(self, item: Item) -> None:
        await self._operator.edit(self._room, item.own, item.text)

    async def remove(self, item: Item) -> None:
        await self._operator.remove(self._room, item.own)

    async def show(self, item: Item, sign: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": await self.knows(item), "key": sign}
        return await self._operator.put(self._room, "m.reaction", {"m.relates_to": relation})

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        del item, sign
        await self._operator.remove(self._room, own)

    async def knows(self, item: Item) -> str:
        if item.author == self.name:
            return item.own

        async def found() -> str | None:
            mark = f"[{item.number}]"
            return next((each.event for each in reversed(self._copies()) if mark in each.body), None)

        return await until(found, lambda: f"alice does not hear of {item}")

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
        signs: dict[str, set[str]] = {}
        for event in raw:
            relation = event.get("content", {}).get("m.relates_to", {})
            if (
                event["type"] == "m.reaction"
                and event["sender"] == "@tocsin:localhost"
                and event["event_id"] not in gone
            ):
                signs.setdefault(relation["event_id"], set()).add(relation["key"])
        view: dict[int, Seen] = {}
        copies: dict[int, list[Any]] = {}
        for each in self._copies():
            if (found := MARK.search(each.body)) is not None:
                copies.setdefault(int(found[1]), []).append(each)
        numbers = {one.event: number for number, each in copies.items() for one in each}
        numbers |= {each.own: each.number for each in items}
        files = {int(found[1]): each for each in self._copies() if each.file and (found := FILE.search(each.body))}
        threads = self._threads()
        self._order = []
        for number, each in copies.items():
            first, *more = [one for one in each if one.event not in gone] or each[:1]
            newest = next(
                (each.body for each in reversed(self._operator.heard) if each.edits == first.event), first.body
            )
            text = "" if first.event in gone else body_of(newest)
            shows = frozenset(signs.get(first.event, ()))
            file = files.get(number)
            content = None if file is None or file.event in gone else await self._opened(file)
            topic = threads.get(first.thread or "", MAIN)
            answers = numbers.get(first.in_reply_to or "")
            view[number] = Seen(1 + len(more), text, shows, answers, content, topic)
            self._order.append((topic, number))
        self.own_signs = signs
        return view

    def order(self) -> Sequence[tuple[str, int]]:
        return self._order

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


class OnZulip:
    """bob, in a topic."""

    name = "bob"

    def __init__(self, person: ZulipPerson, channel: int, bot: int, *, url: str) -> None:
        self._channel = str(channel)
        self._person, self._bot = dataclasses.replace(person, url=url), bot
        self._order: list[tuple[str, int]] = []
        self._before: dict[int, str] = {}
        self._behind: dict[int, str] = {}
        """What stands around the words of an item: a quotation, a file."""
        self._files: dict[str, bytes] = {}

    async def write(self, item: Item) -> str:
        if item.replies_to is not None:
            topic = quote(item.topic, safe="").replace("%", ".")
            link = f"#narrow/stream/1/topic/{topic}/near/{await self.knows(item.replies_to)}"
            self._before[item.number] = f"@_**Somebody|9** [said]({link}):\n```quote\nsomething\n```\n"
        if (data := item.file) is not None:
            address = await insist(lambda: self._person.put(item.name, data))
            self._behind[item.number] = f" [{item.name}]({address})"
        answer = await insist(lambda: self._person.say(self._content(item), topic=item.topic, to=self._channel))
        assert answer.status == 200, answer
        return str(answer.body["id"])

    async def edit(self, item: Item) -> None:
        await self._ask("PATCH", f"/messages/{item.own}", {"content": self._content(item)})

    def _content(self, item: Item) -> str:
        return self._before.get(item.number, "") + item.text + self._behind.get(item.number, "")

    async def remove(self, item: Item) -> None:
        await self._ask("DELETE", f"/messages/{item.own}")

    async def show(self, item: Item, sign: str) -> str:
        number = await self.knows(item)
        await self._ask("POST", f"/messages/{number}/reactions", {"emoji_name": SIGNS[sign]})
        return number

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        del item
        await self._ask("DELETE", f"/messages/{own}/reactions", {"emoji_name": SIGNS[sign]})

    async def _ask(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> Any:
        answer = await insist(lambda: self._person.ask(method, path, dict(form or {})))
        assert answer.status == 200, answer
        return answer.body

    async def _all(self) -> list[dict[str, Any]]:
        form = {"anchor": "newest", "num_before": 5000, "num_after": 0, "apply_markdown": False}
        found = await self._ask("GET", "/messages", form)
        return [each for each in found["messages"] if str(each.get("stream_id")) == self._channel]

    async def knows(self, item: Item) -> str:
        if item.author == self.name:
            return item.own

        async def found() -> str | None:
            mark = f"[{item.number}]"
            mine = [each for each in await self._all() if each["sender_id"] == self._bot]
            return next((str(each["id"]) for each in mine if mark in each["content"]), None)

        return await until(found, lambda: f"bob does not hear of {item}")

    async def view(self, items: Sequence[Item]) -> View:
        del items
        said = await self._all()
        numbers = {str(each["id"]): int(found[1]) for each in said if (found := MARK.search(each["content"]))}
        view: dict[int, Seen] = {}
        self.own_signs: dict[str, set[str]] = {}
        self._order = [(each["subject"], numbers[id_]) for each in said if (id_ := str(each["id"])) in numbers]
        for each in said:
            shows = {chr(int(sign["emoji_code"], 16)) for sign in each["reactions"] if sign["user_id"] == self._bot}
            self.own_signs[str(each["id"])] = shows
            if each["sender_id"] != self._bot or str(each["id"]) not in numbers:
                continue
            number = numbers[str(each["id"])]
            content = await self._file(said, number)
            near = re.match(r"\S* ?\[\w[\w ]*\]\(\S*/near/(\d+)\):\n", each["content"])
            words = each["content"][near.end() :] if near else each["content"]
            before = view.get(number)
            answers = numbers.get(near[1]) if near else None
            copies = 1 + (before.copies if before else 0)
            view[number] = Seen(copies, body_of(words), frozenset(shows), answers, content, each["subject"])
        return view

    def order(self) -> Sequence[tuple[str, int]]:
        return self._order

    async def _file(self, said: Sequence[Mapping[str, Any]], number: int) -> bytes | None:
        """What is in the file that the bot has brought with an item."""
        links = [LINK.search(each["content"]) for each in said if each["sender_id"] == self._bot]
        address = next((found[2] for found in links if found and int(found[1]) == number), None)
        if address is None:
            return None
        if address not in self._files:
            answer = await insist(lambda: self._person.ask("GET", address, root=""))
            self._files[address] = answer.body
        return self._files[address]


class OnMqtt:
    """dave, on a topic of MQTT: a program that reads along and publishes."""

    name = "dave"

    def __init__(self, link: Link, topic: str) -> None:
        self._link, self._topic = link, topic
        self.heard: list[dict[str, Any]] = []

    @classmethod
    def at(cls, address: Any, topic: str) -> "OnMqtt":
        """Somebody whose session the broker keeps."""
        mqtt = cls.__new__(cls)
        link = Link(address, "dave", receive=mqtt._receive, session_s=3600, draw=lambda: 0.1)
        mqtt.__init__(link, topic)
        return mqtt

    async def run(self) -> None:
        await self._link.subscribe(self._topic, 1)
        await self._link.run()

    def _receive(self, delivery: Delivery) -> None:
        self.heard.append(orjson.loads(delivery.payload))

    async def write(self, item: Item) -> str:
        fields = {"id": f"dave-{item.number}", "from": "dave", "text": item.text}
        if item.replies_to is not None:
            fields["replies_to"] = await self.knows(item.replies_to)
        await self._publish(fields)
        return fields["id"]

    async def edit(self, item: Item) -> None:
        await self._publish({"id": f"{item.own}-{item.edits}", "from": "dave", "text": item.text, "edits": item.own})

    async def remove(self, item: Item) -> None:
        await self._publish({"id": f"{item.own}-gone", "from": "dave", "text": "", "edits": item.own})

    async def show(self, item: Item, sign: str) -> str:
        raise NotImplementedError

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        raise NotImplementedError

    async def _publish(self, fields: Mapping[str, str]) -> None:
        async def publish() -> None:
            await self._link.ready()
            await self._link.publish(self._topic, orjson.dumps(fields), qos=1)

        await insist(publish)

    async def knows(self, item: Item) -> str:
        if item.author == self.name:
            return item.own

        async def found() -> str | None:
            mark = f"[{item.number}]"
            return next((each["id"] for each in self._said() if mark in each["text"] and "edits" not in each), None)

        return await until(found, lambda: f"dave does not hear of {item}")

    def _said(self) -> list[dict[str, Any]]:
        """What others have published, each id once."""
        return list({each["id"]: each for each in self.heard if each.get("from") != "dave"}.values())

    def order(self) -> Sequence[tuple[str, int]]:
        marks = (MARK.search(each["text"]) for each in self._said() if "edits" not in each)
        return [("", int(mark[1])) for mark in marks if mark is not None]

    async def view(self, items: Sequence[Item]) -> View:
        del items
        said = self._said()
        first = {
            each["id"]: int(found[1]) for each in said if "edits" not in each and (found := MARK.search(each["text"]))
        }
        numbers = first | {f"dave-{number}": number for number in range(10_000)}
        view: dict[int, Seen] = {}
        for each in said:
            number = first.get(each.get("edits", each["id"]))
            if number is None:
                continue
            before = view.get(number)
            text = "" if "(taken back)" in each["text"] else each["text"]
            answers = before.answers if before else numbers.get(each.get("replies_to", ""))
            copies = (before.copies if before else 0) + ("edits" not in each)
            view[number] = Seen(copies, text, frozenset(), answers)
        return view
