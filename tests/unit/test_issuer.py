"""The bot's half of the stop machine: who must stand still, and what it takes to be believed."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable

import pytest

from wire.envelope import PrivateKey
from wire.issuer import MOST_CLAIMED, MOST_HEARD, MOST_UNPROVEN, Growth, Incident, Issuer, Overdrawn, Replayed
from wire.latch import TTL_S, Kept, Latch, Trusted
from wire.messages import Open, Shown, State, Stop, Target

X, Y = "1" * 32, "2" * 32
ALL = Target()
KEY = PrivateKey(b"bot".ljust(32, b".")).public


def draws(start: int) -> Callable[[int], bytes]:
    """Random bytes that are never the same, and always the same for a test."""
    numbers = itertools.count(start)
    return lambda size: next(numbers).to_bytes(size, "big")


GROUPS = {"a": frozenset({"red"}), "b": frozenset({"red", "blue"}), "c": frozenset[str]()}


def issuer(
    incidents: Iterable[Incident] = (),
    affected: Iterable[tuple[str, str]] = (),
    groups: dict[str, frozenset[str]] = GROUPS,
    cleared: Iterable[tuple[str, str]] = (),
) -> Issuer:
    return Issuer(groups, incidents, affected, cleared, random=draws(0))


NONCES = itertools.count()


def says(
    component: str,
    *incidents: Open,
    shown: Shown = Shown.STOPPED,
    re: str | None = None,
    groups: tuple[str, ...] = (),
) -> State:
    return State(component, "aa", f"{next(NONCES):x}", re, shown, incidents, groups, KEY.id)


def unsigned(_: bytes) -> Stop | None:
    """Nobody's signature is good."""
    return None


def signed_by_us(stop: Stop) -> Callable[[bytes], Stop | None]:
    """Only this stop's signature is good."""
    return lambda signed: stop if signed == b"signed" else None


