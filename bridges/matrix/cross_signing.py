"""The bot's own identity: three keys that sign its devices. It never makes a second identity in silence.

Whoever has verified the bot trusts its master key. A new one would make their clients refuse to send.
"""

import asyncio
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from bot.private import sync_folder
from bot.words.errors import NetworkError, SettingsError, Unreachable
from bridges.matrix.connection import Connection
from bridges.matrix.identity import devices_of, entries_of, identity_of
from bridges.matrix.seeds import SeedFile
from bridges.matrix.session import Asks, keys_of, with_password
from bridges.matrix.signing import SigningKey, padded, unpadded

SEED_BYTES = 32
PARTS = ("master", "self_signing", "user_signing")
FILE = "identity.json"
NEXT = "identity.json.next"
"""An identity that is taking the place of the one before. It counts once the server shows it."""
UPLOAD = "/_matrix/client/v3/keys/device_signing/upload"

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class CrossSigning:
    """The three keys."""

    master: SigningKey
    self_signing: SigningKey
    user_signing: SigningKey

    @classmethod
    def fresh(cls) -> "CrossSigning":
        """A new identity."""
        return cls(*(SigningKey(os.urandom(SEED_BYTES)) for _ in range(3)))

    @classmethod
    def of(cls, seeds: Mapping[str, bytes]) -> "CrossSigning":
        """The identity that grows from these seeds."""
        return cls(*(SigningKey(seeds[part]) for part in PARTS))

    @classmethod
    def loads(cls, data: bytes) -> "CrossSigning":
        """The identity that was kept."""
        seeds = json.loads(data)
        return cls.of({part: padded(seeds[part]) for part in PARTS})

    def seeds(self) -> dict[str, bytes]:
        """What must be kept secret, and must never be lost."""
        return {part: key.seed for part, key in self._parts().items()}

    def dumps(self) -> bytes:
        """The seeds, for a file that is encrypted as a whole."""
        return json.dumps({part: unpadded(seed) for part, seed in self.seeds().items()}).encode()

    def _parts(self) -> dict[str, SigningKey]:
        return dict(zip(PARTS, (self.master, self.self_signing, self.user_signing), strict=True))

    def upload(self, user: str) -> dict[str, dict[str, Any]]:
        """The public keys: the master key signs the other two."""
        body: dict[str, dict[str, Any]] = {}
        for usage, key in self._parts().items():
            entry: dict[str, Any] = {"user_id": user, "usage": [usage], "keys": {key.id: key.public}}
            if key is not self.master:
                entry["signatures"] = {user: {self.master.id: self.master.sign(entry)}}
            body[f"{usage}_key"] = entry
        return body


async def establish(connection: Connection, password: str) -> CrossSigning:
    """Have the identity on the server and the device signed by it; raise where either cannot be had."""
    user, device = connection.login.user, connection.login.device
    answer = await _query(connection)
    shown = _shown_master(answer, user)
    keys = await asyncio.to_thread(_settled, connection.folder, user, password, shown)
    if keys is None:
        if shown is not None:
            raise another_identity(user, f"but {connection.folder / FILE} is not here")
        keys = CrossSigning.fresh()
        await asyncio.to_thread(keep, keys, connection.folder, user, password)
    if shown is None:
        await publish(connection, keys, password)
        answer = await _query(connection)
        log.info("cross-signing identity uploaded", user=user, master=keys.master.public)
    elif shown != keys.master.public:
        raise another_identity(user, f"and not the one in {connection.folder / FILE}")
    if not _vouched(answer, connection):
        await sign_device(connection, keys)
        if not _vouched(await _query(connection), connection):
            raise NetworkError(f"The homeserver does not show the device {device} as signed by {user}.")
    return keys


def kept(folder: Path, user: str, password: str) -> CrossSigning | None:
    """The identity that is kept here, if there is one."""
    try:
        return _read(SeedFile(folder / FILE, user, password))
    except FileNotFoundError:
        return None


def keep(keys: CrossSigning, folder: Path, user: str, password: str) -> None:
    """Keep an identity here, encrypted. It takes the place of the one that was kept, or was to be."""
    SeedFile(folder / FILE, user, password).write(keys.dumps())
    (folder / NEXT).unlink(missing_ok=True)


