"""`!help`: what the one who asks may run, and nothing else."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document, document, mono, table, text
from bot.words.errors import UsageError
from bot.words.people import Role


@command("help", role=Role.VIEWER, summary="Show what you may do here")
async def show_help(call: Call, name: str = "") -> Document:
    """All commands that this person may run, or one of them."""
    mine = [each for each in call.system.catalogue.commands if each.role <= call.person.role]
    if not name:
        rows = [(mono(each.usage), each.summary) for each in mine]
        return document(table(("command", "what it does"), rows))
    wanted = call.system.catalogue.find(name.lstrip("!/").lower())
    if wanted is None or wanted not in mine:
        raise UsageError(f"There is no command {name[:64]!r} that you may run.", hint="!help lists what there is.")
    lines = [text(mono(wanted.usage)), text(wanted.summary, f". Takes the role {wanted.role}, or a higher one.")]
    if wanted.aliases:
        lines.append(text("The same: ", mono(" ".join(f"!{alias}" for alias in wanted.aliases))))
    return document(*lines)
