"""`!mark`: leaves a mark with a witness outside of the bot. A command as a plug-in brings one, for tests alone."""

import asyncio
import os

from tocsin import Action, Call, Document, Role, command, document, strong, text

WITNESS = "MARKS_ARE_SEEN_AT"
"""The variable that names the witness's port."""
MAY_TAKE_S = 60.0


@command("mark", role=Role.OPERATOR, action=Action.RUN, may_take_s=MAY_TAKE_S, summary="Leave a mark")
async def mark(call: Call) -> Document:
    """Have the witness see it, and wait until the witness says so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ[WITNESS]))
    try:
        writer.write(f"{call.message.event}\n".encode())
        seen = await reader.readline()
    finally:
        writer.close()
    return document(text(strong("MARKED"), f" by {call.person.name}, {seen.decode().strip()}"))
