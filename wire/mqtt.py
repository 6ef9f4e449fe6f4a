"""The link of a component or the bot to its broker: it comes back by itself and never sends what is stale.

What is published while there is no connection is refused (QoS 1) or dropped and counted (QoS 0), never kept.
"""

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from wire.broker import Broker, QoS, Will, Wish
from wire.connection import OVERHEAD, PATIENCE, Connection, Refused, Silent, Unconfirmed, VersionRefused
from wire.errors import NotSent, WireError
from wire.tls import Tls, Untrusted

__all__ = [
    "Broker",
    "Counts",
    "Delivery",
    "Link",
    "NotSent",
    "QoS",
    "Refused",
    "Tls",
    "TooLarge",
    "Unconfirmed",
    "Untrusted",
    "Will",
]

LARGEST = 256 * 1024
HELD = 32 * 1024 * 1024  # bytes that handlers may be busy with; QoS 0 gets half of it
SHORTEST_WAIT = 0.2
LONGEST_WAIT = 10.0
GLANCE = 1.0  # seconds for a broker that may not know MQTT 5 to answer it
STEADY = 5.0  # a connection that lasted so long was a good one: the next wait is short again

log = logging.getLogger(__name__)


class TooLarge(WireError):
    """The payload is over the bound. The receivers would drop it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool = field(default=False, compare=False)
    """The broker has sent it before and does not know whether it came; then the number was the same."""
    number: int = field(default=0, compare=False)
    """The broker's own, which it uses again later. 0 with QoS 0."""


@dataclass(slots=True)
class Counts:
    """What went wrong so far, for the metrics."""

    reconnects: int = 0
    dropped: int = 0
    too_large: int = 0
    overrun: int = 0
    handler_failures: int = 0
    unreadable: int = 0


