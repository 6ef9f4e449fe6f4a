"""The verdicts on a terminal, or as JSON. What a component said is shown harmless: it must not command the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import orjson
from rich.console import Console
from rich.text import Text

from components.check.judge import RULES, Told
from components.check.rule import Outcome, Verdict

GOOD, BAD, WARN, QUIET = "#218c42", "#dd3b42", "#b56a00", "#747d87"
SIGNS = {
    Outcome.KEPT: ("✓", GOOD),
    Outcome.BROKEN: ("✗", BAD),
    Outcome.UNTRIED: ("?", WARN),
    Outcome.SKIPPED: ("–", QUIET),
}
LONGEST = 300
DETAIL = 16
"""Where the text of a detail begins."""
SIGN = 4
"""Where the sentence of a rule begins."""
NARROWEST = 20
SPINNER = 4


class Screen:
    """Shows each verdict when it is known, below the heading of its chapter, and what is being tried."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._chapter = ""
        self._status = console.status("", spinner="dots")
        self.told = Told(self._verdict, self._change)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
            self._status.update(Text("Starting the component …", QUIET))
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def _change(self) -> None:
        line = Text(f"{self.told.done} of {self._total}  {next(reversed(self.told.running), '')}", QUIET)
        line.truncate(max(NARROWEST, self._console.width - SPINNER), overflow="ellipsis")
        self._status.update(line)

    def _verdict(self, verdict: Verdict) -> None:
        rule = verdict.rule
        if rule.chapter != self._chapter:
            self._chapter = rule.chapter
            self._console.print(Text(f"\n{rule.chapter}", "bold"))
        sign, colour = SIGNS[verdict.outcome]
        quiet = verdict.outcome is Outcome.SKIPPED
        line = Text.assemble((f"  {sign} ", f"bold {colour}"), (rule.sentence, QUIET if quiet else ""))
        if verdict.outcome is Outcome.SKIPPED:
            line.append(f": {harmless(verdict.seen)}", QUIET)
        self._print(line, SIGN)
        if verdict.outcome is Outcome.BROKEN:
            for label, text in (
                ("expected", verdict.expected),
                ("seen", verdict.seen),
                ("contract", f"{rule.paragraph} (--only {rule.name} tries it again)"),
            ):
                self._detail(label, text)
        elif verdict.outcome is Outcome.UNTRIED:
            self._detail("not tried", verdict.seen)

    def _detail(self, label: str, text: str) -> None:
        line = Text.assemble(f"      {label:<10}", harmless(text))
        line.stylize(QUIET, 0, DETAIL)
        self._print(line, DETAIL)

    def _print(self, line: Text, indent: int) -> None:
        """On as many lines as it needs; the later ones begin below the first word. What reads lines gets one line."""
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
            return
        head, rest = line[:indent], line[indent:]
        for i, piece in enumerate(rest.wrap(self._console, max(NARROWEST, self._console.width - indent))):
            self._console.print(Text.assemble(head if i == 0 else " " * indent, piece), no_wrap=True)


def summary(verdicts: Sequence[Verdict], seconds: float, rules: int = len(RULES)) -> Text:
    """How many of each, in one line. Where not all rules were tried, nobody can say that the contract is kept."""
    counts = Counter(each.outcome for each in verdicts)
    words = {
        Outcome.KEPT: "kept",
        Outcome.BROKEN: "broken",
        Outcome.UNTRIED: "could not be tried",
        Outcome.SKIPPED: "not for this component",
    }
    good = passed(verdicts)
    line = Text("\n")
    if counts[Outcome.SKIPPED] == len(verdicts):
        line.append("Nothing was tried. ", f"bold {WARN}")
    else:
        keeps = "It keeps the contract." if len(verdicts) == rules else f"It keeps what was tried of {rules} rules."
        line.append(f"{keeps if good else 'It does not keep the contract.'} ", f"bold {GOOD if good else BAD}")
    told = [f"{counts[each]} {word}" for each, word in words.items() if counts[each] or each is Outcome.KEPT]
    line.append(f"{', '.join(told)}; {seconds:.0f} s.")
    return line


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether nothing is missing. What could not be tried is missing."""
    tried = [each for each in verdicts if each.outcome is not Outcome.SKIPPED]
    return bool(tried) and all(each.outcome is Outcome.KEPT for each in tried)


def to_json(verdicts: Sequence[Verdict], seconds: float) -> str:
    """All verdicts, for a program."""
    counts = Counter(each.outcome for each in verdicts)
    return orjson.dumps(
        {
            "passed": passed(verdicts),
            "seconds": round(seconds, 1),
            **{str(each): counts[each] for each in Outcome},
            "rules": [
                {
                    "name": each.rule.name,
                    "chapter": each.rule.chapter,
                    "rule": each.rule.sentence,
                    "contract": each.rule.paragraph,
                    "outcome": each.outcome,
                    "expected": each.expected,
                    "seen": each.seen,
                }
                for each in verdicts
            ],
        },
        option=orjson.OPT_INDENT_2,
    ).decode()


def harmless(text: str) -> str:
    """On one line, bounded, and without anything that a terminal obeys or nobody sees."""
    line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
