"""`!requests`, `!approve`, `!deny`: what waits for a second person."""

import time

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document, document, mono, table, text
from bot.words.people import Role
from bot.words.times import span


@command("requests", role=Role.OPERATOR, action=Action.INSPECT, summary="Show what waits for a second person")
async def show_requests(call: Call) -> Document:
    """All open requests, the oldest first."""
    waiting = await call.system.approvals.open()
    if not waiting:
        return document("No request waits.")
    now = time.time()
    rows = [(mono(each.code), each.person, mono(each.asked), span(each.expires - now)) for each in waiting]
    return document(
        table(("code", "asked by", "command", "ends in"), rows),
        text("Another person: ", mono("!approve CODE"), " or ", mono("!deny CODE")),
    )


@command(
    "approve",
    role=Role.OPERATOR,
    action=Action.GOVERN,
    summary="Agree to what somebody else asked for",
    may_take_s=None,  # what is approved has its own
    alone=True,
)
async def approve(call: Call, code: str) -> Document:
    """Run it, if the one who asks now is another person and nothing has changed."""
    return await call.system.approvals.approve(call, code)


@command(
    "deny", role=Role.OPERATOR, action=Action.GOVERN, alone=True, summary="End a request, yours or somebody else's"
)
async def deny(call: Call, code: str) -> Document:
    """One is enough."""
    return await call.system.approvals.deny(call, code)
