"""What differs between the configuration that counts and a new one: what, before, after. No secret is shown."""

import dataclasses
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from bot.desk.rest import LONGEST_ANSWER
from bot.settings import Settings
from bot.settings.effective import NOTHING, values
from bot.settings.file import Key
from bot.settings.mistakes import IN_AN_ADDRESS, Mistakes, key
from bot.words.document import Document, Span, Table, Tone, document, mono, strong, table, text
from bot.words.errors import TocsinError
from bot.words.pages import split

LIVE_SECTIONS = frozenset({"people", "commands", "channels"})
LIVE_KEYS = frozenset({("bot", "alarms"), ("bot", "run_from")})
"""What counts at once. All else waits for the next start, so nothing that is new is taken for applied."""
ABSENT = Span(NOTHING, tone=Tone.QUIET)
HEAD = ("what", "before", "after")

Value = tuple[object, Span]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One key, or a section that says nothing but that it is there."""

    key: Key
    before: Span
    after: Span

    def row(self) -> tuple[Span, Span, Span]:
        """As a row of the table."""
        return mono(key(self.key)), self.before, self.after


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """All that differs."""

    live: tuple[Change, ...]
    waiting: tuple[Change, ...]
    """What counts at the next start only."""

    def document(self, file: str) -> Document:
        """What is said of them, when those that can count do."""
        if not self.live:
            head = text(strong("Nothing has changed", Tone.GOOD), " that counts while I run, in ", mono(file), ".")
        else:
            head = text(strong("RELOADED", Tone.GOOD), " ", mono(file), ". From now on this counts:")
        blocks = [head, *_tables(self.live)]
        if self.waiting:
            blocks += [text(strong("This needs a restart", Tone.WARN), " and does not count yet:")]
            blocks += _tables(self.waiting)
        return document(*blocks)

    def not_recorded(self, file: str, why: TocsinError) -> Document:
        """What is said where the record does not take it."""
        return document(
            text(strong("NOT RELOADED", Tone.BAD), " ", mono(file), f": it cannot be recorded. {why}"),
            text(
                "What takes rights from people counts all the same. Nothing that gives any does: reload again when "
                "that is mended."
            ),
            *_tables(self.live),
        )


def is_live(path: Key) -> bool:
    """Whether a key counts as soon as it is reloaded. `Live.take` must have it applied then."""
    return path[0] in LIVE_SECTIONS or path in LIVE_KEYS


def is_of(path: Key) -> Key:
    """The section that a key is in."""
    return path if len(path) == 1 else path[:-1]


def between(
    started: Settings,
    current: Settings,
    suspended: AbstractSet[str],
    new: Settings,
    suspended_then: AbstractSet[str],
    whole: Settings,
) -> Changes:
    """What a new file changes; `new` is what this run can do of the `whole`.

    What needs a restart is compared with what the bot was started with.
    """
    counts, then = _in_force(current, suspended), _in_force(new, suspended_then)
    live = _differing(current, counts, new, then)
    written = _in_force(whole, set())
    waiting = _differing(started, _in_force(started, set()), whole, written)
    beyond = _differing(new, _in_force(new, set()), whole, written) if new is not whole else ()
    return Changes(
        tuple(each for each in live if is_live(each.key)),
        (*(each for each in waiting if not is_live(each.key)), *beyond),
    )


def refused(file: str, error: TocsinError) -> Document:
    """What is said of a file that cannot be used."""
    head = text(strong("NOT RELOADED", Tone.BAD), " ", mono(file), ". All goes on as it was.")
    if isinstance(error, Mistakes):
        return document(head, *error.document().blocks)
    return document(head, text(str(error)))


def first_page(whole: Document) -> Document:
    """As much as one message can show."""
    first, rest = split(whole, LONGEST_ANSWER)
    if rest is None:
        return first
    return document(*first.blocks, text("There is more: ", mono("tocsin reload"), " shows all of it, and the file."))


def _in_force(settings: Settings, suspended: AbstractSet[str]) -> dict[Key, Value]:
    """All keys, with who is suspended by whatever it is."""
    found = values(settings)
    for path in found:
        if path[0] == "people" and path[-1] == "suspended":
            is_suspended = path[1] in suspended
            found[path] = (is_suspended, Span("true" if is_suspended else "false"))
    return found


def _differing(old: Settings, before: dict[Key, Value], new: Settings, after: dict[Key, Value]) -> Iterator[Change]:
    told: set[Key] = set()
    for path in dict.fromkeys((*before, *after)):
        was, will = before.get(path, (None, ABSENT)), after.get(path, (None, ABSENT))
        if was[0] != will[0] and not (_is_nothing(was[0]) and _is_nothing(will[0])):
            told.add(path[:-1])
            shown, then = _shown(was), _shown(will)
            # What is hidden looks the same.
            yield Change(path, shown, Span(f"{then.text} (another one)") if shown == then else then)
    for path in sorted(old.parts.keys() ^ new.parts.keys()):
        if path not in told and not is_live(path):
            there, absent = Span("there"), ABSENT
            yield Change(path, there, absent) if path in old.parts else Change(path, absent, there)


def _shown(value: Value) -> Span:
    """As it may be said in a room."""
    if _is_nothing(value[0]) and value[0] is not False:
        return ABSENT
    return dataclasses.replace(value[1], text=IN_AN_ADDRESS.sub("***@", value[1].text))


def _is_nothing(value: object) -> bool:
    return value is None or value is False or value in ((), [], {}, frozenset())


def _tables(changes: tuple[Change, ...]) -> list[Table]:
    return [table(HEAD, (each.row() for each in changes))] if changes else []
