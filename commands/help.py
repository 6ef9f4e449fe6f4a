"""`!help`: what the one who asks may run from where they are, and nothing else."""

from bot.desk.call import Call
from bot.desk.command import Command, command
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.people import Role

HURRY = text(strong("To stop everything", Tone.BAD), ": ", mono("!shutdown all"))


@command("help", role=Role.VIEWER, summary="Show what you may do here")
async def show_help(call: Call, *name: str) -> Document:
    """All commands that this person may run here, or one of them."""
    catalogue = call.system.catalogue

    def may(wanted: Command) -> bool:
        message = call.message
        return call.system.authority.judge(call.person, message.standing, message.place.network, wanted.demand).allowed

    if not name:
        allowed = [each for each in catalogue.commands if may(each)]
        # What somebody needs in a hurry stands first, and as they would type it.
        hurry = [HURRY] if any(each.name == "shutdown" for each in allowed) else []
        rows = [(mono(each.usage), each.summary) for each in allowed]
        more = text("More on one of them: ", mono("!help COMMAND"))
        return document(*hurry, table(("command", "what it does"), rows), more)
    wanted = catalogue.meant(name, may)
    if not may(wanted):
        raise UsageError(f"You may not run !{wanted.name} here.", hint=f"!why {wanted.name} says why.")
    return _about(wanted)


def _about(wanted: Command) -> Document:
    lines = [text(mono(wanted.usage)), text(wanted.summary, f". Takes the role {wanted.role}, or a higher one.")]
    if wanted.demand.two_persons:
        lines.append(text("A second person must agree."))
    if wanted.aliases:
        lines.append(text("The same: ", mono(" ".join(f"!{alias}" for alias in wanted.aliases))))
    return document(*lines)
