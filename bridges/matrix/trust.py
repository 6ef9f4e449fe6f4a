"""Whose devices get our keys, and whose messages are proven.

It never trusts a device that its owner, listed and pinned, did not sign.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from nio import Event, KeysQueryResponse, MatrixRoom
from nio.crypto import Olm

from bot.words.errors import Unreachable
from bot.words.message import Standing
from bridges.matrix.clear import ClearRooms
from bridges.matrix.connection import Connection
from bridges.matrix.disk import on_disk
from bridges.matrix.guests import Guests
from bridges.matrix.identity import Device, Identity, devices_of, entries_of, identity_of
from bridges.matrix.lending import Reader
from bridges.matrix.session import keys_of
from bridges.matrix.signing import padded, unpadded

SILENT_AGAIN_S = 10.0
"""How long people whose homeserver did not answer are not asked for."""

log = structlog.get_logger(__name__)


class Pins(Protocol):
    """Where the identities are kept that people showed at first contact."""

    async def holds(self, user: str, master: str) -> bool:
        """Whether a user shows the identity that they are known by. At first contact it is known from then on."""
        ...

    async def suffices(self, user: str, master: str) -> bool:
        """Whether the identity that a user is known by is enough. The configuration may ask that it was compared."""
        ...

    def take_changed(self) -> frozenset[str]:
        """Users of whom a person has said since this was last asked that they are known otherwise."""
        ...

    async def verified(self, user: str, master: str) -> None:
        """People have compared: a user is who they are known as."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What was found of the devices of a listed person."""

    holds: bool | None
    """Whether their identity is the one that they are known by. None where they have none."""
    trusted: frozenset[Device]
    refused: frozenset[str]


