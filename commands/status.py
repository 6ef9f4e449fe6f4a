"""`!status`: what each component last said, and how long ago. Silence is shown as silence."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.fleet.registry import Sight
from bot.stop.report import named
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.people import Role


@command("status", role=Role.VIEWER, summary="Show every component and what it last said")
async def status(call: Call) -> Document:
    """All components in one table, and the incidents that are open."""
    bell = call.system.bell
    sights = call.system.registry.sights()
    if not sights:
        return document("No component is enrolled.")
    rows = [
        (
            mono(sight.id),
            sight.says(confirmed=bell.has_stopped(sight.id)),
            _heard(sight),
            " ".join(sorted(sight.groups)),
        )
        for sight in sights
    ]
    incidents = [
        text(strong("Open incident ", Tone.BAD), mono(each.id[:8]), f" stops {named(each.target)}.")
        for each in bell.incidents()
    ]
    return document(*incidents, table(("component", "state", "heard", "groups"), rows))


def _heard(sight: Sight) -> str:
    return "–" if sight.heard_ago_s is None else f"{sight.heard_ago_s:.0f} s ago"
