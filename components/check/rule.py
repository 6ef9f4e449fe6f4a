"""What a rule is and what comes of it. A rule that could not be tried never counts as kept."""

import dataclasses
import enum
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from components.check.trial import Trial


class Try(Protocol):
    """The function that tries a rule."""

    __name__: str

    def __call__(self, trial: "Trial") -> Coroutine[Any, Any, None]:
        """Raise Broken, Untried or Skipped, or nothing where the rule is kept."""
        ...


class Outcome(enum.StrEnum):
    """What came of a rule."""

    KEPT = "kept"
    BROKEN = "broken"
    UNTRIED = "untried"
    """It did not come so far that the rule could be tried. Something before it is broken."""
    SKIPPED = "skipped"
    """The rule is not for this component."""


class Broken(Exception):
    """The component did something else than the contract says."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}, saw {seen}")
        self.expected = expected
        self.seen = seen


class Untried(Exception):
    """What the rule needs could not be brought about."""


class Skipped(Exception):
    """The rule is not for this component, for the reason in the text."""


class CannotJudge(Exception):
    """There is nothing to judge. The text says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One promise of the contract, and the way to see whether it is kept."""

    name: str
    sentence: str
    paragraph: str
    """Of the contract, which says so."""
    chapter: str
    attempt: Try
    survives: bool = False
    """It needs a disk that a restart does not wipe."""
    enrolled_kept: bool = False
    """The enrolment says that there is a latch file already."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one rule."""

    rule: Rule
    outcome: Outcome
    expected: str = ""
    seen: str = ""
    """Where it was not tried or skipped: why."""


class Chapter:
    """Rules that belong together, in the order in which they are shown."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rules: list[Rule] = []

    def rule(self, paragraph: str, *, survives: bool = False, enrolled_kept: bool = False) -> Callable[[Try], Try]:
        """Make the function below a rule: its name is the rule's, and its docstring the promise."""

        def add(attempt: Try) -> Try:
            name, sentence = attempt.__name__.replace("_", "-"), (attempt.__doc__ or "").rstrip(".")
            self.rules.append(Rule(name, sentence, paragraph, self.title, attempt, survives, enrolled_kept))
            return attempt

        return add
