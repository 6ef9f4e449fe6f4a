"""How a request ends: decided once, recorded, and told to the one who asked, in one transaction."""

from bot.desk.command import Command
from bot.store import Tx, audit, outbox, requests
from bot.store.requests import Request, State
from bot.words.document import Block, Document, mono, strong, text
from bot.words.errors import Refused
from bot.words.message import Lane, Post
from bot.words.people import Person

EDITED = "its message was edited"
REMOVED = "its message was removed"
SUSPENDED = "its person may do nothing any more"
CROWDED = "too many wait already"
LATE = "the disk was late, and nothing was run"
WORDS = {
    State.RUNNING: "has been approved by {}",
    State.DONE: "was approved by {} and is done",
    State.FAILED: "was approved by {} and failed",
    State.UNKNOWN: "was approved by {}; a crash cut it off",
    State.DENIED: "was denied by {}",
    State.EXPIRED: "has expired",
    State.VOID: "is void: {}",
}


class Beginning:
    """That a request is run now. Of two who agree at once one wins, and only that one can be taken back."""

    def __init__(self, request: Request, approver: Person, command: Command) -> None:
        self._request = request
        self._approver = approver
        self._command = command
        self._won = False

    def write(self, tx: Tx) -> None:
        """Take it, or raise Refused."""
        request = self._request
        self._won = requests.decide(tx, request.code, State.RUNNING, self._approver.name)
        if not self._won:
            raise Refused(
                f"Not run: {request.code} was decided by somebody else just now.", hint="!requests lists what waits."
            )
        by = audit.about(self._approver.name, by=self._approver.name)
        audit.record(tx, "approval", by, id=request.id, code=request.code, command=self._command.name)

    def take_back(self, tx: Tx) -> None:
        """The disk had it too late, so nothing was run."""
        if self._won:
            end(self._request, State.VOID, LATE, tx, was=State.RUNNING)


def end(request: Request, state: State, why: str | None, tx: Tx, was: State = State.OPEN) -> bool:
    """End a request that was not run to its end, record it, and tell the one who asked. Once."""
    if not requests.decide(tx, request.code, state, why or "", was=was):
        return False
    fields: dict[str, audit.Value] = {"id": request.id, "code": request.code}
    if why is None:
        audit.record(tx, f"request {state}", **fields)
    elif state is State.VOID:  # the reason may name the one who asked
        audit.record(tx, f"request {state}", audit.about(request.person, why=why), **fields)
    else:
        audit.record(tx, f"request {state}", audit.about(why, by=why), **fields)
    tell(tx, request, text("Your request ", mono(request.code), f" {WORDS[state].format(why)}."), ())
    return True


def was_decided(request: Request) -> Refused:
    """What became of it, for somebody who comes too late."""
    return Refused(f"Not run: {request.code} {WORDS[request.state].format(request.decided)}.")


def tell(tx: Tx, request: Request, head: Block, more: tuple[Block, ...]) -> None:
    """Say something to the one who asked, as an answer to what they asked."""
    message = request.message
    outbox.queue(tx, Post(message.place, Document((head, *more)), Lane.ANSWER, reply_to=message.event))


def approved(request: Request, approver: Person, state: State) -> Block:
    """Who agreed, and whether it was done."""
    end = "It is done." if state is State.DONE else "It was not done."
    return text(strong(approver.name), " approved your request ", mono(request.code), f". {end}")
