"""What a Zulip server answers, looked at before it is believed. What does not fit is an OddAnswer, never a crash."""

import json
from typing import Annotated, Any, TypeVar, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from bridges.zulip.errors import OddAnswer

Json = dict[str, Any]
OURS = "Tocsin"
"""What a server calls any bot like this one."""
LARGEST_ID = 2**53
MODERATOR = 300
LATEST_S = 253_402_300_799
"""The end of the year 9999."""
LONGEST_NAME = 1000
LONGEST_TEXT = 100_000
MOST_PEOPLE = 1000
LEAST_MESSAGE, LEAST_TOPIC = 100, 10
"""A server that takes less is none."""

Id = Annotated[int, Field(strict=True, ge=0, le=LARGEST_ID)]
Number = Annotated[int, Field(strict=True, ge=-1, le=LARGEST_ID)]
Time = Annotated[int | float, Field(ge=0, le=LATEST_S)]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Words = Annotated[str, Field(max_length=LONGEST_TEXT)]


class Part(BaseModel):
    """A part of an answer. Servers of other versions say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Sent(Part):
    """A message was taken."""

    id: Id


class Channel(Part):
    """A channel, as lists of them tell."""

    stream_id: Id
    name: Name
    stream_post_policy: Any = None
    """Who may post there, where a server is old enough to tell it so."""


class Subscriptions(Part):
    """The channels that the bot is in."""

    subscriptions: Annotated[list[Channel], Field(max_length=100_000)]


class Queue(Part):
    """Where to listen from now on."""

    queue_id: Annotated[str, Field(min_length=1, max_length=255)]


class Registered(Subscriptions, Queue):
    """A new queue, and what holds as it begins."""

    last_event_id: Number
    max_message_id: Number = -1
    realm_allow_message_editing: bool = True
    realm_message_content_edit_limit_seconds: Annotated[int | None, Field(ge=0, le=LATEST_S)] = 600
    max_message_length: Annotated[int, Field(ge=LEAST_MESSAGE, le=1_000_000)] = 10_000
    max_topic_length: Annotated[int, Field(ge=LEAST_TOPIC, le=1000)] = 60


class Person(Part):
    """Somebody's account."""

    full_name: Name = ""
    role: Id = 0
    is_admin: bool = False
    is_bot: bool = False
    is_active: bool = True

    @property
    def has_rights(self) -> bool:
        """Whether this is a moderator, or more."""
        return self.is_admin or 0 < self.role <= MODERATOR


class Profile(Person):
    """The bot's own account."""

    user_id: Id
    email: Name
    bot_owner_id: Id | None = None
    max_message_id: Number = -1


class Someone(Part):
    """The answer that has a person in it."""

    user: Person


class Topic(Part):
    """One topic of a channel, as its newest message spells it."""

    name: Name


class Topics(Part):
    """All topics of a channel, the one with the newest message first."""

    topics: Annotated[list[Topic], Field(max_length=1_000_000)]


class Uploaded(Part):
    """Where a file is now."""

    url: Annotated[str, Field(pattern=r"^/user_uploads/[\w.~%/-]+$", validation_alias=AliasChoices("url", "uri"))]
    """Older servers say `uri` instead, or both."""


class EmojiTold(Part):
    """Where a server publishes its emoji, as a new queue tells."""

    server_emoji_data_url: Annotated[str, Field(max_length=2000)] = ""


class EmojiTable(Part):
    """The names of each emoji that is a character, the server's own first."""

    code_to_names: Annotated[dict[Name, list[Name]], Field(max_length=20_000)]


class Batch(Part):
    """Events, each still to be looked at."""

    events: Annotated[list[Json], Field(max_length=1_000_000)]


class Page(Part):
    """Messages, each still to be looked at."""

    messages: Annotated[list[Json], Field(max_length=5000)]
    found_oldest: bool = False
    found_newest: bool = False


class Peer(Part):
    """Who has part in a direct message."""

    id: Id


