"""`python -m bench.wire.echo PORT COMPONENT`: the reference's component. It answers everybody and checks nothing."""

import asyncio
import sys

import orjson

from bench.wire.client import Client
from bench.wire.scene import REPLIES, bare_reply, command_topic


async def main(port: int, component: str) -> None:
    """Answer until killed."""

    def answer(_: str, payload: bytes) -> None:
        client.send(REPLIES, bare_reply(orjson.loads(payload)["id"], component))

    async with Client.connected(port, "walker", answer) as client:
        await client.subscribe_all([command_topic(component)])
        print("connected", flush=True)
        await client.until_lost()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
