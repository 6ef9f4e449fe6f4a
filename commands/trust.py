"""`!trust`, `!trust renew`: by which identities people are known on networks that have them."""

import time

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Hit, Stakes, command
from bot.desk.kinds import PersonName
from bot.identities import ENOUGH, grouped, set_by_the_file
from bot.store.pins import Pinned
from bot.words.document import Block, Document, Span, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.people import Account, Role
from bot.words.times import clock

SHOWN_NOW = Span("shown now", tone=Tone.BAD)


@command("trust", role=Role.OPERATOR, action=Action.INSPECT, summary="Show by which identities people are known")
async def show_trust(call: Call, person: PersonName | None = None) -> Document:
    """Everybody in a table, or one person with the whole keys, to be read aloud."""
    known = await call.system.identities.known()
    if person is not None:
        return _of_one(call, person, known)
    rows = [
        (strong(listed.name), mono(account.id), mono(pinned.key[:ENOUGH]), *_state(pinned))
        for listed in call.system.people.listed
        for account, pinned in known.items()
        if account in listed.accounts
    ]
    if not rows:
        return document("Nobody has shown an identity yet.", *_asked_for(call))
    return document(table(("person", "account", "identity", "known since", ""), rows), *_asked_for(call))


def _asked_for(call: Call) -> tuple[Block, ...]:
    """What is asked of an identity beyond that it is the one that is known."""
    return tuple(
        text(
            f"On {network} who is not verified may only read and stop. A commander verifies them, at the console: ",
            mono("!verify NAME"),
        )
        for network in sorted(call.system.identities.compared_only)
    )


async def _at_stake(call: Call, person: PersonName, begins: str) -> Stakes:
    changed = await _changed(call, person, begins)
    hits = tuple(Hit(account.id, f"shows {grouped(pinned.shown or '')}") for account, pinned in changed.items())
    return Stakes(hits, f"Compare that with {person} in person or by phone before you agree.")


async def _changed(call: Call, person: PersonName, begins: str) -> dict[Account, Pinned]:
    """Whose identity is another one that begins so. What is shown after two have agreed must not slip in."""
    listed = call.system.people[person]
    known = await call.system.identities.known()
    theirs = {account: pinned for account, pinned in known.items() if account in listed.accounts}
    changed = {account: each for account, each in theirs.items() if each.shown is not None and not each.by_file}
    if not changed and any(each.by_file for each in theirs.values()):
        raise set_by_the_file(person)
    if not changed:
        raise UsageError(f"The identity of {person} has not changed.", hint="!trust shows everybody's.")
    meant = {
        account: each
        for account, each in changed.items()
        if len(begins) >= ENOUGH and each.shown is not None and each.shown.startswith(begins)
    }
    if not meant:
        shown = " or ".join(each.shown[:ENOUGH] for each in changed.values() if each.shown)
        raise UsageError(f"{person} shows no identity now that begins so.", hint=f"Send: !trust renew {person} {shown}")
    return meant


@command(
    "trust renew",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    two_persons=True,
    preview=_at_stake,
    summary="Know a person by the identity that they show now",
)
async def renew(call: Call, person: PersonName, begins: str) -> Document:
    """What the two have seen is what counts from now on, and nothing that came since."""
    identities = call.system.identities
    for account, pinned in (await _changed(call, person, begins)).items():
        assert pinned.shown is not None  # noqa: S101 - see _changed
        await identities.renew(account, pinned.shown)
    return document(
        text(
            strong("Renewed", Tone.GOOD),
            f": {person} is known by the new identity and may do again what the role says.",
        )
    )


def _of_one(call: Call, person: PersonName, known: dict[Account, Pinned]) -> Document:
    listed = call.system.people[person]
    shown = [(account, pinned) for account, pinned in known.items() if account in listed.accounts]
    if not shown:
        return document(f"{person} has not shown an identity yet.")
    rows = [
        row
        for account, pinned in shown
        for row in (
            (mono(account.id), mono(grouped(pinned.key)), *_state(pinned)),
            *(
                ((mono(account.id), mono(grouped(pinned.shown)), "", Span("shown now", tone=Tone.BAD)),)
                if pinned.shown
                else ()
            ),
        )
    ]
    return document(table(("account", "identity", "known since", ""), rows), *_asked_for(call))


def _state(pinned: Pinned) -> tuple[str, Span]:
    state = Span("verified" if pinned.is_compared else "holds", tone=Tone.GOOD)
    if pinned.shown:
        state = Span("has changed", tone=Tone.BAD)
    return "set by the file" if pinned.by_file else clock(pinned.since, time.time()), state
