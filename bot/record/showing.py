"""The record as documents: the newest entries in a table, all that came of one command, what checking it found.

The command line and the chat show the same.
"""

import base64
import datetime as dt
from collections.abc import Sequence

from bot.record.fields import fields_of, said
from bot.record.verdict import State, Verdict
from bot.store.audit import FORGOTTEN
from bot.store.searching import NAMES_SOMEBODY, Found
from bot.words.document import Block, Document, Items, Span, Table, Tone, document, mono, strong, table, text
from bot.words.glyphs import cut
from bot.words.times import span

HEAD = ("no.", "UTC", "kind", "who", "id", "what")
BEGINNING = 8
"""So much of an id is shown where it is only to be known again."""
LONGEST_VALUE = 40
LONGEST_WORD = 20
LONGEST_ABOUT = 120
MINUTE_S = 60
STATES = {
    State.INTACT: strong("INTACT", Tone.GOOD),
    State.ALTERED: strong("ALTERED", Tone.BAD),
    State.INCOMPLETE: strong("INCOMPLETE", Tone.WARN),
}
SAID = {
    State.INTACT: "every entry is as it was signed, and as witnesses have seen it.",
    State.ALTERED: "something is not what was signed, or is gone.",
    State.INCOMPLETE: "nothing altered was found, but not all evidence was there.",
}
GOES_WITHOUT_SAYING = frozenset(
    {"kind", "at", "id", "standing", "digest", "command", "result", "ms", "session", *NAMES_SOMEBODY}
)
"""Of what stands in an entry this has a column of its own, or says nothing in one line."""


def listed(entries: Sequence[Found], now: dt.datetime) -> Document:
    """Entries in a table, one line each."""
    return document(Table(HEAD, tuple(rows(entries, now))))


def rows(entries: Sequence[Found], now: dt.datetime) -> list[tuple[Span, ...]]:
    """The lines of that table."""
    return [
        (
            Span(str(each.entry.seq)),
            Span(_when(each.at, now)),
            _kind(each),
            Span(who(each)),
            mono(each.id[:BEGINNING]),
            _about(each),
        )
        for each in entries
    ]


def answer(found: Found | Sequence[Found]) -> Document:
    """All that stands under one id: first how it went, then each entry with all that it says. Or one entry alone."""
    if isinstance(found, Found):
        return Document(whole(found))
    first, last = found[0], found[-1]
    took = f", {_apart(first, last).lstrip('+')} from the first to the last" if len(found) > 1 else ""
    blocks: list[Block] = [text(strong(_entries(len(found))), " under ", mono(first.id), f"{took}.")]
    course = [
        (
            str(each.entry.seq),
            _exactly(each.at) if each is first else _apart(first, each),
            _kind(each),
            who(each),
            _about(each),
        )
        for each in found
    ]
    blocks.append(table(("no.", "UTC, and after", "kind", "who", "what"), course))
    kinds = {each.entry.kind for each in found}
    if "intent" in kinds and "outcome" not in kinds:
        blocks.append(text("No outcome is recorded: it goes on, or a crash has cut it off."))
    for i, each in enumerate(found):
        blocks += whole(each, found[i - 1] if i else None)
    return Document(tuple(blocks))


def whole(found: Found, before: Found | None = None) -> tuple[Block, ...]:
    """One entry with all that it says."""
    later = f", {_apart(before, found)} after the one before" if before else ""
    session = f", session {found.entry.fields['session']}" if "session" in found.entry.fields else ""
    head = text(strong(f"#{found.entry.seq} {found.entry.kind}"), f"  {_exactly(found.at)} UTC{later}{session}")
    boxes = [(owner or FORGOTTEN, inside) for owner, inside in zip(found.owners, found.entry.people, strict=True)]
    shown = fields_of(found.entry.fields, boxes)
    return (head, shown) if shown.rows else (head,)


def exported(found: Found) -> dict[str, object]:
    """One entry for programs: its exact text, and what is in its boxes, in their order."""
    return {"seq": found.entry.seq, "entry": found.exact.decode(), "opened": list(found.entry.people)}


def judged(verdict: Verdict) -> Document:
    """What checking the record came to."""
    blocks: list[Block] = [text(STATES[verdict.state], f": {SAID[verdict.state]}")]
    if verdict.size:
        root = mono(base64.b64encode(verdict.root).decode())
        blocks.append(text(f"{_entries(verdict.size)}, root ", root, f". {_seen(verdict)}"))
    if verdict.findings:
        blocks.append(Items(tuple(text(str(each)) for each in verdict.findings)))
    return Document(tuple(blocks))


def _seen(verdict: Verdict) -> str:
    """Up to where somebody else holds the same."""
    if verdict.witnessed is None:
        return "No witness covers any of them."
    if not verdict.unwitnessed:
        return "Witnesses cover all of them."
    newer = "the newer one" if verdict.unwitnessed == 1 else f"the {verdict.unwitnessed:,} newer ones"
    return f"Witnesses cover them up to {verdict.witnessed:,}; for {newer} there is only the bot's own word."


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def who(found: Found) -> str:
    """Whom an entry is about: names of the listed, accounts of others."""
    named = [owner or FORGOTTEN for owner in found.owners]
    plain = [str(found.entry.fields[each]) for each in NAMES_SOMEBODY if found.entry.fields.get(each)]
    return ", ".join(dict.fromkeys([*named, *plain]))


def _kind(found: Found) -> Span:
    return Span(found.entry.kind, tone=Tone.BAD if found.entry.kind == "alarm" else Tone.PLAIN)


def _about(found: Found) -> Span:
    """What happened, in one short line: the command and its result first."""
    fields = found.entry.fields
    inside = (each["resolved"] for each in found.entry.people if each and each.get("resolved"))
    command, result = next(inside, fields.get("command")), fields.get("result")
    words = [": ".join(str(each) for each in (command and f"!{command}", result) if each)]
    words += [
        f"{name} {_short(said(value))}"
        for name, value in fields.items()
        if name not in GOES_WITHOUT_SAYING and value not in (None, "", [])
    ]
    if isinstance(ms := fields.get("ms"), int):
        words.append(f"in {ms} ms" if ms < 1000 else f"in {span(ms / 1000)}")  # noqa: PLR2004 - a second
    tone = Tone.PLAIN if result is None else Tone.GOOD if result == "done" else Tone.WARN
    return Span(cut(", ".join(filter(None, words)), LONGEST_ABOUT), tone=tone)


def _short(value: str) -> str:
    """A value in one line. Of a key its beginning says which."""
    return cut(value, LONGEST_VALUE if " " in value else LONGEST_WORD)


def _when(at: dt.datetime, now: dt.datetime) -> str:
    """The time of day, and the day where it is another one."""
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def _exactly(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def _apart(first: Found, second: Found) -> str:
    """How much later something was, on the clock of the bot's machine. That one may have been set back."""
    seconds = (second.at - first.at).total_seconds()
    return f"+{span(seconds)}" if seconds >= MINUTE_S else f"{seconds:+.3f} s"
