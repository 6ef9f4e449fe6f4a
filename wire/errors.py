"""What can go wrong between the bot and a component.

WireError
├── BadMessage         it is not what the contract says
│   └── BadSignature   it may be, but nobody who may say so signed it
├── NotSent            it did not reach the broker
└── Rejected           a component does not carry out a command
"""


class WireError(Exception):
    """Something went wrong between the bot and a component."""


class BadMessage(WireError):
    """A message is not what the contract says."""


class BadSignature(BadMessage):
    """Nobody who may say so signed it."""


class NotSent(WireError):
    """It did not reach the broker. Nothing of it is kept: the sender decides whether it still matters."""


class Rejected(WireError):
    """A component does not carry out a command, for the reason in the text."""
