"""Files that people send: what an event says of one. It is all a stranger's word, and has its bounds.

What comes with a file never is a command: its words are a caption.
"""

import base64
import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, Self, cast

from nio import Event, RoomEncryptedMedia, RoomMessageMedia

from bot.words.document import OCTETS, Enclosed
from bot.words.glyphs import cut, one_line
from bot.words.talk import LARGEST_FILE
from bridges.matrix.answers import parsed
from bridges.matrix.reading import (
    NETWORK,
    AnyEvent,
    Spoken,
    answered,
    as_text,
    content_of,
    is_edit,
    is_passed_on,
    relation_of,
    thread_in,
    within,
    without_quote,
)
from bridges.matrix.spoilers import as_read

KINDS = frozenset({"m.file", "m.image", "m.video", "m.audio"})
ADDRESS = re.compile(r"mxc://(?P<server>[A-Za-z0-9\[][A-Za-z0-9.:\]-]{0,229})/(?P<media>[A-Za-z0-9_-]{1,255})")
"""Neither part leads anywhere else in a path."""
MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}")
CIPHER = "A256CTR"
KEY_BYTES, IV_BYTES, DIGEST_BYTES = 32, 16, 32
LONGEST_BASE64 = 64
LONGEST_NAME = 255
LONGEST_REFERENCE = 2_000
LARGEST = 2**53


@dataclasses.dataclass(frozen=True, slots=True)
class Lock:
    """What opens a file that lies encrypted. Each is base64, of the right length."""

    key: str
    iv: str
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Where a file lies, and what opens it."""

    server: str
    media: str
    lock: Lock | None

    @classmethod
    def of(cls, file: Mapping[str, Any], *, is_sealed: bool) -> Self:
        """As an event or a reference says it. Raises ValueError where it is odd."""
        address = file.get("url")
        found = ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if found is None:
            raise ValueError("a file without an address")
        return cls(found["server"], found["media"], _lock(file) if is_sealed else None)

    @classmethod
    def referred(cls, reference: str) -> Self:
        """By a reference that was given before. Raises ValueError for any other."""
        if len(reference) > LONGEST_REFERENCE:
            raise ValueError("no reference is that long")
        said: object = parsed(reference.encode())
        if not isinstance(said, dict):
            raise ValueError("no reference")  # noqa: TRY004 - what is odd in a file is a ValueError
        file = cast("Mapping[str, Any]", said)
        return cls.of(file, is_sealed="key" in file)

    @property
    def reference(self) -> str:
        """The same as text."""
        file: dict[str, Any] = {"url": f"mxc://{self.server}/{self.media}"}
        if self.lock is not None:
            key = {"alg": CIPHER, "k": self.lock.key}
            file |= {"key": key, "iv": self.lock.iv, "hashes": {"sha256": self.lock.sha256}}
        return json.dumps(file)


def sent(event: Event, me: str) -> Spoken | None:
    """A file that somebody else has sent, or nothing. Raises ValueError where it is odd."""
    is_file = isinstance(event, RoomMessageMedia | RoomEncryptedMedia) and not is_edit(event.source)
    if event.sender == me or not is_file or is_passed_on(event.source):
        return None
    content, relation = content_of(event.source), relation_of(event.source)
    file, caption = enclosed(content)
    words = without_quote(caption) if "m.in_reply_to" in relation else caption
    answers, thread = answered(relation), thread_in(relation)
    return Spoken("", addressed=False, replies_to=answers, thread=thread, files=(file,), caption=words)


def renewed(event: AnyEvent) -> tuple[tuple[Enclosed, ...], str]:
    """What stands in the place of a file and its caption now; nothing where an edit says nothing of a file."""
    new = within(content_of(event.source), "m.new_content")
    kind = new.get("msgtype")
    is_file = isinstance(event, RoomMessageMedia | RoomEncryptedMedia) and isinstance(kind, str) and kind in KINDS
    if not is_file:
        return (), ""
    try:
        file, caption = enclosed(new)
    except ValueError:  # that it was edited counts all the same
        return (), ""
    return (file,), caption


def enclosed(content: Mapping[str, Any]) -> tuple[Enclosed, str]:
    """A file and its caption, as the content of an event says it. Raises ValueError where it is odd."""
    is_sealed = "file" in content
    kept = Kept.of(within(content, "file") if is_sealed else content, is_sealed=is_sealed)
    body, name = as_text(content.get("body")), as_text(content.get("filename")).strip()
    caption = (as_read(content, body) or body) if name and body != content.get("filename") else ""
    info = within(content, "info")
    known_as = cut(one_line(name or body.strip()), LONGEST_NAME) or "file"
    return Enclosed(NETWORK, kept.reference, known_as, _size(info), _type(info)), caption.strip()


def _size(info: Mapping[str, Any]) -> int:
    """What is said of it. Where nothing is, it is as large as a file may be: who brings it looks."""
    size = info.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
        return LARGEST_FILE
    return min(size, LARGEST)


def _type(info: Mapping[str, Any]) -> str:
    said = info.get("mimetype")
    bare = said.partition(";")[0].strip().lower() if isinstance(said, str) else ""
    return bare if MEDIA_TYPE.fullmatch(bare) else OCTETS


def _lock(file: Mapping[str, Any]) -> Lock:
    key, hashes = within(file, "key"), within(file, "hashes")
    if key.get("alg") != CIPHER or file.get("v", "v2") != "v2":
        raise ValueError("a file that is encrypted in no known way")
    return Lock(
        _base64(key.get("k"), KEY_BYTES), _base64(file.get("iv"), IV_BYTES), _base64(hashes.get("sha256"), DIGEST_BYTES)
    )


def _base64(value: object, length: int) -> str:
    """The value, where it stands for so many bytes. Both alphabets are in use, with padding and without."""
    if not isinstance(value, str) or len(value) > LONGEST_BASE64 or not value.isascii():
        raise ValueError("no base64")
    bare = value.rstrip("=").replace("-", "+").replace("_", "/")
    if len(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)) != length:
        raise ValueError("base64 of another length")
    return bare
