"""A proof of one entry that stands alone: the entry, its way to the root, and the signed note that names the root.

It is one JSON document in the form of RFC 8785, and has no other form: what one reads in it is what is checked.
"""

import base64
import dataclasses
from collections.abc import Sequence
from typing import cast

import orjson

from bot.audit.errors import AuditError, Unsigned
from bot.audit.merkle import leaf_hash
from bot.audit.note import ID_LENGTH, LONGEST_NOTE, Checkpoint, VerifierKey, open_note
from bot.audit.opening import open_with
from bot.audit.proofs import check_inclusion
from bot.audit.tiles import LONGEST_ENTRY

FORMAT = "tocsin proof of an entry"
VERSION = 1
LAST_NUMBER = 2**53 - 1
"""RFC 8785 has no form for larger ones."""
LARGEST = 6 * (LONGEST_ENTRY + LONGEST_NOTE) + 2**16
"""Each byte of a text may be written in six."""
_OPENED = "people"
_BLANK = "\n\n"
_FORM = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class BadBundle(AuditError):
    """A proof of an entry is malformed, or not of a kind that this version knows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """What a proof of an entry is made of."""

    number: int
    """Of the entry, counted from 1."""
    entry: str
    """Its exact text."""
    path: tuple[bytes, ...]
    checkpoint: str
    """The signed note."""
    people: tuple[bytes | None, ...] | None = None
    """The keys of the entry's boxes, in their order; none for who was forgotten. None at all where they stay shut."""

    def __str__(self) -> str:
        fields: dict[str, object] = {
            "checkpoint": self.checkpoint,
            "entry": self.entry,
            "format": FORMAT,
            "number": self.number,
            "path": [_base64(each) for each in self.path],
            "version": VERSION,
        }
        if self.people is not None:
            fields[_OPENED] = [None if key is None else _base64(key) for key in self.people]
        return orjson.dumps(fields, option=_FORM).decode()

    @classmethod
    def parse(cls, document: bytes) -> "Bundle":
        """A bundle as it stands in a file. White space around it does not matter. Nothing is checked yet."""
        if len(document) > LARGEST:
            raise BadBundle(f"A proof of {len(document)} bytes is over the bound of {LARGEST}.")
        try:
            read: object = orjson.loads(document)
        except orjson.JSONDecodeError as error:
            raise BadBundle("A proof of an entry is not JSON.") from error
        fields = cast("dict[str, object]", read) if isinstance(read, dict) else {}
        version = fields.get("version")
        if fields.get("format") != FORMAT or not isinstance(version, int):
            raise BadBundle("This is not a proof of an entry.")
        if version != VERSION:
            raise BadBundle(
                f"This proof is of version {version}, and this Tocsin knows {VERSION}.",
                hint="A newer version of Tocsin may know it.",
            )
        number, entry, checkpoint = fields.get("number"), fields.get("entry"), fields.get("checkpoint")
        path, people = fields.get("path"), fields.get(_OPENED)
        if type(number) is not int or not isinstance(entry, str) or not isinstance(checkpoint, str):
            raise BadBundle("The number, the entry or the checkpoint in a proof is missing, or of another type.")
        if not 0 < number <= LAST_NUMBER:
            raise BadBundle("A proof is of an entry with a number that no entry has.")
        keys = None if people is None else tuple(None if each is None else _unbase64(each) for each in _list(people))
        bundle = cls(number, entry, tuple(_unbase64(each) for each in _list(path)), checkpoint, keys)
        if str(bundle).encode() != document.strip():
            raise BadBundle("A proof of an entry is not in its one form.", hint="Take it as it was made.")
        return bundle


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """What a proof shows. Look at `vouched` first: without it, the proof shows only that it fits itself."""

    number: int
    """Of the entry, counted from 1."""
    entry: str
    """Its exact text."""
    people: tuple[str | None, ...]
    """What is in its boxes, as JSON, in their order; nothing of those who were forgotten, or who stay shut."""
    origin: str
    """Which record it is in."""
    size: int
    """How many entries the record had when the checkpoint was signed."""
    signers: tuple[VerifierKey, ...]
    """The given keys that have signed the checkpoint."""
    named: tuple[str, ...]
    """The keys that the checkpoint says it is signed with: name and id."""

    @property
    def vouched(self) -> bool:
        """Whether somebody has vouched for a key that signed it."""
        return bool(self.signers)

    def __str__(self) -> str:
        shown = f"Entry {self.number:,} is in the record {self.origin} of {self.size:,} entries"
        if self.vouched:
            return f"{shown}, signed by {', '.join(f'{key.name}+{key.id.hex()}' for key in self.signers)}."
        named = ", ".join(self.named)
        return f"{shown}, if its checkpoint is true: it names the key {named}, and nobody has vouched for that."


