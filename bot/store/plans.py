"""What people want done later. A row is a plan that still stands; what became of it is in the record."""

import dataclasses

from bot.store.store import Tx
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A command that is to be given at a time, once or again and again, as its person gives it."""

    id: str
    person: str
    asked: Message
    """What planned it. Its text is the command that is planned."""
    made: float
    due: float
    """When it is given next. All moments are in seconds since 1970."""
    every_s: float | None
    is_stop: bool = False
    resolved: str = ""
    """What it was understood as, without anybody's own words."""
    identity: str = ""
    """By which its person's account was known, where it was."""
    runs: int = 0
    """How often it was given."""

    def event(self, run: int) -> str:
        """What stands for the id of a message, which nobody writes: the same for the same run, so it is run once."""
        return f"plan {self.id} {run}"

    def next_after(self, now: float) -> float | None:
        """When it is due again, where it is."""
        if self.every_s is None:
            return None
        return self.due + (max(0.0, now - self.due) // self.every_s + 1) * self.every_s


COLUMNS = (
    "id, person, network, place, account, device, standing, event, text, made, due, every_s, is_stop, resolved,"
    " identity, runs"
)


def add(tx: Tx, plan: Plan) -> None:
    """It stands."""
    asked = plan.asked
    said = (
        asked.place.network,
        asked.place.id,
        asked.account.id,
        asked.device,
        str(asked.standing),
        asked.event,
        asked.text,
    )
    tx.execute(
        f"INSERT INTO plan ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own words
        (
            plan.id,
            plan.person,
            *said,
            plan.made,
            plan.due,
            plan.every_s,
            int(plan.is_stop),
            plan.resolved,
            plan.identity,
            plan.runs,
        ),
    )


def all_plans(tx: Tx) -> list[Plan]:
    """Those that stand, the next one first."""
    return [_plan(*row) for row in tx.execute(f"SELECT {COLUMNS} FROM plan ORDER BY due, id")]  # noqa: S608 - the same


def move_on(tx: Tx, plan: Plan, due: float | None, runs: int) -> bool:
    """It is due next at another time, or never again. False where somebody ended it meanwhile, or moved it on."""
    known = (plan.id, plan.due, plan.runs)
    if due is None:
        return tx.execute("DELETE FROM plan WHERE id = ? AND due = ? AND runs = ?", known).rowcount > 0
    moved = tx.execute("UPDATE plan SET due = ?, runs = ? WHERE id = ? AND due = ? AND runs = ?", (due, runs, *known))
    return moved.rowcount > 0


def drop(tx: Tx, id_: str) -> bool:
    """It stands no more. False where it did not."""
    return tx.execute("DELETE FROM plan WHERE id = ?", (id_,)).rowcount > 0


def touched(tx: Tx, network: str, change: Change) -> list[Plan]:
    """Those whose message this change is about: edited by its writer, or taken back by anybody."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM plan WHERE network = ? AND event = ? AND place = ? AND (? OR account = ?)",  # noqa: S608 - the same
        (network, change.event, change.place.id, change.removed, change.account.id),
    )
    return [_plan(*row) for row in rows]


def _plan(  # the columns, in their order
    id_: str,
    person: str,
    network: str,
    place: str,
    account: str,
    device: str,
    standing: str,
    event: str,
    text: str,
    made: float,
    due: float,
    every_s: float | None,
    is_stop: int,
    resolved: str,
    identity: str,
    runs: int,
) -> Plan:
    asked = Message(
        place=Place(network, place),
        account=Account(network, account),
        event=event,
        text=text,
        standing=Standing(standing) if standing in set(Standing) else Standing.RELAYED,  # which may do nothing
        device=device,
        sent_ms=int(made * 1000),
        age_s=0.0,
    )
    return Plan(id_, person, asked, made, due, every_s, bool(is_stop), resolved, identity, runs)
