"""`!drill`: send what goes the way of a stop and stops nothing, and see who would have heard."""

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.targets import find
from bot.stop.drill import LASTS_S, Answer
from bot.stop.report import named
from bot.words.document import Document, Span, Tone, document, mono, strong, table, text
from bot.words.people import Role

MOST_ROWS = 40


@command(
    "drill",
    role=Role.OPERATOR,
    action=Action.RUN,
    may_take_s=LASTS_S + 4,
    summary="Try the way of a stop, without stopping anything",
)
async def drill(call: Call, target: str = "all") -> Document:
    """Everybody whom a stop of this target would stop says that the drill came, or is named."""
    wanted = find(call.system.registry, target)
    answers = await call.system.bell.drill(wanted)
    if not answers:
        return document(f"No enrolled component is meant by {named(wanted)}.")
    heard = [each for each in answers if each.after_s is not None]
    count = f"{len(heard)} of {len(answers)} heard it. Nothing was stopped."
    word = strong("DRILL PASSED", Tone.GOOD) if len(heard) == len(answers) else strong("DRILL FAILED", Tone.BAD)
    shown = sorted(answers, key=lambda each: (each.after_s is not None, -(each.after_s or 0), each.component))
    rows = [(mono(each.component), _says(each), _after(each)) for each in shown[:MOST_ROWS]]
    more = [f"And {len(shown) - MOST_ROWS} more."] if len(shown) > MOST_ROWS else []
    advice = [] if len(heard) == len(answers) else ["Who has not heard would have worked on until its lease ends."]
    return document(
        text(word, f" {named(wanted)}: {count}"), table(("component", "drill", "after"), rows), *more, *advice
    )


def _says(answer: Answer) -> Span:
    return Span("no answer", tone=Tone.BAD) if answer.after_s is None else Span("heard", tone=Tone.GOOD)


def _after(answer: Answer) -> str:
    return "–" if answer.after_s is None else f"{answer.after_s:.2f} s"
