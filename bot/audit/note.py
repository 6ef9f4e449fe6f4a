"""Signed notes (https://c2sp.org/signed-note), and the checkpoint of a log as the text of one (https://c2sp.org/tlog-checkpoint).

The text of a note is given out only when a known key has signed it. Whoever is unknown may sign as well and changes
nothing.
"""

import base64
import dataclasses
import hashlib
import re
from collections.abc import Callable

from bot.audit.errors import BadKey, BadNote, Unsigned
from bot.audit.merkle import HASH_LENGTH, MOST_ENTRIES
from wire.envelope import Check, PrivateKey, PublicKey

LONGEST_NOTE = 128 * 1024
"""Sixteen signatures of the largest post-quantum kind fit, as the specification asks."""
MOST_SIGNATURES = 16
ED25519 = 1
ID_LENGTH = 4

_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_VERIFIER = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)")
_SIGNATURE = re.compile(f"{_DASH}([^ ]+) ([^ ]+)")


def _ed25519(raw: bytes) -> Check:
    if len(raw) != 32:  # noqa: PLR2004 - the length of an Ed25519 key
        raise BadKey(f"An Ed25519 key is 32 bytes, not {len(raw)}.")
    return PublicKey(raw).verify


_KINDS: dict[int, Callable[[bytes], Check]] = {ED25519: _ed25519}
"""How the signatures of each kind of key are checked. Another kind is another row."""


class VerifierKey:
    """A name, and the public key that its holder signs notes with."""

    def __init__(self, name: str, kind: int, raw: bytes) -> None:
        if not _is_name(name):
            raise BadKey("The name of a key has at least one character, and no white space, plus or control character.")
        if kind not in _KINDS:
            raise BadKey(
                f"The key of {name} is of a kind that this version does not know: {kind:#04x}.",
                hint="A newer version of Tocsin may know it.",
            )
        self.name = name
        self.verify = _KINDS[kind](raw)
        """Whether this key made a signature of some bytes."""
        self.id = hashlib.sha256(f"{name}\n".encode() + bytes([kind]) + raw).digest()[:ID_LENGTH]
        self._encoded = _base64(bytes([kind]) + raw)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """A key as it stands in a file: `name+id+key`."""
        match = _VERIFIER.fullmatch(text)
        content = _unbase64(match[3]) if match else b""
        if not match or not content:
            raise BadKey("A verifier key is a name, eight hexadecimal digits and base64, with a plus between them.")
        key = cls(match[1], content[0], content[1:])
        if key.id.hex() != match[2]:
            raise BadKey(f"The key of {key.name} does not have the id {match[2]} that stands beside it.")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{self._encoded}"

    def __repr__(self) -> str:
        return f"VerifierKey({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifierKey) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class Signer:
    """A name, and the key that signs notes under it."""

    def __init__(self, name: str, key: PrivateKey) -> None:
        self._key = key
        self.verifier = VerifierKey(name, ED25519, key.public.raw)

    def __repr__(self) -> str:
        return f"Signer({self.verifier})"

    def line(self, text: str) -> str:
        """The line under a text that says who has signed it."""
        signature = self.verifier.id + self._key.sign(text.encode())
        return f"{_DASH}{self.verifier.name} {_base64(signature)}\n"


def sign_note(text: str, *signers: Signer) -> bytes:
    """A note: the text, a blank line, and a line for each signer."""
    if not text.endswith("\n") or not _is_clean(text.replace("\n", "")):
        raise BadNote("The text of a note ends with a newline and has no other control characters.")
    if not 0 < len(signers) <= MOST_SIGNATURES:
        raise BadNote(f"A note has 1 to {MOST_SIGNATURES} signatures, not {len(signers)}.")
    note = f"{text}\n{''.join(signer.line(text) for signer in signers)}".encode()
    if len(note) > LONGEST_NOTE:
        raise BadNote(f"A note of {len(note)} bytes is over the bound of {LONGEST_NOTE}.")
    return note


def open_note(note: bytes, *known: VerifierKey) -> tuple[str, tuple[VerifierKey, ...]]:
    """The text of a note, and which of the known keys have signed it.

    Raises Unsigned where none has, and BadNote where one of them is said to have and has not.
    """
    text, signatures = _read(note)
    signed = text.encode()
    keys = {(key.name, key.id): key for key in known}
    signers: dict[VerifierKey, None] = {}
    for name, content in signatures:
        key = keys.get((name, content[:ID_LENGTH]))
        if key is None:
            continue
        if not key.verify(content[ID_LENGTH:], signed):
            raise BadNote(f"A signature of {key.name} under a note is false.")
        signers[key] = None
    if not signers:
        raise Unsigned("A note is signed by none of the keys that are known.")
    return text, tuple(signers)


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: whose it is, how many entries it has, and their root. As a text, it is a note's."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what has no text."""
        if not all(line and _is_clean(line) for line in (self.origin, *self.extensions)):
            raise BadNote("The origin and the extensions of a checkpoint are lines with something in them.")
        if not 0 <= self.size <= MOST_ENTRIES:
            raise BadNote("A checkpoint names a size that no tree has.")
        if len(self.root) != HASH_LENGTH:
            raise BadNote(f"The root in a checkpoint is {HASH_LENGTH} bytes, not {len(self.root)}.")

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint that is the text of a note. Open the note first: what nobody has signed says nothing."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():  # noqa: PLR2004 - origin, size and root, and nothing after the last newline
            raise BadNote("A checkpoint is at least three lines.")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise BadNote("The second line of a checkpoint is not a size.")
        return cls(origin, int(size), _unbase64(root), tuple(extensions))

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, _base64(self.root), *self.extensions))


def _read(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note, and the names and contents of its signatures. Nothing is verified yet."""
    if len(note) > LONGEST_NOTE:
        raise BadNote(f"A note of {len(note)} bytes is over the bound of {LONGEST_NOTE}.")
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise BadNote("A note is not UTF-8.") from error
    if not _is_clean(whole.replace("\n", "")):
        raise BadNote("A note has control characters.")
    text, blank, below = whole.rpartition("\n\n")
    lines = below.split("\n")
    if not blank or lines.pop() or not lines:
        raise BadNote("A note is a text, a blank line, and lines of signatures.")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote(f"A note has {len(lines)} signatures: more than {MOST_SIGNATURES}.")
    return f"{text}\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(line)
    content = _unbase64(match[2]) if match else b""
    if not match or len(content) <= ID_LENGTH or not _is_name(match[1]):
        raise BadNote("A line under a note is not a signature.")
    return match[1], content


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and _is_clean(name) and not any(letter.isspace() for letter in name)


def _is_clean(text: str) -> bool:
    """Whether a text has a form in UTF-8, and no control characters at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not _CONTROL.search(text)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _unbase64(text: str) -> bytes:
    """What stands there in base64, in its one form. Nothing where it does not: nothing of ours is empty."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return content if _base64(content) == text else b""
