"""Tries the rules, several at once, each on a component of its own. What hangs is ended, and counts as untried."""

import asyncio
from collections.abc import Callable, Sequence

from components.check.rule import Broken, CannotJudge, Outcome, Rule, Skipped, Untried, Verdict
from components.check.rules import births, commands, faults, leases, resets, stops, trust
from components.check.trial import START_S, Place, Trial

CHAPTERS = (
    births.CHAPTER,
    leases.CHAPTER,
    stops.CHAPTER,
    resets.CHAPTER,
    trust.CHAPTER,
    commands.CHAPTER,
    faults.CHAPTER,
)
RULES = tuple(rule for chapter in CHAPTERS for rule in chapter.rules)
LONGEST_S = 90.0


class Told:
    """What is known so far, for whoever watches."""

    def __init__(self, on_verdict: Callable[[Verdict], None], on_change: Callable[[], None] = lambda: None) -> None:
        self.running: dict[str, None] = {}
        self.done = 0
        self._on_verdict = on_verdict
        self._on_change = on_change

    def begins(self, rule: Rule) -> None:
        """A rule is being tried."""
        self.running[rule.sentence] = None
        self._on_change()

    def ends(self, rule: Rule) -> None:
        """It is over."""
        del self.running[rule.sentence]
        self.done += 1
        self._on_change()

    def verdict(self, verdict: Verdict) -> None:
        """Verdicts come in the order of the rules."""
        self._on_verdict(verdict)


async def judge(place: Place, rules: Sequence[Rule], at_once: int, told: Told) -> list[Verdict]:
    """Try these rules. Raises CannotJudge where the component does not start or says nothing at all."""
    await _look(place)
    slots = asyncio.Semaphore(at_once)
    verdicts: list[Verdict] = []

    async def one(rule: Rule) -> Verdict:
        async with slots:
            told.begins(rule)
            try:
                return await verdict_on(place, rule)
            finally:
                told.ends(rule)

    try:
        async with asyncio.TaskGroup() as tasks:
            for each in [tasks.create_task(one(rule)) for rule in rules]:
                verdicts.append(await each)
                told.verdict(verdicts[-1])
    except* CannotJudge as group:
        raise CannotJudge(str(group.exceptions[0])) from None
    return verdicts


async def verdict_on(place: Place, rule: Rule) -> Verdict:
    """Try one rule on a new component."""
    if rule.survives and place.wipes:
        return Verdict(rule, Outcome.SKIPPED, seen="its disk does not survive a restart (--latch-wipes)")
    trial = Trial(place, rule.name, enrolled_kept=rule.enrolled_kept)
    verdict = Verdict(rule, Outcome.UNTRIED, seen="it was not tried")
    impossible: CannotJudge | None = None
    async with trial.open():
        try:
            async with asyncio.timeout(LONGEST_S):
                await rule.attempt(trial)
        except Broken as broken:
            verdict = Verdict(rule, Outcome.BROKEN, broken.expected, broken.seen)
        except Skipped as reason:
            verdict = Verdict(rule, Outcome.SKIPPED, seen=str(reason))
        except Untried as reason:
            verdict = Verdict(rule, Outcome.UNTRIED, seen=str(reason))
        except TimeoutError:
            verdict = Verdict(rule, Outcome.UNTRIED, seen=f"it took more than {LONGEST_S:g} s")
        except CannotJudge as reason:
            impossible = reason
        else:
            verdict = Verdict(rule, Outcome.KEPT)
    if impossible is not None:
        raise impossible
    return verdict


async def _look(place: Place) -> None:
    """Whether there is anything to judge: a program that runs and says something on the broker."""
    trial = Trial(place, "first-look", enrolled_kept=False)
    problem = ""
    try:
        async with trial.open():
            try:
                await trial.program.start()
                deadline = asyncio.get_running_loop().time() + START_S
                while not trial.heard.said and not trial.heard.foul:
                    trial.heard.changed.clear()
                    if not await trial.more(deadline):
                        problem = f"The component runs, but has published nothing on {trial.root} within {START_S:g} s."
                        problem += " Does it read the root and the broker from its enrolment?"
                        break
            except Broken as broken:
                problem = f"The component does not start: {broken.seen}."
            except CannotJudge as reason:
                problem = str(reason)
    except* TimeoutError:
        problem = f"The broker at {place.broker} does not answer or does not let the judge in."
        problem += " Start it, or name another with --broker or --enrolment."
    if problem:
        raise CannotJudge(problem)
