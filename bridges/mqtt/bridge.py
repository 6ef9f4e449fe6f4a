"""Topics of MQTT as places: what a channel says is published, what others publish there stands in the channel.

Nobody there is proven, so nothing that comes from there is ever a command or a stop. It has a connection of its own,
beside the one that stops components, and none while no topic is a place.
"""

import asyncio
import time

import structlog

from bot.bridge import Health, Office
from bot.settings.sections import MqttSettings
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Place, Post
from bridges.mqtt.ears import Ears
from bridges.mqtt.payloads import LARGEST, id_of, written
from bridges.mqtt.topics import event_of, is_under, mistake_in
from wire.errors import WireError
from wire.mqtt import Delivery, Link, Refused, TooLarge

SESSION_S = 7 * 24 * 3600
"""So long the broker keeps what is published while the bot is away, where it knows MQTT 5."""
CONNECTS_WITHIN_S = 5.0

log = structlog.get_logger(__name__)


class MqttBridge:
    """The bot's second connection to its broker."""

    def __init__(self, settings: MqttSettings, office: Office) -> None:
        self._root = settings.root
        self._office = office
        self._ears = Ears(office.inlet, self._is_place)
        self._link = Link(
            settings.broker(),
            f"talk-{office.name}",
            receive=self._receive,
            on_connect=self._connected,
            largest=LARGEST,
            session_s=SESSION_S,
        )
        self._places: dict[str, Place] = {}
        """What is to be heard, by its topic."""
        self._subscribed: set[str] = set()
        self._refused: dict[str, str] = {}
        """What the broker does not let us hear, and why."""
        self._speaks = False
        """It has something to say where nothing is heard: in a place of alarms, say."""
        self._changed = asyncio.Event()
        self.places_changed()

    def places_changed(self) -> None:
        """From now on the topics that are in a channel are heard, and no others."""
        self._places = {place.id: place for place in self._office.places() if not self._mistake(place)}
        self._changed.set()

    def health(self) -> Health:
        """Whether the broker is there and lets the bot hear what it is to hear."""
        counts = {**self._ears.counts, "too_large": self._link.counts.too_large, "overrun": self._link.counts.overrun}
        if not self._is_needed:
            return Health(ready=True, counts=counts)
        if not self._link.connected:
            return Health(ready=False, what=self._link.trouble or "not connected yet", counts=counts)
        refused = [f"the broker refuses the topic {topic}" for topic in self._refused if topic in self._places]
        return Health(ready=not refused, what=next(iter(refused), ""), counts=counts)

    async def run(self) -> None:
        """Receive until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ears.run(), name="mqtt: into the inbox")
            while True:
                await self._until_needed()
                link = tasks.create_task(self._link.run(), name="mqtt: connection for talk")
                await self._follow()
                link.cancel()
                await asyncio.wait([link])

    async def send(self, post: Post, *, key: str) -> str:
        """Publish it and return its event, or that of what it takes the place of."""
        if mistake := self._mistake(post.place):
            raise NetworkError(f"{post.place} is no place: it {mistake}.")
        if not self._is_needed:
            self._speaks = True
            self._changed.set()
        await self._until_connected()
        payload = written(post, key, self._office.name, time.time_ns() // 1_000_000)
        try:
            await self._link.publish(post.place.id, payload, qos=1)
        except TooLarge as error:
            raise NetworkError(str(error)) from error
        except WireError as error:  # a refusal too: the broker's rules may be mended
            raise Unreachable(str(error)) from error
        return post.edits or event_of(post.place.id, id_of(key))

    @property
    def _is_needed(self) -> bool:
        return bool(self._places) or self._speaks

    def _is_place(self, topic: str) -> bool:
        return topic in self._places

    def _mistake(self, place: Place) -> str:
        if is_under(place.id, self._root):
            return f"must not be under {self._root}: there the bot talks to components"
        return mistake_in(place)

    def _receive(self, delivery: Delivery) -> "asyncio.Future[None] | None":
        if not self._is_place(delivery.topic):  # an earlier run has subscribed it, in a session that the broker keeps
            self._link.unsubscribe(delivery.topic)
        return self._ears.hear(delivery)

    def _connected(self) -> None:
        self._ears.connected(resumed=self._link.resumed)
        self._refused = dict(self._link.refused)
        self._changed.set()
        for place in self._places.values():
            self._office.back(place)

    async def _until_needed(self) -> None:
        while not self._is_needed:
            self._changed.clear()
            await self._changed.wait()

    async def _follow(self) -> None:
        """Hear what is to be heard, while there is anything to do."""
        while self._is_needed:
            self._changed.clear()
            for topic in self._subscribed - self._places.keys():
                self._link.unsubscribe(topic)
                self._subscribed.discard(topic)
                self._refused.pop(topic, None)
            for topic in list(self._places.keys() - self._subscribed):
                await self._subscribe(topic)
            await self._changed.wait()
        for topic in self._subscribed:
            self._link.unsubscribe(topic)
        self._subscribed.clear()

    async def _subscribe(self, topic: str) -> None:
        try:
            await self._link.subscribe(topic, 1)
        except Refused as refused:  # it is asked for again at the next connect
            self._refused[topic] = str(refused)
            log.error("the broker refuses a topic of a channel", topic=topic, error=str(refused))
        else:
            self._subscribed.add(topic)
            self._refused.pop(topic, None)

    async def _until_connected(self) -> None:
        try:
            async with asyncio.timeout(0 if self._link.trouble else CONNECTS_WITHIN_S):
                await self._link.ready()
        except TimeoutError:
            raise Unreachable(self._link.trouble or "There is no connection to the broker yet.") from None
