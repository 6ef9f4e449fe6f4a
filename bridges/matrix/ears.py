"""A copy of the device as the disk has it: it opens what it can, and what it learns goes nowhere.

So nothing that is heard beside the stream can be missing when the stream goes on.
"""

from collections.abc import Iterable

from nio import EncryptedToDeviceEvent, Event, MegolmEvent
from nio.crypto import Olm

from bridges.matrix.connection import Connection
from bridges.matrix.guard import guard_opening
from bridges.matrix.waiting import unsealed


class Ears:
    """Made where the stream stands still, and thrown away after it. The device's sessions are read from the disk."""

    def __init__(self, connection: Connection) -> None:
        login, store = connection.login, connection.client.store
        assert store is not None  # noqa: S101 - the library's client has one once it is logged in
        self.olm = Olm(login.user, login.device, store)
        self.olm.save_session = self.olm.save_inbound_group_session = self.olm.save_account = _nowhere
        self.olm.message_index_store = connection.seen
        guard_opening(self.olm)
        self._taken: set[str] = set()

    def take_keys(self, events: Iterable[object]) -> None:
        """Take what came to the device alone. It may be given again and again."""
        for event in events:
            if isinstance(event, EncryptedToDeviceEvent) and (name := repr(event.source)) not in self._taken:
                self._taken.add(name)
                self.olm.handle_to_device_event(event)

    def opened(self, event: MegolmEvent) -> Event | None:
        """A message as it was written, where its key is known."""
        return unsealed(self.olm, event)


def _nowhere(*_: object) -> None:
    pass
