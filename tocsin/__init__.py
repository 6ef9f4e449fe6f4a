"""The public names that a plug-in may import. All else may change without a word."""

from bot.bridge import Bridge, Inlet, Office, Plugin
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.words.document import Document, Span, Table, Text, Tone, document, mono, strong, table, text
from bot.words.errors import NetworkError, Refused, TocsinError, Unreachable, UsageError
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, Person, Role

__all__ = [
    "Account",
    "Action",
    "Bridge",
    "Call",
    "Document",
    "Inlet",
    "Lane",
    "Message",
    "NetworkError",
    "Office",
    "Person",
    "Place",
    "Plugin",
    "Post",
    "Refused",
    "Role",
    "Span",
    "Standing",
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
]
