"""`!status`: what each component last said, and how long ago. Silence is shown as silence."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.fleet.registry import Sight
from bot.stop.report import named
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.people import Role
from bot.words.times import span

MOST_ROWS = 100
"""A message has its bound. Those that are cut off are counted."""


@command("status", role=Role.VIEWER, summary="Show every component and what it last said")
async def status(call: Call) -> Document:
    """All components in one table, and the incidents that are open."""
    bell = call.system.bell
    sights = call.system.registry.sights()
    incidents = [
        text(strong("Open incident ", Tone.BAD), mono(each.id[:8]), f" stops {named(each.target)}.")
        for each in bell.incidents()
    ]
    if not sights:
        return document(*incidents, "No component is enrolled.")
    rows = [
        (
            mono(sight.id),
            sight.says(confirmed=bell.has_stopped(sight.id)),
            _heard(sight),
            " ".join(sorted(sight.groups)),
            sight.title or "–",
        )
        for sight in sights[:MOST_ROWS]
    ]
    shown = table(("component", "state", "heard", "groups", "what it is"), rows)
    more = [f"And {len(sights) - MOST_ROWS} more."] if len(sights) > MOST_ROWS else []
    return document(*incidents, shown, *more)


def _heard(sight: Sight) -> str:
    return "–" if sight.heard_ago_s is None else f"{span(sight.heard_ago_s)} ago"
