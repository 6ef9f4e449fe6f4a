"""`!shutdown`: the stop. One person is enough, and nobody is asked twice."""

import asyncio

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.targets import Target, resolve
from bot.stop.course import Origin
from bot.stop.report import named, standing
from bot.words.document import Block, Document, Tone, document, mono, strong, text
from bot.words.errors import UsageError
from bot.words.message import Standing
from bot.words.people import Role

REASON = ("because", "reason")
LONGEST_REASON = 500


@command(
    "shutdown",
    role=Role.OPERATOR,
    floor=Role.VIEWER,
    action=Action.STOP,
    summary="Stop everything, a group, or components, at once",
    aliases=("stop", "halt"),
)
async def shutdown(call: Call, target: str, /, *more: str) -> Document:
    """Order the stop; the room hears what became of it. `because` begins the reason."""
    words, reason = _parted((target, *more))
    wanted: list[Target] = []
    missing: list[UsageError] = []
    for word in words:
        try:
            wanted.append(resolve(call.system.registry, word))
        except UsageError as error:
            missing.append(error)
    if missing and not wanted:
        raise missing[0]
    # All at once: each waits for the disk in the end, and what was named last must not wait for a disk that hangs.
    stopping = [_stop(call, each, reason) for each in dict.fromkeys(wanted)]
    blocks: list[Block] = []
    for stopped in await asyncio.gather(*stopping, return_exceptions=True):
        if isinstance(stopped, BaseException):
            raise stopped
        blocks += stopped
    for error in missing:  # what was named rightly is stopped all the same
        help_ = (
            f": {error.what.partition(': ')[2]} {error.hint}" if _is_proven(call) else ": the rest of what you named."
        )
        blocks.append(text(strong("NOT STOPPED", Tone.BAD), help_))
    return document(*blocks)


async def _stop(call: Call, wanted: Target, reason: str) -> tuple[Block, ...]:
    bell = call.system.bell
    origin = Origin(call.message.place, call.message.hangs_on, call.person.name, reason)
    incident = await bell.order(call.id, wanted, origin)
    short = mono(incident.id[:8])
    if bell.is_closed(incident.id):
        return (text("This stop was carried out, and reset since: incident ", short, "."),)
    stands = bell.stands(incident.id)
    course = bell.course(incident.id)
    if (
        course is None
        or course.by
        or (course.origins[0].place, course.origins[0].event) != (origin.place, origin.event)
    ):
        word = "ALREADY STOPPED" if stands and all(stand.stopped for stand in stands) else "ALREADY STOPPING"
        return (text(strong(word, Tone.WARN), f" {named(wanted)}, by incident ", short, "."), standing(stands))
    count = "1 component" if len(stands) == 1 else f"{len(stands)} components"
    return (text(strong("STOPPING", Tone.WARN), f" {named(wanted)}: {count}. Incident ", short, "."),)


def _is_proven(call: Call) -> bool:
    """Who proves nothing is not told what could be stopped."""
    return call.message.standing is not Standing.UNPROVEN


def _parted(words: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The targets, and the reason."""
    for place, word in enumerate(words[1:], start=1):
        if word.lower().strip(",:") in REASON:
            return words[:place], " ".join(words[place + 1 :])[:LONGEST_REASON]
    return words, ""
