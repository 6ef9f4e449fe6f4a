"""What `tocsin stop` shows: a table that changes in a terminal, a line for each change elsewhere.

It claims no more than was said: a claim that nobody can verify is shown as one.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Sequence

from rich.console import Console, RenderableType

from bot.stop.bykey import KeyStop, Reached, Sight
from bot.words.document import Document, Span, Tone, Words, document, mono, strong, table, text
from bot.words.plain import to_plain
from bot.words.terminal import to_terminal
from wire.messages import Shown, Target

MOST_ROWS = 40
MOST_EACH = 12
"""With more components than these, those that have stopped are one row: who has not must catch the eye."""
MOST_NAMES = 10


def named(target: Target) -> str:
    """A target in words."""
    if target.group is not None:
        return f"group {target.group}"
    return target.id or "everything"


def says(sight: Sight) -> Span:
    """What is known of a component, in a few words."""
    if sight.stopped:
        return Span("stopped", tone=Tone.GOOD) if sight.verified else Span("says stopped, not verified", tone=Tone.WARN)
    if sight.shown is Shown.LOST:
        return Span("connection lost", tone=Tone.BAD)
    if sight.latched:
        return Span("stopping" if sight.verified else "says stopping, not verified", tone=Tone.WARN)
    if sight.shown is None:
        return Span("not heard yet", tone=Tone.BAD)
    return Span(f"no answer, was {sight.shown}", tone=Tone.BAD)


def standing(sights: Sequence[Sight]) -> Document:
    """Who has stopped and after how long, and who has not; those come first."""
    crowd, others = list[Sight](), list[Sight]()
    for each in sights:
        is_settled = each.stopped and each.verified and len(sights) > MOST_EACH
        (crowd if is_settled else others).append(each)
    rows: list[tuple[Words, Words, Words]] = [
        (mono(each.component), says(each), _after(each)) for each in others[:MOST_ROWS]
    ]
    left = len(others) - len(rows)
    if left > 0:
        rows.append((f"and {left} more", "", ""))
    if crowd:
        rows.append(
            (crowd[0].component if len(crowd) == 1 else f"{len(crowd)} components", says(crowd[0]), _between(crowd))
        )
    if not rows:
        return document("Nobody is known yet whom this stop is meant for.")
    return document(table(("component", "says", "after"), rows))


def names(these: tuple[str, ...]) -> str:
    """Names in a sentence, as many as it holds."""
    more = f" and {len(these) - MOST_NAMES} more" if len(these) > MOST_NAMES else ""
    return ", ".join(these[:MOST_NAMES]) + more


class Screen:
    """Standard output, whatever is behind it."""

    def __init__(self, console: Console, errors: Console) -> None:
        self._console = console
        self._errors = errors
        self._told: dict[str, str] = {}

    def show(self, shown: Document) -> None:
        """Show something for good."""
        if self._console.is_terminal:
            self._console.print(to_terminal(shown))
        else:
            self._console.print(to_plain(shown), markup=False, highlight=False, soft_wrap=True)

    def tell(self, *words: Words) -> None:
        """Say one thing."""
        self.show(document(text(*words)))

    def wrong(self, what: str) -> None:
        """Say what went wrong, where errors go."""
        self._errors.print(to_terminal(document(text(strong("Error:", Tone.BAD), f" {what}"))), soft_wrap=True)

    @contextlib.contextmanager
    def watching(self, stop: KeyStop) -> Generator[Callable[[], None]]:
        """Show how a stop goes on, at each call of what this gives."""
        if not self._console.is_terminal:
            yield lambda: self._tell_changes(stop)
            return
        from rich.live import Live  # noqa: PLC0415 - a third of the import of rich, and only a terminal needs it

        def drawn() -> RenderableType:
            shown, trouble = standing(stop.sights), stop.trouble
            whole = document(*shown.blocks, text(Span(trouble, tone=Tone.BAD))) if trouble else shown
            return to_terminal(whole)

        with Live(console=self._console, auto_refresh=False, get_renderable=drawn) as live:
            yield live.refresh
        self._console.print()

    def _tell_changes(self, stop: KeyStop) -> None:
        at = time.strftime("%H:%M:%S")
        for each in stop.sights:
            told = says(each).text
            if self._told.get(each.component) != told:
                self._told[each.component] = told
                after = f" after {_after(each)}" if each.stopped else ""
                self.tell(f"{at}  {each.component}: {told}{after}")
        trouble = stop.trouble
        if self._told.get("") != trouble:
            self._told[""] = trouble
            if trouble:
                self.tell(f"{at}  {trouble}")


def result(stop: KeyStop, key_id: str, person: str, reason: str) -> Document:
    """The last word on a stop that was sent: what is known, what is not, and what to do."""
    sights = stop.sights
    listed = [each for each in sights if each.verified]
    stopped = sum(each.stopped for each in listed)
    claims = [each for each in sights if not each.verified]
    incident = Span(f" Incident {stop.incident[:8]}.", tone=Tone.QUIET)
    if stop.confirmed:
        what = f" {named(stop.target)}: {stopped} of {len(listed)} listed components say so, signed."
        blocks = [text(strong("STOPPED", Tone.GOOD), what, incident)]
    elif listed:
        what = f" {named(stop.target)}: {stopped} of {len(listed)} listed components have stopped."
        blocks = [text(strong("NOT CONFIRMED", Tone.BAD), what, incident)]
        blocks.append(text(f"Go and look at {names(stop.missing)}, or cut the power."))
    else:
        why = "no component of the configuration is meant" if stop.verifies else "without a configuration"
        what = f" {named(stop.target)}: {why}, so nobody's word can be verified."
        blocks = [text(strong("NOT CONFIRMED", Tone.BAD), what, incident)]
    if claims:
        said = sum(each.stopped for each in claims)
        blocks.append(text(f"Not listed, so not verified: {said} of {len(claims)} say that they have stopped."))
    elif not listed and stop.target.id is not None:
        blocks.append(text(_nobody(stop)))
    blocks.append(text(_sent(stop, key_id, person)))
    if reason:
        blocks.append(text(f"Reason: {reason} (It stands here only: no reason travels with a stop.)"))
    blocks.append(text("When the bot runs it takes this stop over. Two persons reset it there, and nobody else can."))
    return document(*blocks)


def _sent(stop: KeyStop, key_id: str, person: str) -> str:
    by = f"by the stop key {key_id} of {person}, to stop/{stop.target}"
    if stop.reached is Reached.PERHAPS:
        return f"Sent {by}. The broker has not said that it has it."
    return f"Sent {by}. That the broker has it, and keeps it, proves nothing: only what a component says does."


def _nobody(stop: KeyStop) -> str:
    heard = names(stop.heard)
    return f"Nobody called {stop.target.id} was heard." + (f" There are: {heard}." if heard else "")


def _between(crowd: list[Sight]) -> str:
    """How long the first took, and the last."""
    first, last = (_after(find(crowd, key=lambda each: each.stopped_after_s or 0.0)) for find in (min, max))
    return first if first == last else f"{first.removesuffix(' s')} – {last}"


def _after(sight: Sight) -> str:
    return f"{sight.stopped_after_s:.2f} s" if sight.stopped and sight.stopped_after_s is not None else "–"
