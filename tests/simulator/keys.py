"""The keys of a history, and what is signed with them. Only hand-overs are really signed: a few, and only once.

Everything else that is signed is a value with its signer, so that a history costs no cryptography.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from wire.chain import KIND, Chain, hand_over
from wire.envelope import PrivateKey, PublicKey, seal
from wire.errors import BadMessage
from wire.messages import ROOT, HandOver, Lease, Roster, State, Stop
from wire.work import Command

MOST_ROTATIONS = 3
ReadHandOver = Callable[[bytes, str, PublicKey], HandOver]


def _key(name: str) -> PrivateKey:
    return PrivateKey(name.encode().ljust(32, b"."))


BOT = tuple(_key(f"bot {number}") for number in range(MOST_ROTATIONS + 1))
"""The bot's keys, one after the other."""
STOP = tuple(_key(f"stop {number}").public for number in range(3))
"""Stop keys that persons hold, and the thief of one."""
COMPONENTS = {name: _key(name).public for name in ("a", "b", "c")}
THIEF = _key("thief")
"""A key that nobody trusts."""
NAMES = {
    **{key.public: f"bot key {number}" for number, key in enumerate(BOT)},
    **{key: f"stop key {number}" for number, key in enumerate(STOP)},
    **{key: f"{name}'s key" for name, key in COMPONENTS.items()},
    THIEF.public: "a key that nobody knows",
}
LINKS = tuple(hand_over(old, new, ROOT) for old, new in itertools.pairwise(BOT))


def half(old: PublicKey, new: PublicKey, signer: PrivateKey) -> bytes:
    """A hand-over that one key alone has signed."""
    return seal(signer, ROOT, KIND, HandOver(old, new).to_bytes())


FORGED = (
    *(half(key.public, THIEF.public, THIEF) for key in BOT),
    *(half(old.public, new.public, new) for old, new in itertools.pairwise(BOT)),
    seal(THIEF, ROOT, KIND, HandOver(BOT[0].public, THIEF.public).to_bytes(), THIEF),
)
"""What somebody can make who has none of the bot's keys, or only the newest."""
STOLEN = tuple(hand_over(key, THIEF, ROOT) for key in BOT)
"""By place of the stolen key: how its thief takes a component over."""
HALVES = tuple(half(key.public, COMPONENTS["b"], key) for key in BOT)
"""By place of the stolen key: a hand-over to a key whose holder did not sign."""
PAIRS = {(old.public, new.public) for old, new in itertools.pairwise(BOT)}
"""What the bot hands over to what."""


@functools.cache
def chain(rotations: int) -> Chain:
    """The chain after so many rotations, really verified."""
    return Chain(BOT[rotations].public, LINKS[:rotations], ROOT)


def reader(read: ReadHandOver) -> Callable[[bytes, PublicKey], HandOver | None]:
    """What a component reads in a hand-over, remembered: the same bytes under the same key say the same."""

    @functools.cache
    def remembered(envelope: bytes, key: PublicKey) -> HandOver | None:
        try:
            return read(envelope, ROOT, key)
        except BadMessage:
            return None

    return remembered


@dataclass(frozen=True, slots=True)
class Signed:
    """A message on the network: what, by whom, for whom. A hand-over is its own envelope."""

    what: State | Lease | Stop | Roster | Command | bytes
    signer: PublicKey
    to: str
    envelope: bytes = b""
    """Of a stop: the bytes that stand for it in statements and on disks."""
    forged: bool = False
    """A thief has made it with the bot's own key."""


THE_BOT = "bot"