class Link:
    """One connection to a broker that comes back by itself, for as long as `run` runs.

    `receive` is called for each message, at once and in the order of arrival. When it returns an awaitable (a
    coroutine, a future), that runs beside the others: coroutines begin in the order of arrival, a little later than
    `receive` itself is called for what came next, and what follows their first await has no order. A QoS 1
    message is acknowledged when `receive` is done with it, so write down first what must not be lost. When
    `receive` raises, that is logged and counted, and the message is acknowledged all the same: a broker sends
    nothing twice in one connection, it would only block the messages behind it. An acknowledgement dies with
    its connection.

    `on_connect` is called at every connect, once the broker has answered the subscriptions: the place for
    birth, then state. What the broker refused is in `refused`. `will` is called before every attempt.

    With `session_s` the broker keeps for so long what it has for us while we are away, and what was not acknowledged;
    `resumed` says whether it still had it at the last connect.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        receive: Callable[[Delivery], Awaitable[None] | None],
        on_connect: Callable[[], Awaitable[None] | None] | None = None,
        will: Callable[[], Will] | None = None,
        largest: int = LARGEST,
        session_s: int = 0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.broker = broker
        self.client_id = client_id
        self.counts = Counts()
        self.refused: dict[str, str] = {}
        self.resumed = False
        self.version: MQTTProtocolVersion | None = None
        self._receive = receive
        self._on_connect = on_connect
        self._will = will
        self._largest = largest
        self._session_s = session_s
        self._draw = draw
        self._filters: dict[str, Wish] = {}
        self._connection: Connection | None = None
        self._ready = asyncio.Event()
        self._held = 0
        self._abandoned = False
        self._last_trouble = ""
        self._handlers: asyncio.TaskGroup

    @property
    def connected(self) -> bool:
        """Whether messages can be published now."""
        return self._connection is not None

    @property
    def trouble(self) -> str:
        """Why there is no connection, in a sentence. Empty while there is one, and before the first attempt."""
        return self._last_trouble

    async def ready(self) -> None:
        """Waits until the link is connected, subscribed, and `on_connect` is done."""
        await self._ready.wait()

    def abandon(self) -> None:
        """From now on the link leaves without a goodbye, so that the broker publishes the will."""
        self._abandoned = True

    async def run(self) -> None:
        """Keeps the link up until it is cancelled; then it says goodbye to the broker. It can be run again then."""
        loop = asyncio.get_running_loop()
        attempt = 0
        self._held = 0  # a handler that was cancelled before it began has given nothing back
        async with asyncio.TaskGroup() as self._handlers:
            while True:
                began = loop.time()
                await self._live()
                attempt = 1 if loop.time() - began > STEADY else min(attempt + 1, 10)
                longest = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** (attempt - 1))
                await asyncio.sleep(longest * self._draw())

    async def subscribe(self, topic_filter: str, qos: QoS = 0, *, others_only: bool = False) -> None:
        """Subscribes now if there is a connection, and at every connect from now on."""
        wish = self._filters[topic_filter] = Wish(qos, others_only)
        if self._connection is None:
            return
        try:
            refused = await self._connection.subscribe([(topic_filter, wish)])
        except (NotSent, Unconfirmed):
            return  # the connection is over; the next one asks again
        if refused:
            del self._filters[topic_filter]
            raise Refused(
                f"The broker at {self.broker} refuses the topic {topic_filter}: {refused[topic_filter]}. "
                "Check its access rules."
            )

    def unsubscribe(self, topic_filter: str) -> None:
        """Nothing more is wanted of a topic, from now on."""
        self._filters.pop(topic_filter, None)
        self.refused.pop(topic_filter, None)
        if self._connection is not None:
            self._connection.unsubscribe(topic_filter)

    async def publish(
        self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False, expiry_s: int | None = None
    ) -> None:
        """Publishes now or never. With an expiry a broker of MQTT 5 forgets it then; an older one keeps it.

        QoS 0 returns at once, and without a connection the message is dropped and counted. QoS 1 returns when
        the broker has it; else it raises `NotSent`, `Unconfirmed` (it may have arrived) or `Refused`.
        """
        if len(payload) > self._largest:
            raise TooLarge(f"{topic} was not published: {len(payload)} bytes, and {self._largest} may be sent.")
        try:
            await self._online(topic).publish(topic, payload, qos, retain, self._expiry(expiry_s))
        except NotSent:
            if qos:
                raise
            self.counts.dropped += 1

    def _expiry(self, seconds: int | None) -> Properties | None:
        if seconds is None or self.version != MQTTProtocolVersion.MQTTv5:
            return None
        properties = Properties(PacketTypes.PUBLISH)
        properties.MessageExpiryInterval = seconds
        return properties

    def _online(self, topic: str) -> Connection:
        if self._connection is None:
            raise NotSent(f"{topic} was not published: there is no connection to the broker at {self.broker}.")
        return self._connection

    async def _live(self) -> None:
        """One connection, from its first byte to its last."""
        try:
            connection = await self._connect()
        except (OSError, WireError) as error:
            self._tell(f"No connection to the broker at {self.broker}: {str(error) or 'it does not answer'}")
            return
        goodbye = False
        try:
            async with asyncio.TaskGroup() as group:
                greeting = group.create_task(self._greet(connection))
                await connection.tend()
                greeting.cancel()
        except asyncio.CancelledError:
            goodbye = not self._abandoned
            raise
        finally:
            self._connection = None
            self._ready.clear()
            connection.close(goodbye=goodbye)
        self._tell(f"The connection to the broker at {self.broker} is lost: {connection.ended.result()}")

    def _tell(self, trouble: str) -> None:
        """Warns once of each trouble: an outage must not flood the log."""
        level = logging.DEBUG if trouble == self._last_trouble else logging.WARNING
        self._last_trouble = trouble
        log.log(level, "%s: %s", self.client_id, trouble)

    async def _connect(self) -> Connection:
        """MQTT 5, or 3.1.1 where the broker does not know better.

        A broker of 3.1.1 may take the new fields for lengths and wait for the rest in silence, as amqtt does. One
        that has spoken MQTT 5 before is only slow.
        """
        knows = self.version == MQTTProtocolVersion.MQTTv5
        try:
            return await self._open(MQTTProtocolVersion.MQTTv5, PATIENCE if knows else GLANCE)
        except VersionRefused:
            pass
        except Silent:
            if knows:
                raise
        return await self._open(MQTTProtocolVersion.MQTTv311, PATIENCE)

    async def _open(self, version: MQTTProtocolVersion, patience: float) -> Connection:
        will = None if self._will is None else self._will()
        connection = await Connection.open(
            self.broker, self.client_id, version, will, self._take, patience, self._session_s
        )
        self.resumed = connection.resumed
        if self.version is not None:
            self.counts.reconnects += 1
        self.version = version
        return connection

    async def _greet(self, connection: Connection) -> None:
        """What is said at every connect, whatever the broker remembers: subscriptions, then `on_connect`."""
        self.refused = {}
        asked: dict[str, Wish] = {}
        try:
            while missing := list(self._filters.items() - asked.items()):
                asked.update(missing)
                self.refused |= await connection.subscribe(missing)
        except (NotSent, Unconfirmed):
            return  # the connection is over
        for topic_filter, reason in self.refused.items():
            log.error("%s: the broker refuses the topic %s: %s", self.client_id, topic_filter, reason)
        self._connection = connection
        self._last_trouble = ""
        log.info("%s: connected to the broker at %s", self.client_id, self.broker)
        try:
            greeting = None if self._on_connect is None else self._on_connect()
            if inspect.isawaitable(greeting):
                await greeting
        except Exception:
            self.counts.handler_failures += 1
            log.exception("%s: what is to be done at a connect failed", self.client_id)
        if not connection.ended.done():
            self._ready.set()

    def _take(self, connection: Connection, message: MQTTMessage) -> None:
        """Hands one message over. It runs inside paho and must not raise."""
        try:
            topic = message.topic
        except UnicodeDecodeError:  # nobody here has asked for it; unacknowledged, it would come again for ever
            self.counts.unreadable += 1
            log.warning("%s: a message on a topic that is not UTF-8 is dropped", self.client_id)
            connection.acknowledge(message)
            return
        size = len(message.payload)
        room = HELD if message.qos else HELD // 2
        if size > self._largest:
            self.counts.too_large += 1
            log.warning("%s: a message of %d bytes on %s is dropped", self.client_id, size, topic)
        elif self._held + size + OVERHEAD > room:
            self.counts.overrun += 1
        else:
            delivery = Delivery(topic, bytes(message.payload), message.qos, message.retain, message.dup, message.mid)
            try:
                answer = self._receive(delivery)
            except Exception as error:  # noqa: BLE001 - a handler may fail in any way; it is logged
                self._failed(delivery, error)
            else:
                if answer is not None:
                    self._held += size + OVERHEAD
                    self._handlers.create_task(self._finish(connection, message, delivery, answer))
                    return
        connection.acknowledge(message)

    async def _finish(
        self, connection: Connection, message: MQTTMessage, delivery: Delivery, answer: Awaitable[None]
    ) -> None:
        try:
            await answer
        except Exception as error:  # noqa: BLE001 - a handler may fail in any way; it is logged
            self._failed(delivery, error)
        finally:
            self._held -= len(delivery.payload) + OVERHEAD
        connection.acknowledge(message)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        self.counts.handler_failures += 1
        log.error("%s: the handler of a message on %s failed", self.client_id, delivery.topic, exc_info=error)
