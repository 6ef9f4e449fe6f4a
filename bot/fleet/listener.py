"""What components say on MQTT, sorted to those whom it concerns. What breaks the contract is counted and dropped."""

import structlog

from bot.fleet.registry import Registry
from bot.stop.bell import Bell
from wire.errors import BadMessage
from wire.messages import Birth
from wire.mqtt import Delivery, Link

log = structlog.get_logger(__name__)


class Listener:
    """Subscribes to births and states."""

    def __init__(self, root: str, bell: Bell, registry: Registry) -> None:
        self._root = root
        self._bell = bell
        self._registry = registry
        self.refused = 0

    async def subscribe(self, link: Link) -> None:
        """Ask the broker for all that components say."""
        await link.subscribe(f"{self._root}/birth/+", qos=1)
        await link.subscribe(f"{self._root}/state/+")

    async def receive(self, delivery: Delivery) -> None:
        """One message."""
        kind, _, component = delivery.topic.removeprefix(f"{self._root}/").partition("/")
        if not self._bell.knows(component):
            self._refuse(delivery.topic, "it is not enrolled")
            return
        try:
            match kind:
                case "state":
                    self._registry.heard(await self._bell.heard(component, delivery.payload))
                case "birth":
                    self._birth(component, delivery.payload)
                case _:  # some brokers deliver what nobody here has asked for
                    self._refuse(delivery.topic, "it is not for the bot")
        except BadMessage as error:
            self._refuse(delivery.topic, str(error))

    def _birth(self, component: str, payload: bytes) -> None:
        if not payload:
            self._registry.decommissioned(component)
            return
        birth = Birth.parse(payload)
        if birth.id != component:
            raise BadMessage(f"{birth.id} was born on the topic of {component}.")
        self._registry.born(birth)

    def _refuse(self, topic: str, why: str) -> None:
        self.refused += 1
        log.warning("refused a message", topic=topic, why=why)
