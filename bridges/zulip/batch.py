"""What a number of events brought: messages, and which earlier ones were edited or are gone."""

import dataclasses
from collections.abc import Sequence

from bot.words.message import Change, Message, Moved, Place, Reaction
from bridges.zulip import answers
from bridges.zulip.client import Answer
from bridges.zulip.contents import NOTHING, Content
from bridges.zulip.reading import Reader


@dataclasses.dataclass(frozen=True, slots=True)
class Altered:
    """A message that is not what it was. What it was, and where, is looked up by its id."""

    id: int
    by: int
    """Who edited it. Whoever takes one back is not told."""
    removed: bool = False
    channel: int | None = None
    """Where it is now; nothing where it was said directly."""
    content: Content = NOTHING
    """What stands there now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """Messages stand in another topic, as the server tells it: also such as the bot has never heard."""

    ids: frozenset[int]
    place: Place
    to: Place
    topic: str
    """The new one, in the server's own letters."""
    was: str
    """The old one."""
    is_whole: bool
    """Everything that was in the old one, within one channel."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reacted:
    """Somebody shows something beside a message, or shows it no more. Where that is, is looked up by its id."""

    message: int
    by: int
    emoji: str
    own: str
    """What it is known by."""
    gone: bool = False


@dataclasses.dataclass(slots=True)
class Taken:
    """What is to be put into the inbox together."""

    answer: Answer
    """When it came, and what the server's clock said."""
    reached: int = -1
    """The last of these events in the queue."""
    size: int = 0
    """How many events."""
    said: list[answers.Message] = dataclasses.field(default_factory=list[answers.Message])
    altered: list[Altered] = dataclasses.field(default_factory=list[Altered])
    moved: list[Move] = dataclasses.field(default_factory=list[Move])
    moves: list[Moved] = dataclasses.field(default_factory=list[Moved])
    """Those of which all is known already."""
    changes: list[Change] = dataclasses.field(default_factory=list[Change])
    reacted: list[Reacted] = dataclasses.field(default_factory=list[Reacted])
    reactions: list[Reaction] = dataclasses.field(default_factory=list[Reaction])
    """Those of which it is known already where they are."""
    places: dict[int, Message] = dataclasses.field(default_factory=dict[int, Message])
    was_let_in: bool = False
    """The bot is in a channel again: what was moved there before, it may not know."""

    @property
    def ends(self) -> bool:
        """What comes next in a topic that was moved away is said in another topic: that is for the next piece."""
        return bool(self.moved) and self.moved[-1].is_whole

    def note(self, said: answers.Message, reader: Reader) -> None:
        """Somebody said something. Where, is judged now: the bot may be put out of the channel by the next event."""
        message = reader.message(said, 0.0)
        if message is not None:
            self.said.append(said)
            self.places[said.id] = message

    def messages(self) -> Sequence[Message]:
        """The messages with their age as it is now."""
        return [
            dataclasses.replace(self.places[said.id], age_s=self.answer.age_s(said.timestamp)) for said in self.said
        ]
