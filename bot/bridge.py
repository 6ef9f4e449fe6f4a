"""What a bridge is to the core, and the core to a bridge. Bridges are found by entry point; the core imports none."""

import dataclasses
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from bot.store import Store
from bot.words.message import Message, Post
from bot.words.people import People

Section = TypeVar("Section", bound=BaseModel)


class Inlet(Protocol):
    """Where a bridge puts what it received."""

    async def accept(self, messages: Sequence[Message], *, cursor: str) -> None:
        """Put messages into the inbox and move the network's cursor on, in one commit.

        A message that is there already is passed over, so the same batch may come again. Raises StoreError where the
        disk does not take it; what must not wait for the disk is done all the same.
        """
        ...

    async def despite_the_disk(self, messages: Sequence[Message]) -> None:
        """Do what must not wait for a disk, because the bridge's own does not take the batch. It must come again."""
        ...

    async def cursor(self) -> str | None:
        """The cursor of the last batch that was accepted."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Office:
    """What the core gives a bridge to work with."""

    folder: Path
    """The bridge's own folder; nobody else may read it."""
    people: People
    store: Store
    inlet: Inlet


class Bridge(Protocol):
    """One network, turned into messages and back."""

    async def run(self) -> None:
        """Receive until cancelled. Comes back from every outage by itself; raises only what a person must mend."""
        ...

    async def send(self, post: Post, *, key: str) -> str:
        """Say something and return the network's id of it.

        The same key sends the same post at most once, also after a restart. Raises Unreachable where the same again
        may work later, and NetworkError where it never will. It may be called before `run` is ready: it then waits.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin(Generic[Section]):
    """A bridge as its entry point offers it: the form of its settings, and how to open it with them."""

    settings: type[Section]
    open: Callable[[Section, Office], Bridge]


def find_plugins() -> dict[str, Callable[[], "Plugin[BaseModel]"]]:
    """Loaders of all installed bridges by network. Nothing is imported until one is called."""
    return {entry.name: entry.load for entry in entry_points(group="tocsin.bridges")}
