"""`!status`: what each component last said, and how long ago. Silence is shown as silence."""

from bot.desk.call import Call
from bot.desk.command import command
from bot.fleet.registry import Sight
from bot.stop.report import named
from bot.words.document import Block, Document, Span, Tone, document, mono, strong, table, text
from bot.words.people import Role
from bot.words.times import span

MOST_ROWS = 100
"""A message has its bound. Those that are cut off are counted."""
MOST_INCIDENTS = 10
MOST_STRANGERS = 5


@command("status", role=Role.VIEWER, summary="Show every component and what it last said")
async def status(call: Call, group: str = "") -> Document:
    """All components in one table, the incidents that are open, and what cannot be seen."""
    bell, maintenance = call.system.bell, call.system.maintenance
    sights = [each for each in call.system.registry.sights() if not group or group in (*each.groups, each.id)]
    lines: list[Block] = [
        text(strong("Open incident ", Tone.BAD), mono(each.id[:8]), f" stops {named(each.target)}.")
        for each in bell.incidents()
    ]
    lines += [
        text(
            strong("RESET PENDING", Tone.WARN),
            f" {named(each.incident.target)}. Incident ",
            mono(each.incident.id[:8]),
            ".",
        )
        for each in bell.followed()
        if bell.is_closed(each.incident.id)
    ]
    blocks = lines[:MOST_INCIDENTS]
    if len(lines) > MOST_INCIDENTS:
        blocks.append(text(f"And {len(lines) - MOST_INCIDENTS} more incidents: ", mono("!incident"), "."))
    if not call.system.connected():
        blocks.append(text(strong("I have no connection to the broker", Tone.BAD), ". All below is from before."))
    if not sights:
        blocks.append(text(f"No component is in {group[:40]!r}." if group else "No component is enrolled."))
    else:
        shown = sights[:MOST_ROWS]
        remarks = [maintenance.remark(each.id) for each in shown]
        head = ("component", "state", "heard", "spare", "groups", "what it is")
        rows = [
            (
                mono(sight.id),
                sight.says(confirmed=bell.has_stopped(sight.id), echoed=bell.echoes(sight.id)),
                _heard(sight),
                _spare(sight),
                " ".join(sorted(sight.groups)),
                remark or sight.title or "–",
            )
            for sight, remark in zip(shown, remarks, strict=True)
        ]
        blocks.append(table(head, rows))
        if len(sights) > MOST_ROWS:
            blocks.append(text(f"And {len(sights) - MOST_ROWS} more. !status GROUP shows some of them."))
    return document(*blocks, *_strangers(call))


def _heard(sight: Sight) -> str:
    return "–" if sight.heard_ago_s is None else f"{span(sight.heard_ago_s)} ago"


def _spare(sight: Sight) -> Span:
    """How close it came to being held, while it worked: what was left of its lease at the worst."""
    if sight.held:
        return Span("held once" if sight.held == 1 else f"held {sight.held} times", tone=Tone.WARN)
    return Span("–" if sight.spare_s is None else f"{max(0.0, sight.spare_s):.1f} s")


def _strangers(call: Call) -> tuple[Block, ...]:
    strangers = call.system.registry.strangers()
    if not strangers:
        return ()
    names = ", ".join(sorted(strangers)[:MOST_STRANGERS]) + (" …" if len(strangers) > MOST_STRANGERS else "")
    named_by = {incident for names_, _ in strangers.values() for incident in names_}
    count = "1 incident" if len(named_by) == 1 else f"{len(named_by)} incidents"
    stopped = f" They name {count}." if named_by else ""
    return (text(Span(f"Not enrolled, and nothing of it is proven: {names}.{stopped}", tone=Tone.WARN)),)
