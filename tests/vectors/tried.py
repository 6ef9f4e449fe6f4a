"""What a receiver is tried with: envelopes as they must be, and what somebody on the way could make of them."""

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

from tests.vectors.signed import CALL, KEYS, NONCE, NOW_MS, SESSION, N, X, b64, kind_of, sealed
from wire.envelope import LARGEST
from wire.messages import HandOver

Refusal = Literal["envelope", "message"]


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """One envelope, and what its receiver must think of it."""

    name: str
    kind: str
    keys: tuple[str, ...]
    """Who may sign it. For a hand-over: the one key that the receiver has."""
    envelope: bytes
    refused: Refusal | None = None
    """By the envelope, or by what is in it."""
    spaces: int = 0
    """So many of them follow."""


STOP: dict[str, Any] = {"incident": X, "target": "all", "issued": NOW_MS}
LEASE: dict[str, Any] = {"nonce": NONCE, "n": N, "t_ms": NOW_MS, "ttl_ms": 10_000, "stops": [], "cleared": []}
CMD: dict[str, Any] = {
    "id": CALL,
    "command": "walk",
    "args": {"steps": 8},
    "targets": [{"id": "walker", "session": SESSION}],
    "reply_to": "tocsin",
    "expires": NOW_MS,
    "actor": "olga",
}
ROSTER: dict[str, Any] = {"serial": 1, "stop_keys": [str(KEYS["stop"].public)]}


