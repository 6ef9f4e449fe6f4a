"""One logged-in device on a homeserver. It never waits out a failure: what fails now is raised as Unreachable."""

import asyncio
import contextlib
import io
import json
import logging
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import aiohttp
import structlog
from nio import (
    AsyncClient,
    AsyncClientConfig,
    BadEvent,
    ErrorResponse,
    Event,
    MatrixRoom,
    MessageDirection,
    Response,
    RoomMessagesResponse,
    SyncResponse,
    UnknownBadEvent,
)

try:
    from nio.crypto import Olm
    from nio.store import SqliteStore
    from vodozemac import LibolmPickleException, PickleException
except ImportError as error:
    raise ImportError("matrix-nio is installed without encryption: install `tocsin[bot]` anew") from error

from bot.words.errors import NetworkError, SettingsError, TocsinError, Unreachable
from bridges.matrix.account import Login
from bridges.matrix.answers import parsed
from bridges.matrix.disk import on_disk
from bridges.matrix.guard import guard
from bridges.matrix.offered_keys import lacking, lacks_fallback, taken, within
from bridges.matrix.patience import asked_wait_s
from bridges.matrix.replay import ReplayIndex
from bridges.matrix.rotation import Rotation, rotation_of

REQUEST_TIMEOUT_S = 30.0
LONG_POLL_MS = 30_000
UPLOAD, VERSIONS = "/_matrix/media/v3/upload", "/_matrix/client/versions"
SYNC_TIMEOUT_S = 120.0
LARGE = 64 * 1024
"""Bytes that are read beside the loop: answers of this size take long."""
MOST_EVENTS_IN_A_GAP = 500
FEWEST_IN_A_PAGE = 100
ONLY_ROOMS = {
    "presence": {"not_types": ["*"]},
    "account_data": {"not_types": ["*"]},
    "room": {
        "timeline": {"limit": 50},
        "ephemeral": {"not_types": ["*"]},
        "account_data": {"not_types": ["*"]},
    },
}
"""What a sync brings: no typing, no receipts, no presence."""

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer", bound=Response)


class LoginLost(TocsinError):
    """The homeserver has forgotten the device; only a person can log it in again."""


