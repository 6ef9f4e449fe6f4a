"""Signed messages: DSSE envelopes with Ed25519. What does not verify is never looked into.

The payload type names the root and the kind, so that no message passes for another. Specification:
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

import base64
import binascii
import hashlib

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire.errors import BadMessage, BadSignature

LARGEST = 64 * 1024


class PublicKey:
    """One side's key as others know it: 32 bytes, written in base64."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)
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

    def verify(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key made the signature."""
        try:
            self._key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


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


def seal(key: PrivateKey, root: str, kind: str, payload: bytes) -> bytes:
    """A signed message as it travels."""
    payload_type = _payload_type(root, kind)
    signature = key.sign(pae(payload_type, payload))
    return orjson.dumps(
        {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": key.public.id, "sig": base64.b64encode(signature).decode()}],
        }
    )


def unseal(envelope: bytes, root: str, kind: str, *keys: PublicKey) -> bytes:
    """The payload of a message of this root and kind, signed by one of these keys."""
    if len(envelope) > LARGEST:
        raise BadMessage(f"A {kind} of {len(envelope)} bytes is over the bound of {LARGEST}.")
    payload_type, payload, signatures = _open(envelope)
    expected = _payload_type(root, kind)
    if payload_type != expected:
        raise BadSignature(f"A message of type {payload_type!r} came where {expected!r} belongs.")
    signed = pae(payload_type, payload)
    for key in keys:
        if any(key.verify(signature, signed) for signature in signatures):
            return payload
    raise BadSignature(f"A {kind} is signed by none of the keys that may sign it.")


def _open(envelope: bytes) -> tuple[str, bytes, list[bytes]]:
    try:
        fields = orjson.loads(envelope)
        payload_type = fields["payloadType"]
        payload = base64.b64decode(fields["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in fields["signatures"][:4]]
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError) as error:
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