class Trust:
    """The library knows no devices but those that are trusted here, and after each `refresh` it holds them verified.

    No other device gets a key from the library. People who are not listed are not even asked for here: in open rooms
    they are `guests`, and nothing that they write is ever proven. What one person's homeserver or device says, however
    malformed, is that person's affair alone.
    """

    def __init__(
        self,
        connection: Connection,
        listed: Callable[[], frozenset[str]],
        pins: Pins,
        guests: Guests | None = None,
        clear: ClearRooms | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self.guests = guests or Guests(connection)
        """Those who are not listed and may read in open rooms."""
        self.clear = clear or ClearRooms()
        """Where things may be said in clear."""
        self._listed = listed
        self._counted = listed()
        """Those whose keys we have asked for, or will."""
        self._pins = pins
        self._devices: dict[str, frozenset[Device]] = {}
        self._claimed: dict[str, frozenset[Device]] = {}
        self._refused: dict[str, frozenset[str]] = {}
        self._holds: dict[str, bool] = {}
        """Whether somebody's identity is the one that they are known by; nothing where they have none."""
        self._attested: set[str] = set()
        """Those whose identity is enough to do what they may."""
        self._owed: set[str] = set(self._counted)
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self._silent: set[str] = set()
        """Whose homeservers did not answer. They are not asked at every batch: others wait for that."""
        self._silent_until = 0.0

    async def refresh(self) -> None:
        """Ask for the keys of all listed people of whom a change is known, and judge their devices anew."""
        async with self._one_at_a_time:
            self._recount()
            self.clear.look(self._connection.client.rooms)
            waiting = self._connection.olm.users_for_key_query
            resting = self._silent if self._clock() < self._silent_until else set[str]()
            while due := ((waiting | self._owed) & self._counted) - resting:
                self._owed |= due
                waiting -= due
                answer = await keys_of(self._connection, *sorted(due))
                answered = answer.get("device_keys")
                if not isinstance(answered, dict):
                    raise Unreachable("The homeserver answered a question for keys with something else.")
                silent = {user for user in due if user not in answered} if answer.get("failures") else set[str]()
                for user in due - silent:
                    self._devices[user] = await self._judge(user, identity_of(answer, user))
                    self._note_others(user, answer)
                await self._tell_library(answer, due - silent)
                self.settle()
                self._owed -= due
                if silent:
                    log.warning("homeservers of some people do not answer; asked again later", people=sorted(silent))
                    self._owed |= silent
                    self._silent_until = self._clock() + SILENT_AGAIN_S
                    self._silent = silent
                    break
            self.guests.changed(waiting - self._counted)
            waiting &= self._counted

    def _recount(self) -> None:
        """People may be suspended, and may come back, at any time. Their devices are judged anew when they do."""
        listed = self._listed()
        gone, come = self._counted - listed, listed - self._counted
        changed = self._pins.take_changed()
        self._counted = listed
        self._owed = (self._owed - gone) | come | changed
        # Of whom people have said something new nothing holds until their homeserver has answered once more.
        for user in gone | changed:
            self._devices.pop(user, None)
            self._claimed.pop(user, None)
        if gone | changed:
            self.settle()

    def counts(self, user: str) -> bool:
        """Whether this is somebody whom the configuration lists, and who is not suspended."""
        return user in self._listed()

    def readers(self, room: MatrixRoom) -> Mapping[Reader, str]:
        """The devices of listed people that may read in a room at this moment, with their keys.

        Who was just suspended has none.

        Nor has anybody's device that bears the id of ours: the library takes it for us, and shares nothing with it.
        """
        olm = self._connection.olm
        return {
            (user, device.device_id): device.curve25519
            for user in room.users.keys() & self._listed()
            for device in olm.device_store.active_user_devices(user)
            if olm.is_device_verified(device) and device.device_id != self._connection.login.device
        }

    def standing_of(self, event: Event, room: MatrixRoom, olm: Olm) -> tuple[Standing, str]:
        """How sure we are of who wrote an event, and the device that it was written on, as far as that is known."""
        device = self.device_of(event, room.room_id, olm)
        if device is not None:
            self.clear.close(room.room_id)  # a listed person takes it for encrypted, whatever the homeserver says
            return Standing.ATTESTED if event.sender in self._attested else Standing.SIGNED, device.id
        if not event.decrypted and self.clear.has(room):
            return Standing.CLEAR, ""
        return Standing.UNPROVEN, self.claimed_device(event)

    def device_of(self, event: Event, room: str, olm: Olm) -> Device | None:
        """The trusted device that wrote an event which `olm` has decrypted; nothing where that is not proven.

        The library sets `verified` while it decrypts, with the trust of that moment. This is the same check with the
        trust of now: the session's keys are those of a device that the sender's pinned identity signed.
        """
        if not event.decrypted or event.sender_key is None or event.session_id is None:
            return None
        session = olm.inbound_group_store.get(room, event.sender_key, event.session_id)
        if session is None or session.forwarding_chain:
            return None
        for device in self._devices.get(event.sender, frozenset()):
            if device.curve25519 == event.sender_key and device.ed25519 == session.ed25519:
                return device
        return None

    def judged(self, user: str) -> Judged | None:
        """What was found of a listed person's devices, if they were asked for already."""
        if user not in self._devices or user not in self._refused:
            return None
        return Judged(self._holds.get(user), self._devices[user], self._refused[user])

    def device_with(self, user: str, key: str) -> str | None:
        """The id of the device of a listed person that bears a key, signed or not; nothing where there is none."""
        return next((each.id for each in self._claimed.get(user, ()) if each.curve25519 == key), None)

    def claimed_device(self, event: Event) -> str:
        """The id of the device that an event says it was written on. That proves nothing."""
        if not event.decrypted:
            return ""
        devices = self._claimed.get(event.sender, frozenset())
        return min((device.id for device in devices if device.curve25519 == event.sender_key), default="")

    async def _judge(self, user: str, identity: Identity | None) -> frozenset[Device]:
        if identity is None:
            self._holds.pop(user, None)
            return frozenset()
        self._holds[user] = await self._pins.holds(user, identity.master)
        if not self._holds[user]:
            return frozenset()
        if await self._pins.suffices(user, identity.master):
            self._attested.add(user)
        else:
            self._attested.discard(user)
        return identity.devices

    def _note_others(self, user: str, answer: Mapping[str, Any]) -> None:
        trusted = {device.id for device in self._devices[user]}
        if (own := self._connection.login.device) in trusted and user != self._connection.login.user:
            log.warning("a device has the id of ours and gets no keys; log it in anew", user=user, device=own)
        self._claimed[user] = devices_of(answer, user)
        refused = frozenset(entries_of(answer, user).keys() - trusted)
        for device in sorted(refused - self._refused.get(user, frozenset())):
            log.info("a device gets no keys", user=user, device=device)
        self._refused[user] = refused

    async def _tell_library(self, answer: Mapping[str, Any], users: set[str]) -> None:
        """Give the library the trusted devices. It raises, for everybody, at what it finds malformed in any other."""
        waiting = self._connection.olm.users_for_key_query
        # It takes everybody in the answer off its list, also those of whom it heard a change while we asked.
        changed_meanwhile = set(waiting)
        with on_disk():
            await self._connection.client.receive_response(
                KeysQueryResponse(
                    {
                        user: {
                            device.id: _bare(entries_of(answer, user)[device.id], device)
                            for device in self._devices[user]
                        }
                        for user in users
                    },
                    {},
                )
            )
        waiting |= changed_meanwhile

    def settle(self) -> None:
        """Tell the library of each device whether it is trusted. None is left without a word."""
        client, olm = self._connection.client, self._connection.olm
        with on_disk():
            for device in list(olm.device_store):
                seen = Device(device.user_id, device.device_id, device.ed25519, device.curve25519)
                if seen in self._devices.get(device.user_id, frozenset()):
                    device.deleted = False  # the library never takes back that a device is gone
                    if not olm.is_device_verified(device):
                        client.verify_device(device)
                elif not olm.is_device_blacklisted(device):
                    client.blacklist_device(device)


def _bare(entry: Mapping[str, Any], device: Device) -> dict[str, Any]:
    """What a device signed, with its own signature only."""
    key_id = f"ed25519:{device.id}"
    signature = unpadded(padded(entry["signatures"][device.user][key_id]))
    signed = {name: value for name, value in entry.items() if name != "unsigned"}
    return {**signed, "signatures": {device.user: {key_id: signature}}}
