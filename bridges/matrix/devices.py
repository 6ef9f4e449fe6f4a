"""The account's devices on the homeserver, and how they are deleted there. It never deletes the one that we are."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, cast

from bot.words.errors import Unreachable
from bridges.matrix.owed import Owed
from bridges.matrix.session import Asks, with_password


@dataclasses.dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device as the homeserver lists it."""

    id: str
    name: str
    seen_s: float | None
    """When it was last seen, in seconds since 1970."""


async def other_devices(asks: Asks) -> tuple[ListedDevice, ...]:
    """All devices of the account but our own; the last seen first."""
    answer = await asks.request("GET", "/_matrix/client/v3/devices")
    listed = answer.get("devices")
    if not isinstance(listed, list):
        raise Unreachable(f"The homeserver does not say which devices {asks.login.user} has.")
    found = [_device(entry) for entry in cast("list[Any]", listed)]
    others = [device for device in found if device is not None and device.id != asks.login.device]
    return tuple(sorted(others, key=lambda device: (-(device.seen_s or 0), device.id)))


async def delete_devices(asks: Asks, ids: Collection[str], password: str) -> None:
    """Log devices of the account out, and have the homeserver forget their keys."""
    body = {"devices": sorted(ids)}
    await with_password(asks, "POST", "/_matrix/client/v3/delete_devices", body, password)


async def settle(owed: Owed, asks: Asks, password: str) -> frozenset[str]:
    """Have deleted what is owed and still there, and return it."""
    if not (ids := owed.devices()):
        return ids
    there = ids & {device.id for device in await other_devices(asks)}
    if there:
        await delete_devices(asks, there, password)
    owed.clear()
    return there


def _device(entry: object) -> ListedDevice | None:
    if not isinstance(entry, dict):
        return None
    fields = cast("Mapping[str, Any]", entry)
    device, name, seen_ms = (fields.get(each) for each in ("device_id", "display_name", "last_seen_ts"))
    if not isinstance(device, str):
        return None
    return ListedDevice(
        device,
        name if isinstance(name, str) else "",
        seen_ms / 1000 if isinstance(seen_ms, int | float) and seen_ms > 0 else None,
    )
