"""What an examination of an installation says: line by line, and with every line that is not good what to do.

It never says more than is known: what cannot be found out is a hint, or is said to be unknown.
"""

import dataclasses
import enum
from collections.abc import AsyncIterator

from bot.words.errors import TocsinError

LOOK_IN_THE_LOGS = "Try again. If it stays: look into the log of the bot, and of what it talks to."


class State(enum.StrEnum):
    """How it is."""

    GOOD = "good"
    HINT = "hint"
    """It may be right, and nobody can tell from here."""
    WARN = "warn"
    """It works, and will not for ever, or not for everybody."""
    BAD = "bad"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    state: State
    about: str
    """What was looked at, in a word or two."""
    what: str
    """What was found, in a short sentence."""
    do: str = ""
    """What to do now. Empty where it is good, and only there."""

    def __post_init__(self) -> None:
        if (self.state is State.GOOD) is bool(self.do):
            raise ValueError(f"what to do about {self.about} is said where it is not good, and only there")


Findings = AsyncIterator[Finding]
"""Each comes as soon as it is found."""


def good(about: str, what: str) -> Finding:
    """It is as it should be."""
    return Finding(State.GOOD, about, what)


def hint(about: str, what: str, do: str) -> Finding:
    """Nobody can tell from here."""
    return Finding(State.HINT, about, what, do)


def warn(about: str, what: str, do: str) -> Finding:
    """It works for now."""
    return Finding(State.WARN, about, what, do)


def bad(about: str, what: str, do: str) -> Finding:
    """It does not work, or nobody may rely on it."""
    return Finding(State.BAD, about, what, do)


async def surely(about: str, looking: Findings) -> Findings:
    """What looking finds. Where it cannot go on, that is what was found, and others look on."""
    try:
        async for finding in looking:
            yield finding
    except TocsinError as error:
        yield bad(about, error.what, error.hint or LOOK_IN_THE_LOGS)
    except OSError as error:
        named = error.filename or "What is looked at"
        yield bad(about, f"{named} cannot be used: {error.strerror or error}.", "Ask as the user that the bot runs as.")
    except Exception as error:  # noqa: BLE001 - whatever it is, what comes after it is looked at all the same
        what = f"This could not be looked at: {type(error).__name__}."
        yield bad(about, what, "That is a mistake in Tocsin, or in a plug-in. Report it, and look at the rest.")
