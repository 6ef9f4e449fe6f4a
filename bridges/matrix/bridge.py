"""Matrix as a bridge. A message is received once it is in the inbox, sent once the homeserver has it; never before."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from nio import SyncResponse

from bot.bridge import Comparison, Health, Office, Reach
from bot.words.errors import NetworkError, OutOfService, StoreError, Unreachable
from bot.words.message import Message, Place, Post
from bot.words.people import Account as Holder
from bridges.matrix.account import Account, Login
from bridges.matrix.attention import Attention
from bridges.matrix.clear import ClearRooms
from bridges.matrix.connection import Connection, LoginLost
from bridges.matrix.cross_signing import CrossSigning, establish
from bridges.matrix.departures import Departures
from bridges.matrix.explaining import Explainer
from bridges.matrix.files import download
from bridges.matrix.guests import Guests
from bridges.matrix.invitations import Invitations
from bridges.matrix.patience import patiently
from bridges.matrix.reading import NETWORK
from bridges.matrix.receiving import Heard, Receiver
from bridges.matrix.recovery import look_after
from bridges.matrix.sending import Speaker
from bridges.matrix.settings import MatrixSettings
from bridges.matrix.threads import Threads
from bridges.matrix.trust import Trust
from bridges.matrix.verification import Verifications
from bridges.matrix.verifying_events import heard_in
from bridges.matrix.voice import Voice
from bridges.matrix.waiting import KEY_MAY_TAKE_S

SILENT_S = 120.0
"""A homeserver says within a quarter of this that there is nothing new, and it may be late once."""


class StoredPins:
    """Pinned identities as the bot keeps them."""

    def __init__(self, office: Office) -> None:
        self._identities = office.identities

    async def holds(self, user: str, master: str) -> bool:
        """Whether a user shows the identity that they are known by."""
        return await patiently(lambda: self._identities.holds(Holder(NETWORK, user), master), StoreError)

    async def suffices(self, user: str, master: str) -> bool:
        """Whether the identity that a user is known by is enough."""
        return await patiently(lambda: self._identities.suffices(Holder(NETWORK, user), master), StoreError)

    def take_changed(self) -> frozenset[str]:
        """Users of whom a person has said since this was last asked that they are known otherwise."""
        return frozenset(account.id for account in self._identities.take_changed(NETWORK))

    async def verified(self, user: str, master: str) -> None:
        """People have compared: a user is who they are known as."""
        await self._identities.verified(Holder(NETWORK, user), master)


@dataclasses.dataclass(frozen=True, slots=True)
class _Live:
    """What works while there is a connection."""

    connection: Connection
    voice: Voice
    attention: Attention
    verifications: Verifications
    explainer: Explainer


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
        self._live: _Live | None = None
        self._has_worked = False
        self._heard = Heard(clock)
        self._key_may_take_s = key_may_take_s
        self._clear = ClearRooms(settings.unencrypted_rooms)
        office.identities.set_by_file({Holder(NETWORK, user): key for user, key in settings.pins.items()})
        if settings.proof == "verified":
            office.identities.ask_for_comparison(NETWORK)

    def _listed(self) -> frozenset[str]:
        return frozenset(account.id for account in self._office.people.accounts_on(NETWORK))

    def _is_ours(self, user: str) -> bool:
        return self._office.people.owner_of(Holder(NETWORK, user)) is not None

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
        try:
            await patiently(lambda: self._serve(login, password), StoreError)
        except LoginLost as lost:
            if self._has_worked:
                raise OutOfService(lost.what, hint=lost.hint) from lost
            raise

    async def _serve(self, login: Login, password: str) -> None:
        """Be the device until cancelled, or until the disk fails: then memory is ahead of it, and all is read again."""
        async with Connection.opened(login, self._office.folder) as connection:
            # What a homeserver says oddly once is no reason to end, after it has all worked.
            passing = NetworkError if self._has_worked else Unreachable
            await patiently(connection.upkeep, passing)
            identity = await patiently(lambda: establish(connection, password), passing)
            guests = Guests(connection, self._is_ours, self._settings.open_rooms)
            trust = Trust(connection, self._listed, StoredPins(self._office), guests, self._clear)
            try:
                async with asyncio.TaskGroup() as beside:
                    beside.create_task(look_after(connection, self._office.folder, password))
                    await self._receive(connection, identity, trust, beside)
            except ExceptionGroup as group:
                raise group.exceptions[0] from group  # that of the stream: nothing else beside it raises

    async def _receive(
        self, connection: Connection, identity: CrossSigning, trust: Trust, beside: asyncio.TaskGroup
    ) -> None:
        inlet, key_may_take_s = self._office.inlet, self._key_may_take_s
        speaker, attention, threads = Speaker(connection, trust), Attention(connection), Threads(connection)
        verifications = Verifications(connection, speaker, identity, StoredPins(self._office), trust.counts)
        beside.create_task(verifications.run())
        invitations = Invitations(connection, self._listed, beside)
        departures = Departures(connection, self._is_ours, beside)

        def taken(response: SyncResponse) -> None:
            invitations.answer(response)
            if self._listed():  # a list without anybody is a mistake: nobody could invite it again
                departures.look(response)
            for each in heard_in(response, connection.login.user):
                verifications.note(each)

        receiver = Receiver(connection, trust, inlet, threads, self._heard, taken, key_may_take_s=key_may_take_s)
        try:
            cursor = await receiver.take(await inlet.cursor(), first=True)
            explainer = Explainer(connection, trust, receiver.withheld, self._office.people)
            self._live = _Live(connection, Voice(connection, speaker, threads), attention, verifications, explainer)
            self._ready.set()
            self._has_worked = True
            while True:
                cursor = await receiver.take(cursor, first=False)
        finally:
            self._ready.clear()
            self._live = None
            attention.close()
            await speaker.finish()

    def attending(self, message: Message) -> AbstractContextManager[None]:
        """Show that the bot is at work, while there is a connection."""
        return contextlib.nullcontext() if self._live is None else self._live.attention.on(message)

    def reach(self, place: Place) -> Sequence[Reach] | None:
        """Who reads whom in a room; nothing where the bot is not there just now."""
        return None if self._live is None else self._live.explainer.reach(place.id)

    def comparisons(self) -> Sequence[Comparison]:
        """Verifications by emoji that were begun lately."""
        return [
            Comparison(
                code=each.code,
                account=Holder(NETWORK, each.user),
                device=each.device,
                state=each.phase,
                why=each.ended,
                symbols=tuple((emoji.symbol, emoji.name) for emoji in each.emoji),
            )
            for each in (self._live.verifications.all() if self._live else ())
        ]

    async def ask_to_compare(self, account: Holder) -> None:
        """Ask somebody's signed devices to compare emoji."""
        await self._verifications.ask(account.id)

    async def decide(self, code: str, *, same: bool) -> None:
        """Somebody has looked whether the emoji are the same."""
        await self._verifications.decide(code, same=same)

    @property
    def _verifications(self) -> Verifications:
        if self._live is None:
            raise Unreachable("There is no connection to the homeserver just now.")
        return self._live.verifications

    async def send(self, post: Post, *, key: str) -> str:
        """Say something in its room and return the event's id. An edit is known by the event that it edits."""
        while (live := self._live) is None:
            await self._ready.wait()
        try:
            return await live.voice.say(post, key)
        except (LoginLost, StoreError) as fault:  # `run` tells a person; the post keeps until they have mended it
            raise Unreachable(fault.what, hint=fault.hint) from fault

    async def bring(self, reference: str, most: int) -> bytes:
        """What is in a file that somebody sent in a room."""
        while (live := self._live) is None:
            await self._ready.wait()
        try:
            return await download(live.connection, reference, most)
        except (LoginLost, StoreError) as fault:  # as above
            raise Unreachable(fault.what, hint=fault.hint) from fault
