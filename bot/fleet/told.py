"""How a job is told: one message that is edited while it goes on, and a new one at its end."""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from bot.store.jobs import Job, State
from bot.words.document import Block, Document, Progress, Span, Tone, mono, strong, table, text
from bot.words.glyphs import cut, one_line
from bot.words.message import Lane, Post
from bot.words.times import span

TONES = {
    State.SENT: Tone.WARN,
    State.QUEUED: Tone.PLAIN,
    State.RUNNING: Tone.GOOD,
    State.HELD: Tone.WARN,
    State.DONE: Tone.GOOD,
    State.FAILED: Tone.BAD,
    State.CANCELLED: Tone.WARN,
    State.STOPPED: Tone.WARN,
    State.REJECTED: Tone.BAD,
    State.NOT_SENT: Tone.BAD,
    State.UNANSWERED: Tone.BAD,
    State.LOST: Tone.BAD,
}
MEANS = {
    State.HELD: "It is held: nobody lets it work just now. It goes on by itself.",
    State.STOPPED: "It was stopped, and does not go on by itself.",
    State.UNANSWERED: "No answer. Whether it was begun is not known.",
}
LONGEST_MESSAGE = 300
LONGEST_VALUE = 80
MOST_ROWS = 30
MOST_IN_A_LINE = 8
FINE = 1e5
"""From here on nobody wants to read what stands behind the point."""
LONGEST_ETA_S = 30 * 86_400.0


def said(state: State) -> Span:
    """A state as it is shown."""
    return strong(state.upper(), TONES[state])


def short(job: Job) -> str:
    """How people name it."""
    return job.id[:8]


def going_on(same: Sequence[Job], eta_s: float | None = None) -> Document:
    """The message that is edited: of one job its course, of many a line each."""
    job, *others = same
    if others:
        return _many(same)
    blocks: list[Block] = [text(said(job.state), f" {job.component} {job.command}, job ", mono(short(job)))]
    if job.progress is not None and not job.state.is_over:
        eta = eta_s if eta_s is not None and eta_s <= LONGEST_ETA_S else None
        blocks.append(Progress(min(1.0, max(0.0, job.progress)), eta_s=eta))
    if words := _message(job):
        blocks.append(text(words))
    return Document(tuple(blocks))


def ended(same: Sequence[Job]) -> Document:
    """How it ended, with what it brought."""
    job, *others = same
    if others:
        return _many(same)
    took = f" after {span(job.ended - job.made)}" if job.takes_long and job.ended is not None else ""
    blocks: list[Block] = [text(said(job.state), f" {job.component} {job.command}{took}, job ", mono(short(job)))]
    if words := _message(job):
        blocks.append(text(words))
    if rows := results(orjson.loads(job.result)):
        blocks.append(table(("result", "value"), rows))
    return Document(tuple(blocks))


def answered(same: Sequence[Job]) -> Document:
    """What was said to an order, as far as anything was."""
    return ended(same) if all(job.state.is_over for job in same) else going_on(same)


def subject_of(id_: str) -> str:
    """What the messages of an order are about: they are one that is edited."""
    return f"job {id_}"


def course_of(same: Sequence[Job], eta_s: float | None, subject: str) -> Iterator[Post]:
    """The message that is edited, where anybody is told. What is answered at once has no course."""
    first = same[0]
    if first.reply_to and first.takes_long:
        yield Post(first.place, going_on(same, eta_s), Lane.PROGRESS, reply_to=first.reply_to, subject=subject)


def end_of(same: Sequence[Job], pictures: Sequence[Block]) -> Iterator[Post]:
    """The message of the end, in the same way."""
    first = same[0]
    if first.reply_to and first.takes_long:
        words = Document((*ended(same).blocks, *pictures))
        yield Post(first.place, words, Lane.ANSWER, reply_to=first.reply_to)


def _many(same: Sequence[Job]) -> Document:
    counts = collections.Counter(job.state for job in same)
    head: list[Span | str] = [mono(same[0].command), f" at {len(same)} components, job ", mono(short(same[0])), ":"]
    for state, count in counts.items():
        head += [" ", said(state), f" {count}"]
    rows = [(job.component, Span(job.state, tone=TONES[job.state]), cut(_message(job), LONGEST_VALUE)) for job in same]
    more = [text(f"… and {len(rows) - MOST_ROWS} more.")] if len(rows) > MOST_ROWS else []
    return Document((text(*head), table(("component", "state", ""), rows[:MOST_ROWS]), *more))


def results(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a component brings, a line each. What is long is for programs, and left out."""
    short_ones = {name: value for name, value in result.items() if not _is_long(value)}
    rows = [(_named(name), _value(value)) for name, value in list(short_ones.items())[:MOST_ROWS]]
    if len(short_ones) > MOST_ROWS:
        rows.append(("…", f"{len(short_ones) - MOST_ROWS} more"))
    return rows


def _is_long(value: object) -> bool:
    return isinstance(value, list) and len(cast("list[object]", value)) > MOST_IN_A_LINE


def _named(name: str) -> str:
    return cut(one_line(name.replace("_", " ")), LONGEST_VALUE)


def _value(value: object) -> str:
    match value:
        case bool() | None:
            shown = {True: "yes", False: "no", None: "–"}[value]
        case int():
            shown = f"{value:,}"
        case float():
            shown = f"{value:,.6g}" if abs(value) < FINE else f"{value:,.0f}"
        case list():
            shown = ", ".join(map(_inner, cast("list[object]", value))) or "–"
        case dict():
            pairs = cast("dict[str, object]", value).items()
            shown = " ".join(f"{name}={_inner(each)}" for name, each in list(pairs)[:MOST_IN_A_LINE]) or "–"
        case _:
            shown = str(value)
    return cut(one_line(shown), LONGEST_VALUE)


def _inner(value: object) -> str:
    """A value within another: one that holds more stands there as JSON, so that nobody nests it too deeply."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else _value(value)


def _message(job: Job) -> str:
    own = "" if job.state is State.DONE else cut(one_line(job.message), LONGEST_MESSAGE)  # how far it was is old news
    return " ".join(filter(None, (own, MEANS.get(job.state, ""))))
