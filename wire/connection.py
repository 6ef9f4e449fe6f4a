"""One MQTT connection, from CONNECT to its end. It never comes back.

Its successor is a new one with nothing in it, so that no message waits here and goes out when it is stale.
"""

import asyncio
import collections
from collections.abc import Callable, Sequence
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from wire.broker import Broker, QoS, Will, Wish
from wire.driver import Client, Driver
from wire.errors import NotSent, WireError
from wire.stream import Stream
from wire.tls import Untrusted

KEEPALIVE = 10
PATIENCE = 5.0  # seconds for the network and the broker to answer
REFLECTION = 0.5  # seconds for TLS to refuse us. Only who hung up on MQTT 5 before gets them: that may have been why
TICK = 1.0  # seconds between two looks at the keepalive
WINDOW = 256  # our own QoS 1 messages that are on their way at once
RECEIVE_WINDOW = 64  # QoS 1 messages that the broker may leave with us before we acknowledge
LARGEST_PACKET = 1024 * 1024
UNSENT = 16 * 1024 * 1024  # bytes that may wait for a slow network
OVERHEAD = 512  # what a message costs us beside its payload


class Unconfirmed(WireError):
    """The connection broke before the broker answered. The message may have arrived, or not."""


class Refused(WireError):
    """The broker said no."""


class VersionRefused(Refused):
    """The broker does not speak this version of MQTT, or hung up on it."""


class Silent(WireError):
    """The broker took the connection and then said nothing."""


