"""Zulip as a bridge. A message is received once it is in the inbox, sent once the server has it; never before."""

import asyncio
import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from bot.bridge import Health, Office
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Message, Post
from bridges.zulip.answers import Profile
from bridges.zulip.api import Api
from bridges.zulip.attention import Attention
from bridges.zulip.cursor import UNKNOWN
from bridges.zulip.errors import KeyRefused
from bridges.zulip.notes import Notes
from bridges.zulip.places import Places
from bridges.zulip.reading import Reader
from bridges.zulip.realm import Realm
from bridges.zulip.receiving import Heard, Receiver
from bridges.zulip.settings import ZulipSettings
from bridges.zulip.strays import Strays
from bridges.zulip.voice import Voice

SILENT_S = 180.0
"""A server's heart beats every 50 s or so while somebody listens, and it may be late once."""
COUNTED: tuple[str, ...] = (
    "limited",
    "odd_events",
    "lost_queues",
    "messages_seen_again",
    "refused_posts",
    "found_after_all",
)

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Live:
    """What works while there is a connection."""

    api: Api
    voice: Voice
    attention: Attention


class ZulipBridge:
    """The bot's account on one server."""

    def __init__(self, settings: ZulipSettings, office: Office, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._office = office
        self._ready = asyncio.Event()
        self._live: _Live | None = None
        self._out = ""
        """Why it has ended for good."""
        self._counts = collections.Counter(dict.fromkeys(COUNTED, 0))
        self._heard = Heard(self._counts, clock)
        self._notes = Notes(office.folder)

    def health(self) -> Health:
        """Whether the server has been heard lately."""
        counts = dict(self._counts)
        if self._out or not self._ready.is_set():
            return Health(ready=False, what=self._out or "not connected yet", counts=counts)
        silent_s = self._heard.silent_s()
        if silent_s > SILENT_S:
            return Health(ready=False, what=f"no word from Zulip for {silent_s:.0f} s", counts=counts)
        return Health(ready=True, counts=counts)

    async def run(self) -> None:
        """Receive until cancelled."""
        settings = self._settings
        key = await asyncio.to_thread(settings.key)
        try:
            async with Api.opened(settings.site, settings.email, key, self._counts) as api:
                await self._serve(api)
        except KeyRefused as refused:
            self._out = refused.what
            self._ready.set()  # who waits for it hears that it is in vain
            raise
        finally:
            await self._notes.settled()

    async def _serve(self, api: Api) -> None:
        places, realm = Places(api, self._office.folder, self._settings.site), Realm()
        await places.load()
        reader = Reader(UNKNOWN, "", places, self._settings.site)
        receiver = Receiver(
            api,
            self._office.inlet,
            self._office.store,
            reader,
            places,
            realm,
            self._heard,
            self._settings.site,
            strays := Strays(api, reader),
            self._office.places,
        )
        attention = Attention(api, places)
        looking: asyncio.Task[None] | None = None
        try:
            profile, cursor = await receiver.begin()
            looking = asyncio.create_task(_look_at_the_owner(api, profile))
            voice = Voice(api, places, realm, reader, self._notes, strays, profile.email, self._counts)
            self._live = _Live(api, voice, attention)
            self._ready.set()
            log.info("connected to zulip", account=profile.user_id)
            await receiver.run(cursor)
        finally:
            self._ready.clear()
            self._live = None
            attention.close()
            strays.close()
            if looking is not None:
                looking.cancel()

    async def send(self, post: Post, *, key: str) -> str:
        """Say something in its place and return the message's id, or that of the message that it took the place of."""
        live = await self._connected()
        try:
            return await live.voice.say(post, key)
        except (KeyRefused, StoreError) as fault:  # `run` tells a person; the post keeps until they have mended it
            raise Unreachable(fault.what, hint=fault.hint) from fault

    async def bring(self, reference: str, most: int) -> bytes:
        """What is in a file that somebody put on this server."""
        live = await self._connected()
        return await live.api.file(reference, most)

    async def _connected(self) -> _Live:
        while (live := self._live) is None:
            if self._out:
                raise Unreachable(self._out)
            await self._ready.wait()
        return live

    def attending(self, message: Message) -> AbstractContextManager[None]:
        """Show that the bot is at work, while there is a connection."""
        return contextlib.nullcontext() if self._live is None else self._live.attention.on(message)


async def _look_at_the_owner(api: Api, profile: Profile) -> None:
    """A bot may post into every private channel of its owner: what one can break in through should open little."""
    try:
        owner = await api.person(profile.bot_owner_id) if profile.bot_owner_id is not None else None
    except (NetworkError, KeyRefused) as error:
        log.info("who owns the bot cannot be seen", error=error.what)
        return
    if owner is not None and owner.has_rights:
        log.warning(
            "the bot's owner in Zulip has many rights; the bot can post wherever the owner can",
            owner=profile.bot_owner_id,
            remedy="make a bot of an account that can do little",
        )
