"""Verification by emoji, with listed people only. A person says whether the emoji are the same; the bot never does.

It goes by messages to devices, or by messages in an encrypted room, and either side may begin. What it ends with: the
bot signs the person's identity, and they sign the bot's. An identity that is not the one that the person is known by
is not verified: first two persons have to agree to it.
"""

import asyncio
import collections
import contextlib
import dataclasses
import enum
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast
from urllib.parse import quote

import structlog

from bot.words.errors import NetworkError, TocsinError, UsageError
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import CrossSigning
from bridges.matrix.emoji import Emoji
from bridges.matrix.identity import Identity, identity_of
from bridges.matrix.reading import is_name
from bridges.matrix.sas import METHOD, Broken, Comparison, Content, Side
from bridges.matrix.sending import Speaker
from bridges.matrix.session import keys_of
from bridges.matrix.trust import Pins
from bridges.matrix.verifying_events import KIND, Heard

LIVES_S = 600.0
"""What the specification gives a request."""
MOST = 20
MOST_WAITING = 200
CODE_LENGTH = 4
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

log = structlog.get_logger(__name__)


class Phase(enum.StrEnum):
    """How far a verification is."""

    ASKED = "asked"
    """They were asked, and have not answered."""
    READY = "ready"
    """Both want to. The emoji come next."""
    SHOWN = "shown"
    """Both see emoji, and people compare them."""
    CONFIRMED = "confirmed"
    """The person here has said that they are the same."""
    DONE = "done"
    ENDED = "ended"


@dataclasses.dataclass(slots=True)
class Verification:
    """One attempt with one person."""

    code: str
    transaction: str
    user: str
    until: float
    room: str | None = None
    """Where it is spoken of; nothing where devices speak with each other alone."""
    device: str = ""
    """Their device, as soon as one has answered."""
    asked: frozenset[str] = frozenset()
    """All devices that were asked."""
    phase: Phase = Phase.READY
    ended: str = ""
    """Why, where it has ended without a result."""
    comparison: Comparison | None = None
    mac: Content | None = None
    """What they sent when they said that the emoji are the same."""

    @property
    def is_open(self) -> bool:
        """Whether it may still come to something."""
        return self.phase not in (Phase.DONE, Phase.ENDED)

    @property
    def is_looked_at(self) -> bool:
        """Whether people have emoji before them."""
        return self.phase in (Phase.SHOWN, Phase.CONFIRMED)

    @property
    def emoji(self) -> tuple[Emoji, ...]:
        """What both must see."""
        return self.comparison.emoji if self.comparison is not None else ()