class TestIssuer:
    def test_with_nothing_open_a_lease_permits_work(self) -> None:
        bot = issuer()
        state = says("a", shown=Shown.HELD)
        bot.hear(state, unsigned)
        lease = bot.lease(state, 0, 1234)
        assert (lease.nonce, lease.t_ms, lease.ttl_ms, lease.stops, lease.cleared) == (
            state.nonce,
            1234,
            10_000,
            (),
            (),
        )
        assert bot.lease(state, 0, 1234).n != lease.n

    @pytest.mark.parametrize(
        ("target", "affected"),
        [
            (ALL, {"a", "b", "c"}),
            (Target(group="red"), {"a", "b"}),
            (Target(group="blue"), {"b"}),
            (Target(id="c"), {"c"}),
            (Target(id="unknown"), set[str]()),
        ],
    )
    def test_a_stop_affects_its_target(self, target: Target, affected: set[str]) -> None:
        bot = issuer()
        growth = bot.open(Incident(X, target))
        assert growth.incidents == (Incident(X, target),)
        assert set(growth.affected) == {(X, each) for each in affected}
        assert bot.affected(X) == affected
        for component in GROUPS:
            lease = bot.lease(says(component), 0, 0)
            assert lease.stops == ((X,) if component in affected else ())

    def test_the_same_stop_again_adds_nothing(self) -> None:
        bot = issuer()
        bot.open(Incident(X, ALL))
        assert not bot.open(Incident(X, Target(id="a")))
        assert bot.incidents == (Incident(X, ALL),)

    def test_an_order_widens_an_incident_that_somebody_named_before_it_was_known(self) -> None:
        bot = issuer()
        bot.hear(says("a", Open(X)), unsigned)
        assert bot.place(X, ALL) == X
        ordered = Incident(X, ALL, b"signed")
        assert bot.open(ordered) == Growth((), ((X, "b"), (X, "c")), (ordered,))
        assert bot.incidents == (ordered,)
        assert not bot.open(ordered)
        assert [bot.lease(says(each), 0, 0).stops for each in GROUPS] == [(X,)] * 3

    def test_the_signed_stop_of_an_incident_that_was_named_without_it_widens_it(self) -> None:
        bot = issuer()
        bot.hear(says("a", Open(X)), unsigned)
        widened = Incident(X, Target(group="blue"), b"signed")
        verify = signed_by_us(Stop(X, Target(group="blue"), 0))
        assert bot.hear(says("c", Open(X, b"forged")), verify) == Growth((), ((X, "c"),))
        assert bot.hear(says("a", Open(X, b"signed")), verify) == Growth((), ((X, "b"),), (widened,))
        assert bot.incidents == (widened,)
        assert [bot.lease(says(each), 0, 0).stops for each in GROUPS] == [(X,)] * 3
        assert not bot.hear(says("a", Open(X, b"signed")), verify)

    def test_an_incident_with_its_signed_stop_keeps_its_target(self) -> None:
        bot = issuer([Incident(X, ALL, b"signed")])
        bot.hear(says("a", Open(X, b"signed")), signed_by_us(Stop(X, Target(id="a"), 0)))
        assert not bot.open(Incident(X, Target(id="a"), b"signed"))
        assert bot.incidents == (Incident(X, ALL, b"signed"),)

    def test_an_order_joins_the_signed_stop_of_its_target_and_its_own_first(self) -> None:
        first, second = Incident(X, ALL, b"signed"), Incident(Y, ALL, b"signed")
        bot = issuer([first, second, Incident("3" * 32, Target(id="a"))])
        assert bot.place("f" * 32, ALL) == first
        assert bot.place(Y, ALL) == second
        assert bot.place("f" * 32, Target(id="a")) == "f" * 32  # that one nobody signed

    def test_an_order_under_an_id_that_another_target_has_gets_its_own_and_always_the_same(self) -> None:
        bot = issuer([Incident(X, Target(id="a"), b"signed")])
        other = bot.place(X, ALL)
        assert isinstance(other, str)
        assert other not in (X, bot.place(X, Target(id="b")))
        assert issuer([Incident(X, Target(id="a"), b"signed")]).place(X, ALL) == other
        bot.open(Incident(other, ALL, b"signed"))
        assert bot.place(X, ALL) == Incident(other, ALL, b"signed")

    def test_a_statement_counts_once(self) -> None:
        bot = issuer([Incident(X, ALL, b"signed")])
        busy, lost = says("a", shown=Shown.BUSY), says("a", shown=Shown.LOST)
        bot.hear(busy, unsigned)
        bot.hear(lost, unsigned)
        last = says("a", Open(X), re=bot.lease(busy, 0, 0).n)
        bot.hear(last, unsigned)
        for old in (busy, lost, last):
            with pytest.raises(Replayed):
                bot.hear(old, unsigned)
        assert bot.has_stopped("a", X, 0)
        bot.hear(dataclasses.replace(busy, id="b"), unsigned)  # its nonces are its own

    def test_the_last_256_statements_are_recognised(self) -> None:
        bot = issuer()
        states = [says("a") for _ in range(MOST_HEARD + 1)]
        for state in states:
            bot.hear(state, unsigned)
        for state in states[1:]:
            with pytest.raises(Replayed):
                bot.hear(state, unsigned)
        bot.hear(states[0], unsigned)

    def test_who_brings_up_too_many_incidents_gets_no_lease_and_stops_nobody_else(self) -> None:
        bot = issuer()
        named = [Open(f"{number:032x}") for number in range(MOST_UNPROVEN + 1)]
        enough = says("a", *named[:-1])
        bot.hear(enough, unsigned)
        assert len(bot.lease(enough, 0, 0).stops) == MOST_UNPROVEN
        verify = signed_by_us(Stop(X, ALL, 0))
        too_many = says("a", named[-1], Open(X, b"signed"))
        growth = bot.hear(too_many, verify)
        assert growth.incidents == (Incident(X, ALL, b"signed"),)  # what is signed is never too much
        assert len(bot.incidents) == MOST_UNPROVEN + 1
        with pytest.raises(Overdrawn, match="a names more than 64 incidents"):
            bot.lease(too_many, 0, 0)
        assert bot.lease(says("b"), 0, 0).stops == (X,)
        bot.hear(says("a", *named[:-1]), unsigned)
        bot.lease(says("a"), 0, 0)

    def test_incidents_of_others_that_nobody_signed_count_as_its_own(self) -> None:
        bot = issuer()
        for component in ("a", "b"):
            first = 0 if component == "a" else MOST_UNPROVEN
            bot.hear(says(component, *(Open(f"{first + each:032x}") for each in range(MOST_UNPROVEN))), unsigned)
        bot.hear(says("b", Open(f"{0:032x}")), unsigned)
        assert bot.affected(f"{0:032x}") == {"a"}
        with pytest.raises(Overdrawn):
            bot.lease(says("b"), 0, 0)

    def test_the_bound_holds_after_a_restart(self) -> None:
        known = [Incident(f"{number:032x}", Target(id="a")) for number in range(MOST_UNPROVEN)]
        bot = issuer(known, [(each.id, "a") for each in known])
        assert not bot.hear(says("a", Open(X)), unsigned)
        with pytest.raises(Overdrawn):
            bot.lease(says("a"), 0, 0)

    def test_who_claims_too_many_groups_gets_no_lease(self) -> None:
        bot = issuer()
        groups = tuple(f"g{number}" for number in range(MOST_CLAIMED + 1))
        bot.hear(says("a", groups=(*groups[:-1], "red")), unsigned)
        bot.lease(says("a"), 0, 0)
        bot.hear(says("a", groups=groups[-1:]), unsigned)
        with pytest.raises(Overdrawn, match="more than 64 groups"):
            bot.lease(says("a"), 0, 0)
        assert bot.open(Incident(X, Target(group=groups[-1]))).affected == ()
        assert bot.open(Incident(Y, Target(group="g0"))).affected == ((Y, "a"),)

    def test_what_was_written_down_is_the_same_after_a_restart(self) -> None:
        bot = issuer([Incident(X, Target(id="a"))], [(X, "a"), (X, "c")])
        assert bot.affected(X) == {"a", "c"}
        assert [bot.lease(says(each), 0, 0).stops for each in GROUPS] == [(X,), (), (X,)]

    def test_a_verified_stop_that_it_did_not_know_opens_with_its_whole_target(self) -> None:
        bot = issuer()
        stop = Stop(X, Target(group="red"), 0)
        growth = bot.hear(says("a", Open(X, b"signed")), signed_by_us(stop))
        assert growth.incidents == (Incident(X, Target(group="red"), b"signed"),)
        assert set(growth.affected) == {(X, "a"), (X, "b")}
        assert [bot.lease(says(each), 0, 0).stops for each in GROUPS] == [(X,), (X,), ()]

    @pytest.mark.parametrize("signed", [None, b"forged", b"signed"])
    def test_without_a_stop_that_verifies_for_it_an_incident_opens_for_that_component_alone(
        self, signed: bytes | None
    ) -> None:
        bot = issuer()
        growth = bot.hear(says("a", Open(X, signed)), signed_by_us(Stop(Y, ALL, 0)))
        assert growth == Growth((Incident(X, Target(id="a")),), ((X, "a"),))
        assert [bot.lease(says(each), 0, 0).stops for each in GROUPS] == [(X,), (), ()]

    def test_an_incident_that_is_named_twice_opens_once(self) -> None:
        growth = issuer().hear(says("a", Open(X), Open(X)), unsigned)
        assert growth == Growth((Incident(X, Target(id="a")),), ((X, "a"),))

    def test_who_names_an_incident_is_affected_by_it_whatever_its_target(self) -> None:
        bot = issuer()
        bot.open(Incident(X, Target(id="a")))
        assert bot.hear(says("c", Open(X)), unsigned) == Growth((), ((X, "c"),))
        assert bot.affected(X) == {"a", "c"}
        assert not bot.hear(says("c", Open(X)), unsigned)

    def test_who_says_that_it_is_in_a_group_is_stopped_with_it(self) -> None:
        bot = issuer()
        bot.open(Incident(X, Target(group="red")))
        state = says("c", shown=Shown.BUSY, groups=("red",))
        assert bot.hear(state, unsigned) == Growth((), ((X, "c"),))
        assert bot.lease(state, 0, 0).stops == (X,)
        bot.hear(says("c"), unsigned)
        assert bot.open(Incident(Y, Target(group="red"))).affected == ((Y, "a"), (Y, "b"), (Y, "c"))

    def test_who_is_enrolled_while_everything_is_stopped_is_stopped_too(self) -> None:
        bot = issuer([Incident(X, ALL)], [(X, "a")])
        state = says("b", shown=Shown.HELD)
        assert bot.hear(state, unsigned) == Growth((), ((X, "b"),))
        assert bot.lease(state, 0, 0).stops == (X,)

    def test_who_is_not_enrolled_any_more_is_not_waited_for(self) -> None:
        bot = issuer([Incident(X, ALL)], [(X, "a"), (X, "gone")], {"a": frozenset()})
        assert bot.affected(X) == {"a"}
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", Open(X), re=lease.n), unsigned)
        assert bot.confirmed(X, 0)


