"""The component's half of the stop machine, as pure code: no clock, no network, no disk of its own.

It is an echo lease. A component asks with a nonce; the bot's signed answer is the permission to work for a while.
A stop is latched by the component and survives everything but a reset. Whoever changes a line here can let a machine
run that somebody has stopped. The bot's half is `wire/issuer.py`; they are tested as one machine.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping

from wire.birth import OnSilence
from wire.envelope import PublicKey
from wire.errors import Rejected
from wire.messages import LARGEST_STOP, Drill, HandOver, Lease, Open, Roster, Shown, State, Stop
from wire.work import Command

TTL_S = 10.0
MOST_NONCES = 4
MOST_RESET = 256
MOST_SIGNED = 16 * 1024
"""Bytes of signed stops in one statement; with more the bot would not take it, and could not reset it."""
MOST_TOLD = 256
"""Incidents in one statement, the oldest. The others come up as these are reset: a stolen stop key must not make it
too long to be read, for then no reset could reach the component."""
MOST_COMMANDS = 1024
"""Commands of one session, each known by its id so that none is run twice. With more, those that expired go."""

Random = Callable[[int], bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What a component's latch keeps on its disk."""

    open: tuple[Open, ...] = ()
    reset: tuple[str, ...] = ()
    enrolled: str = ""
    """The id of the bot's key that the component was enrolled with. What follows holds under that key only."""
    key: PublicKey | None = None
    """The bot's key, where it was handed over since."""
    roster: Roster | None = None
    """Whose stops count, where that was said since."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trusted:
    """Whom the component was enrolled to believe."""

    bot: PublicKey
    stop_keys: tuple[str, ...] = ()


class Latch:
    """The component's half: whether it may work."""

    def __init__(
        self,
        component: str,
        groups: Iterable[str],
        kept: Kept | None,
        *,
        trusted: Trusted,
        write: Callable[[Kept], bool],
        random: Random,
        on_silence: OnSilence = OnSilence.HOLD,
        ttl_s: float = TTL_S,
    ) -> None:
        self.component = component
        self.groups = tuple(groups)
        self.on_silence = on_silence
        self.busy = False
        self.down = False
        """The work is down. The owner sets it when an incident is open and nothing moves any more."""
        self.re: str | None = None
        self.ttl_s = ttl_s
        self._write = write
        self._random = random
        self.session = self._draw()
        self._nonces: dict[str, float] = {}
        self._until = float("-inf")
        self._heard: tuple[int, float] | None = None
        """The bot's clock in the last lease of this session, and when its question was asked."""
        self._commands: dict[str, int] = {}
        """When those that were seen in this session expire."""
        self._forgotten_ms = 0
        """What expires by then may have been seen."""
        self._behind = False
        """The disk does not hold all that is open."""
        self._drill: str | None = None
        self._open = {each.incident: each.stop for each in kept.open} if kept else {}
        self._reset = list(kept.reset) if kept else []
        self._enrolled = trusted.bot.id
        since = kept if kept and kept.enrolled == self._enrolled else Kept()
        self.key = since.key or trusted.bot
        """The key that counts as the bot's."""
        enrolled_with = Roster(0, trusted.stop_keys)  # it may have been enrolled anew since, with the same key
        self.roster = since.roster if since.roster and since.roster.serial else enrolled_with
        if kept is None:  # the disk is damaged: what it held may have been a stop
            self._latch(f"own-{self._draw()}", None)

    @property
    def open(self) -> tuple[Open, ...]:
        """The incidents that keep it stopped."""
        return tuple(Open(incident, stop) for incident, stop in self._open.items())

    @property
    def until(self) -> float:
        """When the permission ends, if no other lease comes."""
        return self._until

    def may_work(self, now: float) -> bool:
        """To be asked before every step of work."""
        return not self._open and now < self._until

    def shown(self, now: float) -> Shown:
        """What it says of itself."""
        if self._open:
            return Shown.STOPPED if self.down else Shown.STOPPING
        if now >= self._until:
            return Shown.HELD
        return Shown.BUSY if self.busy else Shown.READY

    def ask(self, now: float) -> State:
        """The question for the next lease. A stop that the disk refused is written as soon as the disk takes it."""
        if self._behind:
            self._keep()
        nonce = self._draw()
        self._nonces[nonce] = now
        self._nonces = {
            each: drawn for each, drawn in list(self._nonces.items())[-MOST_NONCES:] if now - drawn <= self.ttl_s
        }
        return self._state(nonce, self.shown(now))

    def last_words(self) -> State:
        """What the broker says for it when the connection breaks."""
        return self._state(self._draw(), Shown.LOST)

    def _state(self, nonce: str, shown: Shown) -> State:
        told, rest = self._told(), (self.key.id, self.roster.serial, self._drill)
        return State(self.component, self.session, nonce, self.re, shown, told, self.groups, *rest)

    def _told(self) -> tuple[Open, ...]:
        """What is open, the oldest first, with the signed stops that there is room for."""
        told = self.open[:MOST_TOLD]
        sizes = itertools.accumulate(len(each.stop or b"") for each in told)
        pairs = zip(told, sizes, strict=True)
        return tuple(each if size <= MOST_SIGNED else Open(each.incident) for each, size in pairs)

    def stop(self, stop: Stop, signed: bytes) -> bool:
        """Take a verified stop. True where it is news: then ask at once."""
        if not stop.target.meets(self.component, frozenset(self.groups)):
            return False
        if stop.incident in self._open or stop.incident in self._reset:
            return False
        # Anybody can pad a signed envelope. Nobody would read our statements, nor we our disk, with that in it.
        self._latch(stop.incident, signed if len(signed) <= LARGEST_STOP else None)
        return True

    def drill(self, drill: Drill) -> bool:
        """Take a verified drill. True where it is news: then ask at once, which says so. Nothing stops."""
        is_news = drill.target.meets(self.component, frozenset(self.groups)) and drill.id != self._drill
        if is_news:
            self._drill = drill.id
        return is_news

    def lease(self, lease: Lease, now: float) -> bool:
        """Take a verified lease. True where it changed what is open: then ask at once."""
        drawn = self._nonces.get(lease.nonce)
        if drawn is None or now - drawn > self.ttl_s:
            return False
        self.re = lease.n
        self._heard = (lease.t_ms, drawn)
        news = [incident for incident in lease.stops if incident not in self._open]
        for incident in news:
            self._latch(incident, None)
        cleared = self._clear([each for each in lease.cleared if each in self._open and each not in lease.stops])
        if not lease.stops:
            self._until = max(self._until, drawn + min(lease.ttl_ms / 1000, self.ttl_s))
        if news or cleared:
            self._nonces.clear()
        if cleared:
            self._begin_anew()
        return bool(news) or cleared

    def silence(self, now: float) -> bool:
        """Take it as a stop that nobody lets it work any more, where it was made so. True where it is news."""
        was_let = self._until > float("-inf")
        if self.on_silence is not OnSilence.LATCH or self._open or not was_let or now < self._until:
            return False
        self._latch(f"own-{self._draw()}", None)
        return True

    def hand_over(self, hand_over: HandOver) -> bool:
        """Take the bot's new key, from a message that both keys have signed. True where it counts: then ask at once."""
        if hand_over.old != self.key or not self._write(self._kept(self._open, self._reset, key=hand_over.new)):
            return False
        self._behind = False
        self.key = hand_over.new
        self._nonces.clear()
        return True

    def take_roster(self, roster: Roster) -> bool:
        """Take a newer list of those whose stops count. True where it counts: then ask at once."""
        newer = roster.serial > self.roster.serial
        if not newer or not self._write(self._kept(self._open, self._reset, roster=roster)):
            return False
        self._behind = False
        self.roster = roster
        return True

    def take(self, command: Command, now: float) -> None:
        """Take a verified command, once. Raises Rejected, with the reason, where it must not be carried out."""
        if (self.component, self.session) not in ((each.id, each.session) for each in command.targets):
            raise Rejected("it is for another session of this component")
        if command.id in self._commands:
            raise Rejected("it came before")
        if not self.may_work(now):
            raise Rejected(f"the component is {self.shown(now)}")
        if self._heard is None:
            raise Rejected("the component has had no lease of this session yet")
        said_ms, asked = self._heard
        bot_ms = said_ms + round((now - asked) * 1000)
        if bot_ms >= command.expires_ms or command.expires_ms <= self._forgotten_ms:
            raise Rejected("it came too late")
        if len(self._commands) >= MOST_COMMANDS:
            self._forget_commands(bot_ms)
        if len(self._commands) >= MOST_COMMANDS:
            raise Rejected("too many commands came before it")
        self._commands[command.id] = command.expires_ms

    def _forget_commands(self, bot_ms: int) -> None:
        """Forget those that are over. What the bot's clock is taken for may go back: then they must not run again."""
        over = [each for each, expires in self._commands.items() if expires <= bot_ms]
        self._forgotten_ms = max([self._forgotten_ms, *map(self._commands.__getitem__, over)])
        for each in over:
            del self._commands[each]

    def _begin_anew(self) -> None:
        """A new session: what was said in the old one is over."""
        self.session = self._draw()
        self.re = None
        self._heard = None
        self._drill = None
        self._commands.clear()
        self._forgotten_ms = 0

    def _latch(self, incident: str, signed: bytes | None) -> None:
        """Stop in memory first; a disk that fails must not keep it running."""
        if not self._open:
            self.down = False
        self._open[incident] = signed
        self._keep()

    def _keep(self) -> None:
        self._behind = not self._write(self._kept(self._open, self._reset))

    def _clear(self, incidents: list[str]) -> bool:
        """A reset counts once it is written, and only when the work is down."""
        if not incidents or not self.down:
            return False
        remaining = {incident: stop for incident, stop in self._open.items() if incident not in incidents}
        reset = [*self._reset, *incidents][-MOST_RESET:]
        if not self._write(self._kept(remaining, reset)):
            return False
        self._open, self._reset = remaining, reset
        self._behind = False
        return True

    def _kept(
        self,
        held: Mapping[str, bytes | None],
        reset: list[str],
        *,
        key: PublicKey | None = None,
        roster: Roster | None = None,
    ) -> Kept:
        opened = tuple(Open(incident, stop) for incident, stop in held.items())
        return Kept(opened, tuple(reset), self._enrolled, key or self.key, roster or self.roster)

    def _draw(self) -> str:
        return self._random(16).hex()
