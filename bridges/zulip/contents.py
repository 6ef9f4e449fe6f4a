"""What stands in a message of Zulip, taken apart: the words, the files, and what it answers."""

import dataclasses

from bot.words.document import Enclosed
from bridges.zulip.files import enclosed_in
from bridges.zulip.quoting import answered


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What somebody has said."""

    text: str = ""
    files: tuple[Enclosed, ...] = ()
    answers: int | None = None
    """The message that it answers, by its id."""
    addressed: bool = False
    """It begins with a mention of the bot, which is not part of the text any more."""


NOTHING = Content()


def without_quotation(text: str, site: str) -> tuple[int | None, str]:
    """What a text answers, if it answers anything, and what it says to that."""
    found = answered(text.strip(), site)
    return found or (None, text)


def with_files(text: str, site: str, network: str) -> Content:
    """A text and the files that it links."""
    words, files = enclosed_in(text, site, network)
    return Content(words, files)
