"""The public names that a plug-in may import. All else may change without a word."""

from bot.bridge import Bridge, Health, Inlet, Office, Plugin, Unreadable
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Command, Hit, Stakes, command
from bot.desk.kinds import Between, ComponentName, Longest, PersonName
from bot.paths import ConfiguredPath
from bot.store import Store, Tx
from bot.words.document import (
    Code,
    Document,
    Items,
    Picture,
    Progress,
    Span,
    Style,
    Table,
    Text,
    Tone,
    code,
    document,
    mono,
    picture,
    progress,
    strong,
    table,
    text,
)
from bot.words.errors import NetworkError, Refused, SettingsError, StoreError, TocsinError, Unreachable, UsageError
from bot.words.html import to_html
from bot.words.message import Change, Lane, Message, Place, Post, Standing
from bot.words.pages import Bound, split
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from bot.words.zulip import to_zulip

__all__ = [
    "Account",
    "Action",
    "Between",
    "Bound",
    "Bridge",
    "Call",
    "Change",
    "Code",
    "Command",
    "ComponentName",
    "ConfiguredPath",
    "Document",
    "Health",
    "Hit",
    "Inlet",
    "Items",
    "Lane",
    "Longest",
    "Message",
    "NetworkError",
    "Office",
    "People",
    "Person",
    "PersonName",
    "Picture",
    "Place",
    "Plugin",
    "Post",
    "Progress",
    "Refused",
    "Role",
    "SettingsError",
    "Span",
    "Stakes",
    "Standing",
    "Store",
    "StoreError",
    "Style",
    "Table",
    "Text",
    "TocsinError",
    "Tone",
    "Tx",
    "Unreachable",
    "Unreadable",
    "UsageError",
    "code",
    "command",
    "document",
    "mono",
    "picture",
    "progress",
    "split",
    "strong",
    "table",
    "text",
    "to_html",
    "to_plain",
    "to_zulip",
]
