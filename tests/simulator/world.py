"""The world of a history: the bot, three components, a network that does what it likes, and true time.

It lets the real code meet what a history says, and shows the judge what came of it. It judges nothing itself.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulator.bot import Books, Bot, Links
from tests.simulator.component import Clock, Component
from tests.simulator.judge import Judge
from tests.simulator.keys import BOT, NAMES, THE_BOT, Signed, reader
from tests.simulator.truth import Asked
from wire.birth import OnSilence
from wire.chain import read_hand_over
from wire.envelope import PublicKey
from wire.errors import Rejected
from wire.issuer import Issuer
from wire.latch import Kept, Latch
from wire.messages import HandOver, Lease, Open, Roster, Shown, State, Stop
from wire.work import Command

GROUPS = {"a": frozenset({"red"}), "b": frozenset({"red", "blue"}), "c": frozenset[str]()}


@dataclass(frozen=True, slots=True)
class Parts:
    """The code that is tried: as it is, or with a guard taken out."""

    latch: type[Latch] = Latch
    issuer: type[Issuer] = Issuer
    bot: type[Bot] = Bot
    read: Callable[[bytes, PublicKey], HandOver | None] = field(default_factory=lambda: reader(read_hand_over))


@dataclass(frozen=True, slots=True)
class Setup:
    """What is true of a history from its beginning."""

    rates: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """How fast the clocks run: the bot's, then those of a, b and c."""
    latching: frozenset[str] = frozenset()
    """For whom silence is a stop."""
    keeping: frozenset[str] = frozenset()
    """Whose missing disk counts as damaged."""
    unlisted: frozenset[str] = frozenset()
    """Who is not in the bot's configuration yet."""
    unsaid: frozenset[str] = frozenset()
    """Whose groups the configuration does not name: they say them themselves."""


