"""`!people`, `!person suspend`, `!person resume`: whose words count. Suspending works at once, everywhere."""

from bot.desk.authority import Action, a
from bot.desk.call import Call
from bot.desk.command import Hit, Stakes, command
from bot.desk.kinds import PersonName
from bot.store import Tx, overlay
from bot.words.document import Document, Span, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.people import Role

UNTIL_THE_NEXT_START = "The configuration file says otherwise: change it there, or this ends when it is read again."


@command("people", role=Role.OPERATOR, action=Action.INSPECT, summary="Show who may do what, and by which accounts")
async def show_people(call: Call) -> Document:
    """All listed people."""
    people = call.system.people
    rows = [
        (
            strong(person.name),
            Span("suspended", tone=Tone.BAD) if people.is_suspended(person.name) else Span(str(person.role)),
            ", ".join(sorted(map(str, person.accounts))) or "–",
        )
        for person in people.listed
    ]
    return document(table(("person", "role", "accounts"), rows))


@command(
    "person suspend",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    urgent=True,
    summary="Take all rights from a person at once: a lost phone, a leaver",
)
async def suspend(call: Call, person: PersonName) -> Document:
    """From now on nothing that they say counts. It does not wait for the disk, and may be said again."""
    call.system.people.suspend(person)

    def write(tx: Tx) -> None:
        overlay.put(tx, _key(person), value=True, by=call.person.name)
        call.system.approvals.void_all_of(tx, person)
        call.system.plans.void_all_of(tx, person)

    call.write_along(write)
    await call.system.stop_keys.tell(call.system.bell)
    lasts = [] if not call.system.file_sets(_key(person)) else [text(strong(UNTIL_THE_NEXT_START, Tone.BAD))]
    return document(
        text(
            strong("Suspended", Tone.WARN),
            f": {person}. None of their accounts can do or read anything more, and no stop key of theirs counts. "
            "To undo it: ",
            mono(f"!person resume {person}"),
            ", by two persons.",
        ),
        *lasts,
    )


async def _at_stake(call: Call, person: PersonName) -> Stakes:
    if not call.system.people.is_suspended(person):
        raise UsageError(f"{person} is not suspended.", hint="!people shows who is.")
    if call.system.file_sets(_key(person)):
        raise UsageError(
            f"The configuration file itself suspends {person}.", hint="Change it there, and: tocsin reload"
        )
    listed = call.system.people[person]
    accounts = ", ".join(sorted(map(str, listed.accounts)))
    return Stakes((Hit(person, "suspended"),), f"{person} will be {a(listed.role)} again, by: {accounts}.")


@command(
    "person resume",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    two_persons=True,
    preview=_at_stake,
    summary="Give a suspended person their rights back",
)
async def resume(call: Call, person: PersonName) -> Document:
    """Their accounts count again, once that is on disk."""
    await call.system.store.write(lambda tx: overlay.drop(tx, _key(person)))
    call.system.people.resume(person)
    await call.system.stop_keys.tell(call.system.bell)
    return document(text(strong("Back", Tone.GOOD), f": {person} may do again what the configuration says."))


def _key(person: str) -> str:
    return f"people.{person}.suspended"
