"""The identity's seeds in the account's secret storage on the homeserver, which sees none of them.

They are encrypted under a recovery key. What is read back is not believed: the caller compares it with the identity.
"""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from bot.words.errors import SettingsError
from bridges.matrix.connection import Denied
from bridges.matrix.recovery_key import ALGORITHM, DoesNotOpen, RecoveryKey
from bridges.matrix.session import Asks
from bridges.matrix.signing import KEY_BYTES, padded, unpadded

DEFAULT = "m.secret_storage.default_key"
DESCRIPTION = "m.secret_storage.key."
ID_BYTES = 24
SECRETS = {
    "master": "m.cross_signing.master",
    "self_signing": "m.cross_signing.self_signing",
    "user_signing": "m.cross_signing.user_signing",
}
"""What each seed is called in account data."""
NO_KEY_LEFT = "Put identity.json back from a backup. If there is none: `tocsin matrix reset-identity`."


async def store(asks: Asks, seeds: Mapping[str, bytes]) -> RecoveryKey:
    """Keep the seeds under a new recovery key. An older key opens none of them any more."""
    key, key_id = RecoveryKey.fresh(), unpadded(os.urandom(ID_BYTES))
    await _put(asks, DESCRIPTION + key_id, key.description())
    for part, name in SECRETS.items():
        encrypted = key.encrypt(name, unpadded(seeds[part]).encode())
        await _put(asks, name, {"encrypted": {key_id: encrypted}})
    await _put(asks, DEFAULT, {"key": key_id})
    return key


async def restore(asks: Asks, key: RecoveryKey) -> dict[str, bytes]:
    """The seeds that are kept under a recovery key."""
    user = asks.login.user
    key_id = await _default(asks)
    description = None if key_id is None else await _get(asks, DESCRIPTION + key_id)
    if key_id is None or description is None:
        raise SettingsError(f"{user} has no secret storage on the homeserver.", hint=NO_KEY_LEFT)
    if description.get("algorithm") != ALGORITHM:
        raise SettingsError(f"The secret storage of {user} is of a kind that is not known here.", hint=NO_KEY_LEFT)
    if not key.fits(description):
        raise SettingsError(
            f"That recovery key is not the one of {user}.",
            hint="Each new one makes the older ones void: look for the newest.",
        )
    found: dict[str, bytes] = {}
    for part, name in SECRETS.items():
        encrypted = _under(await _get(asks, name), key_id)
        if encrypted is None:
            raise SettingsError(f"The secret storage of {user} does not hold the whole identity.", hint=NO_KEY_LEFT)
        try:
            seed = padded(key.decrypt(name, encrypted).decode().rstrip("="))
        except (DoesNotOpen, ValueError) as error:
            raise _damaged(user) from error
        if len(seed) != KEY_BYTES:
            raise _damaged(user)
        found[part] = seed
    return found


async def has_key(asks: Asks) -> bool:
    """Whether there is a key at all, for the identity or for what another client keeps."""
    return await _default(asks) is not None


async def is_recoverable(asks: Asks) -> bool:
    """Whether there is a recovery key for the whole identity. Which one it is, nobody can tell from here."""
    key_id = await _default(asks)
    if key_id is None or await _get(asks, DESCRIPTION + key_id) is None:
        return False
    for name in SECRETS.values():
        if _under(await _get(asks, name), key_id) is None:
            return False
    return True


async def _default(asks: Asks) -> str | None:
    key_id = (await _get(asks, DEFAULT) or {}).get("key")
    return key_id if isinstance(key_id, str) and key_id else None


def _under(secret: Mapping[str, Any] | None, key_id: str) -> Mapping[str, Any] | None:
    try:
        found: object = (secret or {})["encrypted"][key_id]
    except (KeyError, TypeError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


async def _get(asks: Asks, kind: str) -> Mapping[str, Any] | None:
    """What the account has of this kind. What is empty was taken away: nothing in account data can be deleted."""
    try:
        return await asks.request("GET", _path(asks, kind)) or None
    except Denied as denied:
        if denied.status == HTTPStatus.NOT_FOUND:
            return None
        raise


async def _put(asks: Asks, kind: str, content: Mapping[str, Any]) -> None:
    await asks.request("PUT", _path(asks, kind), content)


def _path(asks: Asks, kind: str) -> str:
    user = quote(asks.login.user, safe="")
    return f"/_matrix/client/v3/user/{user}/account_data/{quote(kind, safe='')}"


def _damaged(user: str) -> SettingsError:
    return SettingsError(f"The identity in the secret storage of {user} is damaged.", hint=NO_KEY_LEFT)