class TestConfirmation:
    @pytest.fixture
    def bot(self) -> Issuer:
        bot = issuer(groups={"a": frozenset(), "b": frozenset()})
        bot.open(Incident(X, ALL))
        return bot

    def test_a_stop_that_nobody_answered_is_not_confirmed(self, bot: Issuer) -> None:
        assert not bot.has_spoken("a")
        assert not bot.has_latched("a", X)
        assert not bot.has_stopped("a", X, 0)
        assert not bot.confirmed(X, 0)

    def test_it_is_confirmed_when_all_have_stopped(self, bot: Issuer) -> None:
        for component, confirmed in (("a", False), ("b", True)):
            lease = bot.lease(says(component), 0, 0)
            bot.hear(says(component, Open(X), re=lease.n), unsigned)
            assert bot.has_stopped(component, X, 0)
            assert bot.confirmed(X, 0) is confirmed

    def test_a_stop_that_affects_nobody_is_not_confirmed(self, bot: Issuer) -> None:
        bot.open(Incident(Y, Target(id="unknown")))
        assert not bot.confirmed(Y, 0)

    def test_an_answer_to_a_lease_older_than_its_life_proves_nothing(self, bot: Issuer) -> None:
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", Open(X), re=lease.n), unsigned)
        assert bot.has_stopped("a", X, TTL_S)
        assert not bot.has_stopped("a", X, TTL_S + 0.001)
        assert bot.has_latched("a", X)
        bot.lease(says("a"), TTL_S + 1, 0)
        bot.hear(says("a", Open(X), re=lease.n), unsigned)
        assert not bot.has_stopped("a", X, TTL_S + 1)

    def test_an_answer_to_nothing_to_another_component_or_to_an_earlier_process_proves_nothing(
        self, bot: Issuer
    ) -> None:
        foreign = bot.lease(says("b"), 0, 0)
        earlier = Issuer({"a": frozenset()}, (), (), random=draws(99)).lease(says("a"), 0, 0)
        for re in (None, foreign.n, earlier.n, "ff"):
            bot.hear(says("a", Open(X), re=re), unsigned)
            assert not bot.has_stopped("a", X, 0)
            assert bot.has_latched("a", X)

    @pytest.mark.parametrize("shown", sorted(set(Shown) - {Shown.STOPPED}))
    def test_no_other_state_is_stopped(self, bot: Issuer, shown: Shown) -> None:
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", Open(X), shown=shown, re=lease.n), unsigned)
        assert not bot.has_stopped("a", X, 0)

    def test_who_has_stopped_for_something_else_has_not_stopped_for_this(self, bot: Issuer) -> None:
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", Open(Y), re=lease.n), unsigned)
        assert bot.has_stopped("a", Y, 0)
        assert not bot.has_stopped("a", X, 0)
        assert not bot.has_latched("a", X)

    def test_the_last_word_counts(self, bot: Issuer) -> None:
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", Open(X), re=lease.n), unsigned)
        bot.hear(says("a", shown=Shown.LOST, re=lease.n), unsigned)
        assert bot.has_spoken("a")
        assert not bot.has_stopped("a", X, 0)


