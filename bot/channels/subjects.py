"""What the posts of a channel are about, besides the words: a file of a message, somebody's reaction."""

from bot.store import said
from bot.store.said import Said
from bot.words.message import Place

FILE = "file "


def file_of(origin: Said, number: int) -> str:
    """A file of a message. Its copies are taken back with those of the words."""
    return f"{FILE}{number} {origin.subject}"


def origin_in(subject: str) -> Said | None:
    """The message that this is said of: its words, or a file of it."""
    before, _, rest = subject.partition(said.COPIES)
    return Said.of(f"{said.COPIES}{rest}") if rest and (not before or before.startswith(FILE)) else None


def reaction_of(place: Place, own: str) -> str:
    """What somebody shows, by the network's id of it."""
    return f"reaction {own} in {place}"
