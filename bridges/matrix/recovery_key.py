"""A recovery key of a Matrix account, and what is encrypted under it: `m.secret_storage.v1.aes-hmac-sha2`. No network.

It is never shown by accident: neither its repr nor an error has a character of it.
"""

import dataclasses
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.words.errors import UsageError
from bridges.matrix.signing import padded, unpadded

ALGORITHM = "m.secret_storage.v1.aes-hmac-sha2"
LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PREFIX = b"\x8b\x01"
KEY_BYTES = 32
IV_BYTES = 16
WHOLE_BYTES = len(PREFIX) + KEY_BYTES + 1
WHOLE_LETTERS = 48
GROUP = 4
ZEROES = bytes(KEY_BYTES)
"""What is encrypted to prove a key."""


class DoesNotOpen(Exception):
    """What is there was not encrypted under this key and this name, or was changed since."""


@dataclasses.dataclass(frozen=True, slots=True)
class RecoveryKey:
    """The key that a person keeps."""

    raw: bytes = dataclasses.field(repr=False)

    @classmethod
    def fresh(cls) -> "RecoveryKey":
        """A new one."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, typed: str) -> "RecoveryKey":
        """The key that somebody has typed, with blanks or without."""
        letters = "".join(typed.split())
        if set(letters) - set(LETTERS):
            raise _mistyped("it has a sign that no recovery key has (such as 0, O, I or l)")
        if len(letters) != WHOLE_LETTERS:
            raise _mistyped(f"it has {len(letters)} letters and digits instead of {WHOLE_LETTERS}")
        whole = _from_base58(letters)
        if whole is None or not whole.startswith(PREFIX):
            raise _mistyped("it does not begin like one")
        if _parity(whole):
            raise _mistyped("a letter or a digit in it is wrong")
        return cls(whole[len(PREFIX) : -1])

    def shown(self) -> str:
        """As a person writes it down: twelve groups of four."""
        whole = PREFIX + self.raw
        letters = _to_base58(whole + bytes([_parity(whole)]))
        return " ".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))

    def encrypt(self, name: str, secret: bytes) -> dict[str, str]:
        """A secret under this key, as it stands in account data of that name."""
        iv = bytearray(os.urandom(IV_BYTES))
        iv[8] &= 0x7F  # half of the world counts with 63 bits
        return self._encrypt(name, secret, bytes(iv))

    def decrypt(self, name: str, encrypted: Mapping[str, Any]) -> bytes:
        """The secret again. Raises DoesNotOpen."""
        try:
            iv, ciphertext, mac = (_bytes(encrypted[part]) for part in ("iv", "ciphertext", "mac"))
        except (KeyError, TypeError, ValueError) as error:
            raise DoesNotOpen from error
        cipher_key, mac_key = self._keys(name)
        if len(iv) != IV_BYTES or not hmac.compare_digest(_mac(mac_key, ciphertext), mac):
            raise DoesNotOpen
        return _counted(cipher_key, iv, ciphertext)

    def description(self) -> dict[str, str]:
        """What the account tells of this key, so that it can be known again."""
        proof = self.encrypt("", ZEROES)
        return {"algorithm": ALGORITHM, "iv": proof["iv"], "mac": proof["mac"]}

    def fits(self, description: Mapping[str, Any]) -> bool:
        """Whether this is the key of which an account tells. One that is told without a proof may be any."""
        if "iv" not in description or "mac" not in description:
            return True
        try:
            iv, mac = _bytes(description["iv"]), _bytes(description["mac"])
        except (TypeError, ValueError):
            return False
        if len(iv) != IV_BYTES:
            return False
        cipher_key, mac_key = self._keys("")
        return hmac.compare_digest(_mac(mac_key, _counted(cipher_key, iv, ZEROES)), mac)

    def _encrypt(self, name: str, secret: bytes, iv: bytes) -> dict[str, str]:
        cipher_key, mac_key = self._keys(name)
        ciphertext = _counted(cipher_key, iv, secret)
        parts = {"iv": iv, "ciphertext": ciphertext, "mac": _mac(mac_key, ciphertext)}
        return {part: unpadded(raw) for part, raw in parts.items()}

    def _keys(self, name: str) -> tuple[bytes, bytes]:
        """The key that encrypts what has this name, and the key that proves it."""
        both = HKDF(SHA256(), 2 * KEY_BYTES, salt=bytes(KEY_BYTES), info=name.encode()).derive(self.raw)
        return both[:KEY_BYTES], both[KEY_BYTES:]


def _mistyped(how: str) -> UsageError:
    return UsageError(f"That is no recovery key: {how}.", hint="Type it again, as it was shown.")


def _parity(data: bytes) -> int:
    """Nothing, for bytes that end with the parity of those before them."""
    parity = 0
    for byte in data:
        parity ^= byte
    return parity


def _bytes(text: object) -> bytes:
    """Base64 as others write it, too: with padding or without."""
    if not isinstance(text, str):
        raise TypeError(text)
    return padded(text.rstrip("="))


def _mac(key: bytes, ciphertext: bytes) -> bytes:
    return hmac.digest(key, ciphertext, hashlib.sha256)


def _counted(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES in counter mode: the same both ways."""
    both = Cipher(AES256(key), CTR(iv)).encryptor()
    return both.update(data) + both.finalize()


def _to_base58(whole: bytes) -> str:
    """The digits of a number. What is written here never begins with a zero byte."""
    rest, letters = int.from_bytes(whole, "big"), ""
    while rest:
        rest, digit = divmod(rest, len(LETTERS))
        letters = LETTERS[digit] + letters
    return letters


def _from_base58(letters: str) -> bytes | None:
    number = 0
    for letter in letters:
        number = number * len(LETTERS) + LETTERS.index(letter)
    try:
        return number.to_bytes(WHOLE_BYTES, "big")
    except OverflowError:
        return None
