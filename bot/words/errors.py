"""Everything that can go wrong and that an operator can mend.

TocsinError          what happened, and what to do next
├── SettingsError    the configuration file cannot be used
├── UsageError       a command was typed in a way that it does not take
├── Refused          the one who asks may not do this from where they stand
├── StoreError       the database cannot be used
│   ├── StoreInUse   another bot holds it
│   ├── StoreRefused what is to be written is against its rules; the same again would be, too
│   └── AnsweredApart it takes nothing, and whoever wrote is answered all the same
├── OutOfService     one part can do no more until a person has mended it; the others go on
└── NetworkError     a chat network or a broker did not take something
    └── Unreachable  it is away; the same again later may work
"""

from collections.abc import Iterator
from typing import TypeGuard


class TocsinError(Exception):
    """What happened in one sentence, and what an operator can do next in another."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


class SettingsError(TocsinError):
    """The configuration file cannot be used."""


class UsageError(TocsinError):
    """A command was typed in a way that it does not take."""


class Refused(TocsinError):
    """The one who asks may not do this from where they stand."""


class StoreError(TocsinError):
    """The database cannot be used."""


class StoreInUse(StoreError):
    """Another bot holds the database."""


class AnsweredApart(StoreError):
    """The database does not take what was said. It was answered all the same, and is recorded later."""


class StoreRefused(StoreError):
    """What is to be written is against the rules of the database. The same again would be refused again."""


def is_of_the_disk(error: BaseException | None) -> TypeGuard[StoreError]:
    """Whether the same again may be taken later."""
    return isinstance(error, StoreError) and not isinstance(error, StoreRefused)


class OutOfService(TocsinError):
    """A part that has worked can do no more until a person has mended it. The others go on."""


class NetworkError(TocsinError):
    """A chat network or a broker did not take something, and will not take it later."""


class Unreachable(NetworkError):
    """A chat network or a broker is away; the same again later may work."""

    def __init__(self, what: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, hint=hint)
        self.retry_after = retry_after


def each_of(group: BaseExceptionGroup[TocsinError]) -> Iterator[TocsinError]:
    """The errors in a group, and in the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from each_of(error)
        else:
            yield error
