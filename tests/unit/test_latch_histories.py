"""Both halves of the stop machine under random histories: loss, doubles, replay of anything, reboots, lost memory.

Whatever happens, nothing works with an incident that it received and nobody reset, nothing works without the bot for
longer than a lease lives, and nothing that works is shown as stopped. And when all is well again, everything works.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wire.issuer import Growth, Incident, Issuer, Replayed
from wire.latch import TTL_S, Kept, Latch
from wire.messages import LARGEST_STOP, Lease, State, Stop, Target

GROUPS = {"a": ("red",), "b": ("red", "blue"), "c": ()}
TARGETS = [Target(), Target(group="red"), Target(group="blue"), *(Target(id=each) for each in GROUPS)]
COMPONENTS = st.sampled_from(sorted(GROUPS))
WAITS = st.sampled_from([0.01, 0.5, 2.5, 5.0, 9.99, 10.0, 30.0])
STEPS = 60

Message = Stop | State | tuple[str, Lease]


@dataclass
class Disk:
    """A disk that keeps, refuses, or is damaged (None)."""

    kept: Kept | None
    refuses: bool = False

    def write(self, kept: Kept) -> bool:
        """Keep it, unless told otherwise."""
        if not self.refuses:
            self.kept = kept
        return not self.refuses


def verify(signed: bytes) -> Stop:
    """All stops here are signed well; the tests of the envelope have the others."""
    return Stop.parse(signed)


class Histories(RuleBasedStateMachine):
    """One bot, three components, and a network that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.random: Callable[[int], bytes] = random.Random(1).randbytes
        self.now = 1000.0
        self.network: list[Message] = []
        self.cleared: set[str] = set()
        self.unkept: set[str] = set()
        self.received: dict[str, set[str]] = {each: set() for each in GROUPS}
        self.permitted = dict.fromkeys(GROUPS, float("-inf"))
        self.foreign: dict[str, Target] = {}
        self.commanded: list[tuple[str, Target]] = []
        self.incidents: list[Incident] = []
        self.affected: list[tuple[str, str]] = []
        self.bot = self.start_bot()
        self.disks = {each: Disk(Kept()) for each in GROUPS}
        self.latches = {each: self.boot(each) for each in GROUPS}

    def start_bot(self) -> Issuer:
        """A process that knows what was written down, and nothing else."""
        enrolled = {each: frozenset[str]() for each in GROUPS}  # each says for itself which groups it is in
        return Issuer(enrolled, self.incidents, self.affected, random=self.random)

    def boot(self, component: str) -> Latch:
        """A process that knows what is on its disk, and nothing else."""
        disk = self.disks[component]
        return Latch(component, GROUPS[component], disk.kept, write=disk.write, random=self.random)

    def write_down(self, growth: Growth) -> None:
        """The bot's database."""
        widened = {each.id: each for each in growth.widened}
        self.incidents = [widened.get(each.id, each) for each in (*self.incidents, *growth.incidents)]
        self.affected += growth.affected

    def hear(self, state: State) -> Lease:
        """The bot adopts, writes down and answers; what two persons have reset it says so."""
        self.write_down(self.bot.hear(state, verify))
        self.commanded += [(each.incident, verify(each.stop).target) for each in state.incidents if each.stop]
        lease = self.bot.lease(state, self.now, 0)
        stops = tuple(each for each in lease.stops if each not in self.cleared)
        for incident in self.incidents:
            if incident.target.meets(state.id, frozenset(GROUPS[state.id])) and incident.id not in self.cleared:
                assert incident.id in stops
        for incident, target in self.commanded:
            if target.meets(state.id, frozenset(GROUPS[state.id])) and incident not in self.cleared:
                assert incident in stops
        cleared = tuple(each.incident for each in state.incidents if each.incident in self.cleared)
        if not stops:
            self.permitted[state.id] = self.now
        return replace(lease, stops=stops, cleared=cleared)

    def deliver(self, message: Message) -> None:
        """What its receiver does with it."""
        match message:
            case Stop():
                for component, latch in self.latches.items():
                    latch.stop(message, message.to_bytes())
                    if message.target.meets(component, frozenset(GROUPS[component])):
                        self.received[component].add(message.incident)
                        if self.disks[component].refuses:
                            self.unkept.add(component)
            case State():
                with contextlib.suppress(Replayed):
                    self.network.append((message.id, self.hear(message)))
            case component, lease:
                latch = self.latches[component]
                session, down = latch.session, latch.down
                if latch.lease(lease, self.now) or latch.re == lease.n:
                    self.received[component] |= set(lease.stops)
                assert latch.session == session or down

    @rule(component=COMPONENTS)
    def ask(self, component: str) -> None:
        self.network.append(self.latches[component].ask(self.now, ""))

    @rule(component=COMPONENTS, late=WAITS)
    def round_trip(self, component: str, late: float) -> None:
        lease = self.hear(self.latches[component].ask(self.now, ""))
        self.now += late
        self.deliver((component, lease))

    @precondition(lambda self: self.network)
    @rule(data=st.data(), again=st.booleans())
    def arrive(self, data: st.DataObject, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.network) - 1))
        message = self.network[place] if again else self.network.pop(place)
        self.deliver(message)

    @rule(wait=WAITS)
    def wait(self, wait: float) -> None:
        self.now += wait

    def order_under(self, incident: str, whom: Target) -> None:
        """As the bell does it: what is stopped already is joined, and nothing that was ordered is lost."""
        joined = self.bot.joined(incident, whom)
        if joined is None:
            stop = Stop(self.bot.free_id(incident, whom), whom, 0)
            joined = Incident(stop.incident, whom, stop.to_bytes())
            self.write_down(self.bot.open(joined))
            self.network.append(stop)
        if joined.id not in self.cleared:
            self.commanded.append((joined.id, whom))

    @rule(whom=st.sampled_from(TARGETS))
    def order(self, whom: Target) -> None:
        self.order_under(self.random(16).hex(), whom)

    @precondition(lambda self: any(latch.open for latch in self.latches.values()))
    @rule(whom=st.sampled_from(TARGETS), data=st.data())
    def order_under_an_id_that_somebody_names(self, whom: Target, data: st.DataObject) -> None:
        named = sorted({each.incident for latch in self.latches.values() for each in latch.open})
        incident = data.draw(st.sampled_from(named))
        self.order_under(incident, self.foreign.get(incident, whom))  # nobody signs two targets under one id

    @precondition(lambda self: any(isinstance(each, Stop) for each in self.network))
    @rule(component=COMPONENTS, data=st.data())
    def latch_without_the_signed_stop(self, component: str, data: st.DataObject) -> None:
        stop = data.draw(st.sampled_from([each for each in self.network if isinstance(each, Stop)]))
        self.latches[component].stop(stop, bytes(LARGEST_STOP + 1))
        if stop.target.meets(component, frozenset(GROUPS[component])):
            self.received[component].add(stop.incident)
            if self.disks[component].refuses:
                self.unkept.add(component)

    @rule(whom=st.sampled_from(TARGETS))
    def order_with_a_stop_key(self, whom: Target) -> None:
        stop = Stop(self.random(16).hex(), whom, 0)
        self.foreign[stop.incident] = whom
        self.network.append(stop)

    @rule(component=COMPONENTS)
    def come_down(self, component: str) -> None:
        self.latches[component].down = bool(self.latches[component].open)

    @precondition(lambda self: {each.id for each in self.incidents} - self.cleared)
    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        incidents = sorted({each.id for each in self.incidents} - self.cleared)
        self.cleared.add(data.draw(st.sampled_from(incidents)))

    @rule()
    def restart_the_bot(self) -> None:
        before, self.bot = self.bot, self.start_bot()
        assert {each.id for each in self.bot.incidents} == {each.id for each in before.incidents}
        for each in self.bot.incidents:
            assert self.bot.affected(each.id) == before.affected(each.id)

    def has_told(self, component: str) -> bool:
        """The bot knows all that it received. What it told nobody dies with its disk: the hole that is documented."""
        return self.received[component] <= {each.id for each in self.incidents}

    @rule(component=COMPONENTS)
    def reboot(self, component: str) -> None:
        if self.has_told(component) or component not in self.unkept:
            self.unkept.discard(component)
            self.latches[component] = self.boot(component)

    @rule(component=COMPONENTS, damaged=st.booleans())
    def reboot_with_a_bad_disk(self, component: str, damaged: bool) -> None:
        if self.has_told(component):
            self.disks[component].kept = None if damaged else Kept()
            self.latches[component] = self.boot(component)

    @rule(component=COMPONENTS, refuses=st.booleans())
    def break_or_mend_a_disk(self, component: str, refuses: bool) -> None:
        self.disks[component].refuses = refuses

    @invariant()
    def nothing_works_with_an_incident_that_it_received_and_nobody_reset(self) -> None:
        for component, latch in self.latches.items():
            if latch.may_work(self.now):
                assert self.received[component] <= self.cleared

    @invariant()
    def nothing_works_longer_than_a_lease_lives_after_the_last_one(self) -> None:
        for component, latch in self.latches.items():
            if latch.may_work(self.now):
                assert self.now < self.permitted[component] + TTL_S

    @invariant()
    def nothing_that_works_is_shown_as_stopped(self) -> None:
        for incident in self.bot.incidents:
            if incident.id in self.cleared:
                continue
            for component in self.bot.affected(incident.id):
                if self.bot.has_stopped(component, incident.id, self.now):
                    assert not self.latches[component].may_work(self.now)
            if self.bot.confirmed(incident.id, self.now):
                met = [each for each in GROUPS if incident.target.meets(each, frozenset(GROUPS[each]))]
                # A component that the bot has heard since is counted; one that never spoke holds no lease of ours.
                assert not any(self.latches[each].may_work(self.now) for each in met if self.bot.has_spoken(each))

    def teardown(self) -> None:
        """When everybody can hear, everything is reset and the disks are whole, everything works again."""
        for _ in range(3):
            self.now += 1
            for component, latch in self.latches.items():
                self.disks[component].refuses = False
                self.deliver((component, self.hear(latch.ask(self.now, ""))))
                latch.down = bool(latch.open)
            self.cleared |= {each.id for each in self.incidents}
        assert all(latch.may_work(self.now) for latch in self.latches.values())


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=200, stateful_step_count=STEPS, deadline=None)
