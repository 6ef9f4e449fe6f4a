"""One stand-in: its truth, its queues, its limits, and what a test has broken in it."""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.zulip import lab
from tests.zulip.clock import Clock
from tests.zulip.limits import Limits
from tests.zulip.queues import Queues
from tests.zulip.realm import Realm
from tests.zulip.telling import Teller
from tests.zulip.things import Json, Settings
from tests.zulip.wire import version

MOST_REMEMBERED = 10_000
TOLD_AS_A_DICTIONARY = {"allow_message_editing", "message_content_edit_limit_seconds", "edit_topic_policy"}


@dataclass
class Fault:
    """What happens to the next `times` requests that fit: see `control.py` for the kinds."""

    kind: str
    method: str = ".*"
    path: str = ".*"
    times: int = 1

    def hits(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method) and re.fullmatch(self.path, path))


@dataclass(frozen=True)
class Request:
    """A request that came in, whatever became of it; `who` is the address in its credentials."""

    method: str
    path: str
    who: str


@dataclass
class Broken:
    faults: list[Fault] = field(default_factory=list[Fault])
    web_is_down: bool = False
    events_are_down: bool = False
    late: list[Callable[[], Awaitable[object]]] = field(default_factory=list[Callable[[], Awaitable[object]]])
    """What the server is at still, though nobody waits for it."""

    def take(self, method: str, path: str) -> str | None:
        for fault in self.faults:
            if fault.hits(method, path):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault.kind
        return None


class World:
    def __init__(self, path: Path | None = None, url: str = "") -> None:
        self.url = url
        self.clock = Clock()
        self.realm = Realm(path, self.clock)
        if self.realm.is_new:
            lab.furnish(self.realm)
        self.queues = Queues(self.clock)
        self.limits = Limits(self.clock)
        self.teller = Teller(self.realm, self.queues)
        self.broken = Broken()
        self.requests: deque[Request] = deque(maxlen=MOST_REMEMBERED)
        self.followed: set[tuple[int, int, str]] = set()
        self.warned_owner_at: dict[int, float] = {}
        self.temporary: dict[str, str] = {}
        self.generation = int(self.clock.now())

    def change_settings(self, changed: Json) -> None:
        """Some are told as a dictionary, and the others one by one."""
        self.realm.settings = Settings.model_validate(self.realm.settings.model_dump() | changed)
        self.realm.keep_settings()
        for name in Settings.model_fields:
            if name not in changed:
                continue
            event: Json = {"type": "realm", "op": "update", "property": name, "value": changed[name]}
            if name in TOLD_AS_A_DICTIONARY:
                event = {"type": "realm", "op": "update_dict", "property": "default", "data": {name: changed[name]}}
            self.teller.everybody(event)

    def start_again(self) -> None:
        """The event server is there again; the queues that it kept hear of it."""
        self.generation = int(self.clock.now())
        self.queues.wake({"type": "restart", **version(), "server_generation": self.generation})

    def close(self) -> None:
        self.queues.forget_all()
        self.realm.close()