def boxes_of(entry: str) -> list[tuple[str, str]]:
    """The tags and the boxes in an entry. Raises BadBundle where it is none."""
    try:
        fields: object = orjson.loads(entry)
    except orjson.JSONDecodeError as error:
        raise BadBundle("The entry in a proof is not JSON.") from error
    if not isinstance(fields, dict):
        raise BadBundle("The entry in a proof is not one that a Tocsin writes.")
    people = cast("dict[str, object]", fields).get("people")
    return [] if people is None else [_box(each) for each in _list(people)]


def text_unproven(note: str) -> str:
    """The text of a note that nobody has verified: to learn what it claims, and for nothing else."""
    return f"{note.rpartition(_BLANK)[0]}\n"


def check(bundle: bytes, keys: Sequence[VerifierKey]) -> Checked:
    """See what a proof shows. Raises AuditError where it shows nothing, in whatever way it is wrong.

    Without any key it is still seen whether it fits itself; `Checked.vouched` is False then. With keys, one of them
    must have signed it in the name of its record.
    """
    parsed = Bundle.parse(bundle)
    note = parsed.checkpoint.encode()
    signers: tuple[VerifierKey, ...] = ()
    try:
        text, signers = open_note(note, *keys)
    except Unsigned as unsigned:
        if keys:
            raise Unsigned(
                f"The proof is signed by none of the keys that were given, but by {', '.join(_named(note))}."
            ) from unsigned
        text = text_unproven(parsed.checkpoint)
    checkpoint = Checkpoint.parse(text)
    signers = tuple(key for key in signers if key.name == checkpoint.origin)
    if keys and not signers:
        raise Unsigned("The checkpoint in a proof is not signed in the name of its own record.")
    leaf = leaf_hash(parsed.entry.encode())
    check_inclusion(leaf, parsed.number - 1, checkpoint.size, parsed.path, checkpoint.root)
    people = _opened(parsed)
    return Checked(parsed.number, parsed.entry, people, checkpoint.origin, checkpoint.size, signers, _named(note))


def _opened(bundle: Bundle) -> tuple[str | None, ...]:
    boxes = boxes_of(bundle.entry)
    if bundle.people is None:
        return (None,) * len(boxes)
    if len(bundle.people) != len(boxes):
        raise BadBundle("A proof has another number of keys than its entry has boxes.")
    return tuple(
        None if key is None else _open(key, tag, box) for key, (tag, box) in zip(bundle.people, boxes, strict=True)
    )


def _open(key: bytes, tag: str, box: str) -> str:
    words = open_with(key, tag, box)
    if words is None:
        raise BadBundle("A key in a proof does not open the box that it stands for.")
    try:
        return words.decode()
    except UnicodeDecodeError as error:
        raise BadBundle("What is in a box of an entry is not a text.") from error


def _box(found: object) -> tuple[str, str]:
    match found:
        case [str(tag), str(box)]:
            return tag, box
        case _:
            raise BadBundle("What names a person in an entry is not a tag and a box.")


def _named(note: bytes) -> tuple[str, ...]:
    """Name and id of each key that a note says has signed it. The note was read before: it is well-formed."""
    lines = note.decode().rpartition(_BLANK)[2].split("\n")[:-1]
    pairs = [line.split(" ")[1:] for line in lines]
    return tuple(f"{name}+{base64.b64decode(content)[:ID_LENGTH].hex()}" for name, content in pairs)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _list(found: object) -> list[object]:
    if not isinstance(found, list):
        raise BadBundle("The path or the keys in a proof, or the people in its entry, are not a list.")
    return cast("list[object]", found)


def _unbase64(text: object) -> bytes:
    if not isinstance(text, str):
        raise BadBundle("A hash or a key in a proof is not a text.")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadBundle("A hash or a key in a proof is not base64.") from error
