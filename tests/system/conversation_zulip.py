"""People in a channel of Zulip who talk to people on other networks."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tests.system.conversation import MARK, SIGNS, Item, Seen, View, insist, known, parted
from tests.zulip.client import Person

LINK = re.compile(r"\[file-(\d+)\.txt\]\((/user_uploads/\S+)\)")
ANSWERS = re.compile(r"\S* ?\[\w[\w ]*\]\(\S*/near/(\d+)\):\n")


class OnZulip:
    """One of them."""

    network = "zulip"

    def __init__(
        self,
        name: str,
        person: Person,
        owner: Person,
        channel: int,
        bot: int,
        *,
        account: int,
        listed: str = "",
        called: str = "",
    ) -> None:
        self.name, self._account = name, account
        self._person, self._owner = person, owner
        self._channel, self._bot = str(channel), bot
        self._listed, self._called = listed, called
        """By which name the bot knows them, or else what they call themselves."""
        self._before: dict[int, str] = {}
        self._behind: dict[int, str] = {}
        """What stands around the words of an item: a quotation, a file."""
        self._files: dict[str, bytes] = {}

    @property
    def head(self) -> str:
        return f"{self._listed} (zulip)" if self._listed else f"{self._called} (zulip {self._account})"

    async def write(self, item: Item) -> str:
        if item.replies_to is not None:
            topic = quote(item.topic, safe="").replace("%", ".")
            link = f"#narrow/stream/1/topic/{topic}/near/{await known(self, item.replies_to)}"
            self._before[item.number] = f"@_**Somebody|9** [said]({link}):\n```quote\nsomething\n```\n"
        if (data := item.file) is not None:
            address = await insist(lambda: self._person.put(item.name, data))
            self._behind[item.number] = f" [{item.name}]({address})"
        answer = await insist(lambda: self._person.say(self._content(item), topic=item.topic, to=self._channel))
        assert answer.status == HTTPStatus.OK, answer
        return str(answer.body["id"])

    async def edit(self, item: Item) -> None:
        await self.ask("PATCH", f"/messages/{item.own}", {"content": self._content(item)})

    def _content(self, item: Item) -> str:
        return self._before.get(item.number, "") + item.text + self._behind.get(item.number, "")

    async def remove(self, item: Item) -> None:
        await self.ask("DELETE", f"/messages/{item.own}")

    async def show(self, item: Item, sign: str) -> str:
        number = await known(self, item)
        await self.ask("POST", f"/messages/{number}/reactions", {"emoji_name": SIGNS[sign]})
        return number

    async def show_no_more(self, item: Item, sign: str, own: str) -> None:
        del item
        await self.ask("DELETE", f"/messages/{own}/reactions", {"emoji_name": SIGNS[sign]})

    async def rename(self, name: str) -> None:
        form = {"full_name": name}
        answer = await insist(lambda: self._owner.ask("PATCH", f"/users/{self._account}", dict(form)))
        assert answer.status == HTTPStatus.OK, answer
        self._called = name

    async def ask(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> Any:
        """What the server answers, once it does. It must not refuse."""
        answer = await insist(lambda: self._person.ask(method, path, dict(form or {})))
        assert answer.status == HTTPStatus.OK, answer
        return answer.body

    async def _all(self) -> list[dict[str, Any]]:
        form = {"anchor": "newest", "num_before": 5000, "num_after": 0, "apply_markdown": False}
        found = await self.ask("GET", "/messages", form)
        return [each for each in found["messages"] if str(each.get("stream_id")) == self._channel]

    async def finds(self, item: Item) -> str | None:
        if item.network == self.network:
            return item.own
        mark = f"[{item.number}]"
        mine = [each for each in await self._all() if each["sender_id"] == self._bot]
        return next((str(each["id"]) for each in mine if mark in each["content"]), None)

    def reaches(self, topic: str) -> bool:
        del topic
        return True

    async def view(self, items: Sequence[Item]) -> View:
        said = await self._all()
        numbers = {each["id"]: int(found[1]) for each in said if (found := MARK.search(each["content"]))}
        files: dict[int, list[bytes]] = {}
        copies: dict[int, Seen] = {}
        signs = {each["id"]: self._signs(each) for each in said}
        for each in said:
            if each["sender_id"] != self._bot:
                continue
            number = numbers.get(each["id"])
            if number is not None:
                near = ANSWERS.match(each["content"])
                head, text = parted(each["content"][near.end() :] if near else each["content"])
                answers = numbers.get(int(near[1])) if near else None
                count = 1 + (copies[number].copies if number in copies else 0)
                topic = frozenset({each["subject"]})
                copies[number] = Seen(count, frozenset({head}), text, signs[each["id"]], answers, (), topic)
            elif (link := LINK.search(each["content"])) is not None:
                files.setdefault(int(link[1]), []).append(await self._opened(link[2]))
        for number, contents in files.items():
            there = copies.get(number, Seen(0, frozenset(), "", frozenset(), None, (), frozenset()))
            copies[number] = dataclasses.replace(there, files=tuple(contents))
        own = {each.own: each.number for each in items if each.network == self.network}
        beside = {number: signs.get(int(event), frozenset[str]()) for event, number in own.items()}
        order = [(each["subject"], numbers[each["id"]]) for each in said if each["id"] in numbers]
        return View(copies, beside, order)

    def _signs(self, message: Mapping[str, Any]) -> frozenset[str]:
        """What the bot shows beside a message."""
        mine = [each for each in message["reactions"] if each["user_id"] == self._bot]
        return frozenset(chr(int(each["emoji_code"], 16)) for each in mine)

    async def catch_up(self) -> None:
        """Who looks sees all of it at once."""

    async def _opened(self, address: str) -> bytes:
        if address not in self._files:
            answer = await insist(lambda: self._person.ask("GET", address, root=""))
            self._files[address] = answer.body
        return self._files[address]
