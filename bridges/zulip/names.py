"""Which channel a name in the configuration means. Once that is known the name never stands for another channel.

Else whoever makes a channel of that name, once the bot is out of the first one, is told what was meant for others.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import structlog

from bot.private import write_private
from bot.words.errors import NetworkError
from bot.words.message import Place

FILE = "channels.json"

log = structlog.get_logger(__name__)


class Names:
    """What names mean on one server, over all runs."""

    def __init__(self, folder: Path, site: str) -> None:
        self._file = folder / FILE
        self._site = site
        self._meant: dict[str, int] = {}
        """By the name in small letters."""
        self._keeping: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Know what names meant in an earlier run."""
        self._meant = await asyncio.to_thread(self._kept)

    def find(self, place: Place, channels: Mapping[int, str]) -> tuple[int, str]:
        """The channel of a place and the topic, given what the bot's channels are called. Both may have a slash."""
        channel, topic, name = self.meant(place, channels)
        if name:
            self._keep(name, channel)
        return channel, topic

    def meant(self, place: Place, channels: Mapping[int, str]) -> tuple[int, str, str]:
        """The same, and the name by which it was found where nobody knew yet what that means. It is not kept."""
        parts = place.id.split("/")
        if len(parts) < 2:  # noqa: PLR2004 - a channel and a topic
            raise NetworkError(f"{place} is no place in Zulip.", hint="Write zulip:CHANNEL/TOPIC or zulip:dm/USER_ID.")
        if re.fullmatch(r"\d{1,15}", parts[0], re.ASCII):
            return int(parts[0]), "/".join(parts[1:]), ""
        ways = [("/".join(parts[:count]).lower(), "/".join(parts[count:])) for count in range(len(parts) - 1, 0, -1)]
        for name, topic in ways:  # whatever it is called now, and whether or not the bot is in it
            if (known := self._meant.get(name)) is not None:
                return known, topic, ""
        found = [
            (channel, name, topic)
            for name, topic in ways
            for channel, called in channels.items()
            if called.lower() == name
        ]
        if len(found) > 1:
            raise NetworkError(f"{place} could mean several channels.", hint="Write the channel's id: zulip:4/status.")
        for channel, name, topic in found:
            return channel, topic, name
        raise NetworkError(f"The bot is in no channel that {place} could mean.", hint="Subscribe it there.")

    def _keep(self, name: str, channel: int) -> None:
        self._meant[name] = channel
        keeping = asyncio.create_task(asyncio.to_thread(self._write, dict(self._meant)))
        self._keeping.add(keeping)  # nothing waits for it: without it the name is looked up again
        keeping.add_done_callback(self._keeping.discard)

    def _kept(self) -> dict[str, int]:
        try:
            known: object = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        kept = cast("dict[str, Any]", known) if isinstance(known, dict) else {}
        if kept.get("site") != self._site or not isinstance(kept.get("names"), dict):
            return {}
        return {name: channel for name, channel in kept["names"].items() if isinstance(channel, int)}

    def _write(self, names: dict[str, int]) -> None:
        try:
            write_private(self._file, json.dumps({"site": self._site, "names": names}).encode())
        except OSError as error:
            log.warning("which channel a name means cannot be kept", error=error.strerror)