def _settled(folder: Path, user: str, password: str, shown: str | None) -> CrossSigning | None:
    """The identity that is kept here, from now on encrypted.

    A reset that was cut off is finished where the server shows what it made, or undone.
    """
    file, following = (SeedFile(folder / name, user, password) for name in (FILE, NEXT))
    if following.path.exists():
        if _is_shown(file, shown):
            following.path.unlink()
        elif _is_shown(following, shown):
            following.path.replace(file.path)
            sync_folder(folder)
    keys = kept(folder, user, password)
    if keys is not None and file.is_plain():  # nobody knows here whether that password is still the account's
        log.warning("the identity lies here in clear: `tocsin matrix recover` encrypts it", file=str(folder / FILE))
    return keys


async def reset(connection: Connection, password: str) -> CrossSigning:
    """Make a new identity that of the account, whatever it has. Everybody who has verified the old one is cut off."""
    user, folder = connection.login.user, connection.folder
    keys = CrossSigning.fresh()
    await asyncio.to_thread(SeedFile(folder / NEXT, user, password).write, keys.dumps())
    await publish(connection, keys, password)
    return await establish(connection, password)


async def shown_master(asks: Asks) -> str | None:
    """The master key that the server shows for the account, if there is one."""
    return _shown_master(await _query(asks), asks.login.user)


def _is_shown(file: SeedFile, shown: str | None) -> bool:
    try:
        return _read(file).master.public == shown
    except (FileNotFoundError, SettingsError):
        return False


def _read(file: SeedFile) -> CrossSigning:
    data = file.read()
    try:
        return CrossSigning.loads(data)
    except (ValueError, KeyError, TypeError) as error:
        raise file.damaged() from error


async def _query(asks: Asks) -> dict[str, Any]:
    return await keys_of(asks, asks.login.user)


def _shown_master(answer: Mapping[str, Any], user: str) -> str | None:
    """The master key in an answer; nothing only where there is none. It must never be taken for none by mistake."""
    try:
        if user not in (masters := answer.get("master_keys", {})):
            return None
        (key,) = masters[user]["keys"].values()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(f"The homeserver shows the identity of {user} in a form that cannot be read.") from error
    return key


def _vouched(answer: Mapping[str, Any], connection: Connection) -> bool:
    """Whether the server shows our device with our keys, signed by our identity."""
    identity = identity_of(answer, connection.login.user)
    own = connection.olm.account.identity_keys
    return identity is not None and any(
        device.id == connection.login.device
        and device.ed25519 == own["ed25519"]
        and device.curve25519 == own["curve25519"]
        for device in identity.devices
    )


async def publish(connection: Connection, keys: CrossSigning, password: str) -> None:
    """Make an identity that of the account. Where there is one already, this replaces it."""
    user = connection.login.user
    body: dict[str, Any] = keys.upload(user)
    master = body["master_key"]
    # The device signs the master key too, so that whoever trusts the device may trust the identity.
    by_device = connection.olm.sign_json(dict(master))
    master["signatures"] = {user: {f"ed25519:{connection.login.device}": by_device}}
    await with_password(connection, "POST", UPLOAD, body, password)


async def sign_device(connection: Connection, keys: CrossSigning) -> None:
    """Sign the device that we are."""
    answer = await _query(connection)
    user, device = connection.login.user, connection.login.device
    own = connection.olm.account.identity_keys
    if not any(each.id == device and each.ed25519 == own["ed25519"] for each in devices_of(answer, user)):
        raise NetworkError(
            f"The homeserver shows other keys for the device {device} than it has.",
            hint=f"Remove {connection.folder / 'login.json'} and start again: a new device is made.",
        )
    entry: dict[str, Any] = dict(entries_of(answer, user)[device])
    entry.pop("unsigned", None)
    entry["signatures"] = {user: {keys.self_signing.id: keys.self_signing.sign(entry)}}
    result = await connection.request("POST", "/_matrix/client/v3/keys/signatures/upload", {user: {device: entry}})
    if result.get("failures"):
        raise NetworkError(f"The homeserver did not take the signature of the device {device}.")


def another_identity(user: str, how: str) -> SettingsError:
    """The error for an identity on the server that is not ours. It is never replaced."""
    return SettingsError(
        f"The account {user} has a cross-signing identity already, {how}.",
        hint="Run `tocsin matrix recover` with its recovery key, or put identity.json back from a backup. "
        "If both are lost: `tocsin matrix reset-identity`.",
    )
