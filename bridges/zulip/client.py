"""Requests to a Zulip server's API: the only file that knows the package `zulip`.

A request is made once. What fails is raised and never tried again here, since a server takes the same post twice.
"""

import asyncio
import base64
import collections
import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import IO, Any, cast
from urllib.parse import urljoin

import aiohttp
import zulip

from bot import __version__
from bot.private import Secret
from bot.words.errors import NetworkError, Unreachable
from bot.words.glyphs import one_line
from bridges.zulip.answers import OURS, Json, decoded
from bridges.zulip.errors import Declined, KeyRefused, OddAnswer, OutcomeUnknown, TookLong, TooMuch

REQUEST_TIMEOUT_S = 15.0
UPLOAD_TIMEOUT_S = 45.0
POLL_TIMEOUT_S = 120.0
"""A server's heart beats at least every 90 s."""
AGENT = {"User-Agent": f"{OURS}/{__version__}"}
LARGEST = 64 * 1024 * 1024
LARGE = 64 * 1024
"""Bytes that are read beside the loop: answers of this size take long."""
LONGEST_REASON = 200
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 300.0
OF_THE_KEY = frozenset({"UNAUTHORIZED", "USER_DEACTIVATED"})
"""What Zulip itself says of a key that it does not take. A proxy before it may ask for a key, too, and then no more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when."""

    body: Json
    headers: Mapping[str, str]
    came: float
    """On the monotonic clock."""

    def age_s(self, sent_s: float) -> float:
        """How old a message is now, on the server's own clock, and never less than nothing."""
        stamp = self.headers.get("Date")
        try:
            server_now = parsedate_to_datetime(stamp).timestamp() if stamp else time.time()
        except (ValueError, TypeError, OverflowError):
            server_now = time.time()
        return max(0.0, server_now - sent_s) + time.monotonic() - self.came


class Client(zulip.Client):
    """The package's names of endpoints, on a connection that waits for nothing but the loop."""

    def __init__(
        self, site: str, email: str, key: Secret, session: aiohttp.ClientSession, counts: "collections.Counter[str]"
    ) -> None:
        # The package's own constructor reads the environment and ~/.zuliprc, and asks the server. None of it runs.
        self.email = email
        self.base_url = f"{site}/api/"
        self._counts = counts
        self.credentials = Secret(f"Basic {base64.b64encode(f'{email}:{key.reveal()}'.encode()).decode()}")
        self._session = session

    async def do_api_query(  # pyright: ignore[reportIncompatibleMethodOverride] - whoever calls it here awaits it
        self,
        orig_request: Mapping[str, Any],
        url: str,
        method: str = "POST",
        longpolling: bool = False,
        files: list[IO[Any]] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the package's own name
    ) -> Answer:
        """Ask once. All of the package's functions end here, and pass on what comes back."""
        sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in orig_request.items()}
        form: aiohttp.FormData | dict[str, str] | None = None if method == "GET" else sent
        if files:
            form = aiohttp.FormData(sent, quote_fields=False)  # Django shows a name that is quoted as it comes
            for file in files:
                form.add_field("file", file.read(), filename=file.name)
        has_begun = False
        limit_s = POLL_TIMEOUT_S if longpolling else UPLOAD_TIMEOUT_S if files else timeout or REQUEST_TIMEOUT_S
        try:
            async with self._session.request(
                method,
                urljoin(self.base_url, url),
                params=sent if method == "GET" else None,
                data=form,
                headers={"Authorization": self.credentials.reveal()},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(limit_s, sock_connect=REQUEST_TIMEOUT_S),
            ) as response:
                has_begun = method == "GET"
                raw = await _body(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable("Zulip cannot be reached.") from error
        except (aiohttp.InvalidURL, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise (TooMuch if has_begun else OutcomeUnknown)("The connection to Zulip broke.") from error
        except TimeoutError as error:
            is_slow = has_begun or (method == "GET" and not longpolling)
            raise (TooMuch if is_slow else TookLong)(f"Zulip did not answer within {limit_s:.0f} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(f"The connection to Zulip broke ({type(error).__name__}).") from error
        is_large = len(raw) > LARGE
        body = await asyncio.to_thread(_tolerant, raw, response.status) if is_large else _tolerant(raw, response.status)
        answer = Answer(body, response.headers, time.monotonic())
        if response.status != HTTPStatus.OK or body.get("result") == "error":
            self._counts["limited"] += response.status == HTTPStatus.TOO_MANY_REQUESTS
            raise _fault(response.status, answer)
        return answer


async def _body(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > LARGEST:
            raise TooMuch(f"Zulip's answer is larger than {LARGEST // 1024 // 1024} MiB.")
    return bytes(raw)


def _tolerant(raw: bytes, status: int) -> Json:
    """What stands before a server, and is none, speaks no JSON when it refuses."""
    try:
        return decoded(raw)
    except OddAnswer:
        if status == HTTPStatus.OK:
            raise
        return {}


def _fault(status: int, answer: Answer) -> NetworkError | KeyRefused:
    said, code = answer.body.get("msg"), answer.body.get("code")
    reason = one_line(said.encode(errors="replace").decode())[:LONGEST_REASON] if isinstance(said, str) else ""
    shown = f"{status} {reason}".strip()
    if status == HTTPStatus.UNAUTHORIZED and (answer.body.get("result") != "error" or code not in OF_THE_KEY):
        return Unreachable(f"Something before Zulip lets nobody in ({shown}).")
    if status == HTTPStatus.UNAUTHORIZED:
        return KeyRefused(
            f"Zulip does not take the bot's key ({shown}).",
            hint="Look in Zulip whether the bot is active, put its key into key_file of [zulip], and start again.",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unreachable("Zulip takes no more requests for now.", retry_after=_asked_wait_s(answer))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = TookLong if status == HTTPStatus.GATEWAY_TIMEOUT else OutcomeUnknown
        return kind(f"Zulip answered with an error ({shown}).")
    if HTTPStatus.OK < status < HTTPStatus.BAD_REQUEST:
        return OddAnswer(f"At the address of Zulip is something else ({shown}).")
    return Declined(
        f"Zulip refuses it ({shown}).", status=status, code=code[:LONGEST_REASON] if isinstance(code, str) else ""
    )


def _asked_wait_s(answer: Answer) -> float:
    for said in (answer.body.get("retry-after"), answer.headers.get("Retry-After")):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if (wait_s := float(cast("Any", said))) >= 0:
                return min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)
    return 1.0
