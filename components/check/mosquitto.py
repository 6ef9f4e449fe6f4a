"""A broker of the judge's own, where mosquitto is installed. It serves this machine only."""

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

from components.check.program import Program
from components.check.rule import CannotJudge
from wire.broker import Broker

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Where Debian and others put it, and where the path of an ordinary user does not look."""
ATTEMPTS = 5
UP_WITHIN_S = 10.0
POLL_S = 0.02

SETTINGS = """\
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence false
set_tcp_nodelay true
max_queued_messages 10000
log_dest stderr
log_type error
"""


@contextlib.asynccontextmanager
async def private_broker(folder: Path) -> AsyncGenerator[Broker]:
    """A broker for as long as the block runs."""
    found = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES)))
    if found is None:
        raise CannotJudge("There is no broker. Name one with --broker HOST:PORT, or install mosquitto.")
    said = ""
    for _ in range(ATTEMPTS):
        port = _unused_port()
        settings = folder / "mosquitto.conf"
        settings.write_text(SETTINGS.format(port=port, user=getpass.getuser()))
        program = Program((found, "-c", str(settings)), folder / "mosquitto.log")
        try:
            await program.start()
            if await _up(program, port):
                yield Broker("127.0.0.1", port)
                return
            said = program.last_words()
        finally:
            await program.stop()
    raise CannotJudge(f"mosquitto does not start. Look into it, or name a broker with --broker. It says: {said}.")


async def _up(program: Program, port: int) -> bool:
    """True when it listens; False when it ended, because somebody else was faster to the port, say."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UP_WITHIN_S):
            while program.alive:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    return program.alive
                await asyncio.sleep(POLL_S)
    return False


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
