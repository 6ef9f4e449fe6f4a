"""Keys that are taken before the batch that brings them. Their message comes again, and must not be opened twice."""

import hashlib

import orjson
from nio import EncryptedToDeviceEvent
from nio.crypto import Olm

MOST = 1000
"""Messages, of up to 64 KiB. What is beyond that is opened with its batch."""


class Early:
    """Stands before the library's handling of what comes to the device."""

    def __init__(self, olm: Olm) -> None:
        self._olm = olm
        self._handle = olm.handle_to_device_event
        self._opened: dict[bytes, object | None] = {}
        """What came of those whose batch is still to come."""
        olm.handle_to_device_event = self._once

    def open(self, event: object) -> None:
        """Take what a message brings now. A key is on disk then, where the disk takes keys at all."""
        if isinstance(event, EncryptedToDeviceEvent) and len(self._opened) < MOST:
            name = _name(event)
            if name not in self._opened:
                self._opened[name] = self._handle(event)

    def without_a_disk(self) -> None:
        """From now on keys are held in memory alone. The device must read only, and be opened anew."""
        self._olm.save_session = self._olm.save_inbound_group_session = self._olm.save_account = _nowhere

    def _once(self, event: object) -> object | None:
        if self._opened and isinstance(event, EncryptedToDeviceEvent) and (name := _name(event)) in self._opened:
            return self._opened.pop(name)
        return self._handle(event)


def _nowhere(*_: object) -> None:
    pass


def _name(event: EncryptedToDeviceEvent) -> bytes:
    return hashlib.sha256(orjson.dumps(event.source, option=orjson.OPT_SORT_KEYS)).digest()
