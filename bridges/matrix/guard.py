"""What a stranger sends must never end the bot, nor change what it knows of a room behind the server's back.

The Matrix library lets some malformed ciphertexts and keys out as exceptions: one such message to the bot's device,
from any account on any server, would stop the stream for good. It also believes state that comes encrypted, as state
never does. A fault of the disk is nobody's message and comes out as it is.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog
from nio import Event, KeysClaimResponse
from nio.crypto import Olm
from nio.store import MatrixStore

from bridges.matrix.disk import FAULTS

log = structlog.get_logger(__name__)
Given = TypeVar("Given")
Result = TypeVar("Result")


def guard_opening(olm: Olm) -> None:
    """Have an event that cannot be opened, or must not be, count as one that cannot be read."""
    decrypt = olm._decrypt_megolm_no_error  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - all room events pass here

    def decrypt_no_state(event: object) -> Event | None:
        decrypted = decrypt(event)
        if not isinstance(decrypted, Event):  # what is odd within an envelope must not pass for an event of the server
            return None
        if "state_key" in decrypted.source:
            log.warning(
                "state that came encrypted is passed over", event_id=decrypted.event_id, sender=decrypted.sender
            )
            return None
        return decrypted

    olm.handle_to_device_event = _contained(olm.handle_to_device_event)
    olm._decrypt_megolm_no_error = _contained(decrypt_no_state)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - see above


def guard(olm: Olm, store: MatrixStore) -> None:
    """The same, and what each message changes in the keys reaches the disk whole."""
    guard_opening(olm)
    take_claimed = olm._handle_key_claiming  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - all claimed keys pass here
    take_one = _whole(_contained(take_claimed), store)

    def take_claimed_one_by_one(response: KeysClaimResponse) -> None:
        for user, devices in response.one_time_keys.items():
            for device, key in devices.items():
                take_one(KeysClaimResponse({user: {device: key}}, {}))

    olm.handle_to_device_event = _whole(olm.handle_to_device_event, store)
    olm._handle_key_claiming = take_claimed_one_by_one  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - see above


def _contained(handle: Callable[[Given], Result]) -> Callable[[Given], Result | None]:
    def contained(given: Given) -> Result | None:
        try:
            return handle(given)
        except FAULTS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a stranger has found
            log.warning("something malformed is passed over", kind=type(given).__name__, error=type(error).__name__)
            return None

    return contained


def _whole(handle: Callable[[Given], Result], store: MatrixStore) -> Callable[[Given], Result]:
    """What one message changes in the keys reaches the disk as a whole, or comes again as if it had never come."""

    def whole(given: Given) -> Result:
        with store.database.atomic():
            return handle(given)

    return whole
