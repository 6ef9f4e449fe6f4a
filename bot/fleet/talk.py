"""What components say of jobs, put by until somebody looks at it: the newest of each, so that a flood costs little.

Anybody can put something there, and must not hide what is signed: what says that a job is over is never dropped unseen.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Iterator

from wire.envelope import read_unproven
from wire.work import Job, Reply, Status

KEPT_OF_EACH = 4


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """Of which job something was said, as it claims itself."""

    kind: str
    id: str
    component: str


class Talk:
    """What was heard and not looked at yet."""

    def __init__(self) -> None:
        self._kept: dict[tuple[About, bool], collections.deque[bytes]] = {}
        self._news = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def put_by(self, about: About, payload: bytes, *, is_end: bool) -> bytes | None:
        """Somebody has said something of a job that is known. What has to be looked at now, to make room for it."""
        kept = self._kept.setdefault((about, is_end), collections.deque())
        kept.append(payload)
        self._news.set()
        oldest = kept.popleft() if len(kept) > KEPT_OF_EACH else None
        return oldest if is_end else None  # how far it was is old news

    async def come(self) -> None:
        """Wait until there is something new."""
        await self._news.wait()
        self._news.clear()

    def some(self, most: int) -> Iterator[tuple[About, bytes]]:
        """As much as is looked at before anybody else has a turn."""
        for _ in range(most):
            if not self._kept:
                return
            (about, is_end), kept = next(iter(self._kept.items()))
            payload = kept.popleft()
            if not kept:
                del self._kept[about, is_end]
            yield about, payload


def claimed(kind: str, rest: str, payload: bytes, root: str) -> tuple[About, bool]:
    """Which job something is about, and whether it is over, as it says itself. Raises BadMessage."""
    if kind == "job":
        component, _, id_ = rest.partition("/")
        return About(kind, id_, component), Job.parse(read_unproven(payload, root, kind)).state.is_over
    reply = Reply.parse(read_unproven(payload, root, "reply"))
    return About(kind, reply.id, reply.sender), reply.status is not Status.ACCEPTED
