"""Whether the record is still the one that a witness has seen. A witness with more than the record is believed."""

import dataclasses
from collections.abc import Sequence

from bot.audit.errors import AuditError
from bot.audit.note import Checkpoint, VerifierKey, open_note
from bot.audit.proofs import tree_root
from bot.store import Tx, tree


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """What came out."""

    size: int
    """How many entries the witness has seen."""
    wrong: str = ""
    """What is wrong with the record, in a sentence. Empty where it goes on from what was seen."""
    is_ours: bool = True
    """A key of this record has signed what the witness holds."""


def compare(tx: Tx, note: bytes, name: str, keys: Sequence[VerifierKey]) -> Compared:
    """Look at the newest note that a witness holds."""
    try:
        seen = Checkpoint.parse(open_note(note, *keys)[0])
    except AuditError:
        return Compared(0, f"What the witness {name} holds is not signed by a key of this record.", is_ours=False)
    try:
        return Compared(seen.size, _wrong(tx, seen, name))
    except AuditError as error:
        return Compared(seen.size, f"The record cannot be compared with its witness {name}: {error.what}")


def _wrong(tx: Tx, seen: Checkpoint, name: str) -> str:
    ours = tree.of(tx)
    if ours is not None and ours.origin != seen.origin:
        return f"The record is another one than its witness {name} has seen."
    missing = seen.size - (ours.frontier.size if ours else 0)
    if missing > 0:
        entries = "1 entry is" if missing == 1 else f"{missing:,} entries are"
        return f"The record is older than its witness {name}: {entries} missing."
    if tree_root(tree.nodes(tx, seen.size), seen.size) != seen.root:
        return f"The record is not what its witness {name} has seen: its first {seen.size:,} entries are others."
    return ""
