"""What a component has said in one trial, in its order. What is not signed as it must be is kept apart."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterator

from wire.birth import Birth
from wire.envelope import PublicKey, unseal
from wire.errors import BadMessage
from wire.messages import State
from wire.mqtt import Delivery
from wire.picture import PictureNamed
from wire.work import Job, Reply


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """Bytes that were published as a picture."""

    digest: str
    """By the topic."""
    data: bytes


What = Birth | State | Reply | Job | Picture


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """One message, and when it came."""

    what: What
    retained: bool
    """It came from the broker's memory."""
    at: float


class Heard:
    """All that was said. It grows by `take`, and `changed` is set whenever it does."""

    def __init__(self, root: str, key: PublicKey, on_state: Callable[[State], Awaitable[None] | None]) -> None:
        self.said: list[Said] = []
        self.foul: list[str] = []
        """What was said and does not hold: not signed, not what the contract says."""
        self.topics: set[str] = set()
        """Where anything was said that a broker may keep."""
        self.changed = asyncio.Event()
        self._root = root
        self._key = key
        self._on_state = on_state

    def take(self, delivery: Delivery) -> Awaitable[None] | None:
        """One message from the broker. An unreadable one is kept as foul."""
        kind, _, _ = delivery.topic.removeprefix(f"{self._root}/").partition("/")
        if kind != "state" or delivery.retain:
            self.topics.add(delivery.topic)
        if not delivery.payload or kind.startswith(("alert", "tele", "stop")):
            return None
        try:
            said = self._read(kind, delivery)
        except BadMessage as error:
            self.foul.append(f"on {kind}: {error}")
            self.changed.set()
            return None
        self.said.append(Said(said, delivery.retain, asyncio.get_running_loop().time()))
        self.changed.set()
        return self._on_state(said) if isinstance(said, State) else None

    def states(self, after: int = 0) -> Iterator[tuple[int, State, float]]:
        """The statements from here on, each with its place and time."""
        for place, each in enumerate(self.said[after:], after):
            if isinstance(each.what, State):
                yield place, each.what, each.at

    def births(self, after: int = 0) -> Iterator[tuple[int, Birth, bool]]:
        """The births from here on, each with its place and whether the broker kept it."""
        for place, each in enumerate(self.said[after:], after):
            if isinstance(each.what, Birth):
                yield place, each.what, each.retained

    def replies(self, command: str) -> list[Reply]:
        """What was answered to a command."""
        return [each.what for each in self.said if isinstance(each.what, Reply) and each.what.id == command]

    def jobs(self, job: str, after: int = 0) -> list[tuple[Job, bool]]:
        """What was said of a job from here on, each with whether the broker kept it."""
        found = ((each.what, each.retained) for each in self.said[after:])
        return [(what, kept) for what, kept in found if isinstance(what, Job) and what.job == job]

    def has_picture(
        self, named: PictureNamed, *, after: int = 0, before: int | None = None, kept: bool = False
    ) -> bool:
        """Whether the bytes that are named were said there between these places."""
        found = (each.what for each in self.said[after:before] if each.retained or not kept)
        return any(
            isinstance(what, Picture) and what.digest == named.sha256 and named.is_of(what.data) for what in found
        )

    def summary(self, after: int = 0) -> str:
        """The statements from here on in a few words."""
        words: list[str] = []
        for _, state, _ in self.states(after):
            incidents = f" with {len(state.incidents)} open" if state.incidents else ""
            word = f"{state.shown}{incidents}"
            if not words or words[-1] != word:
                words.append(word)
        if len(words) > 6:  # noqa: PLR2004 - what fits a line
            words = [*words[:2], "…", *words[-3:]]
        return ", then ".join(words) if words else "no statement"

    def _read(self, kind: str, delivery: Delivery) -> What:
        if kind == "picture":
            return Picture(delivery.topic.rpartition("/")[2], delivery.payload)
        parse = {"birth": Birth.parse, "state": State.parse, "reply": Reply.parse, "job": Job.parse}.get(kind)
        if parse is None:
            raise BadMessage(f"{delivery.topic} is no topic of the contract.")
        return parse(unseal(delivery.payload, self._root, kind, self._key))
