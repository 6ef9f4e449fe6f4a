"""The messages of the contract: each comes back as it was sent, and what is none of them is refused."""

import json
from typing import Protocol

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wire.birth import Birth, Danger, Offer
from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.messages import LARGEST_STOP, HandOver, Lease, Open, Roster, Shown, State, Stop, Target

ANY_TEXT = st.text(st.characters(codec=None))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
NUMBERS = st.integers(0, 2**53)
HEX = st.from_regex(r"[0-9a-f]{1,64}", fullmatch=True)
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
INCIDENTS = st.from_regex(r"(own-)?[0-9a-f]{32}", fullmatch=True)
TARGETS = st.just(Target()) | st.builds(Target, group=IDS) | st.builds(Target, id=IDS)
STOPS = st.builds(Stop, incident=INCIDENTS, target=TARGETS, issued_ms=NUMBERS)
LEASES = st.builds(
    Lease,
    nonce=HEX,
    n=HEX,
    t_ms=NUMBERS,
    ttl_ms=st.integers(1, 2**53),
    stops=st.lists(INCIDENTS, max_size=5).map(tuple),
    cleared=st.lists(INCIDENTS, max_size=5).map(tuple),
)
STATES = st.builds(
    State,
    id=IDS,
    session=HEX,
    nonce=HEX,
    re=st.none() | HEX,
    shown=st.sampled_from(Shown),
    incidents=st.lists(st.builds(Open, INCIDENTS, st.none() | st.binary(max_size=64)), max_size=5).map(tuple),
    groups=st.lists(IDS, max_size=5).map(tuple),
    key=st.text(max_size=100),
    roster=NUMBERS,
)
KEYS = st.binary(min_size=32, max_size=32).map(PublicKey)
HAND_OVERS = st.builds(HandOver, KEYS, KEYS)
ROSTERS = st.builds(Roster, st.integers(1, 2**53), st.lists(KEYS.map(str), max_size=5).map(tuple))
BIRTHS = st.builds(
    Birth,
    id=IDS,
    session=HEX,
    title=st.text(max_size=100),
    kind=st.text(max_size=100),
    version=st.text(max_size=100),
    groups=st.lists(IDS, max_size=5).map(tuple),
    commands=st.dictionaries(
        IDS,
        st.builds(Offer, st.text(max_size=100), st.just({}), st.booleans(), st.sampled_from(Danger), IDS | st.just("")),
        max_size=3,
    ),
    stop_deadline_ms=st.integers(0, 3_600_000),
)
X, Y = "1" * 32, "own-" + "2" * 32
STOP = Stop(X, Target(group="walkers"), 1_700_000_000_000)
LEASE = Lease("aa", "bb", 1_700_000_000_000, 10_000, (X,), (Y,))
STATE = State("walker", "aa", "bb", None, Shown.STOPPED, (Open(X, b"signed"), Open(Y)), ("walkers",), "cc", 3)
HAND_OVER = HandOver(PublicKey(bytes(32)), PublicKey(bytes([1]) * 32))
ROSTER = Roster(3, (str(PublicKey(bytes(32))),))
BIRTH = Birth("walker", "aa", "A walk", "simulation", "1", ("walkers",))


class Message(Protocol):
    def to_bytes(self) -> bytes:
        """As it travels."""
        ...


class Kind(Protocol):
    """A type of message."""

    def parse(self, payload: bytes) -> Message:
        """From bytes."""
        ...


KINDS: list[tuple[Kind, Message]] = [
    (Stop, STOP),
    (Lease, LEASE),
    (State, STATE),
    (Birth, BIRTH),
    (HandOver, HAND_OVER),
    (Roster, ROSTER),
]
every_kind = pytest.mark.parametrize(
    ("kind", "sample"), KINDS, ids=["stop", "lease", "state", "birth", "hand-over", "roster"]
)


def taken_whole_or_refused(kind: Kind, payload: bytes) -> None:
    try:
        message = kind.parse(payload)
    except BadMessage:
        return
    assert kind.parse(message.to_bytes()) == message


