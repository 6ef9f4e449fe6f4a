"""The broker that pip alone brings, for machines without mosquitto. It forgets all and is never for real use.

`python -m demo.amqtt_broker PORT` serves on the loopback interface until SIGTERM.
"""

import asyncio
import logging
import signal
import sys

from amqtt.broker import Broker, BrokerContext  # pyright: ignore[reportMissingTypeStubs] - it has none
from amqtt.plugins.base import BasePlugin  # pyright: ignore[reportMissingTypeStubs] - it has none


class Announce(BasePlugin[BrokerContext]):
    """Says who connects, as mosquitto does, so that a client can tell whether it talks to this process."""

    async def on_broker_client_connected(self, *, client_id: str, **_: object) -> None:
        """Amqtt calls this after the CONNACK."""
        print(f"New client connected as {client_id}", flush=True)


async def serve(port: int) -> None:
    """Serves until it is told to end."""
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
                f"{Announce.__module__}.{Announce.__qualname__}": {},
            },
        }
    )
    await broker.start()
    await end.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(int(sys.argv[1])))
