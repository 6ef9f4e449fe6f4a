"""Ed25519 signatures over Matrix's canonical JSON. It never says that something is signed without having checked it."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES = 32


def canonical(thing: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: sorted, without spaces, without signatures and what the server added."""
    signed = {name: value for name, value in thing.items() if name not in ("signatures", "unsigned")}
    return json.dumps(signed, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def unpadded(raw: bytes) -> str:
    """Base64 as Matrix writes keys and signatures."""
    return base64.b64encode(raw).decode().rstrip("=")


def padded(text: str) -> bytes:
    """The bytes of base64 without padding. Raises ValueError for anything else."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def is_public_key(key: object) -> bool:
    """Whether it is 32 bytes in the one way in which Matrix writes them."""
    try:
        return isinstance(key, str) and len(raw := padded(key)) == KEY_BYTES and unpadded(raw) == key
    except ValueError:
        return False


class SigningKey:
    """One private key of an identity."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = unpadded(self._key.public_key().public_bytes_raw())

    @property
    def id(self) -> str:
        """The name under which its signatures stand."""
        return f"ed25519:{self.public}"

    def sign(self, thing: Mapping[str, Any]) -> str:
        """The signature over a JSON object."""
        return unpadded(self._key.sign(canonical(thing)))


def is_signed(thing: Mapping[str, Any], *, by: str, user: str, key_id: str | None = None) -> bool:
    """Whether a JSON object carries a good signature of a user's public key. Malformed input is simply not signed."""
    try:
        signature = thing["signatures"][user][key_id or f"ed25519:{by}"]
        Ed25519PublicKey.from_public_bytes(padded(by)).verify(padded(signature), canonical(thing))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, InvalidSignature):
        return False
    return True
