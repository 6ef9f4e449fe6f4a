"""The component's half of the stop machine: what keeps it standing, and what alone lets it work again."""

import itertools
from collections.abc import Callable, Iterable

import pytest

from wire.envelope import PrivateKey
from wire.latch import MOST_NONCES, MOST_RESET, MOST_SIGNED, MOST_TOLD, TTL_S, Kept, Latch, Trusted
from wire.messages import LARGEST_STOP, Lease, Open, Shown, State, Stop, Target

X, Y = "1" * 32, "2" * 32
ALL = Target()
BOT = PrivateKey(b"bot".ljust(32, b".")).public
C = "walker"


def draws(start: int) -> Callable[[int], bytes]:
    """Random bytes that are never the same, and always the same for a test."""
    numbers = itertools.count(start)
    return lambda size: next(numbers).to_bytes(size, "big")


class Floppy:
    """A component's disk, as a test wants it."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept: Kept | None = kept or Kept()
        self.refuses = False

    def write(self, kept: Kept) -> bool:
        """Keep it, unless told otherwise."""
        if self.refuses:
            return False
        self.kept = kept
        return True


class Machine:
    """A component that can be turned off and on."""

    def __init__(self, *groups: str, kept: Kept | None = None) -> None:
        self.disk = Floppy(kept)
        self._groups = groups
        self._boots = itertools.count(1)
        self._leases = itertools.count()
        self.latch = self.boot()

    def boot(self) -> Latch:
        """Start anew from what is on the disk."""
        random = draws(next(self._boots) << 64)
        self.latch = Latch(C, self._groups, self.disk.kept, trusted=Trusted(BOT), write=self.disk.write, random=random)
        return self.latch

    def ask(self, now: float) -> State:
        """Its question, as the bot reads it."""
        return State.parse(self.latch.ask(now).to_bytes())

    def lease(
        self, nonce: str, now: float, *, stops: Iterable[str] = (), cleared: Iterable[str] = (), ttl_ms: int = 10_000
    ) -> bool:
        """Hand it a lease."""
        n = f"{next(self._leases):x}"
        lease = Lease(nonce, n, 0, ttl_ms, tuple(stops), tuple(cleared))
        return self.latch.lease(Lease.parse(lease.to_bytes()), now)

    def stop(self, incident: str, target: Target = ALL) -> bool:
        """Hand it a stop."""
        return self.latch.stop(Stop(incident, target, 0), b"signed " + incident.encode())

    def names(self) -> list[str]:
        """The incidents that keep it stopped."""
        return [each.incident for each in self.latch.open]


@pytest.fixture
def machine() -> Machine:
    return Machine("walkers")


def stopped(machine: Machine, *incidents: str) -> Machine:
    """It heard of these incidents, and its work is down."""
    for each in incidents:
        machine.stop(each)
    machine.latch.down = True
    return machine


class TestLeases:
    def test_without_a_lease_it_is_held(self, machine: Machine) -> None:
        assert not machine.latch.may_work(0)
        assert machine.ask(0).shown is Shown.HELD

    def test_a_lease_counts_from_the_question_and_not_from_the_answer(self, machine: Machine) -> None:
        machine.lease(machine.ask(100).nonce, 109)
        assert machine.latch.may_work(109)
        assert machine.latch.may_work(109.999)
        assert not machine.latch.may_work(110)
        assert machine.latch.shown(110) is Shown.HELD

    def test_a_lease_may_be_shorter_but_never_longer(self, machine: Machine) -> None:
        machine.lease(machine.ask(0).nonce, 0, ttl_ms=300)
        assert (machine.latch.may_work(0.299), machine.latch.may_work(0.3)) == (True, False)
        machine.lease(machine.ask(1).nonce, 1, ttl_ms=2**53)
        assert (machine.latch.may_work(10.999), machine.latch.may_work(11)) == (True, False)

    def test_an_answer_to_a_question_older_than_its_life_is_ignored(self, machine: Machine) -> None:
        nonce = machine.ask(0).nonce
        assert not machine.lease(nonce, TTL_S + 0.001, stops=[X])
        assert (machine.names(), machine.latch.re) == ([], None)

    def test_an_answer_to_no_question_of_this_session_is_ignored(self, machine: Machine) -> None:
        before = machine.ask(0).nonce
        machine.boot()
        machine.ask(1)
        for nonce in (before, "ff" * 16):
            assert not machine.lease(nonce, 1, stops=[X])
        assert not machine.latch.may_work(1)
        assert (machine.names(), machine.latch.re) == ([], None)

    def test_only_the_last_four_questions_are_open(self, machine: Machine) -> None:
        nonces = [machine.ask(0).nonce for _ in range(MOST_NONCES + 1)]
        machine.lease(nonces[0], 0)
        assert not machine.latch.may_work(0)
        machine.lease(nonces[1], 0)
        assert machine.latch.may_work(0)

    def test_a_lease_that_comes_twice_prolongs_nothing(self, machine: Machine) -> None:
        nonce = machine.ask(0).nonce
        machine.lease(nonce, 1)
        machine.lease(nonce, 9)
        assert not machine.latch.may_work(10)

    def test_a_lease_that_stops_prolongs_nothing_for_the_time_after_a_reset(self, machine: Machine) -> None:
        stopped(machine, X)
        first, second = machine.ask(0).nonce, machine.ask(5).nonce
        machine.lease(second, 5, stops=[X])
        machine.lease(first, 6, cleared=[X])
        assert (machine.latch.may_work(9.999), machine.latch.may_work(10)) == (True, False)

    def test_an_older_lease_does_not_shorten_a_newer_one(self, machine: Machine) -> None:
        first, second = machine.ask(0).nonce, machine.ask(5).nonce
        machine.lease(second, 5)
        machine.lease(first, 6)
        assert machine.latch.may_work(14)

    def test_a_question_names_the_last_lease_of_its_session(self, machine: Machine) -> None:
        assert machine.ask(0).re is None
        machine.lease(machine.ask(0).nonce, 0)
        assert machine.ask(1).re == "0"
        machine.lease(machine.ask(1).nonce, 1, stops=[X])
        assert machine.ask(1).re == "1"
        machine.boot()
        assert machine.ask(2).re is None

    def test_while_it_may_work_it_says_whether_it_does(self, machine: Machine) -> None:
        machine.lease(machine.ask(0).nonce, 0)
        assert machine.ask(1).shown is Shown.READY
        machine.latch.busy = True
        assert machine.ask(1).shown is Shown.BUSY

    def test_no_two_questions_and_sessions_are_the_same(self, machine: Machine) -> None:
        states = [machine.ask(0) for _ in range(3)]
        machine.boot()
        states += [machine.ask(0) for _ in range(3)]
        assert len({state.nonce for state in states}) == 6
        assert len({state.session for state in states}) == 2

    def test_its_last_words_open_no_question(self, machine: Machine) -> None:
        words = machine.latch.last_words()
        assert words.shown is Shown.LOST
        machine.lease(words.nonce, 0)
        assert not machine.latch.may_work(0)


class TestStops:
    def test_a_stop_halts_what_has_a_lease(self, machine: Machine) -> None:
        machine.lease(machine.ask(0).nonce, 0)
        assert machine.stop(X)
        assert not machine.latch.may_work(0)
        assert machine.ask(0).shown is Shown.STOPPING
        machine.latch.down = True
        assert machine.ask(0).shown is Shown.STOPPED
        assert machine.ask(0).incidents == (Open(X, b"signed " + X.encode()),)

    @pytest.mark.parametrize(
        ("target", "met"),
        [
            (ALL, True),
            (Target(group="walkers"), True),
            (Target(id=C), True),
            (Target(group="others"), False),
            (Target(id="other"), False),
            (Target(group=C), False),
            (Target(id="walkers"), False),
        ],
    )
    def test_it_obeys_what_is_meant_for_it(self, machine: Machine, target: Target, met: bool) -> None:
        assert machine.stop(X, target) is met
        assert machine.names() == ([X] if met else [])

    def test_a_lease_that_names_a_stop_stops_whoever_missed_it(self, machine: Machine) -> None:
        machine.lease(machine.ask(0).nonce, 0)
        assert machine.lease(machine.ask(1).nonce, 1, stops=[X])
        assert not machine.latch.may_work(1)
        assert machine.ask(1).incidents == (Open(X),)

    def test_a_lease_with_a_stop_permits_nothing_even_when_the_stop_is_known(self, machine: Machine) -> None:
        stopped(machine, X)
        assert not machine.lease(machine.ask(0).nonce, 0, stops=[X])
        machine.lease(machine.ask(0).nonce, 0, stops=[Y], cleared=[X])
        assert machine.latch.shown(0) is Shown.STOPPED
        assert machine.names() == [Y]

    def test_a_new_stop_forgets_all_questions_so_that_no_older_answer_counts(self, machine: Machine) -> None:
        first, second = machine.ask(0).nonce, machine.ask(0).nonce
        machine.lease(second, 0, stops=[X])
        machine.latch.down = True
        machine.lease(first, 0, cleared=[X])
        assert machine.names() == [X]

    def test_the_same_stop_again_is_no_news(self, machine: Machine) -> None:
        assert machine.stop(X)
        machine.latch.down = True
        assert not machine.stop(X)
        assert machine.ask(0).shown is Shown.STOPPED

    def test_a_second_stop_leaves_it_down(self, machine: Machine) -> None:
        stopped(machine, X)
        assert machine.stop(Y)
        assert machine.ask(0).shown is Shown.STOPPED
        assert machine.names() == [X, Y]

    @pytest.mark.parametrize("by_lease", [False, True])
    def test_a_stop_survives_a_reboot(self, machine: Machine, by_lease: bool) -> None:
        if by_lease:
            machine.lease(machine.ask(0).nonce, 0, stops=[X])
        else:
            machine.stop(X)
        machine.boot()
        assert machine.names() == [X]
        assert machine.ask(1).shown is Shown.STOPPING
        machine.lease(machine.ask(1).nonce, 1)
        assert not machine.latch.may_work(1)

    def test_a_stop_holds_although_the_disk_refuses_it(self, machine: Machine) -> None:
        machine.lease(machine.ask(0).nonce, 0)
        machine.disk.refuses = True
        assert machine.stop(X)
        assert not machine.latch.may_work(0)
        assert machine.disk.kept == Kept()
        machine.disk.refuses = False
        machine.stop(Y)
        assert [each.incident for each in (machine.disk.kept or Kept()).open] == [X, Y]

    def test_a_damaged_disk_stops_it_for_good(self, machine: Machine) -> None:
        machine.disk.kept = None
        machine.boot()
        (own,) = machine.names()
        assert own.startswith("own-")
        machine.lease(machine.ask(0).nonce, 0)
        assert not machine.latch.may_work(0)
        machine.boot()
        assert machine.names() == [own]

    def test_a_new_disk_does_not(self) -> None:
        assert Machine().names() == []

    def test_a_signed_stop_that_somebody_has_padded_is_obeyed_but_not_passed_on(self, machine: Machine) -> None:
        assert machine.latch.stop(Stop(X, ALL, 0), bytes(LARGEST_STOP + 1))
        assert machine.ask(0).incidents == (Open(X),)
        assert machine.latch.stop(Stop(Y, ALL, 0), bytes(LARGEST_STOP))
        assert machine.ask(0).incidents == (Open(X), Open(Y, bytes(LARGEST_STOP)))

    def test_of_many_stops_a_statement_names_and_carries_what_it_has_room_for(self, machine: Machine) -> None:
        incidents = [f"{number:032x}" for number in range(500)]
        for incident in incidents:
            machine.latch.stop(Stop(incident, ALL, 0), bytes(LARGEST_STOP))
        state = machine.ask(0)
        assert [each.incident for each in state.incidents] == incidents[:MOST_TOLD]
        assert sum(len(each.stop or b"") for each in state.incidents) == MOST_SIGNED
        assert len(state.to_bytes()) * 4 / 3 < 63 * 1024  # in an envelope it is still below its bound
        assert machine.latch.last_words().incidents == state.incidents

    def test_what_it_had_no_room_for_keeps_it_stopped_until_that_is_reset_too(self, machine: Machine) -> None:
        incidents = [f"{number:032x}" for number in range(MOST_TOLD + 1)]
        stopped(machine, *incidents)
        assert machine.lease(machine.ask(0).nonce, 0, cleared=incidents[:MOST_TOLD])
        assert not machine.latch.may_work(0)
        state = machine.ask(0)
        assert (state.shown, [each.incident for each in state.incidents]) == (Shown.STOPPED, incidents[MOST_TOLD:])
        assert machine.lease(state.nonce, 0, cleared=incidents[MOST_TOLD:])
        assert machine.latch.may_work(0)


class TestResets:
    def test_a_reset_lets_it_work_again_in_a_new_session(self, machine: Machine) -> None:
        stopped(machine, X)
        before = machine.ask(0)
        machine.lease(before.nonce, 0)
        nonce = machine.ask(1).nonce
        assert machine.lease(nonce, 1, cleared=[X])
        assert machine.names() == []
        kept = machine.disk.kept
        assert kept is not None
        assert (kept.open, kept.reset) == ((), (X,))
        after = machine.ask(2)
        assert after.session != before.session
        assert after.re is None
        assert after.shown is Shown.READY

    def test_a_reset_forgets_all_questions(self, machine: Machine) -> None:
        stopped(machine, X)
        first, second = machine.ask(0).nonce, machine.ask(0).nonce
        machine.lease(first, 0, cleared=[X])
        machine.lease(second, 0, stops=[Y])
        assert machine.names() == []

    def test_a_reset_while_the_work_goes_down_is_ignored(self, machine: Machine) -> None:
        machine.stop(X)
        assert not machine.lease(machine.ask(0).nonce, 0, cleared=[X])
        assert machine.names() == [X]
        machine.latch.down = True
        assert machine.lease(machine.ask(0).nonce, 0, cleared=[X])

    def test_a_reset_that_the_disk_refuses_is_none(self, machine: Machine) -> None:
        stopped(machine, X)
        session = machine.ask(0).session
        machine.disk.refuses = True
        assert not machine.lease(machine.ask(0).nonce, 0, cleared=[X])
        assert not machine.latch.may_work(0)
        assert machine.names() == [X]
        assert machine.ask(0).session == session
        machine.boot()
        assert machine.names() == [X]

    def test_what_a_lease_both_stops_and_clears_is_stopped(self, machine: Machine) -> None:
        stopped(machine, X)
        machine.lease(machine.ask(0).nonce, 0, stops=[X], cleared=[X])
        assert machine.names() == [X]

    def test_one_reset_of_two_incidents_leaves_it_stopped(self, machine: Machine) -> None:
        stopped(machine, X, Y)
        assert machine.lease(machine.ask(0).nonce, 0, cleared=[X])
        assert not machine.latch.may_work(0)
        assert machine.ask(0).shown is Shown.STOPPED
        assert machine.names() == [Y]

    def test_a_reset_of_what_it_never_heard_of_changes_nothing(self, machine: Machine) -> None:
        stopped(machine, X)
        assert not machine.lease(machine.ask(0).nonce, 0, cleared=[Y])
        assert machine.stop(Y)

    def test_a_stop_that_was_reset_does_not_stop_again_when_it_is_replayed(self, machine: Machine) -> None:
        stopped(machine, X)
        machine.lease(machine.ask(0).nonce, 0, cleared=[X])
        assert not machine.stop(X)
        machine.boot()
        assert not machine.stop(X)
        machine.lease(machine.ask(1).nonce, 1)
        assert machine.latch.may_work(1)

    def test_a_lease_that_names_it_stops_it_again(self, machine: Machine) -> None:
        stopped(machine, X)
        machine.lease(machine.ask(0).nonce, 0, cleared=[X])
        assert machine.lease(machine.ask(1).nonce, 1, stops=[X])
        assert machine.names() == [X]
        assert machine.ask(1).shown is Shown.STOPPING

    def test_the_last_256_resets_are_remembered(self, machine: Machine) -> None:
        incidents = [f"{number:032x}" for number in range(MOST_RESET + 1)]
        for incident in incidents:
            stopped(machine, incident)
            assert machine.lease(machine.ask(0).nonce, 0, cleared=[incident])
        machine.boot()
        assert not machine.stop(incidents[1])
        assert not machine.stop(incidents[-1])
        assert machine.stop(incidents[0])


def test_a_stop_that_the_disk_refused_is_written_with_the_next_question() -> None:
    machine = Machine()
    machine.disk.refuses = True
    machine.stop(X)
    assert machine.names() == [X]
    machine.disk.refuses = False
    machine.ask(0.0)
    machine.boot()
    assert machine.names() == [X]
