"""Whether a Zulip server answers, and whether it is one that the bridge was tried with."""

import aiohttp

from bot.findings import Findings, bad, good, hint
from bot.private import Secret
from bot.words.errors import NetworkError, Unreachable
from bot.words.glyphs import cut, one_line, quoted
from bridges.zulip.answers import decoded, read
from bridges.zulip.client import AGENT
from bridges.zulip.errors import Declined, OddAnswer
from bridges.zulip.fetching import Fetcher
from bridges.zulip.rules import Server

SETTINGS = "api/v1/server_settings"
OLDEST = 174
"""Zulip 7. Before it a direct message is called otherwise, and the bot can answer nobody directly."""
TRIED, TRIED_VERSION = 278, "9.2"
LARGEST = 1024 * 1024
LONGEST_CAUSE = 120
LONGEST_VERSION = 40


async def greeting(site: str) -> Findings:
    """What it tells anybody. The key is not shown to it yet."""
    server = await _told(site)
    level = server.zulip_feature_level
    called = f"{quoted(cut(one_line(server.zulip_version), LONGEST_VERSION))}, feature level {level}"
    if level < OLDEST:
        what = f"{site} answers, and is too old: {called}."
        yield bad("server", what, "Bring it up to Zulip 7 or newer: the bot writes to nobody directly before that.")
        return
    yield good("server", f"{site} answers: {called}.")
    if level != TRIED:
        what = f"The bridge was tried with Zulip {TRIED_VERSION}, feature level {TRIED}, and not with this one."
        yield hint("version", what, "Try `!status` and a stop there. `/metrics` counts what the bot finds odd.")


async def _told(site: str) -> Server:
    async with aiohttp.ClientSession(headers=AGENT, cookie_jar=aiohttp.DummyCookieJar()) as session:
        fetcher = Fetcher(site, Secret(""), session)
        try:
            return read(Server, decoded(await fetcher.published(SETTINGS, LARGEST)))
        except Declined as declined:
            raise _no_server(site, f"status {declined.status}") from declined
        except OddAnswer as odd:
            raise _no_server(site, "its answer is none of Zulip's") from odd
        except Unreachable as away:
            cause = cut(one_line(str(away.__cause__ or away.what)) or "no answer in time", LONGEST_CAUSE)
            raise Unreachable(
                f"{site} does not answer: {cause.removesuffix('.')}.",
                hint="Look whether it runs, and at `site` in [zulip]. The bot comes back to it by itself.",
            ) from away


def _no_server(site: str, why: str) -> NetworkError:
    return NetworkError(
        f"What answers at {site} is no Zulip server ({why}).",
        hint="Look at `site` in [zulip], and at the proxy before the server.",
    )
