"""The alarm about what somebody wrote and nobody can read: it may have been a stop, and then it was not carried out.

It never says that something was a stop, and never speaks of people who are not listed.
"""

import collections
import dataclasses
import time
from collections.abc import Callable, Sequence

import structlog

from bot.bridge import Unreadable
from bot.store import Tx, audit, outbox
from bot.words.document import Document, Items, Text, Tone, document, mono, strong, text
from bot.words.glyphs import cut
from bot.words.message import Lane, Place, Post
from bot.words.people import People, Person
from bot.words.times import clock, span

CONSOLE = "console"
"""The network that is there when no other is."""
AGAIN_S = 300.0
"""How long nothing more is said of the same person in the same place."""
MOST_REMEMBERED = 1000
LONGEST_NAME = 64
LATEST_S = 253_402_300_799
"""The end of the year 9999: what a bridge says of a later time must not break the alarm."""

WRITE_AGAIN = (
    "write it again, as a new message. If I cannot read that one either, your app keeps its keys from my device: let "
    "it share them with me, or write on another device."
)
"""What the writer can do where nobody knows the cause."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Burst:
    """What one person wrote in one place, and nobody could read: told now, or counted for the next time."""

    person: Person
    last: Unreadable
    count: int
    since_ms: int
    """When the first of them was sent."""
    is_told: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """What was last told, and what came since."""

    at: float
    count: int = 0
    since_ms: int = 0


class Alarms:
    """Tells of what cannot be read, once a person and place in a while."""

    def __init__(
        self,
        people: People,
        networks: frozenset[str],
        places: Sequence[Place],
        *,
        has_stop_keys: Callable[[], bool] = lambda: False,
        ticks: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._people = people
        self._networks = networks
        self._places = places
        self._has_stop_keys = has_stop_keys
        self._ticks = ticks
        self._now = now
        self._told: collections.OrderedDict[tuple[Place, str], _Told] = collections.OrderedDict()
        """By place and person, the longest told first."""

    def about(self, unreadable: Sequence[Unreadable]) -> list[Burst]:
        """What is to be told of these, and what only counted. It changes nothing yet: the disk may not take it."""
        found: dict[tuple[Place, str], list[Unreadable]] = {}
        people: dict[str, Person] = {}
        for each in unreadable:
            person = self._people.holder_of(each.account)
            if person is None:
                continue
            people[person.name] = person
            found.setdefault((each.place, person.name), []).append(each)
        bursts: list[Burst] = []
        for (place, name), several in found.items():
            told = self._told.get((place, name))
            is_told = told is None or self._ticks() - told.at >= AGAIN_S
            earlier, since_ms = (told.count, told.since_ms) if told and told.count else (0, several[0].sent_ms)
            bursts.append(Burst(people[name], several[-1], earlier + len(several), since_ms, is_told))
        return bursts

    def write(self, tx: Tx, bursts: Sequence[Burst]) -> None:
        """Queue the alarms and record them."""
        for burst in bursts:
            if not burst.is_told:
                continue
            here = burst.last.place
            audit.record(
                tx,
                "alarm",
                audit.about(
                    burst.person.name,
                    person=burst.person.name,
                    account=str(burst.last.account),
                    device=burst.last.device,
                    place=str(here),
                    event=burst.last.event,
                ),
                why="a message that nobody can read",
                count=burst.count,
            )
            # It tells of what may be a stop: it must neither wait for the rest of a place nor end up in a digest.
            outbox.queue(tx, Post(here, self.words(burst), Lane.STOP, reply_to=burst.last.event))
            for place in self._places:
                if place != here:
                    outbox.queue(tx, Post(place, self.words(burst, here), Lane.STOP))

    def written(self, bursts: Sequence[Burst]) -> None:
        """The disk has it: nothing more is said of these for a while."""
        now = self._ticks()
        for burst in bursts:
            key = (burst.last.place, burst.person.name)
            log.warning(
                "a listed person wrote what cannot be read",
                person=burst.person.name,
                place=str(burst.last.place),
                count=burst.count,
                told=burst.is_told,
            )
            if burst.is_told:
                self._told[key] = _Told(now)
                self._told.move_to_end(key)
            elif key in self._told:
                self._told[key] = _Told(self._told[key].at, burst.count, burst.since_ms)
        while len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)

    def words(self, burst: Burst, where: Place | None = None) -> Document:
        """What is said. It names the place where that is another one."""
        last = burst.last
        who = (f"{burst.person.name} (", mono(cut(last.account.id, LONGEST_NAME)), ")")
        device = (" on the device ", mono(cut(last.device, LONGEST_NAME))) if last.device else ()
        there = (" in ", mono(str(where))) if where else ()
        if burst.count == 1:
            wrote = ("I cannot read what ", *who, f" wrote at {self._time(last.sent_ms)}", *device, *there)
            if_stop = ". If it was a stop, it was "
        else:
            times = f"{self._time(burst.since_ms)} to {self._time(last.sent_ms)}"
            wrote = (f"I cannot read {burst.count} messages of ", *who, f" from {times}", *there)
            wrote = (*wrote, *((", the last", *device) if device else ()))
            if_stop = ". If one of them was a stop, it was "
        why = (text(f"Why, as the app of {burst.person.name} says: {last.cause.what}."),) if last.cause else ()
        return document(
            text(strong("ALARM", Tone.BAD), ": ", *wrote, if_stop, strong("NOT carried out", Tone.BAD), "."),
            *why,
            "What can be done now:",
            Items(tuple(self._ways(burst))),
            f"I say this once in {span(AGAIN_S)}. Take a stop that I do not answer for one that I have not heard.",
        )

    def _ways(self, burst: Burst) -> list[Text]:
        """How else to stop something, as far as this configuration has it."""
        network = burst.last.place.network
        accounts = {account.network for account in burst.person.accounts}
        others = sorted((self._networks & accounts) - {network, CONSOLE})
        elsewhere = " or ".join(["in another place where I listen", *(f"on {other}" for other in others)])
        cause = burst.last.cause
        ways = [
            text(f"{burst.person.name}: {cause.remedy if cause else WRITE_AGAIN}"),
            text("Write ", mono("!shutdown all"), f" {elsewhere}. Any operator may."),
        ]
        if CONSOLE in self._networks and network != CONSOLE:
            ways.append(text("Type ", mono("tocsin chat"), " on the machine that I run on, and stop it there."))
        if self._has_stop_keys():
            ways.append(text("With a stop key, where the broker can be reached: ", mono("tocsin stop all --reason …")))
        return [*ways, text("Cut the power of what must stop.")]

    def _time(self, sent_ms: int) -> str:
        return clock(min(max(0.0, sent_ms / 1000), LATEST_S), self._now())
