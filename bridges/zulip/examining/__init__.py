"""The Zulip part of `tocsin doctor`: what the bot's account needs on the server, and of people.

It asks by HTTP alone, beside a bot that runs: it leaves that one's queue alone, and asks little, since both share what
the server takes from the account.
"""

import asyncio
import collections

from bot.bridge import Patient
from bot.findings import LOOK_IN_THE_LOGS, Findings, State, bad, surely
from bot.words.errors import TocsinError
from bridges.zulip.api import Api
from bridges.zulip.examining.account import Examined
from bridges.zulip.examining.alarms import alarms
from bridges.zulip.examining.limits import limits
from bridges.zulip.examining.linked import linked
from bridges.zulip.examining.people import people
from bridges.zulip.examining.server import greeting
from bridges.zulip.settings import ZulipSettings


async def examine(section: ZulipSettings, patient: Patient) -> Findings:
    """Everything, in the order in which it breaks: what stands on what is broken is not looked at."""
    away = False
    async for each in surely("server", greeting(section.site)):
        away = away or each.state is State.BAD
        yield each
    try:
        key = await asyncio.to_thread(section.key)
    except TocsinError as error:
        yield bad("key", error.what, error.hint or LOOK_IN_THE_LOGS)
        return
    if away:
        return
    async with Api.opened(section.site, section.email, key, collections.Counter()) as api:
        own = Examined(api)
        async for each in surely("key", own.login()):
            yield each
        if own.profile is None:
            return
        for about, looking in (
            ("owner", own.owner(own.profile)),
            ("channels", own.channels()),
            ("alarms", alarms(api, section.site, patient, own)),
            ("places", linked(patient, own)),
            ("people", people(api, patient.people, own.profile)),
            ("limits", limits(api, own)),
        ):
            async for each in surely(about, looking):
                yield each