class TestResets:
    """What two persons have agreed to. `clearing` says it, `clear` does it, and a disk stands between them."""

    @pytest.fixture
    def bot(self) -> Issuer:
        bot = issuer()
        bot.open(Incident(X, ALL, b"signed"))
        return bot

    def leases(self, bot: Issuer) -> list[tuple[str, ...]]:
        return [bot.lease(says(each), 0, 0).stops for each in GROUPS]

    def test_an_agreement_changes_nothing_before_it_is_on_disk(self, bot: Issuer) -> None:
        assert bot.clearing(X, None) == {(X, "")}
        assert bot.lease(says("a", Open(X)), 0, 0).cleared == ()
        assert self.leases(bot) == [(X,)] * 3

    def test_a_reset_for_all_stops_nobody_any_more_also_who_turns_up_later(self, bot: Issuer) -> None:
        bot.clear(bot.clearing(X, None))
        assert self.leases(bot) == [()] * 3
        assert bot.incidents == ()
        assert bot.is_closed(X)
        assert bot.is_over(X)
        state = says("a", Open(X), groups=("green",))
        assert not bot.hear(state, unsigned)
        assert bot.lease(state, 0, 0).cleared == (X,)

    def test_a_reset_for_some_stops_the_others_still(self, bot: Issuer) -> None:
        bot.clear(bot.clearing(X, ["a"]))
        assert self.leases(bot) == [(), (X,), (X,)]
        assert bot.incidents == (Incident(X, ALL, b"signed"),)
        assert [bot.lease(says(each, Open(X)), 0, 0).cleared for each in GROUPS] == [(X,), (), ()]
        assert not bot.is_closed(X)
        bot.clear(bot.clearing(X, ["b", "c"]))
        assert bot.is_closed(X)
        assert not bot.is_over(X)
        assert bot.incidents == ()

    def test_a_lease_clears_only_what_the_component_names(self, bot: Issuer) -> None:
        bot.clear(bot.clearing(X, None))
        assert bot.lease(says("a", Open(Y)), 0, 0).cleared == ()

    def test_who_was_let_off_and_names_it_again_is_not_stopped_again(self, bot: Issuer) -> None:
        bot.clear(bot.clearing(X, ["a"]))
        state = says("a", Open(X, b"signed"), groups=("green",))
        assert not bot.hear(state, signed_by_us(Stop(X, ALL, 0)))
        assert bot.lease(state, 0, 0).stops == ()

    @pytest.mark.parametrize("whom", [None, ["a"]])
    def test_a_reset_is_the_same_after_a_restart(self, whom: list[str] | None) -> None:
        known = [Incident(X, ALL, b"signed")]
        pairs = [(X, each) for each in GROUPS]
        cleared = issuer(known, pairs).clearing(X, whom)
        bot = issuer(known, pairs, cleared=cleared)
        assert self.leases(bot) == ([()] * 3 if whom is None else [(), (X,), (X,)])
        assert bot.lease(says("a", Open(X)), 0, 0).cleared == (X,)

    def test_without_its_signed_stop_it_is_reset_for_those_whom_it_is_known_to_stop(self) -> None:
        bot = issuer()
        bot.hear(says("a", Open(X)), unsigned)
        assert bot.clearing(X, None) == {(X, "a")}
        bot.clear({(X, "a")})
        verify = signed_by_us(Stop(X, ALL, 0))
        growth = bot.hear(says("b", Open(X, b"signed")), verify)
        assert set(growth.affected) == {(X, "b"), (X, "c")}
        assert self.leases(bot) == [(), (X,), (X,)]

    def test_an_order_that_came_before_is_what_it_was_also_when_that_is_reset(self, bot: Issuer) -> None:
        bot.clear(bot.clearing(X, None))
        assert bot.place(X, ALL) == Incident(X, ALL, b"signed")
        assert bot.place(Y, ALL) == Y

    def test_an_order_joins_nothing_that_somebody_is_let_off(self, bot: Issuer) -> None:
        assert bot.place(Y, ALL) == Incident(X, ALL, b"signed")
        bot.clear(bot.clearing(X, ["a"]))
        assert bot.place(Y, ALL) == Y

    def test_an_order_under_an_id_that_was_named_and_reset_without_its_stop_gets_its_own(self) -> None:
        bot = issuer()
        bot.hear(says("a", Open(X)), unsigned)
        bot.clear(bot.clearing(X, None))
        other = bot.place(X, ALL)
        assert isinstance(other, str)
        assert other != X
        assert bot.open(Incident(other, ALL, b"signed")).affected == tuple((other, each) for each in GROUPS)

    def test_a_confirmation_waits_for_nobody_who_was_let_off(self, bot: Issuer) -> None:
        for each in ("a", "b"):
            bot.hear(says(each, Open(X), re=bot.lease(says(each), 0, 0).n), unsigned)
        assert not bot.confirmed(X, 0)
        assert bot.count(X) == 3
        bot.clear(bot.clearing(X, ["c"]))
        assert bot.confirmed(X, 0)
        assert bot.count(X) == 2
        bot.clear(bot.clearing(X, None))
        assert not bot.confirmed(X, 0)
        assert bot.count(X) == 0


