"""A box that names a person, and the key of that one box. Whoever was given the key opens it and no other."""

import base64
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_LENGTH = 16
BOX_KEY_LENGTH = 32
PURPOSE = b"tocsin record v1"
NONCE = bytes(12)
"""A key of a box seals that box and nothing else."""


def box_key(key: bytes, salt: bytes) -> bytes:
    """The key of one box, drawn from its person's."""
    return blake2b(salt, key=key, person=PURPOSE, digest_size=BOX_KEY_LENGTH).digest()


def open_with(key: bytes, tag: str, box: str) -> bytes | None:
    """What is in a box, for somebody who was given the key of this one."""
    try:
        content = base64.b64decode(box, validate=True)
        return AESGCM(key).decrypt(NONCE, content[SALT_LENGTH:], tag.encode())
    except (ValueError, InvalidTag):
        return None
