"""A person with a real encrypted client, for the demo and for tests. It is no bot: it only says and hears."""

import asyncio
import collections
import contextlib
import dataclasses
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from nio import (
    BadEvent,
    Event,
    MegolmEvent,
    RoomEncryptedMedia,
    RoomMessageMedia,
    RoomMessageNotice,
    RoomMessageText,
    UnknownBadEvent,
)
from nio.crypto import decrypt_attachment

from bot.words.errors import TocsinError
from bridges.matrix.account import Account
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import establish
from bridges.matrix.patience import patiently
from bridges.matrix.reading import relation_of
from bridges.matrix.sending import Speaker
from bridges.matrix.trust import Trust

MOST_HEARD = 10_000
_NOTHING = {"not_types": ["*"]}
ANSWER_WITHIN_S = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A message that reached an operator."""

    room: str
    sender: str
    event: str
    body: str
    html: str
    in_reply_to: str | None
    edits: str | None
    """The event whose words these take the place of."""
    thread: str | None
    """The event that the thread begins with in which it stands."""
    mentions: Mapping[str, Any] | None
    """Whom it calls by name."""
    file: Mapping[str, Any] | None
    """Where the file is that came with it, and what opens it."""
    decrypted: bool
    verified: bool
    """It came from a device that its owner has cross-signed."""


class PinsInMemory:
    """Identities that were seen since the operator came online."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self.changed: set[str] = set()
        """Of whom somebody has said something new."""

    async def holds(self, user: str, master: str) -> bool:
        """Whether a user shows the identity that they are known by."""
        return self._known.setdefault(user, master) == master

    async def suffices(self, user: str, master: str) -> bool:
        """It is known by that."""
        return self._known.get(user) == master

    def take_changed(self) -> frozenset[str]:
        """Those of whom somebody has."""
        changed, self.changed = frozenset(self.changed), set()
        return changed

    async def verified(self, user: str, master: str) -> None:
        """It is known by that anyway."""


