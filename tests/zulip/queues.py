"""Event queues: what each client is still to be told, what it has acknowledged, and who waits for more."""

import asyncio
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from tests.zulip.clock import Clock
from tests.zulip.refusal import Refusal

Json = dict[str, Any]
USUAL_LIFESPAN_S = 600
HEARTBEAT_S = 47.0
"""A real server's heart beats every 46 to 51 seconds while somebody waits."""


@dataclass
class Queue:
    user_id: int
    event_types: list[str] | None
    apply_markdown: bool = True
    client_gravatar: bool = True
    all_public: bool = False
    narrow: list[list[str]] = field(default_factory=list[list[str]])
    capabilities: Json = field(default_factory=dict[str, Any])
    lifespan: float = USUAL_LIFESPAN_S
    last_seen: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: list[Json] = field(default_factory=list[Json])
    newest_pruned: int = -1
    next_event_id: int = 0
    waiting: asyncio.Future[None] | None = None
    asleep: bool = False
    unheard: list[Json] = field(default_factory=list[Json])
    """What came while the event server was down."""

    def wants(self, event_type: str) -> bool:
        return self.event_types is None or event_type in self.event_types

    def add(self, event: Json) -> None:
        if self.asleep:
            self.unheard.append(event)
            return
        self.events.append(event | {"id": self.next_event_id})
        self.next_event_id += 1
        self.release()

    def release(self) -> None:
        """Whoever waits gets an answer now, with what there is."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)
        self.waiting = None

    def acknowledge(self, last_event_id: int) -> None:
        if last_event_id < self.newest_pruned:
            raise Refusal(f"An event newer than {last_event_id} has already been pruned!")
        while self.events and self.events[0]["id"] <= last_event_id:
            self.newest_pruned = self.events.pop(0)["id"]
        if last_event_id != self.newest_pruned:
            raise Refusal(f"Event {last_event_id} was not in this queue")


class Queues:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[str, Queue] = {}
        self.heartbeat_s = HEARTBEAT_S
        self._somebody_came = asyncio.Event()

    def add(self, queue: Queue) -> Queue:
        queue.last_seen = self._clock.now()
        self._all[queue.id] = queue
        return queue

    def find(self, queue_id: str, user_id: int) -> Queue:
        queue = self._all.get(queue_id)
        if queue is not None and queue.waiting is None and self._clock.now() - queue.last_seen > queue.lifespan:
            del self._all[queue_id]
            queue = None
        if queue is None or queue.user_id != user_id:
            raise bad_queue(queue_id)
        return queue

    def remove(self, queue: Queue) -> None:
        del self._all[queue.id]
        queue.release()

    def forget_all(self) -> None:
        for queue in list(self._all.values()):
            self.remove(queue)

    def sleep(self) -> None:
        """The event server was stopped in an orderly way: the queues are kept, and whoever waits is sent away."""
        for queue in self.each():
            queue.asleep = True
            queue.release()

    def wake(self, restart: Json) -> None:
        """What came meanwhile stands behind the news of the restart."""
        for queue in self.each():
            queue.asleep = False
            unheard, queue.unheard = queue.unheard, []
            for event in [restart, *unheard] if queue.wants("restart") else unheard:
                queue.add(event)

    def each(self) -> list[Queue]:
        return list(self._all.values())

    def tell(self, event_type: str, people: Collection[int], make: Callable[[Queue], list[Json]]) -> None:
        """Gives each queue of these people its own view of one event."""
        for queue in self.each():
            if queue.user_id in people and queue.wants(event_type):
                for event in make(queue):
                    queue.add(event)

    def tell_all_alike(self, event: Json, people: Collection[int]) -> None:
        self.tell(event["type"], people, lambda _: [event])

    def beat(self) -> None:
        """A heartbeat for all who wait, as the clock of a real server would send it."""
        for queue in self.each():
            if queue.waiting is not None:
                queue.add({"type": "heartbeat"})

    async def until_heard_by(self, user_id: int) -> None:
        """Returns when a poll of this person waits, so that what happens now is heard at once."""
        while not any(queue.waiting for queue in self.each() if queue.user_id == user_id):
            self._somebody_came.clear()
            await self._somebody_came.wait()

    async def wait(self, queue: Queue) -> None:
        """Returns when there is an event, or when another poll or the queue's end sends this one away."""
        queue.release()
        mine = queue.waiting = asyncio.get_running_loop().create_future()
        self._somebody_came.set()
        try:
            async with asyncio.timeout(self.heartbeat_s):
                await mine
        except TimeoutError:
            queue.add({"type": "heartbeat"})
        finally:
            if queue.waiting is mine:
                queue.waiting = None
            queue.last_seen = self._clock.now()


def bad_queue(queue_id: str) -> Refusal:
    return Refusal(f"Bad event queue ID: {queue_id}", "BAD_EVENT_QUEUE_ID", queue_id=queue_id)
