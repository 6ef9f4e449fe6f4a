"""The bot's own identity: three keys that sign its devices. It never makes a second identity in silence.

Whoever has verified the bot trusts its master key. A new one would make their clients refuse to send.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import structlog

from bot.private import write_private
from bot.words.errors import NetworkError, SettingsError, Unreachable
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.identity import devices_of, entries_of, identity_of
from bridges.matrix.signing import SigningKey, padded, unpadded

SEED_BYTES = 32
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
    def loads(cls, data: bytes) -> "CrossSigning":
        """The identity that was kept."""
        kept = json.loads(data)
        return cls(*(SigningKey(padded(kept[name])) for name in ("master", "self_signing", "user_signing")))

    def dumps(self) -> bytes:
        """What must be kept secret, and must never be lost."""
        seeds = {"master": self.master, "self_signing": self.self_signing, "user_signing": self.user_signing}
        return json.dumps({name: unpadded(key.seed) for name, key in seeds.items()}).encode()

    def upload(self, user: str) -> dict[str, dict[str, Any]]:
        """The public keys: the master key signs the other two."""
        parts = {"master": self.master, "self_signing": self.self_signing, "user_signing": self.user_signing}
        body: dict[str, dict[str, Any]] = {}
        for usage, key in parts.items():
            entry: dict[str, Any] = {"user_id": user, "usage": [usage], "keys": {key.id: key.public}}
            if key is not self.master:
                entry["signatures"] = {user: {self.master.id: self.master.sign(entry)}}
            body[f"{usage}_key"] = entry
        return body


async def establish(connection: Connection, password: str) -> CrossSigning:
    """Have the identity on the server and the device signed by it; raise where either cannot be had."""
    user, device = connection.login.user, connection.login.device
    file = connection.folder / "identity.json"
    answer = await _query(connection)
    shown = _shown_master(answer, user)
    try:
        keys = CrossSigning.loads(file.read_bytes())
    except FileNotFoundError:
        if shown is not None:
            raise _another_identity(user, f"but {file} is not here") from None
        keys = CrossSigning.fresh()
        write_private(file, keys.dumps())
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"The identity in {file} cannot be read.", hint="Put the file back from a backup."
        ) from error
    if shown is None:
        await publish(connection, keys, password)
        answer = await _query(connection)
        log.info("cross-signing identity uploaded", user=user, master=keys.master.public)
    elif shown != keys.master.public:
        raise _another_identity(user, f"and not the one in {file}")
    if not _vouched(answer, connection):
        await sign_device(connection, keys)
        if not _vouched(await _query(connection), connection):
            raise NetworkError(f"The homeserver does not show the device {device} as signed by {user}.")
    return keys


async def _query(connection: Connection) -> dict[str, Any]:
    return await connection.request(
        "POST", "/_matrix/client/v3/keys/query", {"device_keys": {connection.login.user: []}}
    )


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
    try:
        await connection.request("POST", UPLOAD, body)
    except Denied as denied:
        if "flows" not in denied.answer:
            raise
        body["auth"] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password,
            "session": denied.answer.get("session"),
        }
        await connection.request("POST", UPLOAD, body)


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


def _another_identity(user: str, how: str) -> SettingsError:
    return SettingsError(
        f"The account {user} has a cross-signing identity already, {how}.",
        hint="Put identity.json back from a backup, or give the bot an account that nothing else uses.",
    )
