"""`!keys`, `!stop-key revoke`: whose signatures count. Revoking works at once, and wins over the file."""

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.stopkeys import ListedKey, StopKeys
from bot.store import overlay
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from bot.words.people import Role

SHORTEST_ID = 4
"""So much of a key's id at least must be typed: it says which one is meant."""


@command(
    "keys", role=Role.OPERATOR, action=Action.INSPECT, summary="Show whose signatures count: bot, people, components"
)
async def show_keys(call: Call) -> Document:
    """All keys by their ids. No secret is among them."""
    bell = call.system.bell
    rows = [(name, mono(key.id)) for name, key in sorted(bell.component_keys.items())]
    components = [table(("component", "its key"), rows)] if rows else ["No component is enrolled."]
    return document(text("The bot's own key: ", mono(bell.key.id)), *call.system.stop_keys.shown().blocks, *components)


@command(
    "stop-key revoke",
    role=Role.COMMANDER,
    action=Action.GOVERN,
    urgent=True,
    summary="Take a stop key away at once: it was lost, or its person leaves",
)
async def revoke(call: Call, key: str) -> Document:
    """From now on it counts for nothing, whatever the file says. No disk is waited for, and it may be said again."""
    stop_keys = call.system.stop_keys
    found = _meant(stop_keys, key)
    stop_keys.revoke(found.id)
    call.write_along(lambda tx: overlay.put(tx, f"stop_keys.{found.id}.revoked", value=True, by=call.person.name))
    await stop_keys.tell(call.system.bell)
    return document(
        text(
            strong("Revoked", Tone.WARN), ": the stop key ", mono(found.id), f" of {found.person}. "
            "Components are told as they next ask, within seconds; one that is away, when it is back.",
        ),
        text(
            "This cannot be undone. Take it out of the configuration file; a new one is made with ",
            mono(f"tocsin stop-key issue {found.person}"), ".",
        ),
    )  # fmt: skip


def _meant(stop_keys: StopKeys, typed: str) -> ListedKey:
    begins = typed.lower()
    found = [each for each in stop_keys.listed if each.id.startswith(begins)]
    if len(begins) >= SHORTEST_ID and len(found) == 1:
        return found[0]
    what = f"{quoted(typed)} may be more than one stop key" if found else f"{quoted(typed)} is no stop key's id"
    raise UsageError(f"{what}.", hint="!keys shows them: type the whole id.")
