"""Matrix as a bridge. A message is received once it is in the inbox, sent once the homeserver has it; never before."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bot.bridge import Health, Office
from bot.store.pins import pin, pinned
from bot.words.errors import StoreError, Unreachable
from bot.words.html import to_html
from bot.words.message import Post
from bot.words.people import Account as Holder
from bot.words.plain import to_plain
from bridges.matrix.account import Account, Login
from bridges.matrix.connection import Connection, LoginLost
from bridges.matrix.cross_signing import establish
from bridges.matrix.invitations import Invitations
from bridges.matrix.patience import patiently
from bridges.matrix.reading import NETWORK
from bridges.matrix.receiving import Heard, Receiver
from bridges.matrix.sending import Speaker
from bridges.matrix.settings import MatrixSettings
from bridges.matrix.trust import Trust
from bridges.matrix.waiting import KEY_MAY_TAKE_S

SILENT_S = 120.0
"""A homeserver says within a quarter of this that there is nothing new, and it may be late once."""


class StoredPins:
    """Pinned identities in the bot's own database."""

    def __init__(self, office: Office) -> None:
        self._store = office.store

    async def pinned(self, user: str) -> str | None:
        """The master key that a user is known by."""
        return await self._store.read(lambda tx: pinned(tx, Holder(NETWORK, user)))

    async def pin(self, user: str, master: str) -> None:
        """Know a user by a master key from now on."""
        await self._store.write(lambda tx: pin(tx, Holder(NETWORK, user), master))


class MatrixBridge:
    """The bot's device in its rooms."""

    def __init__(
        self,
        settings: MatrixSettings,
        office: Office,
        *,
        clock: Callable[[], float] = time.monotonic,
        key_may_take_s: float = KEY_MAY_TAKE_S,
    ) -> None:
        self._settings = settings
        self._office = office
        self._ready = asyncio.Event()
        self._speaker: Speaker | None = None
        self._heard = Heard(clock)
        self._key_may_take_s = key_may_take_s

    def _listed(self) -> frozenset[str]:
        return frozenset(account.id for account in self._office.people.accounts_on(NETWORK))

    def health(self) -> Health:
        """Whether the homeserver has been heard lately, and what it brought that nobody could read."""
        counts = {"unreadable_events": self._heard.unread}
        if not self._ready.is_set():
            return Health(ready=False, what="not connected yet", counts=counts)
        silent_s = self._heard.silent_s()
        if silent_s > SILENT_S:
            return Health(ready=False, what=f"no word from the homeserver for {silent_s:.0f} s", counts=counts)
        return Health(ready=True, counts=counts)

    async def run(self) -> None:
        """Receive until cancelled."""
        settings, folder = self._settings, self._office.folder
        password = await asyncio.to_thread(settings.password)
        account = Account(settings.homeserver, settings.user, settings.device_name, folder)
        login = await patiently(lambda: account.login(password))
        await patiently(lambda: self._serve(login, password), StoreError)

    async def _serve(self, login: Login, password: str) -> None:
        """Be the device until cancelled, or until the disk fails: then memory is ahead of it, and all is read again."""
        async with Connection.opened(login, self._office.folder) as connection:
            await patiently(connection.upkeep)
            await patiently(lambda: establish(connection, password))
            trust = Trust(connection, self._listed, StoredPins(self._office))
            try:
                async with asyncio.TaskGroup() as beside:
                    invitations = Invitations(connection, self._listed, beside)
                    await self._receive(connection, trust, invitations)
            except ExceptionGroup as group:
                raise group.exceptions[0] from group  # that of the stream: an invitation never raises

    async def _receive(self, connection: Connection, trust: Trust, invitations: Invitations) -> None:
        inlet, key_may_take_s = self._office.inlet, self._key_may_take_s
        receiver = Receiver(connection, trust, inlet, invitations, self._heard, key_may_take_s=key_may_take_s)
        speaker = Speaker(connection, trust)
        try:
            cursor = await receiver.take(await self._office.inlet.cursor(), first=True)
            self._speaker = speaker
            self._ready.set()
            while True:
                cursor = await receiver.take(cursor, first=False)
        finally:
            self._ready.clear()
            self._speaker = None
            await speaker.finish()

    async def send(self, post: Post, *, key: str) -> str:
        """Say something in its room and return the event's id. An edit is known by the event that it edits."""
        while (speaker := self._speaker) is None:
            await self._ready.wait()
        content: dict[str, Any] = {
            "msgtype": "m.notice",
            "body": to_plain(post.document),
            "format": "org.matrix.custom.html",
            "formatted_body": to_html(post.document),
            "m.mentions": {},
        }
        if post.edits is not None:
            content = {
                **content,
                "body": f"* {content['body']}",
                "m.new_content": content,
                "m.relates_to": {"rel_type": "m.replace", "event_id": post.edits},
            }
        elif post.reply_to is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": post.reply_to}}
        try:
            event = await speaker.say(post.place.id, content, key=key)
        except (LoginLost, StoreError) as fault:  # `run` tells a person; the post keeps until they have mended it
            raise Unreachable(fault.what, hint=fault.hint) from fault
        return post.edits or event
