"""Sends a stop until everybody whom it is for has said that they know of it. It never waits long for a disk."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Protocol

import structlog

from bot.stop.course import Course
from wire.broker import QoS
from wire.errors import WireError

log = structlog.get_logger(__name__)

AGAIN_S = (0.25, 0.5, 1.0, 2.0)
"""When a stop is sent again, and from then on every last of these, until each affected component names it."""
DISK_MAY_TAKE_S = 0.01
"""A stop that is not written by then is sent all the same."""
BROKER_MAY_TAKE_S = 1.0
"""A broker that has not answered by then is asked again; it must not keep the room from the news."""


class Publish(Protocol):
    """How a message reaches the broker."""

    async def __call__(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        """Raises WireError where it did not, or where nobody can tell."""
        ...


class Sender:
    """Sends the stops of one root."""

    def __init__(self, publish: Publish, root: str) -> None:
        self._publish = publish
        self._root = root

    async def keep_sending(
        self,
        course: Course,
        signed: bytes,
        writing: asyncio.Future[bool] | None,
        *,
        everybody_knows: Callable[[], bool],
        is_over: Callable[[], bool],
        is_followed: Callable[[], bool],
    ) -> None:
        """Send a stop, at least once, until everybody has latched it. The disk is waited for a moment, once."""
        if writing is not None:
            await asyncio.wait([writing], timeout=DISK_MAY_TAKE_S)
        for pause in itertools.chain(AGAIN_S, itertools.repeat(AGAIN_S[-1])):
            # What is over may begin anew, with somebody whom nobody knew of.
            while is_followed() and (is_over() or (course.sent and everybody_knows())):
                course.to_send.clear()
                await course.to_send.wait()
            if not is_followed():
                return
            await self._send(course, signed)
            await asyncio.sleep(pause)

    async def withdraw(self, target: str) -> bool:
        """Take a retained stop away. It resets nothing: it only does not greet who comes later. False where not."""
        try:
            async with asyncio.timeout(BROKER_MAY_TAKE_S):
                await self._publish(f"{self._root}/stop/{target}", b"", qos=1, retain=True)
        except (WireError, TimeoutError) as error:
            log.warning("a stop that is over is still kept by the broker", target=target, error=str(error))
            return False
        return True

    async def _send(self, course: Course, signed: bytes) -> None:
        incident = course.incident
        try:
            async with asyncio.timeout(BROKER_MAY_TAKE_S):
                await self._publish(f"{self._root}/stop/{incident.target}", signed, qos=1, retain=True)
            course.sent = True
        except (WireError, TimeoutError) as error:
            log.warning("a stop did not reach the broker; it is sent again", incident=incident.id, error=str(error))
