"""The guards of the protocol, and how each is taken out: words of a module of `wire/`, or a bot that forgets.

The words must be there exactly once. Who changes a guarded line changes its mutant too.
"""

from dataclasses import dataclass, field, replace

from tests.simulator.bot import Bot

Words = tuple[tuple[str, str], ...]


class AnswersBeforeTheDisk(Bot):
    """It gives leases before what it knows is on disk."""

    def answer(self, real: float) -> None:
        """Also where the disk did not take it."""
        waiting, self.waiting = self.waiting, []
        for state in waiting:
            self.answer_one(state, real)


class RunsAgainAsNew(Bot):
    """What runs again after a crash gets an id of its own."""

    def again(self, event: str) -> str:
        """Another one each time."""
        return f"{event[:-2]}{len(self.books.incidents):02x}"


class ForgetsWhom(Bot):
    """Which components an incident stops is not on disk, only the incident."""

    def write(self) -> bool:
        """Without the pairs."""
        self.unwritten = [replace(growth, affected=()) for growth in self.unwritten]
        return super().write()


@dataclass(frozen=True, slots=True)
class Mutant:
    """What was taken out, and how."""

    guard: str
    words: dict[str, Words] = field(default_factory=dict[str, Words])
    """By module of `wire/`, what is replaced by what."""
    bot: type[Bot] = Bot


def _latch(guard: str, *words: tuple[str, str]) -> Mutant:
    return Mutant(guard, {"latch": words})


def _issuer(guard: str, *words: tuple[str, str]) -> Mutant:
    return Mutant(guard, {"issuer": words})


