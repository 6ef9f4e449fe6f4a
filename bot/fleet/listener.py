"""What components say on MQTT, sorted to those whom it concerns. What breaks the contract is counted and dropped."""

import collections
from collections.abc import Awaitable, Callable

import structlog

from bot.fleet.registry import Registry
from bot.stop.bell import Bell, Heard
from bot.stop.hearing import Hearing
from wire.birth import Birth
from wire.clock import boot_clock
from wire.envelope import read_unproven
from wire.errors import BadMessage
from wire.fields import ID
from wire.messages import State
from wire.mqtt import Delivery, Link

log = structlog.get_logger(__name__)

Talk = Callable[[str, str, bytes], bool]
"""To be told of answers to commands, and of jobs: the kind, the rest of the topic, the message. False: nobody's."""
Claimed = Callable[[str, tuple[str, ...]], Awaitable[None]]
"""To be told of each birth: the component, and what it claims now."""
Alerted = Callable[[str, str, bytes], None]
"""To be told of alerts: the kind, the rest of the topic, the message. Raises BadMessage."""
LOGGED_EVERY_S = 60.0
MOST_LOGGED = 128
"""Refusals that are logged within that time, each of another topic, so that no flood of them fills the log."""


class Listener:
    """Subscribes to births, states, stops, to what is said of jobs, and to alerts where somebody wants to know."""

    def __init__(
        self,
        root: str,
        bell: Bell,
        registry: Registry,
        *,
        claimed: Claimed,
        talk: Talk,
        name: str,
        alerted: Alerted | None = None,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._root = root
        self._bell = bell
        self._registry = registry
        self._claimed = claimed
        self._talk = talk
        self._name = name
        self._alerted = alerted
        self._clock = clock
        self._logged: collections.OrderedDict[str, float] = collections.OrderedDict()
        """When a refusal was logged, by topic, oldest first."""
        self.hearing = Hearing(bell, heard=self._heard, refused=self._not_heard)
        """What components say of themselves, on its way to the bell. Somebody must run it."""
        self.refused = 0

    async def subscribe(self, link: Link) -> None:
        """Ask the broker for all that components say, and for the stops of others."""
        await link.subscribe(f"{self._root}/birth/+", qos=1)
        await link.subscribe(f"{self._root}/state/+")
        await link.subscribe(f"{self._root}/stop/#", qos=1)
        await link.subscribe(f"{self._root}/reply/{self._name}", qos=1)
        await link.subscribe(f"{self._root}/picture/+/+", qos=1)  # what is kept comes in the order of the subscriptions
        await link.subscribe(f"{self._root}/job/+/+", qos=1)
        await link.subscribe(f"{self._root}/lease/+", others_only=True)  # nobody else should give any
        if self._alerted is not None:
            await link.subscribe(f"{self._root}/alert/+", qos=1)
            await link.subscribe(f"{self._root}/alert-active/+/+", qos=1)

    def receive(self, delivery: Delivery) -> Awaitable[None] | None:
        """One message. Statements are many, and are only put by here."""
        kind, _, component = delivery.topic.removeprefix(f"{self._root}/").partition("/")
        if kind == "state" and self._bell.knows(component):
            self.hearing.put(component, delivery.payload)
            return None
        if kind in ("reply", "job", "picture"):
            self._talk(kind, component, delivery.payload)
            return None
        if kind in ("alert", "alert-active") and self._alerted is not None:
            try:
                self._alerted(kind, component, delivery.payload)
            except BadMessage as error:
                self._refuse(delivery.topic, str(error))
            return None
        return self._receive(kind, component, delivery)

    async def _receive(self, kind: str, component: str, delivery: Delivery) -> None:
        try:
            match kind:
                case "stop":
                    if delivery.payload:
                        await self._bell.overheard(delivery.payload)
                case "state" | "birth" if not self._bell.knows(component):
                    self._stranger(kind, component, delivery.payload)
                    self._refuse(delivery.topic, "it is not enrolled")
                case "lease":
                    self._bell.overheard_lease(component, delivery.payload)
                case "birth":
                    await self._birth(component, delivery.payload)
                case _:  # some brokers deliver what nobody here has asked for
                    self._refuse(delivery.topic, "it is not for the bot")
        except BadMessage as error:
            self._refuse(delivery.topic, str(error))

    def _heard(self, heard: Heard) -> None:
        self._registry.heard(heard.state, heard.spare_s)

    def _not_heard(self, component: str, error: BadMessage) -> None:
        self._refuse(f"{self._root}/state/{component}", str(error))

    async def _birth(self, component: str, payload: bytes) -> None:
        if not payload:
            self._registry.decommissioned(component)
            return
        birth = Birth.parse(self._bell.opened(component, "birth", payload))
        if birth.id != component:
            raise BadMessage(f"{birth.id} was born on the topic of {component}.")
        self._registry.born(birth)
        self._bell.born(component, birth.stop_deadline_ms / 1000)
        await self._claimed(component, self._registry.claims(component))

    def _stranger(self, kind: str, component: str, payload: bytes) -> None:
        """Nobody can verify it, so it is believed in nothing; but people should see that it is there."""
        if kind == "state" and ID.fullmatch(component):
            state = State.parse(read_unproven(payload, self._root, "state"))
            self._registry.stranger(component, (each.incident for each in state.incidents))

    def _refuse(self, topic: str, why: str) -> None:
        self.refused += 1
        now = self._clock()
        while self._logged and now - next(iter(self._logged.values())) >= LOGGED_EVERY_S:
            self._logged.popitem(last=False)
        if topic in self._logged or len(self._logged) >= MOST_LOGGED:
            return
        self._logged[topic] = now
        log.warning("refused a message", topic=topic, why=why)