class Operator:
    """One person at one device."""

    def __init__(self, connection: Connection, trust: Trust) -> None:
        self.user = connection.login.user
        self.device = connection.login.device
        self.connection = connection
        self._trust = trust
        self._speaker = Speaker(connection, trust)
        self._heard: collections.deque[Heard] = collections.deque(maxlen=MOST_HEARD)
        self._seen: list[tuple[str, Event | BadEvent | UnknownBadEvent]] = []
        self._undecrypted: collections.deque[str] = collections.deque(maxlen=MOST_HEARD)
        self._news = asyncio.Condition()
        self._ended: BaseException | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def online(
        cls,
        homeserver: str,
        user: str,
        password: str,
        folder: Path,
        *,
        knows: frozenset[str] = frozenset(),
        signed: bool = True,
    ) -> AsyncGenerator[Self]:
        """The person at a device, until the block ends. `signed=False` leaves the device without its owner's signature.

        Only the accounts that the person knows can read what the person says.
        """
        account = Account(homeserver, user, "Operator", folder)
        login = await account.login(password)
        async with Connection.opened(login, folder) as connection:
            await connection.upkeep()
            if signed:
                await establish(connection, password)
            operator = cls(connection, Trust(connection, lambda: knows, PinsInMemory()))
            cursor = await operator._take(None, full_state=True)
            listening = asyncio.create_task(operator._listen(cursor), name=f"ears of {user}")
            try:
                yield operator
            finally:
                listening.cancel()
                await asyncio.wait([listening])
                await operator._speaker.finish()

    @property
    def heard(self) -> tuple[Heard, ...]:
        """All that was heard so far."""
        return tuple(self._heard)

    @property
    def seen(self) -> tuple[tuple[str, Event | BadEvent | UnknownBadEvent], ...]:
        """All events that came so far, each with its room."""
        return tuple(self._seen)

    async def create_room(self, name: str, *invited: str, version: str = "") -> str:
        """Make an encrypted room and return its id. Without a version it is what the homeserver makes."""
        return await self._create(
            name,
            invited,
            [
                {
                    "type": "m.room.encryption",
                    "state_key": "",
                    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
                }
            ],
            **({"room_version": version} if version else {}),
        )

    async def create_open_room(self, name: str, *invited: str) -> str:
        """Make a room without encryption, as one should not, and return its id."""
        return await self._create(name, invited, [])

    async def join(self, room: str) -> None:
        """Go into a room, and wait until its state is here."""
        await self.connection.join(room)
        await self._until(lambda: room in self.connection.client.rooms, f"the state of {room}")

    async def joined(self, room: str, user: str) -> None:
        """Wait until somebody is in a room."""

        def is_in() -> bool:
            known = self.connection.client.rooms.get(room)
            return known is not None and user in known.users and not known.users[user].invited

        await self._until(is_in, f"{user} to come into {room}")

    async def leave(self, room: str) -> None:
        """Go out of a room."""
        await self.connection.request("POST", f"/_matrix/client/v3/rooms/{room}/leave", {})

    async def gone(self, room: str, user: str) -> None:
        """Wait until somebody is no longer in a room."""
        await self._until(lambda: user not in self.connection.client.rooms[room].users, f"{user} to leave {room}")

    async def say(self, room: str, text: str, **content: Any) -> str:
        """Say something, encrypted, and return its event id. Further content is sent as it is."""
        body = {"msgtype": "m.text", "body": text, **content}
        key = secrets.token_hex(16)
        return await patiently(lambda: self._speaker.say(room, body, key=key))

    async def put(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Send an event as it is, with nothing but the access token, and return its id."""
        path = f"/_matrix/client/v3/rooms/{room}/send/{kind}/{secrets.token_hex(8)}"
        return (await self.connection.request("PUT", path, content))["event_id"]

    async def say_before_the_key(self, room: str, text: str) -> tuple[str, Mapping[str, Any]]:
        """Say something under a new key that nobody has. Returns the event id, and the key for `give`.

        Only who was given a key of ours before can be given this one.
        """
        client, olm = self.connection.client, self.connection.olm
        olm.outbound_group_sessions.pop(room, None)
        ((_, key),) = olm.share_group_session_parallel(room, [*client.rooms[room].users])
        olm.outbound_group_sessions[room].shared = True
        kind, content = client.encrypt(room, "m.room.message", {"msgtype": "m.text", "body": text})
        return await self.put(room, kind, content), key

    async def give(self, key: Mapping[str, Any]) -> None:
        """Send a key to those for whom it was made."""
        path = f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{secrets.token_hex(8)}"
        await self.connection.request("PUT", path, key)

    async def invite(self, room: str, user: str) -> None:
        """Ask somebody into a room."""
        await self.connection.request("POST", f"/_matrix/client/v3/rooms/{room}/invite", {"user_id": user})

    async def edit(self, room: str, event: str, text: str) -> str:
        """Say something else than what was said, as a client does, and return the event id of the edit."""
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event}
        return await self.say(room, f"* {text}", **{"m.new_content": new, "m.relates_to": relation})

    async def remove(self, room: str, event: str) -> None:
        """Take back what was said."""
        path = f"/_matrix/client/v3/rooms/{room}/redact/{event}/{secrets.token_hex(8)}"
        await self.connection.request("PUT", path, {})

    async def wait_for(self, wanted: Callable[[Heard], bool], *, within: float = ANSWER_WITHIN_S) -> Heard:
        """The first message, heard already or still to come, that is wanted."""
        try:
            async with asyncio.timeout(within):
                return await anext(heard async for heard in self.hears() if wanted(heard))
        except TimeoutError:
            raise TimeoutError(f"{self.user} waited {within:g} s for words that did not come.") from None

    async def answer_to(self, event: str, *, within: float = ANSWER_WITHIN_S) -> Heard:
        """The first reply to an event."""
        return await self.wait_for(lambda heard: heard.in_reply_to == event, within=within)

    async def open(self, heard: Heard) -> bytes:
        """The file that came with a message, as it was before it was encrypted."""
        assert heard.file is not None  # noqa: S101 - who calls has looked
        address: str = heard.file["url"]
        path = f"/_matrix/client/v1/media/download/{address.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {self.connection.login.token}"}
        response = await self.connection.client.send("GET", path, None, headers)
        raw = await response.read()
        if "key" not in heard.file:
            return raw
        return decrypt_attachment(raw, heard.file["key"]["k"], heard.file["hashes"]["sha256"], heard.file["iv"])

    async def signs_of_life(self, room: str, user: str) -> AsyncIterator[str]:
        """Who reads what and who types: the event of each receipt of somebody, and `types` or `rests`."""
        wanted = {"account_data": _NOTHING, "presence": _NOTHING, "room": {"rooms": [room], "timeline": _NOTHING}}
        since, typed = "", False
        while True:
            path = f"/_matrix/client/v3/sync?timeout=30000&filter={quote(json.dumps(wanted))}{since}"
            answer = await self.connection.request("GET", path)
            since = f"&since={quote(answer['next_batch'])}"
            for event in answer.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", []):
                if event["type"] == "m.receipt":
                    for name in (name for name, by in event["content"].items() if user in by.get("m.read", {})):
                        yield name
                elif event["type"] == "m.typing" and typed != (user in event["content"]["user_ids"]):
                    typed = not typed
                    yield "types" if typed else "rests"

    async def hears(self) -> AsyncIterator[Heard]:
        """All that was heard and will be heard."""
        number = 0
        while True:
            async with self._news:
                await self._news.wait_for(lambda: number < len(self._heard) or self._ended is not None)  # noqa: B023
            if self._ended is not None:
                raise self._ended
            yield self._heard[number]
            number += 1

    async def sees(self, wanted: Callable[[str, Event | BadEvent | UnknownBadEvent], bool], what: str) -> str:
        """Wait until an event of any kind has come to a room, and return its id."""

        def found() -> str:
            return next((event.source["event_id"] for room, event in self._seen if wanted(room, event)), "")

        await self._until(lambda: bool(found()), what)
        return found()

    async def could_not_read(self, event: str, *, within: float = ANSWER_WITHIN_S) -> None:
        """Wait for an event that this device has no key for."""
        await self._until(lambda: event in self._undecrypted, f"an event without a key, {event}", within=within)

    async def _create(self, name: str, invited: tuple[str, ...], state: list[dict[str, Any]], **more: str) -> str:
        body = {"name": name, "preset": "private_chat", "invite": list(invited), "initial_state": state, **more}
        answer = await self.connection.request("POST", "/_matrix/client/v3/createRoom", body)
        room: str = answer["room_id"]
        rooms = self.connection.client.rooms
        # A sync may come in the middle of the making, before the encryption.
        await self._until(lambda: room in rooms and rooms[room].encrypted == bool(state), f"the making of {room}")
        return room

    async def _until(self, holds: Callable[[], bool], what: str, *, within: float = ANSWER_WITHIN_S) -> None:
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: holds() or self._ended is not None)
        except TimeoutError:
            raise TimeoutError(f"{self.user} waited {within:g} s for {what}.") from None
        if self._ended is not None:
            raise self._ended

    async def _listen(self, cursor: str) -> None:
        try:
            while True:
                cursor = await self._take(cursor, full_state=False)
        except TocsinError as error:
            self._ended = error
            async with self._news:
                self._news.notify_all()

    async def _take(self, since: str | None, *, full_state: bool) -> str:
        response = await patiently(lambda: self.connection.sync(since, full_state=full_state))
        await patiently(self._trust.refresh)
        async with self._news:
            for room, info in response.rooms.join.items():
                for event in info.timeline.events:
                    self._hear(room, event)
            self._news.notify_all()
        await patiently(self.connection.upkeep)
        return response.next_batch

    def _hear(self, room: str, event: Event | BadEvent | UnknownBadEvent) -> None:
        self._seen.append((room, event))
        if isinstance(event, MegolmEvent):
            self._undecrypted.append(event.event_id)
        if not isinstance(event, RoomMessageText | RoomMessageNotice | RoomEncryptedMedia | RoomMessageMedia):
            return
        if event.sender == self.user:
            return
        relation, content = relation_of(event.source), event.source["content"]
        edits: str | None = relation.get("event_id") if relation.get("rel_type") == "m.replace" else None
        shown: dict[str, Any] = content if edits is None else content["m.new_content"]
        replied: dict[str, str] = relation.get("m.in_reply_to", {})
        self._heard.append(
            Heard(
                room=room,
                sender=event.sender,
                event=event.event_id,
                body=shown["body"],
                html=shown.get("formatted_body", ""),
                in_reply_to=replied.get("event_id"),
                edits=edits,
                thread=relation.get("event_id") if relation.get("rel_type") == "m.thread" else None,
                mentions=content.get("m.mentions"),
                file=shown.get("file") or ({"url": shown["url"]} if "url" in shown else None),
                decrypted=event.decrypted,
                verified=self._trust.device_of(event, room, self.connection.olm) is not None,
            )
        )
