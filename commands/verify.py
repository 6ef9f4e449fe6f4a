"""`!verify`: people compare emoji, here and in their app, and know then that nobody stands between them.

It is done at the console only: whoever shows the emoji where they are to be proven proves nothing.
"""

from collections.abc import Iterator

from bot.bridge import Comparison, Verifying
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.kinds import PersonName
from bot.words.document import Block, Document, Span, Tone, document, mono, strong, text
from bot.words.errors import Refused, UsageError
from bot.words.message import Standing
from bot.words.people import Role

TONES = {"done": Tone.GOOD, "ended": Tone.BAD, "shown": Tone.WARN}
SAID = {
    "asked": "was asked, and has not answered",
    "ready": "is there; the emoji come in a moment",
    "shown": "compare these emoji",
    "confirmed": "you have confirmed; the other side has not yet",
    "done": "verified",
    "ended": "not verified",
}


@command(
    "verify",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    summary="Verify a person by emoji, or show what there is to compare; at the console",
)
async def verify(call: Call, person: PersonName | None = None) -> Document:
    """Without a name it shows what was begun."""
    networks = _networks(call)
    if person is None:
        shown = [block for each in networks.values() for one in each.comparisons() for block in _shown(call, one)]
        return Document(tuple(shown)) if shown else document("Nobody is being verified. !verify NAME begins.")
    listed = call.system.people[person]
    accounts = [each for each in sorted(listed.accounts, key=str) if each.network in networks]
    if not accounts:
        raise UsageError(f"{person} has no account where people can be verified.", hint="!people shows the accounts.")
    for account in accounts:
        await networks[account.network].ask_to_compare(account)
    return document(
        text(f"{person} is asked on ", *(mono(account.id) for account in accounts), ". They accept it in their app."),
        text("Then look here: ", mono("!verify"), ". Speak with each other, in person or by phone."),
    )


@command("verify yes", role=Role.COMMANDER, action=Action.GOVERN, summary="The emoji are the same on both sides")
async def verify_yes(call: Call, code: str) -> Document:
    """Somebody has looked, and has asked the other side."""
    await _decide(call, code, same=True)
    return document(
        text(strong("Confirmed", Tone.GOOD), ". It counts once the other side has confirmed, too: ", mono("!verify"))
    )


@command("verify no", role=Role.COMMANDER, action=Action.GOVERN, summary="The emoji are not the same: end it")
async def verify_no(call: Call, code: str) -> Document:
    """Then somebody stands between the two."""
    await _decide(call, code, same=False)
    return document(
        text(
            strong("Ended", Tone.BAD),
            ". Where nobody has made a mistake, somebody stands between the two of you: look into that first.",
        )
    )


async def _decide(call: Call, code: str, *, same: bool) -> None:
    for each in _networks(call).values():
        if any(one.code == code.upper() for one in each.comparisons()):
            await each.decide(code, same=same)
            return
    raise UsageError("There is nothing to compare under that code.", hint="!verify shows what there is.")


def _networks(call: Call) -> dict[str, Verifying]:
    if call.message.standing is not Standing.LOCAL:
        raise Refused(
            "Not run: the emoji are compared at the console, where nobody can put others in their place.",
            hint="On the machine that I run on: tocsin chat",
        )
    return dict(call.system.verifying())


def _shown(call: Call, one: Comparison) -> Iterator[Block]:
    person = call.system.people.owner_of(one.account)
    name = person.name if person else one.account.id
    device = (" on ", mono(one.device)) if one.device else ()
    why = f": {one.why}" if one.why else ""
    yield text(strong(name), *device, " – ", Span(SAID[one.state] + why, tone=TONES.get(one.state, Tone.PLAIN)))
    if one.state == "shown":
        yield text(*(f"{symbol} {what}   " for symbol, what in one.symbols))
        yield text("The same? ", mono(f"!verify yes {one.code}"), "   Not the same? ", mono(f"!verify no {one.code}"))
