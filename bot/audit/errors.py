"""What can be wrong with evidence. Whoever gets one of these must not believe what it came from.

AuditError       a piece of evidence is not what it says
├── BadTree      the edge of a tree does not fit its size
├── BadProof     a proof does not show what it should
├── BadTile      a tile, its path or a bundle of entries is malformed, or is not there to be asked for
├── BadKey       a text is not a verifier key, or not of a kind that this version knows
└── BadNote      a note or a checkpoint is malformed, or a signature of a known key is false
    └── Unsigned no known key has signed it
"""

from bot.words.errors import TocsinError


class AuditError(TocsinError):
    """A piece of evidence is not what it says."""


class BadTree(AuditError):
    """The edge of a tree does not fit its size."""


class BadProof(AuditError):
    """A proof does not show what it should."""


class BadTile(AuditError):
    """A tile, its path or a bundle of entries is malformed, or is not there to be asked for."""


class BadKey(AuditError):
    """A text is not a verifier key, or not of a kind that this version knows."""


class BadNote(AuditError):
    """A note or a checkpoint is malformed, or a signature of a known key is false."""


class Unsigned(BadNote):
    """No known key has signed the note."""
