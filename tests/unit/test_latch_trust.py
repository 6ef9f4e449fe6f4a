"""Whom a component believes, what it does when nobody speaks to it, and which commands it carries out."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import latch as module
from wire.birth import OnSilence
from wire.envelope import PrivateKey
from wire.errors import Rejected
from wire.latch import TTL_S, Kept, Latch, Trusted
from wire.messages import HandOver, Lease, Open, Roster, Shown, Stop, Target
from wire.work import Called, Command

X, Y = "1" * 32, "2" * 32
C = "walker"
FIRST, SECOND, THIRD = (PrivateKey(name.ljust(32, b".")).public for name in (b"first", b"second", b"third"))
STOP_KEY, OTHER_STOP_KEY = (str(PrivateKey(name.ljust(32, b".")).public) for name in (b"stop", b"other stop"))


def draws(start: int) -> Callable[[int], bytes]:
    """Random bytes that are never the same, and always the same for a test."""
    numbers = itertools.count(start)
    return lambda size: next(numbers).to_bytes(size, "big")


class Machine:
    """A component that can be turned off and on, with a disk that can refuse."""

    def __init__(self, on_silence: OnSilence = OnSilence.HOLD) -> None:
        self.kept: Kept | None = Kept()
        self.refuses = False
        self.trusted = Trusted(FIRST, (STOP_KEY,))
        self._on_silence = on_silence
        self._boots = itertools.count(1)
        self._leases = itertools.count()
        self.latch = self.boot()

    def boot(self) -> Latch:
        """Start anew from what is on the disk."""
        self.latch = Latch(
            C,
            (),
            self.kept,
            trusted=self.trusted,
            write=self.write,
            random=draws(next(self._boots) << 64),
            on_silence=self._on_silence,
        )
        return self.latch

    def write(self, kept: Kept) -> bool:
        """Keep it, unless told otherwise."""
        if not self.refuses:
            self.kept = kept
        return not self.refuses

    def lease(self, now: float, *, asked: float | None = None, t_ms: int = 0, stops: tuple[str, ...] = ()) -> None:
        """It asks and is answered."""
        nonce = self.latch.ask(now if asked is None else asked).nonce
        self.latch.lease(Lease(nonce, f"{next(self._leases):x}", t_ms, 10_000, stops), now)

    def reset(self, now: float) -> None:
        """All that is open is reset."""
        self.latch.down = True
        state = self.latch.ask(now)
        cleared = tuple(each.incident for each in state.incidents)
        assert self.latch.lease(Lease(state.nonce, f"{next(self._leases):x}", 0, 10_000, (), cleared), now)

    def command(self, number: int = 1, *, expires_ms: int = 5_000) -> Command:
        """A command for this very session."""
        return Command(f"{number:x}", "walk", {}, (Called(C, self.latch.session),), "bot", expires_ms, "olga")


@pytest.fixture
def machine() -> Machine:
    return Machine()


class TestKeys:
    def test_it_takes_the_next_key_and_says_so(self, machine: Machine) -> None:
        assert machine.latch.ask(0).key == FIRST.id
        assert machine.latch.hand_over(HandOver(FIRST, SECOND))
        assert machine.latch.key == SECOND
        assert machine.latch.ask(0).key == SECOND.id
        assert machine.latch.last_words().key == SECOND.id

    def test_only_from_the_key_that_it_has(self, machine: Machine) -> None:
        assert not machine.latch.hand_over(HandOver(SECOND, THIRD))
        assert machine.latch.hand_over(HandOver(FIRST, SECOND))
        assert not machine.latch.hand_over(HandOver(FIRST, THIRD))
        assert machine.latch.key == SECOND
        assert machine.latch.hand_over(HandOver(SECOND, THIRD))
        assert machine.latch.key == THIRD

    def test_a_new_key_forgets_all_questions_and_nothing_else(self, machine: Machine) -> None:
        machine.lease(0)
        session, nonce = machine.latch.session, machine.latch.ask(1).nonce
        machine.latch.hand_over(HandOver(FIRST, SECOND))
        machine.latch.lease(Lease(nonce, "ff", 0, 10_000), 1)
        assert machine.latch.re == "0"
        assert machine.latch.session == session
        assert machine.latch.may_work(9.999)
        assert not machine.latch.may_work(10)

    def test_it_survives_a_reboot_with_all_that_is_open(self, machine: Machine) -> None:
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.latch.hand_over(HandOver(FIRST, SECOND))
        machine.boot()
        assert machine.latch.key == SECOND
        assert machine.latch.open == (Open(X, b"signed"),)

    def test_a_key_that_the_disk_refuses_is_not_taken(self, machine: Machine) -> None:
        machine.refuses = True
        assert not machine.latch.hand_over(HandOver(FIRST, SECOND))
        assert machine.latch.key == FIRST
        machine.refuses = False
        assert machine.latch.hand_over(HandOver(FIRST, SECOND))

    def test_who_is_enrolled_with_another_key_forgets_what_was_said_under_the_old_one(self, machine: Machine) -> None:
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.latch.hand_over(HandOver(FIRST, SECOND))
        machine.latch.take_roster(Roster(7, (OTHER_STOP_KEY,)))
        machine.trusted = Trusted(THIRD, (STOP_KEY,))
        machine.boot()
        assert machine.latch.key == THIRD
        assert machine.latch.roster == Roster(0, (STOP_KEY,))
        assert machine.latch.open == (Open(X, b"signed"),)  # but never what stops it

    def test_a_damaged_disk_believes_whom_it_was_enrolled_with(self, machine: Machine) -> None:
        machine.latch.hand_over(HandOver(FIRST, SECOND))
        machine.kept = None
        machine.boot()
        assert machine.latch.key == FIRST
        assert machine.latch.roster == Roster(0, (STOP_KEY,))
        assert len(machine.latch.open) == 1

    def test_a_stop_that_the_disk_refused_is_written_with_a_key(self, machine: Machine) -> None:
        machine.refuses = True
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.refuses = False
        assert machine.latch.hand_over(HandOver(FIRST, SECOND))
        machine.boot()
        assert machine.latch.open == (Open(X, b"signed"),)


class TestRosters:
    def test_it_begins_with_the_stop_keys_that_it_was_enrolled_with(self, machine: Machine) -> None:
        assert machine.latch.roster == Roster(0, (STOP_KEY,))
        assert machine.latch.ask(0).roster == 0

    @given(serials=st.lists(st.integers(1, 9), max_size=9))
    def test_the_highest_number_counts_in_whatever_order_they_come(self, serials: list[int]) -> None:
        machine = Machine()
        for serial in serials:
            machine.latch.take_roster(Roster(serial, (OTHER_STOP_KEY,) * (serial % 2)))
            machine.boot()
        highest = max(serials, default=0)
        assert machine.latch.roster.serial == highest
        assert machine.latch.ask(0).roster == highest
        assert machine.latch.roster.stop_keys == ((OTHER_STOP_KEY,) * (highest % 2) if serials else (STOP_KEY,))

    def test_the_same_number_again_is_no_news(self, machine: Machine) -> None:
        assert machine.latch.take_roster(Roster(1, ()))
        assert not machine.latch.take_roster(Roster(1, (OTHER_STOP_KEY,)))
        assert machine.latch.roster.stop_keys == ()

    def test_a_roster_that_the_disk_refuses_is_not_taken(self, machine: Machine) -> None:
        machine.refuses = True
        assert not machine.latch.take_roster(Roster(1, ()))
        assert machine.latch.roster == Roster(0, (STOP_KEY,))

    def test_a_new_enrolment_under_the_same_key_replaces_what_the_old_one_said(self, machine: Machine) -> None:
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.trusted = Trusted(FIRST, (OTHER_STOP_KEY,))
        machine.boot()
        assert machine.latch.roster == Roster(0, (OTHER_STOP_KEY,))
        machine.latch.take_roster(Roster(1, ()))
        machine.trusted = Trusted(FIRST, (STOP_KEY,))
        machine.boot()
        assert machine.latch.roster == Roster(1, ())  # but not what the bot has said since


class TestSilence:
    def test_who_holds_only_holds(self, machine: Machine) -> None:
        machine.lease(0)
        assert not machine.latch.silence(99)
        assert machine.latch.shown(99) is Shown.HELD

    def test_who_takes_it_for_a_stop_stops_when_its_lease_is_over(self) -> None:
        machine = Machine(OnSilence.LATCH)
        machine.lease(0)
        assert not machine.latch.silence(TTL_S - 0.001)
        assert machine.latch.silence(TTL_S)
        assert not machine.latch.silence(TTL_S)
        assert machine.latch.shown(TTL_S) is Shown.STOPPING
        (own,) = machine.latch.open
        assert own.incident.startswith("own-")
        machine.lease(11)
        assert not machine.latch.may_work(11)
        machine.boot()
        assert machine.latch.open == (own,)

    def test_it_begins_with_the_first_lease_that_lets_it_work(self) -> None:
        machine = Machine(OnSilence.LATCH)
        assert not machine.latch.silence(99)
        machine.lease(100)
        machine.boot()
        assert not machine.latch.silence(200)

    def test_it_is_over_with_a_reset_and_begins_again(self) -> None:
        machine = Machine(OnSilence.LATCH)
        machine.lease(0)
        assert machine.latch.silence(TTL_S)
        machine.reset(20)
        assert machine.latch.may_work(20)
        assert not machine.latch.silence(20)
        assert machine.latch.silence(30)

    def test_who_is_stopped_already_needs_no_stop(self) -> None:
        machine = Machine(OnSilence.LATCH)
        machine.lease(0)
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        assert not machine.latch.silence(99)
        assert machine.latch.open == (Open(X, b"signed"),)


class TestCommands:
    def test_it_runs_once(self, machine: Machine) -> None:
        machine.lease(0)
        machine.latch.take(machine.command(), 1)
        for _ in range(2):
            with pytest.raises(Rejected, match="it came before"):
                machine.latch.take(machine.command(), 1)
        machine.latch.take(machine.command(2), 1)

    def test_without_permission_it_does_not_run_and_the_reason_says_what_it_is(self, machine: Machine) -> None:
        with pytest.raises(Rejected, match="the component is held"):
            machine.latch.take(machine.command(), 0)
        machine.lease(0)
        with pytest.raises(Rejected, match="the component is held"):
            machine.latch.take(machine.command(expires_ms=60_000), TTL_S)
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        with pytest.raises(Rejected, match="the component is stopping"):
            machine.latch.take(machine.command(), 1)

    def test_a_rejected_command_may_come_again(self, machine: Machine) -> None:
        with pytest.raises(Rejected):
            machine.latch.take(machine.command(), 0)
        machine.lease(0)
        machine.latch.take(machine.command(), 0)
        with pytest.raises(Rejected, match="it came before"):
            machine.latch.take(machine.command(), 0)

    def test_it_is_for_this_component_in_this_session(self, machine: Machine) -> None:
        machine.lease(0)
        mine = Called(C, machine.latch.session)
        for targets in (
            (),
            (Called("other", mine.session),),
            (Called(C, "ff"),),
            (Called(C, "ff"), Called("x", mine.session)),
        ):
            command = Command("1", "walk", {}, targets, "bot", 5_000, "olga")
            with pytest.raises(Rejected, match="another session"):
                machine.latch.take(command, 0)
        machine.latch.take(Command("1", "walk", {}, (Called("other", "ff"), mine), "bot", 5_000, "olga"), 0)
        assert machine.latch.may_work(0)

    def test_a_reboot_and_a_reset_end_the_session(self, machine: Machine) -> None:
        machine.lease(0)
        before = machine.command()
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.reset(1)
        with pytest.raises(Rejected, match="another session"):
            machine.latch.take(before, 1)
        between = machine.command(2)
        machine.boot()
        machine.lease(2)
        with pytest.raises(Rejected, match="another session"):
            machine.latch.take(between, 2)

    def test_after_a_reset_it_waits_for_a_lease_that_says_what_time_it_is(self, machine: Machine) -> None:
        machine.latch.stop(Stop(X, Target(), 0), b"signed")
        machine.reset(1)
        with pytest.raises(Rejected, match="no lease of this session"):
            machine.latch.take(machine.command(), 1)
        machine.lease(2)
        machine.latch.take(machine.command(), 2)
        assert machine.latch.may_work(2)

    def test_it_expires_on_the_clock_of_the_leases_counted_from_the_question(self, machine: Machine) -> None:
        machine.lease(7, asked=4, t_ms=1_000_000)
        with pytest.raises(Rejected, match="too late"):
            machine.latch.take(machine.command(expires_ms=1_003_000), 7)
        machine.latch.take(machine.command(expires_ms=1_003_001), 7)
        with pytest.raises(Rejected, match="too late"):
            machine.latch.take(machine.command(2, expires_ms=1_005_000), 9)

    def test_one_that_ran_does_not_run_again_when_the_bots_clock_seems_to_go_back(self, machine: Machine) -> None:
        machine.lease(0)
        first = machine.command(1, expires_ms=15_000)
        machine.latch.take(first, 0)
        machine.lease(9.9, asked=0, t_ms=9_900)  # the answer came late: the bot's clock is taken for 19.8 s
        machine.latch.take(machine.command(2, expires_ms=60_000), 9.9)
        machine.lease(10, t_ms=10_000)
        with pytest.raises(Rejected, match="it came before"):
            machine.latch.take(first, 10)

    def test_what_had_to_be_forgotten_is_too_late_for_good(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_COMMANDS", 2)
        machine.lease(0)
        for number in (1, 2):
            machine.latch.take(machine.command(number, expires_ms=number * 1_000), 0)
        with pytest.raises(Rejected, match="too many commands"):
            machine.latch.take(machine.command(3, expires_ms=60_000), 0)
        machine.latch.take(machine.command(3, expires_ms=60_000), 1)
        machine.lease(1, t_ms=0)  # the bot's clock was set back
        with pytest.raises(Rejected, match="too late"):
            machine.latch.take(machine.command(1, expires_ms=1_000), 1)
        with pytest.raises(Rejected, match="it came before"):
            machine.latch.take(machine.command(2, expires_ms=2_000), 1)
