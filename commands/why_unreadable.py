"""`!why unreadable`: who cannot read what the bot says here, who cannot be read, and what to do about it."""

from collections.abc import Iterable

from bot.bridge import Reach
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document, Span, Tone, document, mono, strong, table
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from bot.words.people import Account, People, Role

MOST_STRANGERS = 20
"""So many devices of people who are not listed are shown."""
HEAD = ("who", "device", "reads the bot", "is read", "why", "what to do")


@command(
    "why unreadable",
    role=Role.OPERATOR,
    action=Action.INSPECT,
    summary="Show who cannot read the bot here, or be read, and why",
)
async def why_unreadable(call: Call, who: str | None = None) -> Document:
    """Somebody's devices, by a person's name or an account; of everybody those with which something is wrong."""
    place, people = call.message.place, call.system.people
    network = call.system.explaining().get(place.network)
    if network is None:
        return document(f"On the network {place.network} the bot knows of no devices: it cannot tell who reads it.")
    everybody = network.reach(place)
    if everybody is None:
        return document("The bot is not connected to this place just now: ask again in a moment.")
    if who is not None:
        named = [each for each in everybody if _is_meant(each.account, who, people)]
        if not named:
            raise UsageError(f"Nobody here is {quoted(who)}.", hint="Say a person's name, or an account.")
        return document(table(HEAD, (_row(each, people) for each in named)))
    wrong = [each for each in everybody if each.why]
    if not wrong:
        return document("Everybody here can read the bot, and nobody has kept a key from it.")
    listed = [each for each in wrong if people.owner_of(each.account) is not None]
    strangers = [each for each in wrong if people.owner_of(each.account) is None]
    shown = table(HEAD, (_row(each, people) for each in (*listed, *strangers[:MOST_STRANGERS])))
    fine = sum(not each.why for each in everybody)
    said = f"{fine} other {'device is' if fine == 1 else 'devices are'} fine."
    left = len(strangers) - MOST_STRANGERS
    return document(shown, f"{said} And {left} more of people who are not listed are not." if left > 0 else said)


def _is_meant(account: Account, who: str, people: People) -> bool:
    wanted, owner = who.removeprefix("@").casefold(), people.owner_of(account)
    if owner is not None and owner.name.casefold() == wanted:
        return True
    known = account.id.removeprefix("@").casefold()
    return wanted in (known, known.partition(":")[0])


def _row(each: Reach, people: People) -> Iterable[Span | str]:
    owner = people.owner_of(each.account)
    return (
        mono(each.account.id) if owner is None else strong(owner.name),
        mono(each.device) if each.device else "–",
        _said(yes=each.reads),
        _said(yes=each.is_read),
        each.why,
        each.remedy,
    )


def _said(*, yes: bool) -> Span:
    return Span("yes", tone=Tone.GOOD) if yes else Span("no", tone=Tone.BAD)