@given(message=STOPS | LEASES | STATES | BIRTHS | HAND_OVERS | ROSTERS)
@settings(deadline=None)
def test_a_message_comes_back_as_it_was_sent(message: Stop | Lease | State | Birth | HandOver | Roster) -> None:
    assert type(message).parse(message.to_bytes()) == message


@every_kind
@given(payload=st.binary())
@settings(deadline=None)
def test_any_bytes_are_a_message_or_refused(kind: Kind, sample: Message, payload: bytes) -> None:
    taken_whole_or_refused(kind, payload)
    taken_whole_or_refused(kind, sample.to_bytes() + payload)


@every_kind
@given(data=st.data())
@settings(deadline=None)
def test_a_message_with_anything_in_one_field_is_taken_or_refused(
    kind: Kind, sample: Message, data: st.DataObject
) -> None:
    fields = json.loads(sample.to_bytes())
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(ANY_JSON)
    taken_whole_or_refused(kind, json.dumps(fields).encode())


@every_kind
@given(value=ANY_JSON)
@example(value=[])
@settings(deadline=None)
def test_any_json_is_a_message_or_refused(kind: Kind, sample: Message, value: object) -> None:  # noqa: ARG001
    taken_whole_or_refused(kind, json.dumps(value).encode())


@every_kind
def test_a_field_that_nobody_knows_is_ignored(kind: Kind, sample: Message) -> None:
    fields = json.loads(sample.to_bytes()) | {"from the future": [1]}
    assert kind.parse(json.dumps(fields).encode()) == sample


@pytest.mark.parametrize("field", ["id", "session", "nonce", "state"])
def test_a_state_without_what_it_needs_is_refused(field: str) -> None:
    fields = json.loads(STATE.to_bytes())
    del fields[field]
    with pytest.raises(BadMessage, match=f"'{field}'"):
        State.parse(json.dumps(fields).encode())


@pytest.mark.parametrize("field", ["nonce", "n", "t_ms", "ttl_ms"])
def test_a_lease_without_what_it_needs_is_refused(field: str) -> None:
    fields = json.loads(LEASE.to_bytes())
    del fields[field]
    with pytest.raises(BadMessage, match=f"'{field}'"):
        Lease.parse(json.dumps(fields).encode())


@pytest.mark.parametrize("field", ["incident", "target", "issued"])
def test_a_stop_without_what_it_needs_is_refused(field: str) -> None:
    fields = json.loads(STOP.to_bytes())
    del fields[field]
    with pytest.raises(BadMessage, match=f"'{field}'"):
        Stop.parse(json.dumps(fields).encode())


def test_a_state_that_names_no_key_has_the_roster_of_its_enrolment() -> None:
    fields = json.loads(STATE.to_bytes())
    del fields["key"], fields["roster"]
    state = State.parse(json.dumps(fields).encode())
    assert (state.key, state.roster) == ("", 0)


@pytest.mark.parametrize("serial", [0, -1, 1.5, "1", None, True])
def test_a_roster_that_is_said_has_a_number_above_that_of_an_enrolment(serial: object) -> None:
    with pytest.raises(BadMessage, match="'serial'"):
        Roster.parse(json.dumps(json.loads(ROSTER.to_bytes()) | {"serial": serial}).encode())


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 44, "A" * 43, "A" * 42 + "==", "A" * 43 + "=\n", None, 1])
def test_a_key_is_32_bytes_in_base64_wherever_it_stands(key: object) -> None:
    for kind, fields in (
        (HandOver, json.loads(HAND_OVER.to_bytes()) | {"old": key}),
        (HandOver, json.loads(HAND_OVER.to_bytes()) | {"new": key}),
        (Roster, {"serial": 1, "stop_keys": [key]}),
    ):
        with pytest.raises(BadMessage):
            kind.parse(json.dumps(fields).encode())


