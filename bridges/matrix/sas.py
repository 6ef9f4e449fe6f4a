"""One comparison of short codes between two devices, as pure code: messages in, messages out.

Both see the same seven emoji only if nobody stands between them. It knows no network and asks no person; whoever uses
it must not call `macs` before a person has said that the emoji are the same. Specification:
https://spec.matrix.org/v1.16/client-server-api/#short-authentication-string-sas-verification
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import vodozemac

from bridges.matrix.emoji import EMOJI, Emoji
from bridges.matrix.reading import is_name
from bridges.matrix.signing import canonical, unpadded

METHOD = "m.sas.v1"
AGREEMENT = "curve25519-hkdf-sha256"
HASH = "sha256"
MAC = "hkdf-hmac-sha256.v2"
SHOWN = ("decimal", "emoji")
MOST_MACS = 32

Content = Mapping[str, Any]


class Broken(Exception):
    """The comparison is over without a result. It has the code that the specification wants for the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """A device that takes part."""

    user: str
    device: str


class Comparison:
    """From `start` to the check of the other side's keys. Each step may be taken once, in its order."""

    def __init__(self, transaction: str, ours: Side, theirs: Side) -> None:
        self._transaction = transaction
        self._ours = ours
        self._theirs = theirs
        self._sas: Any = vodozemac.Sas()
        self._own_key: str = self._sas.public_key.to_base64()
        self._step = "new"
        self._start: Content = {}
        self._commitment = ""
        self._shared: Any = None
        self.emoji: tuple[Emoji, ...] = ()
        """What both must see, once both keys are there."""

    def begin(self, relation: Content) -> Content:
        """Our `start`."""
        self._go("new", "started")
        self._start = {
            **relation,
            "from_device": self._ours.device,
            "method": METHOD,
            "key_agreement_protocols": [AGREEMENT],
            "hashes": [HASH],
            "message_authentication_codes": [MAC],
            "short_authentication_string": list(SHOWN),
        }
        return self._start

    def accept(self, start: Content) -> Content:
        """Our `accept` of their `start`."""
        self._go("new", "accepted")
        if start.get("method") != METHOD:
            raise Broken("m.unknown_method", "only emoji can be compared")
        wanted = {
            "key_agreement_protocols": AGREEMENT,
            "hashes": HASH,
            "message_authentication_codes": MAC,
            "short_authentication_string": "emoji",
        }
        for field, value in wanted.items():
            offered: object = start.get(field)
            if not isinstance(offered, list) or value not in cast("list[object]", offered):
                raise Broken("m.unknown_method", f"{value} is not among their {field}")
        return {
            "method": METHOD,
            "key_agreement_protocol": AGREEMENT,
            "hash": HASH,
            "message_authentication_code": MAC,
            "short_authentication_string": [each for each in SHOWN if each in start["short_authentication_string"]],
            "commitment": _commitment(self._own_key, start),
        }

    def accepted(self, accept: Content) -> Content:
        """Our `key`, where they took our `start`."""
        self._go("started", "committed")
        chosen = ("key_agreement_protocol", "hash", "message_authentication_code")
        if tuple(accept.get(field) for field in chosen) != (AGREEMENT, HASH, MAC):
            raise Broken("m.unknown_method", "they chose what was not offered")
        commitment = accept.get("commitment")
        if not is_name(commitment):
            raise Broken("m.invalid_message", "their commitment is none")
        self._commitment = commitment
        return {"key": self._own_key}

    def key(self, content: Content) -> Content | None:
        """Take their `key`. Where they began, ours is sent in answer."""
        began = self._step == "committed"
        self._go("committed" if began else "accepted", "shown")
        key = content.get("key")
        try:
            self._shared = self._sas.diffie_hellman(vodozemac.Curve25519PublicKey.from_base64(cast("str", key)))
        except (ValueError, TypeError) as error:
            raise Broken("m.invalid_message", "their key is none") from error
        if began and _commitment(cast("str", key), self._start) != self._commitment:
            raise Broken("m.mismatched_commitment", "their key is not the one that they had promised")
        ours, theirs = (self._ours, self._own_key), (self._theirs, cast("str", key))
        sides = (ours, theirs) if began else (theirs, ours)
        parts = [part for side, public in sides for part in (side.user, side.device, public)]
        shown = self._shared.bytes("|".join(["MATRIX_KEY_VERIFICATION_SAS", *parts, self._transaction]))
        numbers: list[int] = list(shown.emoji_indices)
        self.emoji = tuple(EMOJI[number] for number in numbers)
        return None if began else {"key": self._own_key}

    def macs(self, keys: Mapping[str, str]) -> Content:
        """Our `mac` over our own keys, by their ids. A person has said that the emoji are the same."""
        if self._shared is None:
            raise Broken("m.unexpected_message", "there is nothing to confirm yet")
        info = self._info(self._ours, self._theirs)
        return {
            "mac": {name: self._shared.calculate_mac(key, info + name) for name, key in keys.items()},
            "keys": self._shared.calculate_mac(",".join(sorted(keys)), info + "KEY_IDS"),
        }

    def proven(self, mac: Content, known: Mapping[str, str]) -> frozenset[str]:
        """Which of the keys that we know of them their `mac` proves. Raises Broken where it contradicts one."""
        if self._shared is None:
            raise Broken("m.unexpected_message", "a mac came before the emoji")
        macs, ids = mac.get("mac"), mac.get("keys")
        if not isinstance(macs, dict) or not isinstance(ids, str):
            raise Broken("m.invalid_message", "their mac is none")
        given = cast("Mapping[str, object]", macs)
        if len(given) > MOST_MACS:
            raise Broken("m.invalid_message", "their mac is too long")
        info = self._info(self._theirs, self._ours)
        self._verify(",".join(sorted(given)), info + "KEY_IDS", ids)
        proven = given.keys() & known.keys()
        for name in proven:
            self._verify(known[name], info + name, given[name])
        return frozenset(proven)

    def _verify(self, what: str, info: str, tag: object) -> None:
        try:
            self._shared.verify_mac(what, info, tag)
        except (ValueError, TypeError) as error:
            raise Broken("m.key_mismatch", "their keys are not those that the homeserver shows") from error

    def _info(self, by: Side, to: Side) -> str:
        return f"MATRIX_KEY_VERIFICATION_MAC{by.user}{by.device}{to.user}{to.device}{self._transaction}"

    def _go(self, before: str, after: str) -> None:
        if self._step != before:
            raise Broken("m.unexpected_message", "that does not come now")
        self._step = after


def _commitment(key: str, start: Content) -> str:
    return unpadded(hashlib.sha256(key.encode() + canonical(start)).digest())
