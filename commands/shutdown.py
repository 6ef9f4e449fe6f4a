"""`!shutdown`: the stop. One person is enough, and nobody is asked twice."""

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.targets import resolve
from bot.stop.course import Origin
from bot.stop.report import named, standing
from bot.words.document import Document, Tone, document, mono, strong, text
from bot.words.people import Role


@command(
    "shutdown",
    role=Role.OPERATOR,
    floor=Role.VIEWER,
    action=Action.STOP,
    summary="Stop everything, a group, or one component, at once",
    aliases=("stop", "halt"),
)
async def shutdown(call: Call, target: str) -> Document:
    """Order the stop; the room hears what became of it."""
    wanted = resolve(call.system.registry, target)
    bell = call.system.bell
    incident = await bell.order(call.id, wanted, Origin(call.message.place, call.message.event))
    stands = bell.stands(incident.id)
    if incident.id != call.id:
        word = "ALREADY STOPPED" if stands and all(stand.stopped for stand in stands) else "ALREADY STOPPING"
        head = text(strong(word, Tone.WARN), f" {named(wanted)}, by incident ", mono(incident.id[:8]), ".")
        return document(head, standing(stands))
    count = "1 component" if len(stands) == 1 else f"{len(stands)} components"
    return document(
        text(strong("STOPPING", Tone.WARN), f" {named(wanted)}: {count}. Incident ", mono(incident.id[:8]), ".")
    )
