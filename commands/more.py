"""`!more`: the rest of an answer that was too long for one message."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document
from bot.words.errors import UsageError
from bot.words.people import Role


@command("more", only_now=True, role=Role.VIEWER, summary="Show the rest of the last long answer")
async def more(call: Call) -> Document:
    """What was kept for this person in this place."""
    rest = call.system.rest.take(call.person.name, call.message.place)
    if rest is None:
        raise UsageError("There is nothing more to show.", hint="The rest of a long answer is kept for 15 minutes.")
    return rest