class Connection:
    """What an accepted connection can do. `ended` holds the reason once it is over."""

    def __init__(
        self, client: Client, stream: Stream, broker: Broker, take: Callable[[Self, paho.MQTTMessage], None]
    ) -> None:
        self._client = client
        self._stream = stream
        self._broker = broker
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._driver = Driver(client, stream, self._end)
        self._accepted: asyncio.Future[ReasonCode | None] = self._loop.create_future()
        self._unacknowledged: dict[int, asyncio.Future[ReasonCode | None]] = {}
        self._subscribing: dict[int, asyncio.Future[list[ReasonCode] | None]] = {}
        self._unsent: collections.deque[tuple[paho.MQTTMessageInfo, int]] = collections.deque()
        """What paho has not written yet of QoS 0, in order, each with what it costs us."""
        self._unsent_bytes = 0
        self._window = asyncio.Semaphore(WINDOW)
        self.resumed = False
        """Whether the broker still had our session."""
        self.ended: asyncio.Future[str] = self._loop.create_future()
        client.max_inflight_messages_set(0)  # the window is ours, or paho would queue behind our back
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    @classmethod
    async def open(
        cls,
        broker: Broker,
        client_id: str,
        version: MQTTProtocolVersion,
        will: Will | None,
        take: Callable[[Self, paho.MQTTMessage], None],
        patience: float,
        session_s: int = 0,
    ) -> Self:
        """A connection that the broker accepted. It keeps our session so long after the end; 3.1.1 knows no bound."""
        async with asyncio.timeout(PATIENCE):
            stream = await broker.dial(listen=0.0 if version == MQTTProtocolVersion.MQTTv5 else REFLECTION)
        client = Client(stream, client_id, version, stays=session_s > 0)
        client.username_pw_set(broker.username, broker.password)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        connection = cls(client, stream, broker, take)
        try:
            async with asyncio.timeout(patience):
                await connection._be_accepted(version, session_s)
        except TimeoutError:
            connection.close(goodbye=True)
            raise Silent(f"The broker at {broker} says nothing.") from None
        except BaseException:
            # CONNECT may be on its way already: without a goodbye its will would speak.
            connection.close(goodbye=True)
            raise
        return connection

    async def _be_accepted(self, version: MQTTProtocolVersion, session_s: int) -> None:
        properties, fresh = None, paho.MQTT_CLEAN_START_FIRST_ONLY  # what 3.1.1 knows of it the client has been told
        if version == MQTTProtocolVersion.MQTTv5:
            properties, fresh = Properties(PacketTypes.CONNECT), not session_s
            properties.ReceiveMaximum = RECEIVE_WINDOW
            properties.MaximumPacketSize = LARGEST_PACKET
            if session_s:
                properties.SessionExpiryInterval = session_s
        self._client.connect(self._broker.host, self._broker.port, KEEPALIVE, clean_start=fresh, properties=properties)
        reason = await self._accepted
        if reason is None and isinstance(self._stream.failure, Untrusted):  # TLS 1.3 refuses us only now
            raise self._stream.failure
        if reason is None:
            what = f"The broker at {self._broker} hung up before it answered: {self.ended.result()}."
            raise VersionRefused(what)
        if reason.getName() == "Unsupported protocol version":
            raise VersionRefused(f"The broker at {self._broker} does not speak this version of MQTT.")
        if reason.is_failure:
            raise Refused(
                f"The broker at {self._broker} refuses the connection: {reason}. "
                "Check user name, password and the broker's access rules."
            )

    async def tend(self) -> None:
        """Keeps the connection alive and returns when it is over."""
        while not self.ended.done():
            await asyncio.wait([self.ended], timeout=TICK)
            self._driver.step(self._client.loop_misc)

    def close(self, *, goodbye: bool) -> None:
        """Ends it now. Without a goodbye the broker publishes the will."""
        if self.ended.done():
            return
        if goodbye:
            self._driver.step(self._client.disconnect)
            self._driver.step(self._client.loop_write)
        self._driver.hang_up()
        self._end("closed by this side")

    async def publish(
        self, topic: str, payload: bytes, qos: QoS, retain: bool, properties: Properties | None = None
    ) -> None:
        """Sends a message. With QoS 1 it returns when the broker has it."""
        if qos == 0:
            self._publish_and_forget(topic, payload, retain, properties)
            return
        await self._window.acquire()
        try:
            info = self._send(topic, payload, qos, retain, properties)
        except BaseException:
            self._window.release()
            raise
        answer = self._unacknowledged[info.mid] = self._loop.create_future()
        self._client.on_publish = self._on_publish
        self._driver.hurry()
        reason = await answer
        if reason is None:
            raise Unconfirmed(f"{topic} may have been published or not: the broker at {self._broker} went away.")
        if reason.is_failure:
            raise Refused(f"The broker at {self._broker} refuses {topic}: {reason}. Check its access rules.")

    def _publish_and_forget(self, topic: str, payload: bytes, retain: bool, properties: Properties | None) -> None:
        while self._unsent and self._unsent[0][0].is_published():
            self._unsent_bytes -= self._unsent.popleft()[1]
        if self._unsent_bytes > UNSENT:
            raise NotSent(f"{topic} was not published: the broker at {self._broker} is too slow.")
        info = self._send(topic, payload, 0, retain, properties)
        if info.mid in self._unacknowledged:  # paho counts both kinds together, and begins anew after 65,535
            self.close(goodbye=False)
            raise NotSent(f"{topic} was not published: the broker at {self._broker} acknowledges nothing.")
        cost = len(payload) + OVERHEAD
        self._unsent.append((info, cost))
        self._unsent_bytes += cost

    def _send(
        self, topic: str, payload: bytes, qos: QoS, retain: bool, properties: Properties | None
    ) -> paho.MQTTMessageInfo:
        if not self.ended.done():
            info = self._client.publish(topic, payload, qos, retain, properties)
            if info.rc == paho.MQTT_ERR_SUCCESS:
                return info
        raise NotSent(f"{topic} was not published: the connection to the broker at {self._broker} broke.")

    async def subscribe(self, wishes: Sequence[tuple[str, Wish]]) -> dict[str, str]:
        """What the broker refuses of these topics, each with its reason. Without an answer it ends."""
        knows = self._client.protocol == MQTTProtocolVersion.MQTTv5
        filters = [(topic, wish) for topic, wish in wishes if knows or not wish.others_only]
        asked: Any = [  # paho takes both kinds in one list, and its types say only one
            (topic, SubscribeOptions(wish.qos, noLocal=wish.others_only)) if knows else (topic, wish.qos)
            for topic, wish in filters
        ]
        if not asked:
            return {}
        code, mid = self._client.subscribe(asked)
        if code != paho.MQTT_ERR_SUCCESS or mid is None:
            raise NotSent(f"Nothing was subscribed: the connection to the broker at {self._broker} broke.")
        answer = self._subscribing[mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(PATIENCE):
                reasons = await answer
        except TimeoutError:
            reasons = None
        if reasons is None or len(reasons) != len(filters):
            self.close(goodbye=False)
            raise Unconfirmed(f"The broker at {self._broker} did not answer a subscription.")
        answers = zip(filters, reasons, strict=True)
        return {topic: str(reason) for (topic, _), reason in answers if reason.is_failure}

    def unsubscribe(self, topic: str) -> None:
        """Tells the broker that nothing more is wanted of a topic. Nobody waits for its answer."""
        if not self.ended.done():
            self._client.unsubscribe(topic)

    def acknowledge(self, message: paho.MQTTMessage) -> None:
        """Tells the broker that this message is done with."""
        if message.qos and not self.ended.done():
            self._client.ack(message.mid, message.qos)

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        for each in (self._accepted, *self._unacknowledged.values(), *self._subscribing.values()):
            if not each.done():
                each.set_result(None)
        for _ in self._unacknowledged:
            self._window.release()
        self._unacknowledged.clear()
        self._subscribing.clear()

    def _on_connect(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.resumed = flags.session_present
        window: int = getattr(properties, "ReceiveMaximum", WINDOW)
        self._window = asyncio.Semaphore(min(window, WINDOW))
        if not self._accepted.done():
            self._accepted.set_result(reason)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        said = flags.is_disconnect_packet_from_server or reason.getName() == "Keep alive timeout"
        self._end(str(reason) if said else str(self._stream.failure or "it went away"))

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._take(self, message)

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        # For QoS 0 paho calls this when the message is written, for QoS 1 when it is acknowledged.
        if mid in self._unacknowledged:
            self._window.release()
            answer = self._unacknowledged.pop(mid)
            if not answer.done():
                answer.set_result(reason)
        if not self._unacknowledged:
            self._client.on_publish = None  # for each message of QoS 0 it costs as much as a signature

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: Any,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        answer = self._subscribing.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(reasons)