class Denied(NetworkError):
    """The homeserver refused a request."""

    def __init__(self, what: str, *, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(what)
        self.status = status
        self.answer = answer


class Client(AsyncClient):
    """The library's client, logged in for good. Whether the homeserver still knows the login, `Connection` tells."""

    lacks_fallback = False
    """Whether the homeserver has no fallback key of ours that is unused, as far as it tells."""

    async def parse_body(self, transport_response: aiohttp.ClientResponse) -> dict[Any, Any]:
        """What the homeserver says. The library breaks at some of it, and passes over what it says of fallback keys."""
        raw = await transport_response.read()
        try:
            found: object = parsed(raw) if len(raw) < LARGE else await asyncio.to_thread(parsed, raw)
        except ValueError:
            found = None
        body = cast("dict[Any, Any]", found) if isinstance(found, dict) else {}
        if (lacks := lacks_fallback(body)) is not None:
            self.lacks_fallback = lacks
        return body

    async def create_matrix_response(
        self,
        response_class: type[Response],
        transport_response: aiohttp.ClientResponse,
        data: tuple[Any, ...] | None = None,
        save_to: os.PathLike[str] | None = None,
    ) -> Response:
        """What the library makes of an answer. That takes long for a large sync, so it is made beside the loop."""
        if response_class is not SyncResponse:
            return await super().create_matrix_response(response_class, transport_response, data, save_to)
        body = await self.parse_body(transport_response)
        response = await asyncio.to_thread(SyncResponse.from_dict, body)
        response.transport_response = transport_response
        return response

    async def receive_response(self, response: Response) -> None:
        """Change what the client knows. An error changes nothing: the library takes some for the end of the login."""
        if not isinstance(response, ErrorResponse):
            await super().receive_response(response)


class Connection:
    """A device and its keys, on the wire."""

    def __init__(self, login: Login, folder: Path, client: Client, olm: Olm, seen: ReplayIndex) -> None:
        self.login = login
        self.folder = folder
        self.client = client
        self.olm = olm
        self.seen = seen
        self.reads_only = False
        """Whether it knows more than the disk. What it gave devices now it would seal with the same keys once more."""
        self.joining: set[str] = set()
        """Rooms whose invitation is accepted and whose state has not come yet."""
        self.rotations: dict[str, Rotation] = {}
        """By room: how long its keys serve."""

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, login: Login, folder: Path) -> AsyncGenerator["Connection"]:
        """The device with its keys, until the block ends."""
        # It logs whole events that it finds invalid, ciphertext and all.
        logging.getLogger("nio").setLevel(logging.CRITICAL)
        config = AsyncClientConfig(
            store=SqliteStore,
            store_name=login.store,
            pickle_key=login.pickle_key,
            store_sync_tokens=False,
            max_limit_exceeded=0,
            max_timeouts=0,
            request_timeout=REQUEST_TIMEOUT_S,
        )
        client = Client(login.homeserver, login.user, login.device, str(folder), config)
        seen = ReplayIndex(folder / f"seen-{login.device}.db")
        try:
            try:
                with on_disk():
                    client.restore_login(login.user, login.device, login.token)
            except (PickleException, LibolmPickleException) as error:
                raise SettingsError(
                    f"The keys in {folder / login.store} cannot be opened with what is in {folder / 'login.json'}.",
                    hint="Put both back from one backup, or remove login.json: a new device is made then.",
                ) from error
            (folder / login.store).chmod(0o600)
            assert client.olm is not None  # noqa: S101 - a library with encryption and a store path make it
            assert client.store is not None  # noqa: S101 - see above
            client.olm.message_index_store = seen
            guard(client.olm, client.store)
            yield cls(login, folder, client, client.olm, seen)
        finally:
            await client.close()
            if client.store is not None:
                client.store.database.close()
            seen.close()

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the homeserver something that the library has no words for."""
        return await self._ask(method, path, None if body is None else json.dumps(body), "application/json")

    async def put_file(self, data: bytes, media_type: str) -> str:
        """Have the homeserver keep a file, and return its address. Raises NetworkError where it does not take it."""
        try:
            answer = await self._ask("POST", UPLOAD, io.BytesIO(data), media_type)
        except Unreachable as error:  # who says early that it is too large breaks off, and no answer is heard
            raise await self._broken_off(error) from error
        address = answer.get("content_uri")
        if not isinstance(address, str):
            raise Unreachable("The homeserver took a file and does not say where it is.")
        return address

    async def get_file(self, path: str, most: int, *, within_s: float = REQUEST_TIMEOUT_S) -> bytes:
        """A file that a homeserver keeps, of at most so many bytes. Raises NetworkError where there is none such.

        It is nowhere else: a homeserver could send the bot to what only the bot's own machine can reach.
        """
        headers = {"Authorization": f"Bearer {self.login.token}"}
        within = aiohttp.ClientTimeout(within_s)
        url = self.client.homeserver + path
        try:
            with self._reaching():
                async with (
                    aiohttp.ClientSession(timeout=within) as session,
                    session.get(url, headers=headers, allow_redirects=False) as response,
                ):
                    found = bytearray()
                    async for chunk in response.content.iter_any():
                        found += chunk
                        if len(found) > most:
                            break
        except Unreachable as error:
            raise await self._broken_off(error) from error
        if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
            raise NetworkError("The homeserver sends the bot elsewhere for a file.")
        if response.status != HTTPStatus.OK:
            answer = _object(bytes(found))
            # It is there, and waits in vain for the homeserver whose file it is.
            is_of_another = answer and response.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
            raise self._refusal(HTTPStatus.NOT_FOUND if is_of_another else response.status, answer or {})
        if len(found) > most:
            raise NetworkError(f"A file is larger than {most} bytes.")
        return bytes(found)

    async def _broken_off(self, error: Unreachable) -> NetworkError:
        """Why a file did not go through: the homeserver is away, or it is there and does not let this one through."""
        if error.__cause__ is None:  # it has said so itself
            return error
        await self.request("GET", VERSIONS)
        return NetworkError("The homeserver breaks off where it should take or give a file.")

    async def _ask(self, method: str, path: str, data: str | io.BytesIO | None, kind: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.login.token}", "Content-Type": kind}
        with self._reaching():
            response = await self.client.send(method, path, data, headers)
            answer = _object(await response.read())
        if response.status != HTTPStatus.OK:
            raise self._refusal(response.status, answer or {})
        if answer is None:
            raise Unreachable(f"What answers at {self.login.homeserver} is no homeserver.")
        return answer

    def checked(self, response: Answer | ErrorResponse) -> Answer:
        """A response of the library, or the error that it stands for."""
        if not isinstance(response, ErrorResponse):
            return response
        status = response.transport_response.status if response.transport_response is not None else 0
        answer = {
            "errcode": response.status_code,
            "error": response.message,
            "retry_after_ms": response.retry_after_ms,
        }
        raise self._refusal(status, answer)

    async def sync(self, since: str | None, *, full_state: bool, wait_ms: int = LONG_POLL_MS) -> SyncResponse:
        """What happened since a cursor; waits so long for something to happen. Decrypted where it can be."""
        with self._reaching():
            # The library sets no limit of its own where it asks for everything.
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                answer = await self.client.sync(
                    timeout=0 if full_state else wait_ms,
                    sync_filter=ONLY_ROOMS,
                    since=since,
                    full_state=full_state,
                )
            response = self.checked(answer)
        # The library takes a count of nothing for an unknown count, and would never upload again. And it would make as
        # many keys as a homeserver says that there are too few.
        count = response.device_key_count.signed_curve25519
        self.olm.uploaded_key_count = within(self.olm, count)
        self.joining -= self.client.rooms.keys()
        for room, info in response.rooms.join.items():
            if rotation := rotation_of([*info.state, *info.timeline.events]):
                self.rotations[room] = rotation
        return response

    async def peek(self, since: str, wait_ms: int) -> SyncResponse:
        """What happened since a cursor; waits a little for something to happen. It is as it came, and changes nothing.

        Whoever asks with a cursor has all that came to the device before it: the homeserver forgets that.
        """
        query = urlencode({"since": since, "timeout": wait_ms, "filter": json.dumps(ONLY_ROOMS)})
        headers = {"Authorization": f"Bearer {self.login.token}"}
        with self._reaching():
            answer = await self.client.send("GET", f"/_matrix/client/v3/sync?{query}", None, headers)
            response = await self.client.create_matrix_response(SyncResponse, answer)
        assert isinstance(response, SyncResponse | ErrorResponse)  # noqa: S101 - it is made as such
        return self.checked(response)

    def read_only(self) -> None:
        """Give keys to nobody, until it is opened anew. Keys that were lost to the disk must not be written over."""
        self.reads_only = True
        assert self.client.store is not None  # noqa: S101 - the library's client has one once it is logged in
        self.client.store.save_session = _refused

    def probe(self) -> None:
        """Write something of no meaning wherever the device's keys are. Raises StoreError where it is not taken."""
        assert self.client.store is not None  # noqa: S101 - see above
        with on_disk():
            self.client.store.database.execute_sql("PRAGMA user_version = 0")
        self.seen.probe()

    async def upkeep(self) -> None:
        """Upload keys that run short, answer key requests, mend broken sessions."""
        if keys := lacking(self.olm, fallback=self.client.lacks_fallback):
            taken(self.olm, await self.request("POST", "/_matrix/client/v3/keys/upload", keys))
            self.client.lacks_fallback = False
        with self._reaching():
            if self.client.should_claim_keys:
                self.checked(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
            for response in await self.client.send_to_device_messages():
                self.checked(response)

    async def missed(self, room: str, prev_batch: str, since: str) -> list[Event | BadEvent | UnknownBadEvent]:
        """What lies between a cursor and the beginning of a limited timeline, oldest first, up to a bound."""
        newest_first: list[Event | BadEvent | UnknownBadEvent] = []
        start: str | None = prev_batch
        while start is not None and len(newest_first) < MOST_EVENTS_IN_A_GAP:
            with self._reaching():
                page: RoomMessagesResponse = self.checked(
                    await self.client.room_messages(
                        room, start=start, end=since, direction=MessageDirection.back, limit=FEWEST_IN_A_PAGE
                    )
                )
            newest_first.extend(page.chunk)
            start = page.end if page.chunk else None
        if start is not None:
            log.warning("the gap is larger than what is read back; older messages are lost", room=room)
        return newest_first[::-1]

    async def join(self, room: str) -> None:
        """Accept an invitation."""
        with self._reaching():
            self.checked(await self.client.join(room))
        self.joining.add(room)

    async def know_members(self, room: MatrixRoom) -> None:
        """Have the list of a room's members whole, once."""
        if not room.members_synced:
            with self._reaching():
                self.checked(await self.client.joined_members(room.room_id))

    @contextlib.contextmanager
    def _reaching(self) -> Generator[None]:
        try:
            with on_disk():
                yield
        except (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise Unreachable(f"The homeserver {self.login.homeserver} does not answer.") from error

    def _refusal(self, status: int, answer: Mapping[str, Any]) -> TocsinError:
        said = f"{answer.get('errcode')}: {answer.get('error')}"
        if answer.get("errcode") == "M_UNKNOWN_TOKEN":
            return LoginLost(
                f"The homeserver no longer knows the login of {self.login.user}.",
                hint=f"Remove {self.folder / 'login.json'} and start again: a new device is made, the identity stays.",
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS or answer.get("errcode") == "M_LIMIT_EXCEEDED":
            wait = asked_wait_s(answer.get("retry_after_ms"))
            return Unreachable("The homeserver takes no more for now.", retry_after=wait)
        if status < HTTPStatus.BAD_REQUEST or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unreachable(f"The homeserver answered with an error ({status} {said}).")
        return Denied(f"The homeserver refused it ({status} {said}).", status=status, answer=answer)


def _object(raw: bytes) -> dict[str, Any] | None:
    """An answer as JSON, where it is that."""
    try:
        said: object = parsed(raw)
    except ValueError:
        return None
    return cast("dict[str, Any]", said) if isinstance(said, dict) else None


def _refused(*_: object) -> None:
    raise sqlite3.OperationalError("the device only reads")


def age_s(response: SyncResponse, sent_ms: int, *, since_received: float) -> float:
    """How old an event is, on the server's own clock, and never less than nothing."""
    stamp = response.transport_response.headers.get("Date") if response.transport_response is not None else None
    try:
        server_now = parsedate_to_datetime(stamp).timestamp() if stamp else time.time()
    except (ValueError, TypeError, OverflowError):
        server_now = time.time()
    return max(0.0, server_now - sent_ms / 1000) + since_received
