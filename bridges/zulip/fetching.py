"""What stands at an address, as it is. The key goes to files of the server alone, and no redirection is followed."""

from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from bot.private import Secret
from bot.words.errors import NetworkError, Unreachable
from bridges.zulip.errors import Declined
from bridges.zulip.files import is_kept

BEGINS_WITHIN_S = 15.0
TAKES_S = 45.0
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Fetcher:
    """Fetches for one account."""

    def __init__(self, site: str, credentials: Secret, session: aiohttp.ClientSession) -> None:
        self._site = site
        self._credentials = credentials
        self._session = session

    async def file(self, reference: str, most: int) -> bytes:
        """What is in a file that somebody put there."""
        if not is_kept(reference):
            raise NetworkError("This is no file of Zulip.")
        return await self._get(f"{self._site}{reference}", most, {"Authorization": self._credentials.reveal()})

    async def published(self, address: str, most: int) -> bytes:
        """What anybody may see, at an address that the server told: there, or wherever its pictures come from."""
        try:
            whole = urljoin(f"{self._site}/", address)
            is_of_the_web = whole.startswith(f"{self._site}/") or urlsplit(whole).scheme == "https"
        except ValueError:
            is_of_the_web, whole = False, ""
        if not is_of_the_web:
            raise NetworkError("Zulip tells an address that is none of the web.")
        return await self._get(whole, most, {})

    async def _get(self, address: str, most: int, headers: dict[str, str]) -> bytes:
        limits = aiohttp.ClientTimeout(TAKES_S, sock_connect=BEGINS_WITHIN_S, sock_read=BEGINS_WITHIN_S)
        has_begun = False
        try:
            async with self._session.get(
                URL(address), headers=headers, allow_redirects=False, timeout=limits
            ) as response:
                _judge(response)
                has_begun = True
                return await _at_most(response, most)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if has_begun and isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                # It comes, but too slowly: the same again would hold up all that waits behind it.
                raise NetworkError(f"The file did not come within {TAKES_S:.0f} s.") from error
            raise Unreachable(f"Zulip gives no file now ({type(error).__name__}).") from error


def _judge(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == HTTPStatus.OK:
        return
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unreachable(f"Zulip gives no file now ({status}).")
    raise Declined(f"Zulip gives no such file ({status}).", status=status)


async def _at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > most:
            raise NetworkError(f"The file is larger than {most} bytes.")
    return bytes(raw)
