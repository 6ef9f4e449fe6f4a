"""`!whoami`: how the bot sees the one who asks."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document, document, mono, strong, table, text
from bot.words.message import Standing
from bot.words.people import Role

PROOF = {
    Standing.ATTESTED: "encrypted, from a device that your own identity signed",
    Standing.SIGNED: "the same, but nobody has compared that identity yet, which the configuration asks for",
    Standing.UNPROVEN: "nothing proves that it is you",
    Standing.CLEAR: "this room is not encrypted, and the homeserver says that it is you",
    Standing.NAMED: "the server says that it is you",
    Standing.LOCAL: "the kernel of this machine says that it is you",
    Standing.KEY: "a stop key",
    Standing.RELAYED: "somebody passed it on",
}


@command("whoami", role=Role.VIEWER, summary="Show how I know you, and what you may do")
async def whoami(call: Call) -> Document:
    """The person, the account and the device behind this very message."""
    message = call.message
    rows = (
        ("role", str(call.person.role)),
        ("account", mono(message.account.id)),
        ("device", mono(message.device)),
        ("standing", f"{message.standing}: {PROOF[message.standing]}"),
    )
    return document(text("You are ", strong(call.person.name), "."), table(("", ""), rows))
