"""One question to a homeserver by HTTP. It never waits out a failure: what fails now is raised as Unreachable."""

import dataclasses
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from bot.words.errors import Unreachable
from bridges.matrix.answers import parsed
from bridges.matrix.patience import asked_wait_s

ANSWER_TIMEOUT_S = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a homeserver said: what was asked for, or why not."""

    status: int
    said: Mapping[str, Any]

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status == HTTPStatus.OK


async def ask(
    homeserver: str, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = ""
) -> Answer:
    """Ask, and return what was said to it. Who does not answer for now is Unreachable."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, f"{homeserver}{path}", json=body, headers=headers) as response,
        ):
            status = response.status
            said: object = parsed(await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unreachable(f"The homeserver {homeserver} does not answer.") from error
    if not isinstance(said, dict):
        raise Unreachable(f"What answers at {homeserver} is no homeserver.")
    answer = Answer(status, cast("Mapping[str, Any]", said))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = asked_wait_s(answer.said.get("retry_after_ms"))
        raise Unreachable("The homeserver takes no more for now.", retry_after=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unreachable(f"The homeserver {homeserver} answered with an error ({status}).")
    return answer