class World:
    """One history's world, as it is now."""

    def __init__(self, parts: Parts, setup: Setup, story: list[str] | None = None) -> None:
        self.parts = parts
        self.setup = setup
        self.story = story
        self.real = 1000.0
        self._drawn = itertools.count(1)
        self.wire: list[Signed] = []
        """On its way."""
        self.record: list[Signed] = []
        """All that was ever on the wire, for who replays it."""
        self.orders: dict[bytes, Signed] = {}
        """By the bytes that stand for them, all stops that somebody has signed."""
        self.stolen: set[PublicKey] = set()
        """Keys of the bot that a thief has."""
        self.judge = Judge(self)
        self.books = Books()
        self.links = Links(self.send, self.sign, self.orders.get, self.judge.lease_was_given)
        self.enrolled = {
            name: frozenset[str]() if name in setup.unsaid else groups
            for name, groups in GROUPS.items()
            if name not in setup.unlisted
        }
        self.components = {
            name: Component(
                name,
                GROUPS[name],
                BOT[0].public,
                clock=Clock(setup.rates[place], 100.0 * place),
                on_silence=OnSilence.LATCH if name in setup.latching else OnSilence.HOLD,
                keeps=name in setup.keeping,
                make=parts.latch,
                random=self.draw,
            )
            for place, name in enumerate(GROUPS, 1)
        }
        self.all = tuple(self.components.values())
        self.bot = self.start_bot()

    def draw(self, size: int) -> bytes:
        """Bytes that were never drawn before, and are the same in each run of a history."""
        return next(self._drawn).to_bytes(size, "big")

    def note(self, *words: object) -> None:
        """For who reads the history."""
        if self.story is not None:
            self.story.append("      " + " ".join(map(shorter, map(str, words))))

    def now(self, component: Component) -> float:
        """What its clock shows."""
        return component.clock.at(self.real)

    def send(self, message: Signed) -> None:
        """Onto the network."""
        self.wire.append(message)
        self.record.append(message)

    def sign(self, stop: Stop, signer: PublicKey) -> bytes:
        """A stop as it travels. Here some bytes stand for it."""
        envelope = b"stop %d" % next(self._drawn)
        self.orders[envelope] = Signed(stop, signer, THE_BOT, envelope)
        return envelope

    def start_bot(self) -> Bot:
        """A process that knows what was written down, and nothing else."""
        rate = self.setup.rates[0]
        bot = self.parts.bot(
            self.books,
            self.enrolled,
            self.links,
            clock=Clock(rate, 0.0),
            began=self.real,
            make=self.parts.issuer,
            random=self.draw,
        )
        self.judge.the_bot_began(bot)
        return bot

    def ask(self, component: Component) -> Signed:
        """It draws a nonce and asks."""
        latch = component.latch
        state = latch.ask(self.now(component))
        self.judge.component_asked(component, state)
        message = Signed(state, self.judge.own_key(component.name), THE_BOT)
        self.send(message)
        self.note(component.name, "asks", state.nonce, "and is", state.shown, *(each.incident for each in latch.open))
        return message

    def lose(self, component: Component) -> Signed:
        """Its connection breaks, and the broker says so in its name."""
        state = component.latch.last_words()
        self.judge.asked[state.nonce] = Asked(component.name, 0, component.lives, self.real, state)
        message = Signed(state, self.judge.own_key(component.name), THE_BOT)
        self.send(message)
        self.note(component.name, "is lost")
        return message

    @staticmethod
    def come_down(component: Component) -> None:
        """Its work is down, where it is stopped."""
        if component.latch.open:
            component.latch.down = True
            component.moves = False

    def deliver(self, message: Signed) -> None:
        """Bring a message to whom it is for."""
        if message.to == THE_BOT:
            self.to_bot(message)
        else:
            component = self.components[message.to]
            if component.frozen is None:
                self.to_component(component, message, self.now(component))

    def to_bot(self, message: Signed) -> None:
        """A statement, or a stop that is on the wire."""
        if isinstance(message.what, Stop):
            self.bot.overhear(message)
            self.judge.the_bot_overheard(message)
        elif isinstance(message.what, State):
            fresh = self.bot.hear(message.what)
            self.note("the bot hears", message.what.id, message.what.nonce, "" if fresh else "in vain")
            if fresh:
                self.judge.the_bot_heard(message.what)

    def to_component(self, component: Component, message: Signed, now: float) -> None:
        """As the kit takes it: who signed it comes first."""
        latch, what = component.latch, message.what
        if isinstance(what, Stop):
            if component.trusts(message.signer):
                self.judge.stop_comes(component, what)
                latch.stop(what, message.envelope)
                self.judge.stop_came(component, what)
        elif isinstance(what, bytes):
            self._hand_over(component, what)
        elif message.signer != latch.key:
            self.note(component.name, "refuses what", NAMES[message.signer], "has signed")
        elif isinstance(what, Lease):
            self._lease(component, message, what, now)
        elif isinstance(what, Command):
            self._command(component, message, what, now)
        elif isinstance(what, Roster):
            serial = latch.roster.serial
            if latch.take_roster(what):
                self.note(component.name, "takes the roster", what.serial)
                self.judge.roster_was_taken(component, serial, what.serial)

    def _lease(self, component: Component, message: Signed, lease: Lease, now: float) -> None:
        latch = component.latch
        before = (component.names(), latch.down, latch.session)
        if latch.lease(lease, now) or latch.re == lease.n:
            self.note(component.name, "takes the lease", lease.n, "stops", *lease.stops, "clears", *lease.cleared)
            self.judge.lease_was_taken(component, message, lease, *before)

    def _command(self, component: Component, message: Signed, command: Command, now: float) -> None:
        try:
            component.latch.take(command, now)
        except Rejected as error:
            self.note(component.name, "rejects", command.id, "because", error)
        else:
            component.robbed |= message.forged
            self.note(component.name, "runs", command.id)
            self.judge.command_was_taken(component, command, now)

    def _hand_over(self, component: Component, envelope: bytes) -> None:
        before = component.latch.key
        link = self.parts.read(envelope, before)
        if link is not None and component.latch.hand_over(link):
            self.note(component.name, "takes", NAMES.get(link.new), "after", NAMES.get(before))
            self.judge.key_was_taken(component, before, link)

    def reboot(self, component: Component) -> None:
        """A process that knows what is on its disk, which is whole as far as it took what was written."""
        whole = not component.floppy.missed
        before = component.latch
        component.boot()
        self.judge.component_began(component, whole=whole)
        self.judge.component_kept(component, before)

    def reboot_with(self, component: Component, kept: Kept | None) -> None:
        """A process that finds something else on its disk than was written there."""
        component.floppy.kept = kept
        component.taken &= set(kept.reset) if kept else set()
        component.boot()
        self.judge.component_began(component, damaged=kept is None)

    def say(self, component: Component, shown: Shown, incidents: tuple[Open, ...], re: str | None) -> Signed:
        """What somebody says who has stolen its key."""
        latch, groups = component.latch, tuple(sorted(component.groups))
        nonce = self.draw(16).hex()
        state = State(
            component.name, latch.session, nonce, re, shown, incidents, groups, self.bot.key.id, latch.roster.serial
        )
        self.judge.forged.add(component.name)
        self.judge.asked[nonce] = Asked(component.name, 0, component.lives, self.real, state)
        message = Signed(state, self.judge.own_key(component.name), THE_BOT)
        self.send(message)
        return message


def shorter(word: str) -> str:
    """Ids without the zeros that lead them."""
    if len(word) >= 32 and word.replace("own-", "").isalnum():
        return "own-" * word.startswith("own-") + "#" + (word.removeprefix("own-").lstrip("0")[:8] or "0")
    return word