class TestResumed:
    @pytest.fixture
    def bot(self) -> Issuer:
        bot = issuer()
        bot.open(Incident(X, ALL, b"signed"))
        bot.clear(bot.clearing(X, ["a"]))
        return bot

    def test_who_says_without_the_incident_what_it_is_in_answer_to_us_has_resumed(self, bot: Issuer) -> None:
        lease = bot.lease(says("a"), 0, 0)
        bot.hear(says("a", shown=Shown.READY, re=lease.n), unsigned)
        assert bot.has_resumed("a", X, 1)
        assert not bot.has_resumed("a", X, TTL_S + 0.001)

    def test_who_names_it_still_or_is_lost_or_was_not_let_off_has_not(self, bot: Issuer) -> None:
        assert not bot.has_resumed("a", X, 0)
        for component, state in (
            ("a", says("a", Open(X), re=bot.lease(says("a"), 0, 0).n)),
            ("a", says("a", shown=Shown.LOST, re=bot.lease(says("a"), 0, 0).n)),
            ("a", says("a", shown=Shown.READY)),
            ("a", says("a", shown=Shown.READY, re="ff")),
            ("b", says("b", shown=Shown.READY, re=bot.lease(says("b"), 0, 0).n)),
        ):
            bot.hear(state, unsigned)
            assert not bot.has_resumed(component, X, 0)

    def test_who_names_a_lease_of_ours_has_heard_us_for_as_long_as_that_lives(self, bot: Issuer) -> None:
        assert not bot.has_echoed("a", 0)
        lease = bot.lease(says("a"), 0, 0)
        assert bot.spare_s(says("a", re=lease.n), 4) == TTL_S - 4
        assert bot.spare_s(says("a", re="ff"), 4) is None
        bot.hear(says("a", re=lease.n), unsigned)
        assert bot.has_echoed("a", TTL_S)
        assert not bot.has_echoed("a", TTL_S + 0.001)


def test_bot_and_component_together_from_work_to_stop_to_work() -> None:
    latch = Latch("walker", ["walkers"], Kept(), trusted=Trusted(KEY), write=lambda _: True, random=draws(0))
    bot = issuer(groups={"walker": frozenset()})

    def round_trip(now: float) -> State:
        state = latch.ask(now)
        bot.hear(state, unsigned)
        latch.lease(bot.lease(state, now, 0), now)
        return state

    round_trip(0)
    assert latch.may_work(1)
    bot.open(Incident(X, Target(group="walkers")))
    round_trip(2)  # the stop itself was lost; the next lease brings it
    assert not latch.may_work(2)
    latch.down = True
    round_trip(3)
    assert bot.confirmed(X, 3)
    assert not latch.may_work(3)
    bot.clear(bot.clearing(X, None))
    round_trip(4)
    assert latch.may_work(4)
    assert not bot.has_resumed("walker", X, 4)
    round_trip(5)  # a new session names no lease of the old one
    assert not bot.has_resumed("walker", X, 5)
    round_trip(6)
    assert bot.has_resumed("walker", X, 6)
