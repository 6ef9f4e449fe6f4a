"""The public names that a plug-in may import. All else may change without a word."""

from bot.bridge import Bridge, Inlet, Office, Plugin
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Command, command
from bot.store import Store
from bot.words.document import Document, Items, Span, Style, Table, Text, Tone, document, mono, strong, table, text
from bot.words.errors import (
    NetworkError,
    Refused,
    SettingsError,
    StoreError,
    TocsinError,
    Unreachable,
    UsageError,
)
from bot.words.html import to_html
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain

__all__ = [
    "Account",
    "Action",
    "Bridge",
    "Call",
    "Command",
    "Document",
    "Inlet",
    "Items",
    "Lane",
    "Message",
    "NetworkError",
    "Office",
    "People",
    "Person",
    "Place",
    "Plugin",
    "Post",
    "Refused",
    "Role",
    "SettingsError",
    "Span",
    "Standing",
    "Store",
    "StoreError",
    "Style",
    "Table",
    "Text",
    "TocsinError",
    "Tone",
    "Unreachable",
    "UsageError",
    "command",
    "document",
    "mono",
    "strong",
    "table",
    "text",
    "to_html",
    "to_plain",
]
