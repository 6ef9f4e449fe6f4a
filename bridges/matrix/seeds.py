"""The seeds of the identity on the disk, encrypted under a key that is made of the account's password.

Whoever copies the bot's folder can sign no device with it. It never says that a file is damaged where only the password
is another one: a person would throw the file away.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bot.private import write_private
from bot.words.errors import SettingsError
from bridges.matrix.signing import canonical, padded, unpadded

VERSION = 1
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
COST = {"n": 2**15, "r": 8, "p": 1}
"""What a key takes: a tenth of a second and 32 MiB."""
MOST_MEMORY = 2**30
MOST_TURNS = 16


class WrongPassword(Exception):
    """The seeds are whole, and encrypted under another password or for another account."""


class Damaged(ValueError):
    """These are no seeds, or not all of them."""


def sealed(secret: bytes, password: str, user: str) -> bytes:
    """A secret as it may lie on a disk."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    key = _key(password, salt, COST)
    fields: dict[str, Any] = {
        "version": VERSION,
        "scrypt": COST,
        "salt": unpadded(salt),
        "nonce": unpadded(nonce),
        "ciphertext": unpadded(AESGCM(key).encrypt(nonce, secret, _bound_to(user))),
    }
    return json.dumps({**fields, "digest": _digest(fields)}, indent=1).encode()


def is_sealed(data: bytes) -> bool:
    """Whether it is encrypted at all. The first form was not."""
    return "version" in _fields(data)


def opened(data: bytes, password: str, user: str) -> bytes:
    """The secret again. Raises WrongPassword, or Damaged."""
    fields = _fields(data)
    digest = fields.pop("digest", None)
    if fields.get("version") != VERSION or digest != _digest(fields):
        raise Damaged("what is there is not what was written")
    try:
        salt, nonce, ciphertext = (padded(fields[name]) for name in ("salt", "nonce", "ciphertext"))
        key = _key(password, salt, fields["scrypt"])
        return AESGCM(key).decrypt(nonce, ciphertext, _bound_to(user))
    except InvalidTag:
        raise WrongPassword from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(str(error)) from error


@dataclasses.dataclass(frozen=True, slots=True)
class SeedFile:
    """Where the seeds of an account are kept."""

    path: Path
    user: str
    password: str = dataclasses.field(repr=False)

    def read(self) -> bytes:
        """The seeds. Raises FileNotFoundError where they are not kept here."""
        data = self.path.read_bytes()
        try:
            return opened(data, self.password, self.user) if is_sealed(data) else data
        except WrongPassword:
            raise SettingsError(
                f"The password of {self.user} was changed since the identity in {self.path} was encrypted with it.",
                hint="Run `tocsin matrix recover` with the recovery key, or set the old password again.",
            ) from None
        except Damaged as error:
            raise self.damaged() from error

    def is_plain(self) -> bool:
        """Whether they lie here in the first form, in clear."""
        return not is_sealed(self.path.read_bytes())

    def write(self, secret: bytes) -> None:
        """Keep the seeds here, encrypted, and return once the disk has them."""
        write_private(self.path, sealed(secret, self.password, self.user))

    def damaged(self) -> SettingsError:
        """The error for what cannot be read."""
        return SettingsError(
            f"The identity in {self.path} cannot be read.",
            hint="Put the file back from a backup, or run `tocsin matrix recover` with the recovery key.",
        )


def _fields(data: bytes) -> dict[str, Any]:
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged("no JSON") from error
    if not isinstance(found, dict):
        raise Damaged("no object")
    return cast("dict[str, Any]", found)


def _digest(fields: Mapping[str, Any]) -> str:
    """Tells a damaged file from a wrong password. It protects nothing: the encryption does."""
    return hashlib.sha256(canonical(fields)).hexdigest()


def _bound_to(user: str) -> bytes:
    return f"tocsin identity {VERSION} {user}".encode()


def _key(password: str, salt: bytes, cost: Mapping[str, int]) -> bytes:
    n, r, p = (cost[name] for name in ("n", "r", "p"))
    if 128 * n * r > MOST_MEMORY or p > MOST_TURNS:
        raise ValueError("asks for too much")
    return Scrypt(salt=salt, length=KEY_BYTES, n=n, r=r, p=p).derive(password.encode(errors="surrogateescape"))
