"""A retained message on the broker that holds a checkpoint, for whoever subscribes to it."""

from bot.record.witnesses.witness import NotWitnessed
from wire.errors import WireError
from wire.mqtt import Link


class MqttWitness:
    """The newest note, on a topic. Who hears it in time can keep it; the broker itself keeps one."""

    quick = True

    def __init__(self, link: Link, topic: str) -> None:
        self.name = f"mqtt:{topic}"
        self._link = link
        self._topic = topic

    async def publish(self, note: bytes, size: int) -> None:  # noqa: ARG002 - a note says its size itself
        """Have the broker hold the note. It waits for the connection."""
        await self._link.ready()
        try:
            await self._link.publish(self._topic, note, qos=1, retain=True)
        except WireError as error:
            raise NotWitnessed(str(error), hint="Look at the broker, and at what it lets the bot publish.") from error

    async def latest(self) -> bytes | None:
        """It is not asked: whoever may write there could have put anything in its place."""
        return None
