"""What a stranger sends must never end the bot, nor change what it knows of a room behind the server's back.

The Matrix library lets some malformed ciphertexts out as exceptions: one such message to the bot's device, from any
account on any server, would stop the stream for good. It also believes state that comes encrypted, as state never does.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog
from nio import BadEvent, Event
from nio.crypto import Olm

log = structlog.get_logger(__name__)
Given = TypeVar("Given")
Result = TypeVar("Result")


def guard(olm: Olm) -> None:
    """Have an event that cannot be handled, or must not be, count as one that cannot be read."""
    decrypt = olm._decrypt_megolm_no_error  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - all room events pass here

    def decrypt_no_state(event: object) -> Event | BadEvent | None:
        decrypted = decrypt(event)
        if isinstance(decrypted, Event) and "state_key" in decrypted.source:
            log.warning(
                "state that came encrypted is passed over", event_id=decrypted.event_id, sender=decrypted.sender
            )
            return None
        return decrypted

    olm.handle_to_device_event = _contained(olm.handle_to_device_event)
    olm._decrypt_megolm_no_error = _contained(decrypt_no_state)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - see above


def _contained(handle: Callable[[Given], Result]) -> Callable[[Given], Result | None]:
    def contained(event: Given) -> Result | None:
        try:
            return handle(event)
        except Exception as error:  # noqa: BLE001 - whatever a stranger has found
            log.warning("a malformed event is passed over", kind=type(event).__name__, error=type(error).__name__)
            return None

    return contained
