"""The Matrix part of `tocsin doctor`: what the bot's account needs on the homeserver, on this disk, and of people.

It asks by HTTP alone, with the login that is kept. It never opens the device's keys, and logs nothing in: so it may run
beside the bot, which does not notice.
"""

import time
from collections.abc import Callable

from bot.bridge import Patient
from bot.findings import Findings, State, surely
from bridges.matrix.examining.account import Examined
from bridges.matrix.examining.alarms import alarms
from bridges.matrix.examining.linked import linked
from bridges.matrix.examining.people import people
from bridges.matrix.examining.rooms import rooms
from bridges.matrix.examining.server import greeting, limits
from bridges.matrix.settings import MatrixSettings


async def examine(section: MatrixSettings, patient: Patient, *, now: Callable[[], float] = time.time) -> Findings:
    """Everything, in the order in which it breaks: what stands on what is broken is not looked at."""
    own = Examined(section, patient.folder)
    away = False
    async for each in surely("homeserver", greeting(section.homeserver, now)):
        away = away or (each.about == "homeserver" and each.state is State.BAD)
        yield each
    async for each in surely("identity", own.identity()):
        yield each
    if away:
        return
    async for each in surely("login", own.login()):
        yield each
    session = own.session
    if session is None:
        return
    for about, looking in (
        ("device", own.device(session)),
        ("recovery key", own.recovery(session)),
        ("other devices", own.others(session)),
        ("one-time keys", own.offered(session)),
        ("people", people(session, patient, section.pins, compared_only=section.proof == "verified")),
        ("rooms", rooms(session, patient.people, section.unencrypted_rooms)),
        ("alarms", alarms(session, patient.alarms)),
        ("places", linked(session, patient.linked)),
        ("limits", limits(section.user)),
    ):
        async for each in surely(about, looking):
            yield each
