"""What a command may look at and act on."""

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bot.bridge import Explaining, Verifying
from bot.channels import Channel, Channels, Linking
from bot.desk.authority import Authority
from bot.desk.catalogue import Catalogue
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Registry
from bot.identities import Identities
from bot.stop.bell import Bell
from bot.stopkeys import StopKeys
from bot.store import Store
from bot.words.message import Message, Place
from bot.words.people import People

if TYPE_CHECKING:  # both work on calls, and a call carries the system
    from bot.desk.approvals import Approvals
    from bot.outgoing import Outgoing


async def _by_nobody() -> Sequence[bytes]:
    return ()


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """The parts of a running bot."""

    catalogue: Catalogue
    registry: Registry
    bell: Bell
    maintenance: Maintenance
    jobs: Jobs
    helm: Helm
    plans: Plans
    store: Store
    people: People
    identities: Identities
    authority: Authority
    approvals: "Approvals"
    rest: Rest
    ways_out: Mapping[str, "Outgoing"]
    """By network."""
    file_sets: Callable[[str], bool]
    """Whether the configuration file sets a key. What is changed from chat does not outlive the next start then."""
    alarms: tuple[Place, ...] = ()
    """Where the bot speaks of itself."""
    channels: Callable[[], Sequence[Channel]] = tuple[Channel, ...]
    """Places that are one conversation."""
    linking: Linking = dataclasses.field(
        default_factory=lambda: Linking(Channels((), People(), is_encrypted=lambda _: False))
    )
    """Links places from chat."""
    connected: Callable[[], bool] = lambda: True
    """Whether there is a connection to the broker."""
    attending: Callable[[Message], AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    """To be held while a command is worked on, so that its network can show it."""
    verifying: Callable[[], Mapping[str, Verifying]] = dict[str, Verifying]
    """By network, where people can compare who they are."""
    explaining: Callable[[], Mapping[str, Explaining]] = dict[str, Explaining]
    """By network, where it is known who can read whom."""
    witnessed: Callable[[], Awaitable[Sequence[bytes]]] = _by_nobody
    """The notes of the record that its witnesses hold now."""
    stop_keys: StopKeys = dataclasses.field(default_factory=lambda: StopKeys({}, People()))

    @property
    def names(self) -> "Known":
        """What the words of a command may mean."""
        return Known(self.registry, self.people)


class Known:
    """The names of components, groups and people as they are just now."""

    def __init__(self, registry: Registry, people: People) -> None:
        self._registry = registry
        self._people = people

    def components(self) -> tuple[str, ...]:
        """All enrolled components."""
        return self._registry.components()

    def groups(self) -> frozenset[str]:
        """All groups that any component is in."""
        return self._registry.groups()

    def people(self) -> tuple[str, ...]:
        """All listed people."""
        return tuple(person.name for person in self._people.listed)
