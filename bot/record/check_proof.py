"""`tocsin audit …`: what happened and who ordered it, whether the record still is what was signed, and proofs of it.

Checking a proof needs the proof and a key. It knows neither a database nor a configuration.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
import typer
from rich.console import Console

from bot import telling
from bot.audit.errors import AuditError
from bot.audit.evidence import LARGEST, Checked, check
from bot.record import held_keys
from bot.record.fields import fields_of
from bot.record.verdict import State
from bot.words.document import Block, Document, Tone, document, strong, text
from bot.words.errors import SettingsError, TocsinError

OWNERS = ("person", "by", "approved_by", "account")
SHUT = "(shut)"


def check_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof, as `tocsin audit prove` makes it.")],
    *,
    key: Annotated[str | None, typer.Option(metavar="VKEY", help=held_keys.HELP)] = None,
) -> None:
    """Check a proof of an entry, on any machine.

    It ends with 0 where the entry is proven, 1 where it is not, 2 where that cannot be known: without a key.
    """
    try:
        keys = held_keys.parse(key) if key else []
        proof = _read(file)
    except TocsinError as error:
        telling.say(str(error))
        raise typer.Exit(State.INCOMPLETE) from None
    try:
        checked = check(proof, keys)
    except AuditError as error:
        telling.say(f"{file} proves nothing. {error}")
        raise typer.Exit(State.ALTERED) from None
    telling.show(_shown(checked), Console(highlight=False))
    raise typer.Exit(State.INTACT if checked.vouched else State.INCOMPLETE)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _shown(checked: Checked) -> Document:
    fields = cast("dict[str, Any]", orjson.loads(checked.entry))
    boxes = [box_of(each) for each in checked.people]
    state = strong("PROVEN", Tone.GOOD) if checked.vouched else strong("NOT VOUCHED FOR", Tone.WARN)
    blocks: list[Block] = [text(state, f": {checked}")]
    if not checked.vouched:
        blocks.append(text("Give the key of the record, from a copy that you trust: --key VKEY"))
    session = f", session {fields['session']}" if "session" in fields else ""
    blocks.append(text(strong(f"#{checked.number} {fields.get('kind', '')}"), f"  {fields.get('at', '')}{session}"))
    plain = {name: value for name, value in fields.items() if name != "people"}
    return document(*blocks, fields_of(plain, boxes))


def box_of(inside: str | None) -> tuple[str, Mapping[str, Any] | None]:
    """Of whom a box is, as far as it says so, and what is in it."""
    if inside is None:
        return SHUT, None
    try:
        fields: object = orjson.loads(inside)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):  # where nobody has vouched for a proof, anything may be in it
        return "", {"": inside}
    found = cast("dict[str, Any]", fields)
    return next((str(found[name]) for name in OWNERS if found.get(name)), ""), found
