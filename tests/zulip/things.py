"""What the stand-in keeps: people, channels, groups, messages, custom emoji and uploads."""

from typing import Any, TypeGuard

from pydantic import BaseModel

OWNER, ADMIN, MODERATOR, MEMBER, GUEST = 100, 200, 300, 400, 600

Json = dict[str, Any]


def is_object(value: object) -> TypeGuard[Json]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


class User(BaseModel):
    id: int
    email: str
    full_name: str
    key: str
    role: int = MEMBER
    is_bot: bool = False
    owner_id: int | None = None
    is_active: bool = True
    of_the_server: bool = False
    joined: float = 0.0

    @property
    def is_admin(self) -> bool:
        return self.role <= ADMIN


class Channel(BaseModel):
    id: int
    name: str
    description: str = ""
    rendered_description: str = ""
    private: bool = False
    creator_id: int | None = None
    created: float = 0.0
    members: list[int] = []
    archived: bool = False
    post_policy: int = 1
    first_message_id: int | None = None

    @property
    def kind(self) -> str:
        return "Private, protected history" if self.private else "Public"


class Group(BaseModel):
    id: int
    name: str
    description: str = ""
    members: list[int] = []
    of_the_server: bool = False


class Reaction(BaseModel):
    user_id: int
    name: str
    code: str
    kind: str


class Change(BaseModel):
    """One entry of a message's history: what it was before."""

    user_id: int
    at: float
    content: str | None = None
    rendered: str | None = None
    topic: str | None = None
    channel_id: int | None = None


class Message(BaseModel):
    """`rows` are the people who were given the message, with their flags: only they hear of its edits and reactions."""

    id: int
    sender_id: int
    content: str
    rendered: str
    sent: float
    client: str
    channel_id: int | None = None
    topic: str = ""
    people: list[int] = []
    reactions: list[Reaction] = []
    changes: list[Change] = []
    rows: dict[int, list[str]] = {}
    last_edit: float | None = None
    submessages: list[Json] = []
    resolves: bool = False

    @property
    def is_direct(self) -> bool:
        return self.channel_id is None


class Emoji(BaseModel):
    id: int
    name: str
    author_id: int
    deactivated: bool = False


class Upload(BaseModel):
    id: int
    path: str
    name: str
    owner_id: int
    content_type: str
    data: bytes
    made: float
    deleted: bool = False

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}


class Settings(BaseModel):
    """The realm's limits that a bridge meets, in the order in which changes are told; None is "unlimited"."""

    edit_topic_policy: int = 5
    move_messages_between_streams_policy: int = 1
    delete_own_message_policy: int = 5
    allow_message_editing: bool = True
    message_content_edit_limit_seconds: int | None = 600
    message_content_delete_limit_seconds: int | None = 600
    move_messages_within_stream_limit_seconds: int | None = 604800
    move_messages_between_streams_limit_seconds: int | None = 604800
