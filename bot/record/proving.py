"""Makes the proof of one entry, which stands alone. It is checked before it is given out."""

from bot.audit.errors import AuditError
from bot.audit.evidence import Bundle, boxes_of, text_unproven
from bot.audit.merkle import leaf_hash
from bot.audit.note import Checkpoint
from bot.audit.proofs import check_inclusion, prove_inclusion
from bot.store import Tx, boxes, tree
from bot.words.errors import StoreError, UsageError

VERIFY = "Run: tocsin audit verify"


def prove(tx: Tx, seq: int, *, open_people: bool = False) -> str:
    """A proof of the entry of this number under the newest checkpoint, as one JSON document.

    With `open_people` whoever has it can read whom this entry names, and nothing else of them. Raises UsageError where
    there is no such entry, and StoreError where the record does not prove it. `bot.audit.evidence.check` checks it.
    """
    entry = tree.entry(tx, seq)
    if entry is None:
        raise UsageError(f"There is no entry {seq}.", hint=f"The newest is {tree.last_number(tx)}.")
    try:
        note = tree.newest_note(tx) if tree.of(tx) else None
        if note is None:
            raise StoreError("Nothing here was ever signed, so nothing can be proven.", hint="Start the bot once.")
        checkpoint = Checkpoint.parse(text_unproven(note.decode()))
        path = prove_inclusion(tree.nodes(tx, checkpoint.size), seq - 1, checkpoint.size)
        check_inclusion(leaf_hash(entry), seq - 1, checkpoint.size, path, checkpoint.root)
        text = entry.decode()
        shut = boxes_of(text)
        opened = tuple(boxes.key_of_one(tx, tag, box) for tag, box in shut) if open_people else None
    except (AuditError, UnicodeDecodeError, TypeError) as error:  # a damaged table may hold values of any type
        raise StoreError(
            f"Entry {seq} cannot be proven: the record was altered, or is damaged.", hint=VERIFY
        ) from error
    return str(Bundle(seq, text, tuple(path), note.decode(), opened))