MUTANTS = {
    "ttl": _latch("a lease counts from the question", ("self._until, drawn + min(", "self._until, now + min(")),
    "nonce": _latch(
        "an answer belongs to a question of ours",
        ("drawn = self._nonces.get(lease.nonce)\n", "drawn = self._nonces.get(lease.nonce, now)\n"),
    ),
    "latch": _latch(
        "nothing works with an incident open",
        ("return not self._open and now < self._until", "return now < self._until"),
    ),
    "nonces-at-reset": _latch(
        "a reset forgets all questions", ("        if news or cleared:\n            self._nonces.clear()\n", "")
    ),
    "memory-of-resets": _latch(
        "what was reset is remembered",
        ("if stop.incident in self._open or stop.incident in self._reset:", "if stop.incident in self._open:"),
    ),
    "memory-on-disk": _latch(
        "what was reset is remembered on disk",
        ("self._reset = list(kept.reset) if kept else []", "self._reset: list[str] = []"),
    ),
    "stop-on-disk": _latch(
        "a stop is on disk",
        (
            "        self._open[incident] = signed\n        self._keep()\n",
            "        self._open[incident] = signed\n",
        ),
    ),
    "stop-written-later": _latch(
        "a stop that the disk refused is written later", ("        if self._behind:\n            self._keep()\n", "")
    ),
    "damage": _latch("a damaged disk is a stop", ("if kept is None:  # the disk", "if False:  # the disk")),
    "reset-when-stopped": _latch(
        "a reset counts only when the work is down", ("if not incidents or not self.down:", "if not incidents:")
    ),
    "down-anew": _latch(
        "after a new stop the work is not down yet", ("        if not self._open:\n            self.down = False\n", "")
    ),
    "session": _latch(
        "a reset begins a new session",
        ("        self.session = self._draw()\n        self.re = None\n", "        self.re = None\n"),
    ),
    "reset-on-disk": _latch(
        "a reset counts once it is written",
        (
            "            return False\n        self._open, self._reset =",
            "            pass\n        self._open, self._reset =",
        ),
    ),
    "silence": _latch(
        "silence is a stop for who never had a lease only later",
        ("or self._open or not was_let or", "or self._open or"),
    ),
    "roster": _latch(
        "a roster replaces an older one only",
        ("newer = roster.serial > self.roster.serial", "newer = roster.serial != self.roster.serial"),
    ),
    "roster-on-disk": _latch(
        "a roster counts once it is written", ("if not newer or not self._write(", "if not newer or self._write(")
    ),
    "key-on-disk": _latch(
        "a key that was handed over is on disk", ("self.key = since.key or trusted.bot", "self.key = trusted.bot")
    ),
    "command-session": _latch(
        "a command is for a session",
        (
            "if (self.component, self.session) not in ((each.id, each.session) for each in command.targets):",
            "if self.component not in (each.id for each in command.targets):",
        ),
    ),
    "command-expiry": _latch("a command expires", ("if bot_ms >= command.expires_ms or command.", "if command.")),
    "command-id": _latch("a command runs once", ("if command.id in self._commands:", "if False:")),
    "command-memory": _latch(
        "a command that was forgotten has expired for good",
        (
            "        if len(self._commands) >= MOST_COMMANDS:\n            self._forget_commands(bot_ms)\n",
            "        self._forget_commands(bot_ms)\n",
        ),
        (
            "if bot_ms >= command.expires_ms or command.expires_ms <= self._forgotten_ms:",
            "if bot_ms >= command.expires_ms:",
        ),
    ),
    "command-permission": _latch(
        "a command needs permission",
        (
            "        if not self.may_work(now):\n            raise Rejected(",
            "        if False:\n            raise Rejected(",
        ),
    ),
    "old-signs": Mutant(
        "the old key signs a hand-over",
        {
            "chain": (
                (
                    "unsealed = unseal_by_all(envelope, root, KIND, old)",
                    "unsealed = read_unproven(envelope, root, KIND)",
                ),
                (
                    "    unseal_by_all(envelope, root, KIND, old, link.new)\n    if link.old != old:",
                    "    unseal_by_all(envelope, root, KIND, link.new)\n    if link.old != old:",
                ),
                (
                    "import PrivateKey, PublicKey, seal, unseal_by_all",
                    "import PrivateKey, PublicKey, read_unproven, seal, unseal_by_all",
                ),
            )
        },
    ),
    "new-signs": Mutant(
        "the new key signs a hand-over",
        {
            "chain": (
                (
                    "    unseal_by_all(envelope, root, KIND, old, link.new)\n    if link.old != old:",
                    "    if link.old != old:",
                ),
            )
        },
    ),
    "old-is-mine": Mutant(
        "a hand-over is from the key that is there",
        {
            "chain": (("    if link.old != old:", "    if False:"),),
            "latch": (("if hand_over.old != self.key or not", "if not"),),
        },
    ),
    "adoption": _issuer(
        "an incident that the bot does not know is adopted",
        (
            "                growth += self._put(Incident(incident, Target(id=component)))\n",
            "                continue\n",
        ),
    ),
    "proof": _issuer(
        "a signed stop is adopted with its whole target",
        ("return stop if stop is not None and stop.incident == latched.incident else None", "return None"),
    ),
    "widening": _issuer(
        "an order widens an incident that was named before",
        (
            "is_news = known is None or (known.stop is None and incident.stop is not None)",
            "is_news = known is None",
        ),
    ),
    "echo": _issuer(
        "shown as stopped is who answers what we told it just now",
        (
            "            and incident in heard.names\n            and now - heard.re_issued <= self.ttl_s\n",
            "            and incident in heard.names\n",
        ),
    ),
    "echo-resumed": _issuer(
        "shown as back is who answers what we told it just now",
        (
            "            and heard.shown is not Shown.LOST\n            and now - heard.re_issued <= self.ttl_s\n",
            "            and heard.shown is not Shown.LOST\n",
        ),
    ),
    "echo-names": _issuer(
        "shown as stopped is who names the incident",
        ("            and incident in heard.names\n            and now -", "            and now -"),
    ),
    "affected-named": _issuer(
        "who names an incident is affected by it",
        ("            elif self._affect(incident, component):\n", "            elif False:\n"),
    ),
    "affected-groups": _issuer(
        "who says that it is in a group is affected",
        ("            self._met.discard(state.id)\n", ""),
        ("self._groups[state.id] = groups\n", "pass\n"),
    ),
    "affected-new": _issuer(
        "who is new in a group is affected by what is open",
        ("        if state.id not in self._met:  #", "        if False:  #"),
    ),
    "affected-on-disk": Mutant("whom an incident stops is on disk", bot=ForgetsWhom),
    "joined-again": _issuer(
        "an order that came before joins what it made",
        (
            "            if known.stop is not None and known.target == target:\n                return known\n",
            "",
        ),
    ),
    "joins-the-closed": _issuer(
        "an order joins nothing that somebody is let off",
        (
            "return next((each for each in same if each.id not in self._cleared), incident)",
            "return next(same, incident)",
        ),
    ),
    "clears-unsigned": _issuer(
        "what is known without its stop is reset for those whom it is known to stop",
        ("if components is None and known.stop is not None:", "if components is None:"),
    ),
    "cleared-only": _issuer(
        "a lease lets off only who was let off",
        (
            "for each in state.incidents if self.is_cleared(each.incident, state.id))",
            "for each in state.incidents if each.incident in self._cleared)",
        ),
    ),
    "replay": _issuer(
        "a statement counts once",
        (
            "        if state.nonce in nonces:\n            raise Replayed",
            "        if False:\n            raise Replayed",
        ),
    ),
    "disk-before-lease": Mutant("what is known is on disk before a lease", bot=AnswersBeforeTheDisk),
    "same-id-again": Mutant("what runs again after a crash has the same id", bot=RunsAgainAsNew),
}

UNNOTICED = {
    # A late lease lets nobody work: its time counts from the question, too. What it stops is stopped, and what it
    # clears two persons have cleared, for good.
    "late-answer": _latch(
        "an answer to a question older than its life is ignored",
        ("if drawn is None or now - drawn > self.ttl_s:", "if drawn is None:"),
    ),
    # With an incident open nothing works, whatever `until` says. The lease that clears the last one was given later,
    # after the reset, so this one lets nothing work longer than a lease lives after that.
    "lease-stops": _latch(
        "a lease that stops is no permission",
        ("        if not lease.stops:\n            self._until", "        if True:\n            self._until"),
    ),
    # A lease that was given before this one can clear only what two persons had cleared by then, for good.
    "nonces-at-stop": _latch(
        "a lease that stops forgets all questions",
        ("if news or cleared:\n            self._nonces", "if cleared:\n            self._nonces"),
    ),
    # Nobody who has not the new key can answer them.
    "nonces-at-key": _latch(
        "a new key forgets all questions",
        ("self.key = hand_over.new\n        self._nonces.clear()\n", "self.key = hand_over.new\n"),
    ),
}
"""Guards that no history misses, and why: other guards cover them. They stay, each with its test of its own."""
