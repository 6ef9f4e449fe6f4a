"""What a bridge is to the core, and the core to a bridge. Bridges are found by entry point; the core imports none."""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from bot.findings import Findings
from bot.identities import Identities
from bot.store import Store
from bot.store.pins import Pinned
from bot.words.message import Change, Message, Moved, Place, Post, Reaction
from bot.words.people import Account, People

Section = TypeVar("Section", bound=BaseModel)


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """Why a message cannot be read, in the bridge's own words: no stranger's word is ever in them."""

    what: str
    """What the writer's app says of itself: `it …`, without a full stop."""
    remedy: str
    """What the writer can do: one sentence or two that begin with a small letter."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that came and that nobody here can read. It may have been a stop."""

    place: Place
    account: Account
    """Who wrote it, as far as the network tells."""
    device: str
    """The device that it says it was written on; empty where that is not known. It proves nothing."""
    event: str
    sent_ms: int
    """When it was sent, on the server's clock."""
    cause: Cause | None = None
    """Where the network tells. It proves nothing."""


class Inlet(Protocol):
    """Where a bridge puts what it received."""

    async def accept(
        self,
        messages: Sequence[Message],
        *,
        cursor: str,
        moves: Sequence[Moved] = (),
        changes: Sequence[Change] = (),
        unreadable: Sequence[Unreadable] = (),
        reactions: Sequence[Reaction] = (),
        own: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Put messages into the inbox, note which were changed, and move the network's cursor on, in one commit.

        Moves come after messages and before changes and reactions: these tell of places as they are then. `own` are
        events of the bot's by the keys of their posts, where a network shows them: whoever answers one may be heard
        before `send` has returned, or after a crash that came before it did.

        What a listed person wrote and nobody can read raises an alarm, in the same commit. Give it once: it is not
        known again. A message that is there already is passed over, so the same batch may come again. Raises StoreError
        where the disk does not take it; what must not wait for the disk is done all the same. AnsweredApart among them
        means that all of it is seen to: it need not come again.
        """
        ...

    async def despite_the_disk(self, messages: Sequence[Message], trouble: str = "") -> None:
        """Do what must not wait for a batch that stands. The batch must come again.

        Where it is a disk that it waits for, `trouble` says in a sentence what is wrong with it: what only reads is
        then answered, and the rest is refused.
        """
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
    identities: Identities
    back: Callable[[Place], None]
    """To be called where a place that did not take a post is there again. Else it is tried again after a while."""
    name: str = "tocsin"
    """How the bot is called."""
    places: Callable[[], Sequence[Place]] = lambda: ()
    """The network's places that are part of a channel now. `Linked` hears when they change."""


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """How a part is: whether it does its work now, if not why not, and what it has counted."""

    ready: bool
    what: str = ""
    """What keeps it from being ready, in a few words."""
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """By name: `refused_messages`, say. They only grow while the process lives."""


class Sender(Protocol):
    """What says posts on a network."""

    async def send(self, post: Post, *, key: str) -> str:
        """Say something and return the network's id of it. For an edit that is the id of what was edited.

        The same key sends the same post at most once, also after a restart. Raises Unreachable where the same again
        may work later, and NetworkError where it never will. It may be called before `run` is ready: it then waits.

        A post that holds a reaction alone shows it beside `reply_to`, or takes back `edits`, the one before.
        """
        ...


class Bridge(Sender, Protocol):
    """One network, turned into messages and back."""

    def health(self) -> Health:
        """How it is now. It is asked often, and must not wait."""
        ...

    async def run(self) -> None:
        """Receive until cancelled. Comes back from every outage by itself; raises only what a person must mend.

        That ends the bot, but for OutOfService: where people have another network, it goes on there and tells of it.
        """
        ...


@runtime_checkable
class Attentive(Protocol):
    """A bridge whose network can show that the bot is at work."""

    def attending(self, message: Message) -> AbstractContextManager[None]:
        """A command is worked on until the block ends. It must neither wait nor raise."""
        ...


@runtime_checkable
class Linked(Protocol):
    """A bridge that has to know which of its places are part of a channel."""

    def places_changed(self) -> None:
        """`Office.places` gives others now. It must neither wait nor raise."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A bridge whose network keeps files that people send. It is sent those of others, too: as `Brought` in a post."""

    async def bring(self, reference: str, most: int) -> bytes:
        """What is in a file, by the reference that the bridge itself gave it.

        Raises Unreachable where the same again may work later, and NetworkError where it never will, or where it is
        larger than so many bytes: then no more of it is taken.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two people look whether both sides show the same: then nobody stands between them."""

    code: str
    """What it is called here."""
    account: Account
    device: str
    """Theirs, where that is known."""
    state: str
    """`asked`, `ready`, `shown`, `confirmed`, `done` or `ended`."""
    why: str
    """Why it has ended, where it has."""
    symbols: tuple[tuple[str, str], ...]
    """What both must see, each with its name. Empty, where it is not there yet."""


@runtime_checkable
class Verifying(Protocol):
    """A bridge on whose network people prove to each other who they are by comparing."""

    def comparisons(self) -> Sequence[Comparison]:
        """Those that were begun lately, the newest first."""
        ...

    async def ask_to_compare(self, account: Account) -> None:
        """Ask the devices of somebody. Raises UsageError where that cannot be."""
        ...

    async def decide(self, code: str, *, same: bool) -> None:
        """A person at the bot's side has looked. Raises UsageError where there is nothing to decide."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """How words pass between the bot and one device at a place."""

    account: Account
    device: str
    """Empty where no device of the account is known, or this is about all of them."""
    reads: bool
    """Whether it can read what the bot says there."""
    is_read: bool
    """Whether the bot can read what is written on it, as far as anybody has said."""
    why: str = ""
    """What stands between them, in a few words without a full stop. Empty where nothing does."""
    remedy: str = ""
    """What people can do, likewise."""


@runtime_checkable
class Explaining(Protocol):
    """A bridge on whose network not everybody can read everybody, and which knows why."""

    def reach(self, place: Place) -> Sequence[Reach] | None:
        """All devices at a place; nothing where the bot is not there just now. It must neither wait nor raise."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Patient:
    """What the core gives a bridge's examination to look at. A bot may run in it: nothing in it may be changed."""

    folder: Path
    """The bridge's own folder."""
    people: People
    pins: Mapping[Account, Pinned] | None
    """By which identities accounts are known, as the database has it. None where nobody can tell.

    What the file says, the bridge has in its own section: it counts for more, also of whom nobody has seen yet.
    """
    alarms: tuple[Place, ...] = ()
    """Where the bot speaks of itself, on any network."""
    linked: tuple[Place, ...] = ()
    """The places of channels that the file has, on any network."""


class Topics(enum.Enum):
    """What a topic is on a network."""

    NONE = enum.auto()
    """All that is said in a place is one conversation."""
    THREADS = enum.auto()
    """A thread in a place: a post with a `thread` stands in it."""
    PLACES = enum.auto()
    """A place of its own: `CHANNEL/TOPIC`. All of a channel are `CHANNEL/*`, where places are part of a channel."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin(Generic[Section]):
    """A bridge as its entry point offers it: the form of its settings, and how to open it with them."""

    settings: type[Section]
    open: Callable[[Section, Office], Bridge]
    examine: Callable[[Section, Patient], Findings] | None = None
    """Looks at what the bridge needs and says what is wrong, for `tocsin doctor`. It changes nothing anywhere.

    The bot may run beside it: what only one process may open, it leaves alone.
    """
    place_mistake: Callable[[Place], str] = lambda _: ""
    """Why nothing that is said there has this place, though posts may find it: it goes by another name."""
    post_mistake: Callable[[Place], str] = lambda _: ""
    """Why no post ever gets to a place: the bot can neither raise an alarm there nor have a witness."""
    is_encrypted: Callable[[Section, Place], bool] = lambda _section, _place: False
    """Whether what is said at a place is encrypted end to end."""
    topics: Topics = Topics.NONE


def find_plugins() -> dict[str, Callable[[], "Plugin[BaseModel]"]]:
    """Loaders of all installed bridges by network. Nothing is imported until one is called."""
    return {entry.name: entry.load for entry in entry_points(group="tocsin.bridges")}
