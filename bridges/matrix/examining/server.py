"""Whether the homeserver answers, what it speaks, and how late it thinks it is."""

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from bot.findings import Finding, Findings, bad, good, hint, warn
from bot.words.errors import Unreachable
from bot.words.glyphs import cut, one_line
from bot.words.times import span
from bridges.matrix.asking import ANSWER_TIMEOUT_S

VERSION = re.compile(r"v1\.(\d{1,4})")
OLDEST = 1
"""The first version of the client API in which everything is that we ask for."""
SKEW_TO_NOTE_S = 5.0
SKEW_TOO_LARGE_S = 60.0
"""What is older than this is not run. By a clock that is off, some of what is new would be."""
LONGEST_CAUSE = 120


@dataclasses.dataclass(frozen=True, slots=True)
class Greeted:
    """What the homeserver answers to anybody."""

    newest: int | None
    """The newest version of the client API that it speaks: 12 for v1.12."""
    skew_s: float | None
    """How far our clock is ahead of its own, as surely as one can say. None where it does not tell the time."""


async def greeting(homeserver: str, now: Callable[[], float]) -> Findings:
    """Whether it answers, and its clock."""
    greeted = await _greet(homeserver, now)
    if greeted.newest is None or greeted.newest < OLDEST:
        yield bad(
            "homeserver",
            f"{homeserver} answers, and does not speak v1.{OLDEST} of Matrix.",
            "Bring the homeserver up to date.",
        )
    else:
        yield good("homeserver", f"{homeserver} answers, and speaks up to v1.{greeted.newest}.")
    if greeted.skew_s is not None:
        yield _clock(greeted.skew_s)


async def limits(user: str) -> AsyncIterator[Finding]:
    """What nobody can see from a user's side: only an admin may ask what a user's limits are."""
    line = f'POST /_synapse/admin/v1/users/{user}/override_ratelimit {{"messages_per_second":0,"burst_count":0}}'
    yield hint(
        "limits",
        "How much the account may say, it cannot see. By itself Synapse takes some ten messages, then one in 5 s.",
        f"If an admin has not lifted that for the bot: {line}",
    )


async def _greet(homeserver: str, now: Callable[[], float]) -> Greeted:
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    try:
        before = now()
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{homeserver}/_matrix/client/versions") as response,
        ):
            after = now()
            body = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        cause = cut(one_line(str(error) or "no answer in time"), LONGEST_CAUSE)
        raise Unreachable(
            f"{homeserver} does not answer: {cause}.",
            hint="Look whether it runs, and at `homeserver` in [matrix]. The bot comes back to it by itself.",
        ) from error
    said = _fields(body)
    if response.status != HTTPStatus.OK or said is None:
        raise Unreachable(
            f"What answers at {homeserver} is no homeserver (status {response.status}).",
            hint="Look at `homeserver` in [matrix], and at the proxy before the homeserver.",
        )
    return Greeted(_newest(said.get("versions")), _skew(response, before, after))


def _fields(body: bytes) -> dict[str, Any] | None:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _newest(versions: object) -> int | None:
    spoken = cast("list[object]", versions) if isinstance(versions, list) else []
    found = (VERSION.fullmatch(each) for each in spoken if isinstance(each, str))
    return max((int(each[1]) for each in found if each), default=None)


def _skew(response: aiohttp.ClientResponse, before: float, after: float) -> float | None:
    """The server told the time at some moment between the two of ours, without the parts of a second."""
    try:
        stamp = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    if after < stamp:
        return after - stamp
    return max(0.0, before - (stamp + 1))


def _clock(skew_s: float) -> Finding:
    off = f"This machine's clock is {span(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} the homeserver's."
    remedy = "Set both by a time server: `timedatectl` shows whether this one is."
    if abs(skew_s) > SKEW_TOO_LARGE_S:
        return bad("clock", off, remedy)
    if abs(skew_s) > SKEW_TO_NOTE_S:
        return warn("clock", off, remedy)
    return good("clock", "This machine and the homeserver agree on the time.")
