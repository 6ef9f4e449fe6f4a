"""A network of two files, as a plug-in brings one: what people say lies in one, what the bot says in the other.

A third file holds what a test does to the bot's process from within: `tests/faults/short.py` has the tricks.
"""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.bridge import Health, Office, Plugin
from bot.paths import ConfiguredPath
from bot.words.errors import StoreError
from bot.words.message import Message, Place, Post, Standing
from bot.words.people import Account
from bot.words.plain import to_plain
from tests.faults.short import TRICKS, step
from wire.clock import boot_clock

NETWORK = "feed"
LOOK_EVERY_S = 0.01
AGAIN_S = 0.2
"""When a batch that the disk did not take is brought again."""


class FeedSettings(BaseModel):
    """The `[feed]` section."""

    folder: ConfiguredPath


@dataclasses.dataclass(frozen=True)
class Lines:
    """A file of JSON lines. Whoever adds one adds it whole, and the kernel keeps it when they die."""

    path: Path

    def add(self, **fields: Any) -> int:
        """Adds one. Returns where it begins."""
        with self.path.open("ab") as file:
            begins = file.tell()
            file.write(json.dumps(fields).encode() + b"\n")
        return begins

    def read(self, begin: int = 0) -> tuple[list[dict[str, Any]], int]:
        """What was added behind a place, and where that ends."""
        if not self.path.exists():
            return [], begin
        with self.path.open("rb") as file:
            file.seek(begin)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines() if line.strip()], begin + len(whole)


class Feed:
    """The bot's end of the files."""

    def __init__(self, settings: FeedSettings, office: Office) -> None:
        self._heard = Lines(settings.folder / "heard")
        self._said = Lines(settings.folder / "said")
        self._tricks = Lines(settings.folder / "tricks")
        self._inlet = office.inlet

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None:
        """Take what lies behind the cursor, again and again until the disk takes it."""
        played = self._tricks.read()[1]
        cursor = int(await self._inlet.cursor() or 0)
        self._said.add(began=boot_clock())
        while True:
            tricks, played = self._tricks.read(played)
            for each in tricks:
                TRICKS[each["trick"]](each["value"])
            lines, end = self._heard.read(cursor)
            try:
                if lines:
                    await self._inlet.accept([_message(each) for each in lines], cursor=str(end))
                cursor = end
            except StoreError:
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def send(self, post: Post, *, key: str) -> str:
        step("before a post is sent")
        self._said.add(
            key=key, at=boot_clock(), words=to_plain(post.document), to=post.reply_to, edits=post.edits, lane=post.lane
        )
        step("after a post is sent")
        return post.edits or key


def _message(line: dict[str, Any]) -> Message:
    return Message(
        place=Place(NETWORK, "room"),
        account=Account(NETWORK, line["who"]),
        event=line["event"],
        text=line["text"],
        standing=Standing.ATTESTED,
        device="PHONE",
        sent_ms=line["sent_ms"],
        age_s=max(0.0, boot_clock() - line["at"]),
    )


plugin = Plugin(FeedSettings, Feed)
