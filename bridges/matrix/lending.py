"""How a room's key reaches devices that the library does not know. Who may have got it counts as having it.

So the key is thrown away when such a device may not read any more; and one that may lack it is given it again. The
channels to these devices are not the library's, and no disk keeps them: a stranger who claims somebody's key as their
own comes into nobody's way, and a crowd costs no more than the time to reach it.
"""

import asyncio
import collections
import itertools
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, cast

import structlog
from nio.crypto import OutboundGroupSession, OutboundSession

from bridges.matrix.connection import Connection, Denied
from bridges.matrix.identity import Device
from bridges.matrix.signing import is_public_key, is_signed, unpadded

MOST_AT_ONCE = 50
"""Devices in one request. What is encrypted for them is made in one go, and nothing else runs meanwhile."""
AGAIN_S = 600.0
"""When a device that had no one-time keys is asked for one again."""

Reader = tuple[str, str]
"""A user and one of their devices."""

log = structlog.get_logger(__name__)


class Lender:
    """Which devices surely have the key of which room, and the channels to them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._given: dict[str, tuple[str, frozenset[Reader]]] = {}
        """By room: the id of its key, and who has surely got it."""
        self._channels: dict[Device, OutboundSession] = {}
        self._empty_until: dict[Device, float] = {}
        """Devices that had no one-time keys."""

    def given(self, room: str) -> AbstractSet[Reader]:
        """Who has surely got the key that a room uses now."""
        key = self._key_of(room)
        known, readers = self._given.get(room, ("", frozenset[Reader]()))
        return readers if key is not None and key.id == known else frozenset[Reader]()

    def keep(self, users: AbstractSet[str]) -> None:
        """Forget all but these users."""
        for known in (self._channels, self._empty_until):
            for device in [device for device in known if device.user not in users]:
                del known[device]

    async def lend(
        self, room: str, readers: Mapping[Reader, Device], may_read: Callable[[Reader], Device | None]
    ) -> None:
        """Give the key of a room to all of some readers who have not got it, and may read when it is their turn."""
        now = asyncio.get_running_loop().time()
        empty = {device for device, until in self._empty_until.items() if until > now}
        lacking = readers.keys() - self.given(room)
        due = iter(sorted(reader for reader in lacking if readers[reader] not in empty))
        while some := tuple(itertools.islice(due, MOST_AT_ONCE)):
            await self._open([device for each in some if (device := may_read(each)) is not None])
            await self._send(room, [device for each in some if (device := may_read(each)) is not None])

    def _key_of(self, room: str) -> OutboundGroupSession | None:
        return self._connection.olm.outbound_group_sessions.get(room)

    async def _open(self, devices: Sequence[Device]) -> None:
        """Have a channel to each of them, where it gives us a key to begin one with."""
        closed = [device for device in devices if device not in self._channels]
        if not closed:
            return
        wanted = _by_user(dict.fromkeys(closed, "signed_curve25519"))
        answer = await self._connection.request("POST", "/_matrix/client/v3/keys/claim", {"one_time_keys": wanted})
        for device in closed:
            if (channel := self._channel(device, answer)) is not None:
                self._channels[device] = channel
                self._empty_until.pop(device, None)
            elif not answer.get("failures"):
                self._empty_until[device] = asyncio.get_running_loop().time() + AGAIN_S

    def _channel(self, device: Device, answer: Mapping[str, Any]) -> OutboundSession | None:
        key = _one_time_key(answer, device)
        if key is None:
            return None
        try:
            return OutboundSession(self._connection.olm.account, device.curve25519, key)
        except Exception as error:  # noqa: BLE001 - whatever a stranger has found
            log.info("no channel to the device of a guest", user=device.user, error=type(error).__name__)
            return None

    async def _send(self, room: str, devices: Sequence[Device]) -> None:
        key = self._key_of(room)
        reached = {device: channel for device in devices if (channel := self._channels.get(device)) is not None}
        if key is None or not reached:
            return
        messages = _by_user({device: self._sealed(channel, device, room, key) for device, channel in reached.items()})
        readers = {(device.user, device.id) for device in reached}
        had_it = key.users_shared_with & readers
        key.users_shared_with |= readers
        path = f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{secrets.token_hex(16)}"
        try:
            await self._connection.request("PUT", path, {"messages": messages})
        except Denied:
            key.users_shared_with -= readers - had_it
            raise
        known, given = self._given.get(room, ("", frozenset[Reader]()))
        self._given[room] = key.id, (given if known == key.id else frozenset[Reader]()) | readers

    def _sealed(self, channel: OutboundSession, device: Device, room: str, key: OutboundGroupSession) -> dict[str, Any]:
        """The key of a room, as only one device can read it."""
        me, own = self._connection.login, self._connection.olm.account.identity_keys
        payload = {
            "sender": me.user,
            "sender_device": me.device,
            "keys": {"ed25519": own["ed25519"]},
            "recipient": device.user,
            "recipient_keys": {"ed25519": device.ed25519},
            "type": "m.room_key",
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "room_id": room,
                "session_id": key.id,
                "session_key": key.session_key,
            },
        }
        kind, ciphertext = channel.encrypt(json.dumps(payload)).to_parts()
        return {
            "algorithm": "m.olm.v1.curve25519-aes-sha2",
            "sender_key": own["curve25519"],
            "ciphertext": {device.curve25519: {"type": kind, "body": unpadded(ciphertext)}},
        }


def _by_user(things: Mapping[Device, Any]) -> dict[str, dict[str, Any]]:
    found: collections.defaultdict[str, dict[str, Any]] = collections.defaultdict(dict)
    for device, thing in things.items():
        found[device.user][device.id] = thing
    return found


def _one_time_key(answer: Mapping[str, Any], device: Device) -> str | None:
    """The key of a device in an answer of `/keys/claim`, where the device itself has signed it."""
    try:
        (offered,) = answer["one_time_keys"][device.user][device.id].values()
        entry = cast("Mapping[str, Any]", offered)
        key = entry["key"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    fits = is_signed(entry, by=device.ed25519, user=device.user, key_id=f"ed25519:{device.id}")
    return key if fits and is_public_key(key) else None
