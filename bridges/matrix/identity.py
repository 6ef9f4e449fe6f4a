"""What a homeserver's answer about keys proves of a user: who they are, and which devices they signed.

It never believes the server: a device counts only if the chain of signatures from the master key reaches it. What is
malformed is not there; it never raises.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from bridges.matrix.reading import is_name
from bridges.matrix.signing import is_public_key, is_signed


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """One device, with the keys that it signed itself."""

    user: str
    id: str
    ed25519: str
    curve25519: str


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A user's cross-signing identity and the devices that it vouches for."""

    user: str
    master: str
    devices: frozenset[Device]


def identity_of(answer: Mapping[str, Any], user: str) -> Identity | None:
    """A user's identity in an answer of `/keys/query`, or nothing where the signatures do not hold."""
    master = _public_key(answer, "master_keys", "master", user)
    self_signing = _public_key(answer, "self_signing_keys", "self_signing", user)
    if master is None or self_signing is None:
        return None
    if not is_signed(answer["self_signing_keys"][user], by=master, user=user):
        return None
    entries = entries_of(answer, user)
    vouched = (
        device for device in devices_of(answer, user) if is_signed(entries[device.id], by=self_signing, user=user)
    )
    return Identity(user, master, frozenset(vouched))


def devices_of(answer: Mapping[str, Any], user: str) -> frozenset[Device]:
    """The well-formed devices that are listed under a user's name. Nothing proves yet that they are the user's."""
    devices = (_device(entry, user, device) for device, entry in entries_of(answer, user).items())
    return frozenset(device for device in devices if device is not None)


def entries_of(answer: Mapping[str, Any], user: str) -> Mapping[str, Any]:
    """What the answer holds of each device of a user, good or not."""
    found = answer.get("device_keys")
    entries: object = cast("Mapping[str, Any]", found).get(user) if isinstance(found, dict) else None
    return cast("Mapping[str, Any]", entries) if isinstance(entries, dict) else {}


def _public_key(answer: Mapping[str, Any], section: str, usage: str, user: str) -> str | None:
    try:
        entry = answer[section][user]
        (key,) = entry["keys"].values()
        (key_id,) = entry["keys"]
        fits = entry["user_id"] == user and usage in entry["usage"] and key_id == f"ed25519:{key}"
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return key if fits and is_public_key(key) else None


def _device(entry: Any, user: str, device: str) -> Device | None:
    if not is_name(device):
        return None
    try:
        found = Device(user, device, entry["keys"][f"ed25519:{device}"], entry["keys"][f"curve25519:{device}"])
        fits = entry["user_id"] == user and entry["device_id"] == device
    except (KeyError, TypeError):
        return None
    if not (fits and is_public_key(found.ed25519) and is_public_key(found.curve25519)):
        return None
    return found if is_signed(entry, by=found.ed25519, user=user, key_id=f"ed25519:{device}") else None
