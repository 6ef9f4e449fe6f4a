"""A real broker on the loopback interface: mosquitto where it is, else amqtt. It serves nobody else.

It is up when it has proved that the one who answers on its port is the process that we started.
"""

import asyncio
import base64
import dataclasses
import getpass
import hashlib
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Literal, Self

from demo.process import Process, on_unused_port
from wire.mqtt import Broker, Link

Kind = Literal["mosquitto", "amqtt"]

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
PATIENCE = 10.0
ROOT = Path(__file__).resolve().parent.parent

# A default mosquitto takes 44 ms for a round trip and loses acknowledgements in a burst. `user` keeps it as
# it was started: when it changes its user, the kernel takes the leash off.
MOSQUITTO = """\
listener {port} 127.0.0.1
user {user}
persistence true
persistence_location {folder}/
autosave_interval 1
set_tcp_nodelay true
max_queued_messages 100000
max_inflight_messages 0
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
{doors}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Doors:
    """Whom mosquitto lets in, and how it proves who it is. Without any of it, everybody on this machine, in clear."""

    certificate: Path | None = None
    key: Path | None = None
    clients_ca: Path | None = None
    """Only clients with a certificate of this authority come in."""
    people: tuple[tuple[str, str], ...] = ()
    """Only these come in: names and passwords."""

    def lines(self, folder: Path) -> str:
        """As they stand in mosquitto's configuration. The passwords are in a file beside it, hashed."""
        lines = [f"allow_anonymous {str(not self.people).lower()}"]
        if self.certificate is not None:
            lines += [f"certfile {self.certificate.resolve()}", f"keyfile {self.key.resolve() if self.key else ''}"]
        if self.clients_ca is not None:
            lines += [f"cafile {self.clients_ca.resolve()}", "require_certificate true"]
        if self.people:
            file = folder.resolve() / "passwords"
            file.touch(mode=0o600)
            file.write_text("".join(f"{name}:{_hashed(password)}\n" for name, password in self.people))
            lines.append(f"password_file {file}")
        return "\n".join(lines)


def _hashed(password: str) -> str:
    salt, rounds = secrets.token_bytes(12), 101  # mosquitto's own number
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class LocalBroker:
    """A broker with its data in `folder`. It keeps its port from one start to the next.

    `doors` are mosquitto's alone. `address` says how its own proof gets in: all but the port, which is found here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: Kind | None = None,
        doors: Doors | None = None,
        address: Broker | None = None,
    ) -> None:
        self.folder = folder
        self.kind: Kind = kind or ("mosquitto" if mosquitto() else "amqtt")
        if doors is not None and self.kind != "mosquitto":
            raise ValueError("Only mosquitto has doors here. Install it.")
        self.doors = doors or Doors()
        self.address = address or Broker("127.0.0.1", 0)
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts it and returns when it serves; on the port of the last time, if there was one."""
        if self.address.port:
            await self._start_on(self.address.port)
        else:
            await on_unused_port(self._start_on)

    async def stop(self) -> None:
        """Ends it, with time to save what is retained."""
        if self._process is not None:
            await self._process.stop()

    async def kill(self) -> None:
        """Kills it as a power cut would."""
        await self.process.kill()

    async def ready(self) -> None:
        """Proves that who answers is our own process: a client with a random name must turn up in its log."""
        name = f"proof-{secrets.token_hex(16)}"
        link = Link(self.address, name, receive=lambda _: None, draw=lambda: 0.1)
        run = asyncio.create_task(link.run())
        try:
            await self.process.until(lambda: self._has_seen(name), seconds=PATIENCE)
        finally:
            run.cancel()
            await asyncio.wait([run])

    @property
    def process(self) -> Process:
        """The broker's process, for those who want to freeze it."""
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process

    async def _start_on(self, port: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = dataclasses.replace(self.address, port=port)
        log = self.folder / f"{self.kind}.log"
        self._process = Process(self._command(port), log, env=os.environ | {"PYTHONPATH": str(ROOT)}, name=self.kind)
        try:
            await self._process.start()
            await self._process.until(self._listens, seconds=PATIENCE)
            await self.ready()
        except BaseException:
            await self._process.stop()
            raise

    def _command(self, port: int) -> list[str]:
        if self.kind == "amqtt":
            return [sys.executable, "-m", "demo.amqtt_broker", str(port)]
        program = mosquitto()
        if program is None:
            raise FileNotFoundError("There is no mosquitto here. Install it, or use the embedded amqtt.")
        settings = self.folder / "mosquitto.conf"
        doors = self.doors.lines(self.folder)
        content = MOSQUITTO.format(port=port, user=getpass.getuser(), folder=self.folder.resolve(), doors=doors)
        settings.write_text(content)
        return [program, "-c", str(settings)]

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.address.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _has_seen(self, name: str) -> bool:
        return self.process.said(name)


def mosquitto() -> str | None:
    """Where mosquitto is; Debian puts it where the path of an ordinary user does not look."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES)))
