"""What a component says of itself, and asks for: four times in the life of a lease, and at once at every change.

On a new connection, and in a new session, it says first who it is.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

from components.component import Component
from components.gate import Gate
from components.voice import Voice
from wire.enrolment import Enrolment
from wire.errors import NotSent, WireError
from wire.latch import Latch
from wire.mqtt import Link, Unconfirmed

BIRTH_WITHIN_S = 1.0
"""So long the first question waits for the broker to confirm the birth before it: a broker that never does must not
silence the component."""
GAP_S = 0.25
"""Between two questions that no stop and no reset calls for: too many at once, and the answers would come too late."""

log = logging.getLogger(__name__)


class Asking:
    """Asks."""

    def __init__(
        self,
        component: Component,
        enrolment: Enrolment,
        latch: Latch,
        gate: Gate,
        link: Link,
        voice: Voice,
        clock: Callable[[], float],
    ) -> None:
        self._component = component
        self._enrolment = enrolment
        self._latch = latch
        self._gate = gate
        self._link = link
        self._voice = voice
        self._clock = clock
        self._birth_due = True
        self._due = False
        self._said = latch.shown(clock())

    def soon(self, *, birth: bool = False) -> None:
        """Something has changed that is to be said at once; with a birth, before anything else."""
        self._birth_due |= birth
        self._due = True
        self._gate.wake()

    def notice(self) -> None:
        """Time has passed. Where silence is a stop it counts from then, before anything else that happens now."""
        if self._latch.silence(self._clock()):
            log.warning("stopped: nobody lets it work any more")
            self.soon()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            self.notice()
            while self._birth_due and self._link.connected:
                self._birth_due = False
                await self._be_born()
            self._due = False
            state = self._latch.ask(self._clock())
            self._said = state.shown
            sealed = self._voice.sealed("state", state.to_bytes())
            try:
                await self._link.publish(self._topic("state"), sealed)
            except WireError as error:  # it would fit no packet: the bot cannot believe what it does not hear
                log.error("not said: %s", error)
            if self._link.connected and not self._birth_due:
                self._voice.introduced()
            await self._pause()

    async def _pause(self) -> None:
        """Until it is time to ask, or there is a change. The end of a permission is one."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        due = began + self._latch.ttl_s / 4 * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
        while not self._due:
            now = self._clock()
            if self._latch.shown(now) is not self._said:
                due = min(due, began + GAP_S)
            left = due - loop.time()
            if left <= 0:
                return
            ends_in = self._latch.until - now
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, ends_in + 0.001) if ends_in > 0 else left):
                    await self._gate.change()
            self.notice()

    async def _be_born(self) -> None:
        birth = self._component.birth(self._enrolment, self._latch.session)
        try:
            sealed = self._voice.sealed("birth", birth.to_bytes())
            async with asyncio.timeout(BIRTH_WITHIN_S):
                await self._link.publish(self._topic("birth"), sealed, qos=1, retain=True)
        except TimeoutError:
            log.warning("the broker has not confirmed the birth within %g s", BIRTH_WITHIN_S)
        except (NotSent, Unconfirmed):
            return  # the connection is over; the next one begins with a birth
        except WireError as error:
            log.error("the birth was not said: %s", error)

    def _topic(self, kind: str) -> str:
        return f"{self._enrolment.root}/{kind}/{self._enrolment.id}"
