"""Tells a machine's own monitoring how the bot is, on the loopback interface. It changes nothing, and never waits long.

Imported only where the configuration asks for it.
"""

import asyncio
import collections
import dataclasses
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot import __version__
from bot.bridge import Health
from bot.metrics import Depths, Parts, Pulse, exposition
from bot.store import keeping
from bot.words.errors import SettingsError, StoreError
from bot.words.glyphs import one_line
from bot.words.times import clock, span

log = structlog.get_logger(__name__)

BEAT_S = 1.0
BEATS = 60
DISK_MAY_TAKE_S = 1.0
MOST_CONNECTIONS = 16
LONGEST_CONNECTION_S = 10.0
MOST_HEADERS = 64
LARGEST_LINE = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """How one part is, in a few words."""

    well: bool
    text: str


class HealthServer:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(
        self,
        host: str,
        port: int,
        parts: Parts,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._host = host
        self._parts = parts
        self._clock = clock
        self._now = now
        self._pause = pause
        self._began = clock()
        self._lags: collections.deque[float] = collections.deque(maxlen=BEATS)
        self._away_since: float | None = now()
        self._asking: asyncio.Task[Depths | str] | None = None
        self.port = port
        """Where it listens; what the system has picked, once it is ready."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        server = web.Server(
            self._answer,
            access_log=None,
            max_line_size=LARGEST_LINE,
            max_field_size=LARGEST_LINE,
            max_headers=MOST_HEADERS,
            lingering_time=0.0,
        )
        try:
            listening = await asyncio.get_running_loop().create_server(
                lambda: _bounded(server), self._host, self.port, backlog=MOST_CONNECTIONS
            )
        except OSError as error:
            raise SettingsError(
                f"Health cannot be served at {self._host}:{self.port}: {error.strerror}.",
                hint="Choose another `port` in [health], or 0 for any.",
            ) from error
        try:
            self.port = listening.sockets[0].getsockname()[1]
            self.ready.set()
            log.info("health is served", host=self._host, port=self.port)
            await self._beat()
        finally:
            listening.close()
            if self._asking is not None:
                self._asking.cancel()
            await server.shutdown(timeout=0.0)

    async def _beat(self) -> None:
        """Feel the pulse of the event loop, and note since when the broker is away."""
        while True:
            begun = self._clock()
            await self._pause(BEAT_S)
            self._lags.append(max(0.0, self._clock() - begun - BEAT_S))
            if self._parts.link.connected:
                self._away_since = None
            elif self._away_since is None:
                self._away_since = self._now()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One answer a connection, so that few connections are enough for all."""
        answer = await self._said_to(request)
        answer.force_close()
        return answer

    async def _said_to(self, request: web.BaseRequest) -> web.Response:
        refusal = _refusal(request)
        if refusal is not None:
            return _plain(refusal, refusal.phrase)
        match request.path:
            case "/healthz":
                return _plain(HTTPStatus.OK, f"ok\ntocsin {__version__}\nup {span(self._uptime_s())}")
            case "/readyz":
                return await self._readiness()
            case "/metrics":
                depths = await self._depths()
                pulse = Pulse(self._uptime_s(), max(self._lags, default=0.0))
                body = exposition(self._parts, pulse, None if isinstance(depths, str) else depths)
                return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
            case _:
                return _plain(HTTPStatus.NOT_FOUND, "There is /healthz, /readyz and /metrics.")

    async def _readiness(self) -> web.Response:
        """One line for each part. A disk that fills up is told, and the bot is ready all the same."""
        lines = list(self._lines(await self._depths()))
        well = all(line.well for line in lines)
        return _plain(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(line.text for line in lines))

    def _lines(self, depths: Depths | str) -> Iterator[_Line]:
        parts = self._parts
        bell = parts.system.bell.ready.is_set()
        yield _Line(bell, "bell ready" if bell else "bell reads the incidents")
        if parts.system.bell.has_twin:
            yield _Line(False, "bell gives no leases: another bot has its key")
        now = self._now()
        away_since = clock(self._away_since or now, now)
        yield _Line(parts.link.connected, "mqtt connected" if parts.link.connected else f"mqtt away since {away_since}")
        for network, health in parts.bridge_health().items():
            yield _Line(health.ready, f"{network} {'ready' if health.ready else _said(health)}")
        for part, fault in parts.supervisor.resting.items():
            yield _Line(False, f"{part} broke ({fault}) and is started again")
        for part, why in parts.supervisor.out_of_service.items():
            yield _Line(False, f"{part} is out of service: {why}")
        if isinstance(depths, str):
            yield _Line(False, f"store {depths}")
        else:
            yield _Line(True, "store ok")
            doubt = parts.system.store.distrusted
            yield _Line(not doubt, f"record cannot be trusted: {doubt}" if doubt else "record ok")
            yield _Line(True, f"disk {depths.full:.0%} full")

    async def _depths(self) -> Depths | str:
        """What the database says, or why it says nothing. It is asked once at a time, however often we are."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="health: store")
        await asyncio.wait([self._asking], timeout=DISK_MAY_TAKE_S)
        return self._asking.result() if self._asking.done() else f"does not answer within {span(DISK_MAY_TAKE_S)}"

    async def _ask(self) -> Depths | str:
        store = self._parts.system.store
        try:
            full = await asyncio.to_thread(keeping.fullness, store.path.parent)
            return await store.read(lambda tx: Depths.read(tx, full))
        except StoreError as error:
            return error.what

    def _uptime_s(self) -> float:
        return self._clock() - self._began


class _Full(asyncio.Protocol):
    """What one connection too many gets: its end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _bounded(server: web.Server) -> asyncio.BaseProtocol:
    """A connection that ends soon, however slowly its other side talks."""
    if len(server.connections) >= MOST_CONNECTIONS:
        return _Full()
    connection = server()
    asyncio.get_running_loop().call_later(LONGEST_CONNECTION_S, connection.force_close)
    return connection


def _refusal(request: web.BaseRequest) -> HTTPStatus | None:
    """Why a request gets no answer. A page in a browser here may send us one, under a name of its own (rebinding)."""
    if not all(_is_this_machine(host) for host in request.headers.getall("Host", [""])):
        return HTTPStatus.FORBIDDEN
    if request.method not in {"GET", "HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if request.body_exists else None


def _is_this_machine(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _said(health: Health) -> str:
    """What keeps a bridge from being ready, on one line."""
    return one_line(" ".join(health.what.split())) or "not ready"


def _plain(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Cache-Control": "no-store"})
