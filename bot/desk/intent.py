"""What is about to be done, on disk before it is done: else nothing privileged happens. A stop never waits for it."""

import asyncio

import structlog

from bot.desk.call import Work
from bot.store import Store
from bot.words.errors import Refused, StoreError

DISK_MAY_TAKE_S = 0.25
LOOK_MAY_TAKE_S = 30.0
"""At the first command after a start, for a record of some million entries."""

log = structlog.get_logger(__name__)


class Late(Refused):
    """The disk took longer than a privileged command may wait. What it writes later is followed by this refusal."""

    def __init__(self) -> None:
        super().__init__(
            "Not run: the disk did not take the record in time.", hint="Send it again; look at the disk if it stays so."
        )


class NoRecord(Refused):
    """The disk does not even take the message. It is not run when it does, either: whoever asked was told so."""

    def __init__(self, trouble: str) -> None:
        super().__init__(f"Not run: it cannot be recorded. {trouble}", hint="Send it again when that is mended.")


async def before(store: Store, work: Work, *, if_late: Work | None = None) -> None:
    """Have an intent on disk, soon, or raise Refused. `if_late` is written right behind one that came too late."""
    await _examined(store)
    if store.distrusted:
        raise Refused(f"Not run: the record cannot be trusted: {store.distrusted}.", hint="Run: tocsin audit verify")
    writing = asyncio.ensure_future(store.write(work))
    await asyncio.wait([writing], timeout=DISK_MAY_TAKE_S)
    if not writing.done():
        writing.add_done_callback(_note_failure)
        if if_late is not None:
            asyncio.ensure_future(store.write(if_late)).add_done_callback(_note_failure)
        raise Late
    try:
        writing.result()
    except StoreError as error:
        raise Refused("Not run: it cannot be recorded.", hint=error.hint) from error


async def _examined(store: Store) -> None:
    """At the start the whole record is looked at once, before anybody builds on it."""
    if not store.examined.is_set():
        try:
            async with asyncio.timeout(LOOK_MAY_TAKE_S):
                await store.examined.wait()
        except TimeoutError:
            raise Refused("Not run: the record is still being looked at.", hint="Send it again in a moment.") from None


async def beside(store: Store, work: Work) -> None:
    """Have the intent written while the command runs: of a stop, and of what only takes rights away."""
    try:
        await store.write(work)
    except StoreError as error:
        log.error("a command that does not wait is not recorded yet", error=str(error))
    except Exception:  # whatever it is, it does not make undone what was done
        log.exception("a command that does not wait is not recorded")


def _note_failure(writing: "asyncio.Future[object]") -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        log.warning("an intent that was late is not on disk either", error=str(error))