class Message(Part):
    """A message as it stands now."""

    id: Id
    sender_id: Id
    sender_full_name: Name = ""
    type: Name
    content: Words
    timestamp: Time
    last_edit_timestamp: Time | None = None
    edit_history: Any = None
    """What it was before, still to be looked at. Not every organization shows it."""
    stream_id: Id | None = None
    subject: Name = ""
    reactions: Any = None
    """Still to be looked at: nothing odd in them keeps a message from being heard."""
    display_recipient: Annotated[list[Peer], Field(max_length=MOST_PEOPLE)] | Name = ""
    client: Any = None
    """What the server calls the program that it was said with."""


class MessageEvent(Part):
    """Somebody has said something."""

    message: Message


class UpdateEvent(Part):
    """A message was edited, or moved. Only what has content is an edit; the server itself may only have rendered it."""

    message_id: Id
    stream_id: Id | None = None
    """Where it was before a move. Without a move it is there still."""
    new_stream_id: Id | None = None
    orig_subject: Name | None = None
    """Its topic before a move. Only a move tells it."""
    subject: Name | None = None
    """Its topic after one, where that is another."""
    message_ids: Annotated[list[Id], Field(max_length=100_000)] = []
    """All that were moved with it, in any order, also such as the bot was never told of."""
    propagate_mode: Name = ""
    user_id: Id | None = None
    content: Words | None = None
    rendering_only: bool = False


class Reaction(Part):
    """What somebody shows beside a message."""

    user_id: Id
    emoji_name: Name
    emoji_code: Name
    reaction_type: Name


class ReactionEvent(Reaction):
    """Somebody shows something, or shows it no more."""

    op: Name
    message_id: Id


class DeleteEvent(Part):
    """Messages are gone."""

    message_ids: Annotated[list[Id], Field(max_length=100_000)] = []
    message_id: Id | None = None


class SubscriptionEvent(Part):
    """The bot was let into channels, or put out."""

    op: Name
    subscriptions: Annotated[list[Channel], Field(max_length=100_000)] = []


class StreamEvent(Part):
    """Channels are there, are gone, or are called otherwise."""

    op: Name
    streams: Annotated[list[Channel], Field(max_length=100_000)] = []
    stream_ids: Annotated[list[Id], Field(max_length=100_000)] = []
    stream_id: Id | None = None
    property: Name = ""
    value: Any = None


class NamedPerson(Part):
    """Somebody's new name, where that is what changed."""

    user_id: Id
    full_name: Name | None = None


class PersonEvent(Part):
    """Somebody's account has changed."""

    op: Name
    person: NamedPerson


class RealmEvent(Part):
    """The organization's settings have changed."""

    op: Name
    property: Name = ""
    value: Any = None
    data: Json = {}


P = TypeVar("P", bound=Part)


def decoded(raw: bytes) -> Json:
    """An object from the wire."""
    try:
        found: object = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        raise OddAnswer("Zulip's answer is no JSON.") from None
    if not isinstance(found, dict):
        raise OddAnswer("Zulip's answer is no object.")
    return cast("Json", found)


def read(part: type[P], body: object) -> P:
    """One part of an answer. A stranger's words in it are never quoted in the error."""
    try:
        return part.model_validate(body)
    except (ValidationError, RecursionError) as error:
        where = _where(error) if isinstance(error, ValidationError) else "its depth"
        raise OddAnswer(f"Zulip's answer has something odd in it ({part.__name__}: {where}).") from None


def _where(error: ValidationError) -> str:
    known = (str(step) for each in error.errors()[:3] for step in each["loc"][:1])
    return ", ".join(sorted({step for step in known if step.isidentifier()}))[:100]


def event_id(event: Json) -> int:
    """By what an event is acknowledged."""
    number = event.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or not -1 <= number <= LARGEST_ID:
        raise OddAnswer("Zulip gives an event without a number.")
    return number
