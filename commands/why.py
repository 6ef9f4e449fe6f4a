"""`!why` and `!what-if`: who may do what from where, in the words of the table that decides it."""

import collections

from bot.desk.authority import Action, a
from bot.desk.call import Call
from bot.desk.command import Command, command
from bot.desk.kinds import PersonName
from bot.words.document import Block, Document, Span, Tone, document, mono, strong, table, text
from bot.words.message import Standing
from bot.words.people import Person, Role

PLACES = {
    Standing.ATTESTED: "Matrix, a device of theirs that is proven",
    Standing.SIGNED: "the same, of an identity that nobody has compared, where that is asked for",
    Standing.UNPROVEN: "Matrix, unsigned device or plaintext",
    Standing.CLEAR: "Matrix, plaintext in a room that the file lets be unencrypted",
    Standing.NAMED: "a server's word alone, as on Zulip",
    Standing.LOCAL: "the console of this machine",
    Standing.RELAYED: "relayed text, MQTT",
}
"""Where somebody may stand. There are no stop keys yet."""


@command("why", role=Role.VIEWER, summary="Show whether you may give a command from here, and why")
async def why(call: Call, command: str, /, *rest: str) -> Document:
    """The verdict for the one who asks, where they ask."""
    wanted = call.system.catalogue.meant((command, *rest))
    message = call.message
    verdict = call.system.authority.judge(call.person, message.standing, message.place.network, wanted.demand)
    head = strong("Yes", Tone.GOOD) if verdict.allowed else strong("No", Tone.BAD)
    hint = f" {verdict.hint}" if verdict.hint else ""
    return document(
        text(head, ": ", mono(f"!{wanted.name}"), f". {_sentence(verdict.why)}{hint}"), *_conditions(wanted)
    )


@command("what-if", role=Role.COMMANDER, action=Action.INSPECT, summary="Show from where a person may give a command")
async def what_if(call: Call, person: PersonName, command: str, /, *rest: str) -> Document:
    """The verdict for somebody, from every kind of place."""
    system = call.system
    listed = system.people[person]
    wanted = system.catalogue.meant((command, *rest))
    head = text(strong(listed.name), f", {a(listed.role)}: ", mono(f"!{wanted.name}"))
    if system.people.is_suspended(person):
        return document(head, text(strong("No", Tone.BAD), f", from nowhere: {person} is suspended."))
    rows = [_row(call, listed, standing, wanted) for standing in PLACES]
    ((usual, count),) = collections.Counter(why for _, _, why in rows).most_common(1)
    if count == 1:
        return document(head, table(("from", "may", "why"), rows), *_conditions(wanted))
    rows = [(place, may, "" if why == usual else why) for place, may, why in rows]
    return document(
        head, table(("from", "may", "why"), rows), f"Where no reason stands: {usual}.", *_conditions(wanted)
    )


def _row(call: Call, person: Person, standing: Standing, wanted: Command) -> tuple[str, Span, str]:
    network = "there" if standing is Standing.NAMED else standing
    verdict = call.system.authority.judge(person, standing, network, wanted.demand)
    if not verdict.allowed:
        return PLACES[standing], Span("no", tone=Tone.BAD), verdict.why
    word = Span("yes, with an alarm", tone=Tone.WARN) if verdict.alarm else Span("yes", tone=Tone.GOOD)
    return PLACES[standing], word, verdict.why


def _conditions(wanted: Command) -> tuple[Block, ...]:
    if not wanted.demand.two_persons:
        return ()
    return (text("A second person must agree, ", a(max(wanted.role, Role.OPERATOR)), ", from an attested place."),)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
