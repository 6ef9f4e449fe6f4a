"""Devices whose keys are lost and that must be deleted on the homeserver; they are on the disk until that is done.

Such a device is signed still: whoever finds its keys could read with it.
"""

import json
from pathlib import Path
from typing import Any, cast

from bot.private import write_private

OWED = "devices-to-delete.json"


class Owed:
    """What is owed, in the folder of the device that took their place."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / OWED

    def devices(self) -> frozenset[str]:
        """All that are owed."""
        try:
            kept: object = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return frozenset()
        each = cast("list[Any]", kept) if isinstance(kept, list) else []
        return frozenset(device for device in each if isinstance(device, str))

    def add(self, device: str) -> None:
        """Owe one more."""
        write_private(self._path, json.dumps(sorted({*self.devices(), device})).encode())

    def clear(self) -> None:
        """Owe nothing any more."""
        self._path.unlink(missing_ok=True)
