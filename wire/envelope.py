"""Signed messages: DSSE envelopes with Ed25519. What does not verify is never looked into.

The payload type names the root and the kind, so that no message passes for another. Specification:
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Callable

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire.errors import BadMessage, BadSignature

try:
    import vodozemac
except ImportError:  # a component needs none of it; the bot has it with its Matrix library
    vodozemac = None

LARGEST = 64 * 1024
SIGNATURE_LENGTH = 64
MOST_SIGNATURES = 4
MOST_TRIED = 8
"""Signatures that are checked of one message: a forged one must not cost more, however many keys there are."""

Check = Callable[[bytes, bytes], bool]
"""Whether a signature is that of some bytes."""


class PublicKey:
    """One side's key as others know it: 32 bytes, written in base64."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.verify = _quick_check(raw) or _check(raw)
        """Whether this key made a signature of some bytes."""
        self.id = hashlib.sha256(raw).hexdigest()[:16]

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """A key as it stands in a file."""
        try:
            raw = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise BadMessage("A public key is 32 bytes in base64.") from error
        if len(raw) != 32:  # noqa: PLR2004 - the length of an Ed25519 key
            raise BadMessage(f"A public key is 32 bytes in base64, not {len(raw)}.")
        return cls(raw)

    def __str__(self) -> str:
        return base64.b64encode(self.raw).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


def _check(raw: bytes) -> Check:
    key = Ed25519PublicKey.from_public_bytes(raw)

    def check(signature: bytes, signed: bytes) -> bool:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return check


def _quick_check(raw: bytes) -> Check | None:
    """The same in a third of the time, where there is what it takes: the bot checks hundreds in a second."""
    if vodozemac is None:
        return None
    library, signature_of = vodozemac, vodozemac.Ed25519Signature.from_base64
    try:
        key = library.Ed25519PublicKey.from_base64(base64.b64encode(raw).decode())
    except library.KeyException:  # no point of the curve: the other one says no to each signature
        return None

    def check(signature: bytes, signed: bytes) -> bool:
        if len(signature) != SIGNATURE_LENGTH:
            return False
        try:
            key.verify_signature(signed, signature_of(base64.b64encode(signature).decode()))
        except library.SignatureException:
            return False
        return True

    return check


class PrivateKey:
    """One side's own key. It has one role and never shows itself."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.id})"

    def sign(self, what: bytes) -> bytes:
        """The signature of these bytes."""
        return self._key.sign(what)


def seal(key: PrivateKey, root: str, kind: str, payload: bytes, *more: PrivateKey) -> bytes:
    """A signed message as it travels. Where several sign, the others come last."""
    payload_type = _payload_type(root, kind)
    signed = pae(payload_type, payload)
    return orjson.dumps(
        {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {"keyid": each.public.id, "sig": base64.b64encode(each.sign(signed)).decode()} for each in (key, *more)
            ],
        }
    )


def unseal(envelope: bytes, root: str, kind: str, *keys: PublicKey) -> bytes:
    """The payload of a message of this root and kind, signed by one of these keys."""
    return unseal_by(envelope, root, kind, *keys)[0]


def unseal_by(envelope: bytes, root: str, kind: str, *keys: PublicKey) -> tuple[bytes, PublicKey]:
    """The same, and which of the keys has signed it."""
    signed, payload, signatures = _signed(envelope, root, kind)
    pairs = [(key, each) for key in keys for each in signatures]
    pairs.sort(key=lambda pair: pair[0].id != pair[1].key_id)  # what is said to be the key's comes first
    for key, each in pairs[:MOST_TRIED]:
        if key.verify(each.signature, signed):
            return payload, key
    raise BadSignature(f"A {kind} is signed by none of the keys that may sign it.")


def unseal_by_all(envelope: bytes, root: str, kind: str, *keys: PublicKey) -> bytes:
    """The payload of a message of this root and kind, signed by each of these keys."""
    signed, payload, signatures = _signed(envelope, root, kind)
    if keys and all(any(key.verify(each.signature, signed) for each in signatures) for key in keys):
        return payload
    raise BadSignature(f"A {kind} is not signed by all the keys that must sign it.")


def read_unproven(envelope: bytes, root: str, kind: str) -> bytes:
    """The payload of a message that nobody has verified: to learn or to show what it claims, and for nothing else."""
    return _signed(envelope, root, kind)[1]


def _signed(envelope: bytes, root: str, kind: str) -> tuple[bytes, bytes, list["_Signature"]]:
    """What was signed, its payload, and the signatures."""
    if len(envelope) > LARGEST:
        raise BadMessage(f"A {kind} of {len(envelope)} bytes is over the bound of {LARGEST}.")
    payload_type, payload, signatures = _open(envelope)
    expected = _payload_type(root, kind)
    if payload_type != expected:
        raise BadSignature(f"A message of type {payload_type!r} came where {expected!r} belongs.")
    return pae(payload_type, payload), payload, signatures


@dataclasses.dataclass(frozen=True, slots=True)
class _Signature:
    key_id: object
    """Whose it is said to be. Anybody can write anything there."""
    signature: bytes


def _open(envelope: bytes) -> tuple[str, bytes, list[_Signature]]:
    try:
        fields = orjson.loads(envelope)
        payload_type = fields["payloadType"]
        payload = base64.b64decode(fields["payload"], validate=True)
        signatures = [
            _Signature(each.get("keyid"), base64.b64decode(each["sig"], validate=True))
            for each in fields["signatures"][:MOST_SIGNATURES]
        ]
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadMessage("A message is not a DSSE envelope.") from error
    if not isinstance(payload_type, str):
        raise BadMessage("A message is not a DSSE envelope.")
    return payload_type, payload, signatures


def _payload_type(root: str, kind: str) -> str:
    return f"application/vnd.tocsin.{kind}+json; root={root}"


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    named = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)
