"""What a bot says of its last reload, in a file of its folder: `tocsin reload` reads it there. It is not the record."""

import dataclasses
import hashlib
from pathlib import Path

import orjson

from bot.private import write_private
from bot.settings.file import LARGEST
from bot.words.document import Document, document
from bot.words.packed import dump, load

NAME = "reload.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """It stands there from the moment on at which the bot takes SIGHUP."""

    holder: str
    """What the lock of the folder says of the process."""
    file: str
    """The configuration that it goes by."""
    number: int = 0
    """How often it was asked. At 0 nobody has."""
    digest: str = ""
    """Of the file as it has read it, whether or not that could be used."""
    good: bool = True
    shown: Document = dataclasses.field(default_factory=document)

    def write(self, folder: Path) -> None:
        """Have it there. Raises OSError where the disk does not take it."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        write_private(folder / NAME, orjson.dumps({**fields, "shown": orjson.loads(dump(self.shown))}))

    @classmethod
    def read(cls, folder: Path) -> "Answer | None":
        """The last one; nothing where there is none that this version can read."""
        try:
            fields = orjson.loads((folder / NAME).read_bytes())
            shown = load(orjson.dumps(fields.pop("shown")))
            return cls(shown=shown, **fields)
        except (FileNotFoundError, ValueError, TypeError, AttributeError, KeyError):
            return None


def digest_of(path: Path) -> str:
    """Of a file, byte by byte, as far as anybody reads it. Empty where nobody can."""
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(LARGEST + 1)).hexdigest()
    except OSError:
        return ""
