"""What components say of jobs, put by until somebody looks at it: the newest of each, so that a flood costs little."""

import asyncio
import collections
from collections.abc import Iterator

from wire.envelope import read_unproven
from wire.work import Reply

KEPT_OF_EACH = 4
"""Anybody can put something there, and must not hide what is signed."""

About = tuple[str, str, str]
"""The kind of what was said, the id of the job, and the component."""


class Talk:
    """What was heard and not looked at yet."""

    def __init__(self) -> None:
        self._kept: dict[About, collections.deque[bytes]] = {}
        self._news = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def put_by(self, about: About, payload: bytes) -> None:
        """Somebody has said something of a job that is known."""
        self._kept.setdefault(about, collections.deque(maxlen=KEPT_OF_EACH)).append(payload)
        self._news.set()

    async def come(self) -> None:
        """Wait until there is something new."""
        await self._news.wait()
        self._news.clear()

    def some(self, most: int) -> Iterator[tuple[About, bytes]]:
        """As much as is looked at before anybody else has a turn."""
        for _ in range(most):
            if not self._kept:
                return
            about, kept = next(iter(self._kept.items()))
            payload = kept.popleft()
            if not kept:
                del self._kept[about]
            yield about, payload


def meant(kind: str, rest: str, payload: bytes, root: str) -> tuple[str, str]:
    """Which job it is about, and whose, as it says itself. Raises BadMessage."""
    if kind == "job":
        component, _, id_ = rest.partition("/")
        return id_, component
    reply = Reply.parse(read_unproven(payload, root, "reply"))
    return reply.id, reply.sender
