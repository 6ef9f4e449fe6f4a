"""What a component always does while it may, step by step. No step is taken without permission."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from components.gate import Gate
from components.trouble import isolated, root_of, told
from components.voice import Voice
from wire.work import Severity

AGAIN_S = 1.0
FAILED = "step-failed"

log = logging.getLogger(__name__)


async def always(step: Callable[[], Awaitable[None]], gate: Gate, voice: Voice) -> None:
    """Take one step after the other, until cancelled. One that fails is told, and after a while the next is taken."""

    async def whole() -> None:
        await step()

    while True:
        if not gate.may_work():
            await gate.change()
            continue
        with gate.at_work():
            task = await isolated(whole())
        raised = RuntimeError("it has cancelled itself") if task.cancelled() else task.exception()
        if raised is None:
            voice.clear(FAILED)
            await asyncio.sleep(0)
            continue
        error = root_of(raised)
        log.error("a step failed", exc_info=error)
        voice.alert(Severity.WARNING, f"A step of its work failed: {told(error)}", FAILED)
        await asyncio.sleep(AGAIN_S)