def changed(envelope: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """An envelope after somebody on the way has had it in hand."""
    fields = json.loads(envelope)
    change(fields)
    return json.dumps(fields, separators=(",", ":")).encode()


def envelopes() -> Iterator[Read]:
    """What may be done to an envelope, and what may not."""
    good = sealed("stop", STOP, "bot")
    may = ("bot", "stop")

    def read(name: str, envelope: bytes, refused: Refusal | None = None) -> Read:
        return Read(name, "stop", may, envelope, refused)

    def by_hand(name: str, change: Callable[[dict[str, Any]], object], refused: Refusal | None = None) -> Read:
        return read(name, changed(good, change), refused)

    def signatures(*by: str) -> list[Any]:
        return [json.loads(sealed("stop", STOP, name))["signatures"][0] for name in by]

    others = ("stranger", "stranger", "component")
    yield read("signed by the bot", good)
    yield read("signed by a stop key", sealed("stop", STOP, "stop"))
    yield read("signed by a stranger and by the bot", sealed("stop", STOP, "stranger", "bot"))
    yield by_hand("the right signature is the fourth", lambda it: it.update(signatures=signatures(*others, "bot")))
    yield by_hand("a field is in it that nobody knows", lambda it: it.update(more={"a": [1]}))
    yield by_hand("the keyid names another key: it is a hint", lambda it: it["signatures"][0].update(keyid="0" * 16))
    yield by_hand("there is no keyid", lambda it: it["signatures"][0].pop("keyid"))
    yield read("spaces and a line feed around it", b" " + good + b"\n")
    yield dataclasses.replace(read("as large as may be", good), spaces=LARGEST - len(good))
    yield read("a field is in the payload that nobody knows", sealed("stop", STOP | {"more": None}, "bot"))

    yield read("signed by a stranger", sealed("stop", STOP, "stranger"), "envelope")
    yield read("signed by the component itself", sealed("stop", STOP, "component"), "envelope")
    yield by_hand(
        "the right signature is the fifth",
        lambda it: it.update(signatures=signatures(*others, *others[:1], "bot")),
        "envelope",
    )
    yield read("of another kind", sealed("lease", STOP, "bot"), "envelope")
    yield by_hand("of another kind by its label only", lambda it: it.update(payloadType=kind_of("lease")), "envelope")
    yield read("of another kind, and relabelled", changed(sealed("lease", STOP, "bot"), _as_stop), "envelope")
    yield read("of another root", sealed("stop", STOP, "bot", root="tocsin/v2"), "envelope")
    yield read("of another root, and relabelled", changed(sealed("stop", STOP, "bot", root="x"), _as_stop), "envelope")
    yield by_hand("the payload is another one", lambda it: it.update(payload=b64(b"{}")), "envelope")
    yield by_hand("the signature is of one bit less", _flip, "envelope")
    yield by_hand("the signature is too short", lambda it: it["signatures"][0].update(sig=b64(bytes(63))), "envelope")
    yield by_hand("no signature", lambda it: it.update(signatures=[]), "envelope")
    yield by_hand("the signatures are no list", lambda it: it.update(signatures={}), "envelope")
    yield by_hand("there are no signatures", lambda it: it.pop("signatures"), "envelope")
    yield by_hand("there is no payload", lambda it: it.pop("payload"), "envelope")
    yield by_hand("base64 without its padding", lambda it: it.update(payload=it["payload"].rstrip("=")), "envelope")
    yield by_hand("base64 with too much padding", lambda it: it.update(payload=it["payload"] + "===="), "envelope")
    yield by_hand("a line feed in the base64", lambda it: it.update(payload=it["payload"] + "\n"), "envelope")
    yield by_hand("base64 for addresses", _for_addresses, "envelope")
    yield read("the envelope is a list", b"[" + good + b"]", "envelope")
    yield read("the envelope is cut off", good[:-1], "envelope")
    yield read("something follows the envelope", good + b"{}", "envelope")
    yield read("a byte order mark stands before it", b"\xef\xbb\xbf" + good, "envelope")
    yield read("it is not UTF-8", good[:-1] + b',"more":"\xff"}', "envelope")
    yield read("NaN is no JSON", good[:-1] + b',"more":NaN}', "envelope")
    yield dataclasses.replace(read("one byte too large", good, "envelope"), spaces=LARGEST - len(good) + 1)
    yield read("it is empty", b"", "envelope")


def hand_overs() -> Iterator[Read]:
    """The one message that takes two signatures."""
    link = HandOver(KEYS["bot"].public, KEYS["bot2"].public).to_bytes()
    yield Read("both signed it, the other way round", "key", ("bot",), sealed("key", link, "bot2", "bot"))
    yield Read("only the old key signed it", "key", ("bot",), sealed("key", link, "bot"), "envelope")
    yield Read("only the new key signed it", "key", ("bot",), sealed("key", link, "bot2"), "envelope")
    yield Read("the old key signed it twice", "key", ("bot",), sealed("key", link, "bot", "bot"), "envelope")
    yield Read("the receiver has another key", "key", ("stranger",), sealed("key", link, "bot", "bot2"), "envelope")
    other = HandOver(KEYS["stranger"].public, KEYS["bot2"].public).to_bytes()
    yield Read("it is from another key", "key", ("bot",), sealed("key", other, "bot", "bot2"), "message")
    short = {"old": str(KEYS["bot"].public), "new": b64(bytes(31))}
    yield Read("a key of 31 bytes", "key", ("bot",), sealed("key", short, "bot", "bot2"), "message")


def contents() -> Iterator[Read]:
    """What is signed as it must be, and still is not what the contract says."""
    wrong: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
        "stop": (
            STOP,
            {
                "incident of capital letters": {"incident": "A" * 32},
                "incident of 31 digits": {"incident": "1" * 31},
                "incident with a line feed": {"incident": X + "\n"},
                "target of no form": {"target": "everything"},
                "target without a name": {"target": "group/"},
                "target of capital letters": {"target": "id/Walker"},
                "time before time": {"issued": -1},
                "time as a text": {"issued": "1790000000000"},
                "time in fractions": {"issued": 0.5},
                "time as true": {"issued": True},
                "no time": {"issued": None},
            },
        ),
        "lease": (
            LEASE,
            {
                "nonce of other letters": {"nonce": "xyz"},
                "nonce of 65 digits": {"nonce": "a" * 65},
                "empty nonce": {"nonce": ""},
                "no number": {"n": None},
                "no time to live": {"ttl_ms": 0},
                "time beyond all numbers": {"t_ms": 2**54},
                "stops that are no list": {"stops": X},
                "stops that are null": {"stops": None},
                "a stop that is no incident": {"stops": ["all"]},
                "cleared with a number": {"cleared": [1]},
            },
        ),
        "drill": (
            {"drill": N, "target": "all", "issued": NOW_MS},
            {"an id of other letters": {"drill": "xyz"}, "a target of no form": {"target": "everything"}},
        ),
        "roster": (
            ROSTER,
            {
                "serial nought is the enrolment's": {"serial": 0},
                "a key without its padding": {"stop_keys": [str(KEYS["stop"].public).rstrip("=")]},
                "a key of 31 bytes": {"stop_keys": [b64(bytes(31))]},
            },
        ),
        "cmd": (
            CMD,
            {
                "an id of other letters": {"id": "walk-1"},
                "a command of capital letters": {"command": "Walk"},
                "arguments as a list": {"args": [8]},
                "no targets": {"targets": None},
                "a target that is a name": {"targets": ["walker"]},
                "a target without a session": {"targets": [{"id": "walker"}]},
                "an answer to another topic": {"reply_to": "a/b"},
            },
        ),
    }
    for kind, (right, changes) in wrong.items():
        for name, change in changes.items():
            yield Read(f"{kind}: {name}", kind, ("bot",), sealed(kind, right | change, "bot"), "message")
    yield Read("stop: a list", "stop", ("bot",), sealed("stop", b"[]", "bot"), "message")
    yield Read("stop: not UTF-8", "stop", ("bot",), sealed("stop", b'{"incident":"\xff"}', "bot"), "message")
    yield Read("stop: NaN", "stop", ("bot",), sealed("stop", b'{"issued":NaN}', "bot"), "message")


def reads() -> Iterator[Read]:
    """All that a receiver is tried with."""
    yield from envelopes()
    yield from hand_overs()
    yield from contents()


def _as_stop(fields: dict[str, Any]) -> None:
    fields["payloadType"] = kind_of("stop")


def _flip(fields: dict[str, Any]) -> None:
    raw = bytearray(base64.b64decode(fields["signatures"][0]["sig"]))
    raw[0] ^= 1
    fields["signatures"][0]["sig"] = b64(bytes(raw))


def _for_addresses(fields: dict[str, Any]) -> None:
    """The other alphabet of RFC 4648, that of section 5. This signature has letters of it."""
    signature = fields["signatures"][0]
    signature["sig"] = signature["sig"].replace("+", "-").replace("/", "_")