class Verifications:
    """All attempts of this process. After a restart the other side begins anew."""

    def __init__(
        self,
        connection: Connection,
        speaker: Speaker,
        identity: CrossSigning,
        pins: Pins,
        counts: Callable[[str], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._speaker = speaker
        self._identity = identity
        self._pins = pins
        self._counts = counts
        self._clock = clock
        self._known: collections.OrderedDict[str, Verification] = collections.OrderedDict()
        """By transaction, the oldest first."""
        self._heard: asyncio.Queue[Heard] = asyncio.Queue(MOST_WAITING)
        self._one_at_a_time = asyncio.Lock()
        connection.olm.handle_key_verification = lambda _: None  # the library's own cannot speak with clients of today

    def note(self, heard: Heard) -> None:
        """Something came in. What is too much is dropped: whoever means it begins anew."""
        with contextlib.suppress(asyncio.QueueFull):
            self._heard.put_nowait(heard)

    async def run(self) -> None:
        """Deal with what came in until cancelled. The stream of messages does not wait for it."""
        while True:
            heard = await self._heard.get()
            try:
                await self.hear(heard)
            except Exception:  # whatever a stranger has found
                log.exception("a message of a verification broke", user=heard.user, kind=heard.kind)

    def all(self) -> tuple[Verification, ...]:
        """All that were begun lately, the newest first."""
        self._end_old_ones()
        return tuple(reversed(self._known.values()))

    def _end_old_ones(self) -> None:
        for each in self._known.values():
            if each.is_open and self._clock() > each.until:
                each.phase, each.ended = Phase.ENDED, "it took too long"

    async def ask(self, user: str) -> Verification:
        """Ask somebody's signed devices."""
        async with self._one_at_a_time:
            devices = frozenset(device.id for device in (await self._identity_of(user)).devices)
            if not devices:
                raise UsageError(f"{user} has no device that their identity has signed.")
            found = self._begin(Verification(_code(), secrets.token_hex(16), user, self._clock() + LIVES_S))
            found.phase, found.asked = Phase.ASKED, devices
            request = {"methods": [METHOD], "timestamp": time.time_ns() // 1_000_000}
            await self._say(found, "request", {"from_device": self._connection.login.device, **request})
            return found

    async def decide(self, code: str, *, same: bool) -> Verification:
        """A person here says whether the emoji are the same."""
        async with self._one_at_a_time:
            found = next((each for each in self.all() if each.code == code.upper()), None)
            if found is None or found.comparison is None or found.phase is not Phase.SHOWN:
                raise UsageError(f"There is nothing to compare under {code}.", hint="!verify shows what there is.")
            if not same:
                await self._cancel(found, Broken("m.mismatched_sas", "the emoji are not the same"))
                return found
            found.phase = Phase.CONFIRMED
            own, device = self._connection.olm.account.identity_keys, self._connection.login.device
            keys = {f"ed25519:{device}": own["ed25519"], self._identity.master.id: self._identity.master.public}
            await self._say(found, "mac", found.comparison.macs(keys))
            if found.mac is not None:
                await self._contained(found, self._finish(found))
            return found

    async def hear(self, heard: Heard) -> None:
        """Take what came in. It never raises for what another side or a server does."""
        async with self._one_at_a_time:
            self._end_old_ones()
            found = self._known.get(heard.transaction)
            if heard.kind == "request":
                if found is None:
                    await self._requested(heard)
            elif found is not None and found.is_open and found.user == heard.user and found.room == heard.room:
                await self._contained(found, self._step(found, heard))

    async def _contained(self, found: Verification, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except Broken as broken:
            await self._cancel(found, broken)
        except TocsinError as error:
            found.phase, found.ended = Phase.ENDED, error.what
            log.warning("a verification has ended", user=found.user, error=error.what)

    async def _requested(self, heard: Heard) -> None:
        device, methods = heard.content.get("from_device"), heard.content.get("methods")
        if not self._counts(heard.user) or heard.age_s > LIVES_S or not is_name(device):
            log.info("a request to verify is passed over", user=heard.user)
            return
        found = Verification(_code(), heard.transaction, heard.user, self._clock() + LIVES_S, heard.room, device)
        if not isinstance(methods, list) or METHOD not in cast("list[object]", methods):
            await self._cancel(found, Broken("m.unknown_method", "only emoji can be compared"))
            return
        await self._contained(found, self._be_ready(found))

    async def _be_ready(self, found: Verification) -> None:
        """Keep nothing that no signed device has begun, nor anything in the place of what people look at."""
        await self._must_be_signed(found)
        if any(each.user == found.user and each.is_looked_at for each in self._known.values()):
            raise Broken("m.user_error", "another one is being compared")
        self._begin(found)
        await self._say(found, "ready", {"from_device": self._connection.login.device, "methods": [METHOD]})
        log.info("somebody wants to verify the bot", user=found.user, device=found.device, code=found.code)

    async def _step(self, found: Verification, heard: Heard) -> None:
        content = heard.content
        match heard.kind:
            case "ready":
                await self._answered(found, content)
            case "start":
                await self._started(found, content)
            case "accept":
                await self._say(found, "key", self._comparison(found).accepted(content))
            case "key":
                answer = self._comparison(found).key(content)
                found.phase = Phase.SHOWN
                if answer is not None:
                    await self._say(found, "key", answer)
                log.info("emoji can be compared", user=found.user, device=found.device, code=found.code)
            case "mac":
                if found.mac is None:
                    found.mac = content
                    if found.phase is Phase.CONFIRMED:
                        await self._finish(found)
            case "cancel":
                found.phase, found.ended = Phase.ENDED, "the other side has ended it"
                log.info("a verification was ended by the other side", user=found.user, code=content.get("code"))
            case _:
                pass

    async def _answered(self, found: Verification, content: Content) -> None:
        """One of their devices wants to. The others need not ask any more."""
        device = content.get("from_device")
        if found.phase is not Phase.ASKED or not is_name(device) or device not in found.asked:
            raise Broken("m.unexpected_message", "nobody had asked that")
        others, found.device, found.phase = found.asked - {device}, device, Phase.READY
        for other in others:
            await self._send(found, "cancel", {"code": "m.accepted", "reason": "another device has answered"}, {other})
        found.comparison = self._new_comparison(found)
        await self._say(found, "start", found.comparison.begin(_relation(found)))

    async def _started(self, found: Verification, content: Content) -> None:
        if found.phase is not Phase.READY or content.get("from_device") != found.device:
            raise Broken("m.unexpected_message", "that does not come now")
        ours = (self._connection.login.user, self._connection.login.device)
        if found.comparison is not None and ours < (found.user, found.device):
            return  # both have begun, and ours counts
        found.comparison = self._new_comparison(found)
        await self._say(found, "accept", found.comparison.accept(content))

    async def _finish(self, found: Verification) -> None:
        """Both people have said that the emoji are the same: what their device says of its keys is looked at."""
        identity = await self._must_be_signed(found)
        (device,) = (each for each in identity.devices if each.id == found.device)
        master = f"ed25519:{identity.master}"
        known = {f"ed25519:{device.id}": device.ed25519, master: identity.master}
        proven = self._comparison(found).proven(found.mac or {}, known)
        if proven != known.keys():
            raise Broken("m.key_mismatch", "their app has not confirmed their identity")
        await self._sign(found.user, identity.master)
        await self._pins.verified(found.user, identity.master)
        found.phase = Phase.DONE
        log.info("verified by emoji", user=found.user, master=identity.master)
        await self._say(found, "done", {})

    async def _sign(self, user: str, master: str) -> None:
        """Say to all our devices, and to nobody else, that this is who they are."""
        # Made here, not taken from the server: nothing else than what was compared is signed.
        entry: dict[str, Any] = {"user_id": user, "usage": ["master"], "keys": {f"ed25519:{master}": master}}
        signing = self._identity.user_signing
        entry["signatures"] = {self._connection.login.user: {signing.id: signing.sign(entry)}}
        result = await self._connection.request(
            "POST", "/_matrix/client/v3/keys/signatures/upload", {user: {master: entry}}
        )
        if result.get("failures"):
            raise NetworkError(f"The homeserver did not take the signature of {user}.")

    async def _must_be_signed(self, found: Verification) -> Identity:
        identity = await self._identity_of(found.user)
        if found.device not in {device.id for device in identity.devices}:
            raise Broken("m.user_error", "this device is not signed by its owner")
        return identity

    async def _identity_of(self, user: str) -> Identity:
        """Who somebody is, as they are known."""
        identity = identity_of(await keys_of(self._connection, user), user)
        if identity is None:
            raise UsageError(f"{user} has no identity yet.", hint="Their app makes one: ask them to set it up there.")
        if not await self._pins.holds(user, identity.master):
            raise UsageError(f"The identity of {user} has changed.", hint="!trust shows it.")
        return identity

    def _begin(self, new: Verification) -> Verification:
        """Keep a new one. The older ones with the same person are over."""
        for each in self._known.values():
            if each.user == new.user and each.is_open:
                each.phase, each.ended = Phase.ENDED, "another one was begun"
        self._known[new.transaction] = new
        while len(self._known) > MOST:
            oldest = next((name for name, each in self._known.items() if not each.is_open), next(iter(self._known)))
            del self._known[oldest]
        return new

    def _new_comparison(self, found: Verification) -> Comparison:
        login = self._connection.login
        return Comparison(found.transaction, Side(login.user, login.device), Side(found.user, found.device))

    def _comparison(self, found: Verification) -> Comparison:
        if found.comparison is None:
            raise Broken("m.unexpected_message", "that does not come now")
        return found.comparison

    async def _cancel(self, found: Verification, broken: Broken) -> None:
        found.phase, found.ended = Phase.ENDED, str(broken)
        log.warning("a verification has ended", user=found.user, device=found.device, why=str(broken))
        try:
            await self._say(found, "cancel", {"code": broken.code, "reason": str(broken)})
        except TocsinError as error:
            log.warning("the other side does not know that a verification has ended", error=error.what)

    async def _say(self, found: Verification, kind: str, content: Content) -> None:
        """To the device that takes part; to all that were asked, as long as none has answered."""
        await self._send(found, kind, content, {found.device} if found.device else found.asked)

    async def _send(self, found: Verification, kind: str, content: Content, devices: set[str] | frozenset[str]) -> None:
        whole = {**content, **_relation(found)}
        if found.room is not None:
            await self._speaker.say(found.room, whole, key=secrets.token_hex(16), kind=KIND + kind)
            return
        path = f"/_matrix/client/v3/sendToDevice/{quote(KIND + kind, safe='')}/{secrets.token_hex(16)}"
        await self._connection.request("PUT", path, {"messages": {found.user: dict.fromkeys(devices, whole)}})


def _relation(found: Verification) -> dict[str, Any]:
    if found.room is None:
        return {"transaction_id": found.transaction}
    return {"m.relates_to": {"rel_type": "m.reference", "event_id": found.transaction}}


def _code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