@pytest.mark.parametrize("ttl_ms", [0, -1, 0.5, "10000", None, True])
def test_a_lease_lives_a_whole_number_of_milliseconds(ttl_ms: object) -> None:
    with pytest.raises(BadMessage, match="'ttl_ms'"):
        Lease.parse(json.dumps(json.loads(LEASE.to_bytes()) | {"ttl_ms": ttl_ms}).encode())


@pytest.mark.parametrize("incident", ["", "1" * 31, "1" * 33, "G" * 32, "own-", "not-" + "1" * 32, "1" * 32 + "\n"])
def test_an_incident_has_the_form_of_one_everywhere(incident: str) -> None:
    stop = json.loads(STOP.to_bytes()) | {"incident": incident}
    lease = json.loads(LEASE.to_bytes())
    state = json.loads(STATE.to_bytes()) | {"incidents": [{"id": incident}]}
    for kind, fields in (
        (Stop, stop),
        (Lease, lease | {"stops": [incident]}),
        (Lease, lease | {"cleared": [incident]}),
        (State, state),
    ):
        with pytest.raises(BadMessage):
            kind.parse(json.dumps(fields).encode())


def test_a_state_carries_signed_stops_up_to_their_bound() -> None:
    def state(size: int) -> bytes:
        return State("walker", "aa", "bb", None, Shown.STOPPED, (Open(X, bytes(size)),)).to_bytes()

    assert State.parse(state(LARGEST_STOP)).incidents == (Open(X, bytes(LARGEST_STOP)),)
    with pytest.raises(BadMessage, match="2048 bytes"):
        State.parse(state(LARGEST_STOP + 1))


def test_a_birth_of_another_contract_is_refused() -> None:
    with pytest.raises(BadMessage, match="'contract'"):
        Birth.parse(json.dumps(json.loads(BIRTH.to_bytes()) | {"contract": 2}).encode())


def birth_of(**fields: object) -> Birth:
    """Of a component with one command, which says this of itself."""
    walk: dict[str, dict[str, object]] = {"walk": {"title": "Walk", "input": {}, "job": True, **fields}}
    return Birth.parse(json.dumps(json.loads(BIRTH.to_bytes()) | {"commands": walk}).encode())


def test_a_birth_says_by_which_command_a_job_goes_on_and_need_not() -> None:
    assert [birth_of(**each).commands["walk"].goes_on_by for each in ({}, {"goes_on_by": ""})] == ["", ""]
    assert birth_of(goes_on_by="walk-on").commands["walk"].goes_on_by == "walk-on"
    assert b"goes_on_by" not in birth_of().to_bytes(), "who does not know the field need not read it"
    assert birth_of(what_comes_later={"a": [1]}) == birth_of()


@pytest.mark.parametrize("wrong", [None, 1, True, [], {}, "Walk", "walk on", "-walk", "walk\n", " ", "w" * 64])
def test_a_birth_that_says_it_otherwise_is_refused(wrong: object) -> None:
    with pytest.raises(BadMessage, match="goes_on_by"):
        birth_of(goes_on_by=wrong)


@pytest.mark.parametrize("text", ["", "All", "all/x", "group/", "id/", "id/A", "group/a/b", "id/#", "walker", "id/a\n"])
def test_a_target_of_no_known_form_is_refused(text: str) -> None:
    with pytest.raises(BadMessage, match="A target is"):
        Target.parse(text)


@given(target=TARGETS)
@settings(deadline=None)
def test_a_target_is_read_as_it_is_written(target: Target) -> None:
    assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    ("target", "met"),
    [
        ("all", True),
        ("group/walkers", True),
        ("group/others", False),
        ("group/walker", False),  # a group with the name of a component is no component
        ("id/walker", True),
        ("id/walkers", False),
        ("id/other", False),
    ],
)
def test_a_target_meets_whom_it_names(target: str, met: bool) -> None:
    assert Target.parse(target).meets("walker", frozenset({"walkers"})) is met
