"""What a Zulip server may answer instead of what was asked for.

Unreachable          it is away; nothing was taken
└── OutcomeUnknown   what was asked may have been taken: look before asking again
    ├── OddAnswer    it said something that nobody can read
    ├── TookLong     nobody waits for it any more, and it may be at it still
    └── TooMuch      the answer is larger, or takes longer, than is waited for: ask for less
NetworkError
└── Declined         it refuses, and says why
OutOfService
└── KeyRefused       it does not take the bot's key: only a person can mend that
"""

from bot.words.errors import NetworkError, OutOfService, Unreachable


class OutcomeUnknown(Unreachable):
    """The connection broke after the request went out. The server may have taken it."""


class OddAnswer(OutcomeUnknown):
    """The answer is none that a Zulip server gives."""


class TookLong(OutcomeUnknown):
    """No answer came in time. The server may take what was asked long after."""


class TooMuch(OutcomeUnknown):
    """The answer does not come whole. The same again would be as much again."""


class Declined(NetworkError):
    """The server understood and refuses."""

    def __init__(self, what: str, *, status: int, code: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.code = code


class KeyRefused(OutOfService):
    """The key is wrong or was replaced, or the bot's account was deactivated."""
