"""What became of a message, and how that is written down: done, recorded and answered in one transaction."""

import dataclasses
import time
from collections.abc import Sequence

from bot.desk.call import Work
from bot.desk.command import Command
from bot.desk.signature import Bound
from bot.store import Tx, audit, inbox, outbox
from bot.store.inbox import Received
from bot.words.document import Document
from bot.words.glyphs import cut
from bot.words.message import Lane, Message, Post
from bot.words.people import Person

LONGEST_RESOLVED = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """One result, and at most one answer."""

    result: str
    answer: Document | None = None
    """Nothing, where whoever wrote must not learn that anybody listens."""
    lane: Lane = Lane.ANSWER
    command: Command | None = None
    person: Person | None = None
    written_along: Sequence[Work] = ()
    recorded: bool = True
    subject: str | None = None
    """Where later words edit the answer."""
    begun: Work | None = None
    """Its intent, where no disk has it yet."""
    late: bool = False
    """It was carried out before the disk took it, and is recorded only now."""

    def write(self, tx: Tx, received: Received, key: str | None = None) -> None:
        """All that follows from it. `key` is that of the answer, where a network may have seen it."""
        if self.begun is not None:
            self.begun(tx)
        inbox.done(tx, received.row)
        if self.recorded:
            self.record(tx, received)
        if self.answer is not None:
            message = received.message
            post = Post(message.place, self.answer, self.lane, message.hangs_on, self.subject)
            outbox.queue(tx, post, key)
        for work in self.written_along:
            work(tx)

    def record(self, tx: Tx, received: Received) -> None:
        """The entry in the record alone."""
        message = received.message
        fields = described(received.id, message, self.command) | ({"late": True} if self.late else {})
        fields["ms"] = round(max(0.0, time.time() - received.received) * 1000)
        audit.record(tx, "outcome", said_by(message, self.person), result=self.result, **fields)


def described(call_id: str, message: Message, command: Command | None) -> dict[str, audit.Value]:
    """What was said and how sure we are of who said it."""
    name = command.name if command else None  # what is no command is somebody's words
    return {"id": call_id, "command": name, "standing": message.standing}


def said_by(message: Message, person: Person | None, **more: audit.Value) -> audit.About:
    """Who said something, where, and on what. The words themselves are not recorded."""
    account = str(message.account)
    name = person.name if person else None
    said: dict[str, audit.Value] = {
        "person": name,
        "account": account,
        "device": message.device,
        "place": str(message.place),
        "event": message.event,
        "text": audit.digest(message.text),
        **more,
    }
    return audit.About(name or account, said)


def resolved(command: Command, bound: Bound) -> str:
    """What a command was understood as, without anybody's own words."""
    return cut(f"{command.name} {bound.recorded}".strip(), LONGEST_RESOLVED)
