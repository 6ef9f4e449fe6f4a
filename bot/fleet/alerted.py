"""How alerts are told: the words of one while it lasts and when it is over, and one message for a flood of them.

Whoever may write on the broker can make an alert up. So it is told as the word of a component, never as a fact.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from bot.store.alerts import Raised
from bot.words.document import Document, Items, Span, Text, Tone, document, mono, strong, text
from bot.words.glyphs import cut, one_line
from bot.words.message import Lane, Place, Post
from bot.words.times import clock, span
from wire.work import Severity

TONES: Mapping[str, Tone] = {Severity.INFO: Tone.PLAIN, Severity.WARNING: Tone.WARN, Severity.CRITICAL: Tone.BAD}
RANK: Mapping[str, int] = {severity: rank for rank, severity in enumerate(Severity)}
LONGEST_MESSAGE = 300
MOST_SHOWN = 10
"""The gravest of a flood, which are shown with their words."""
TOLD_EVERY_S = 30.0
OVER_AFTER_S = 300.0
"""A flood is another one when nothing has come for so long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sink:
    """Places that ask for alerts of at least this severity."""

    places: tuple[Place, ...]
    least: Severity


def wanting(sinks: Sequence[Sink], severity: str) -> tuple[Place, ...]:
    """The places that ask for alerts so grave, each once."""
    return tuple(dict.fromkeys(p for sink in sinks if RANK[severity] >= RANK[sink.least] for p in sink.places))


def is_graver(new: Raised, than: Raised) -> bool:
    """Whether it is worse."""
    return RANK[new.severity] > RANK[than.severity]


def lasting(each: Raised, now: float) -> Document:
    """It is so now, or it has happened."""
    when = f"since {clock(each.raised, now)}" if each.key else f"at {clock(each.raised, now)}"
    return document(_line(_severity(each.severity), " ", each), _quiet(f"{_about(each)}{when}"))


def over(each: Raised, now: float, *, seen: bool) -> Document:
    """It is over. Where nobody was there to see that, nobody knows for how long."""
    how = f" after {span(now - each.raised)}: " if seen else " while I was away, as the broker has it no more: "
    began = f"{each.severity.upper()} since {clock(each.raised, now)}"
    return document(_line(strong("CLEARED", Tone.GOOD), how, each), _quiet(f"{_about(each)}{began}"))


def graver(each: Raised, now: float) -> Document:
    """It is worse than that now, and a newer message says so."""
    began = f"{each.severity.upper()} since {clock(each.raised, now)}"
    return document(_line(strong("GRAVER NOW", Tone.WARN), ", see below: ", each), _quiet(f"{_about(each)}{began}"))


class Flood:
    """What is too much to be told one by one: it is counted, and the gravest of it is shown."""

    def __init__(self, number: int) -> None:
        self._subject = f"alerts beyond the limit {number}"
        self._began = 0.0
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._gravest: list[Raised] = []
        self._newest_at: float | None = None
        self._told_at: float | None = None
        self._told = 0

    def __len__(self) -> int:
        return self._counts.total()

    def add(self, each: Raised, now: float, wall: float) -> None:
        """One more that is not told by itself: `now` on a clock that nobody sets, `wall` in seconds since 1970."""
        self._began = self._began or wall
        self._newest_at = now
        self._counts[each.severity, each.component] += 1
        self._gravest = sorted([each, *self._gravest], key=lambda one: -RANK[one.severity])[:MOST_SHOWN]

    def is_over(self, now: float) -> bool:
        """Nothing has come for long, and all of it is told."""
        is_told = self._told == len(self)
        return self._newest_at is not None and is_told and now - self._newest_at >= OVER_AFTER_S

    def is_due(self, now: float) -> bool:
        """Whether there is something to tell now."""
        is_soon = self._told_at is not None and now - self._told_at < TOLD_EVERY_S
        return self._told != len(self) and not is_soon

    def told(self, count: int, now: float) -> None:
        """So many were told."""
        self._told, self._told_at = count, now

    def posts(self, sinks: Sequence[Sink], wall: float) -> list[Post]:
        """One for each place, of what is asked for there."""
        least = {
            place: min((s.least for s in sinks if place in s.places), key=RANK.__getitem__) for place in _all(sinks)
        }
        return [
            Post(place, words, Lane.ALERT, subject=self._subject)
            for place, severity in least.items()
            if (words := self._words(severity, wall)) is not None
        ]

    def _words(self, least: Severity, wall: float) -> Document | None:
        counts = {key: count for key, count in self._counts.items() if RANK[key[0]] >= RANK[least]}
        if not counts:
            return None
        by_severity: collections.Counter[str] = collections.Counter()
        by_component: collections.Counter[str] = collections.Counter()
        for (severity, component), count in counts.items():
            by_severity[severity] += count
            by_component[component] += count
        said = ", ".join(f"{by_severity[each]} {each}" for each in reversed(Severity) if by_severity[each])
        whose = ", ".join(f"{component} {count}" for component, count in by_component.most_common(MOST_SHOWN))
        more = f" and {len(by_component) - MOST_SHOWN} others" if len(by_component) > MOST_SHOWN else ""
        shown = [each for each in self._gravest if RANK[each.severity] >= RANK[least]]
        since = clock(self._began, wall)
        count = f"{by_severity.total()} MORE ALERT{'S' * (by_severity.total() > 1)}"
        return document(
            text(strong(count, Tone.WARN), f" since {since}, too many to tell one by one: {said}."),
            f"From {whose}{more}. The gravest:",
            Items(tuple(_line(_severity(each.severity), " ", each) for each in shown)),
        )


def _all(sinks: Sequence[Sink]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(place for sink in sinks for place in sink.places))


def _severity(severity: str) -> Span:
    return strong(severity.upper(), TONES[severity])


def _line(first: Span, between: str, each: Raised) -> Text:
    return text(first, between, mono(each.component), f" says: {cut(one_line(each.message), LONGEST_MESSAGE)}")


def _about(each: Raised) -> str:
    return f"{each.key}, " if each.key else ""


def _quiet(words: str) -> Text:
    return text(Span(words, tone=Tone.QUIET))
