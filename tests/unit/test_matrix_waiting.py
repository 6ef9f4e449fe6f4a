"""What cannot be read yet: how long it waits for its key, and where the cursor stays meanwhile. None is lost."""

import math

from hypothesis import given
from hypothesis import strategies as st
from nio import Event, MatrixRoom, MegolmEvent, RoomMessageText

from bot.bridge import Unreadable
from bot.words.message import Change, Place
from bot.words.people import Account
from bridges.matrix import waiting
from bridges.matrix.waiting import Letter, Waiting

ALICE, MALLORY = Account("matrix", "@alice:example.org"), Account("matrix", "@mallory:example.org")
ROOM = MatrixRoom("!room:example.org", "@tocsin:example.org", encrypted=True)
PLACE = Place("matrix", ROOM.room_id)
KEY_MAY_TAKE_S = 10.0


def letter(name: str) -> Letter:
    content = {"algorithm": "m.megolm.v1.aes-sha2", "sender_key": "k", "device_id": "PHONE", "session_id": name}
    source = {
        "event_id": name,
        "sender": ALICE.id,
        "origin_server_ts": 1,
        "type": "m.room.encrypted",
        "content": {**content, "ciphertext": "c"},
    }
    event = MegolmEvent.from_dict(source)
    assert isinstance(event, MegolmEvent)
    return Letter(event, ROOM, Unreadable(PLACE, ALICE, "PHONE", name, 1))


class Desk:
    """Letters, the keys that have come, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.keys: set[str] = set()
        self.waiting = Waiting(self._unseal, lambda: self.now, KEY_MAY_TAKE_S)

    def _unseal(self, event: MegolmEvent) -> Event | None:
        if event.event_id not in self.keys:
            return None
        source = {**event.source, "type": "m.room.message", "content": {"msgtype": "m.text", "body": "read"}}
        read = RoomMessageText.from_dict(source)
        assert isinstance(read, RoomMessageText)
        return read

    def batch(self, cursor: str, *names: str, since: str = "start") -> list[str]:
        """A batch with these in it. Returns what is given up."""
        self.waiting.hold([letter(name) for name in names], since=since, cursor=cursor)
        return [each.event for each in self.waiting.given_up()]

    def opened(self) -> list[str]:
        return [event.event_id for event, _ in self.waiting.opened()[0] if isinstance(event, Event)]


def test_the_cursor_moves_with_the_stream_while_nothing_waits() -> None:
    desk = Desk()
    assert desk.batch("one") == []
    assert desk.batch("two") == []
    assert (desk.waiting.cursor, desk.waiting.wait_s()) == ("two", math.inf)


def test_the_cursor_stays_before_what_waits_and_moves_when_it_is_given_up() -> None:
    desk = Desk()
    desk.batch("one")
    assert desk.batch("two", "$a", since="one") == []
    assert desk.batch("three") == []
    assert (desk.waiting.cursor, desk.waiting.wait_s()) == ("one", KEY_MAY_TAKE_S)
    desk.now += KEY_MAY_TAKE_S - 1
    assert desk.batch("four") == []
    desk.now += 1
    assert desk.batch("five") == ["$a"]
    assert (desk.waiting.cursor, desk.waiting.wait_s()) == ("five", math.inf)


def test_who_always_writes_what_cannot_be_read_holds_the_cursor_no_longer_than_a_key_may_take() -> None:
    desk = Desk()
    for number in range(100):
        desk.batch(str(number), f"${number}", since=str(number - 1))
        desk.now += 1
    assert int(desk.waiting.cursor) == 99 - KEY_MAY_TAKE_S


def test_a_key_that_comes_lets_the_cursor_go_on_and_nothing_is_given_up() -> None:
    desk = Desk()
    desk.batch("one", "$a", "$b", since="zero")
    desk.keys = {"$a"}
    assert desk.opened() == ["$a"]
    assert desk.opened() == []
    assert desk.batch("two") == []
    assert desk.waiting.cursor == "zero"
    desk.keys = {"$b"}
    assert desk.opened() == ["$b"]
    desk.now += KEY_MAY_TAKE_S
    assert desk.batch("three") == []
    assert desk.waiting.cursor == "three"


def test_a_key_that_comes_when_people_were_told_opens_nothing() -> None:
    desk = Desk()
    desk.batch("one", "$a")
    desk.now += KEY_MAY_TAKE_S
    assert desk.batch("two") == ["$a"]
    desk.keys = {"$a"}
    assert desk.opened() == []


def test_when_too_many_wait_the_oldest_are_given_up_and_told() -> None:
    desk = Desk()
    names = [f"${number}" for number in range(waiting.MOST_WAITING)]
    desk.batch("one", "$first", since="zero")
    assert desk.batch("two", *names) == ["$first"]
    assert desk.waiting.cursor == "one"
    assert desk.batch("three", "$last") == names
    assert desk.waiting.cursor == "two"


def test_what_was_changed_while_it_waited_is_told_with_it() -> None:
    desk = Desk()
    edited, removed = Change(PLACE, "$a", ALICE), Change(PLACE, "$b", MALLORY, removed=True)
    desk.batch("one", "$a", "$b", "$c", "$d")
    desk.waiting.note([edited, removed])
    desk.waiting.note([Change(PLACE, "$c", MALLORY), Change(Place("matrix", "!other:example.org"), "$d", ALICE)])
    desk.keys = {"$a", "$b", "$c", "$d"}
    assert desk.waiting.opened()[1] == [edited, removed]
    assert desk.waiting.opened()[1] == []


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.integers(0, 3)),
        st.tuples(st.just("time"), st.integers(1, 12)),
        st.tuples(st.just("key"), st.integers(0, 40)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_each_is_either_opened_or_told_and_the_cursor_never_passes_one_that_waits(
    events: list[tuple[str, int]],
) -> None:
    desk = Desk()
    batches: list[list[str]] = [[]]
    opened: list[str] = []
    told: list[str] = []

    def batch(count: int) -> None:
        number = len(batches)
        batches.append([f"${number}.{each}" for each in range(count)])
        told.extend(desk.batch(str(number), *batches[-1], since=str(number - 1)))

    for what, number in events:
        if what == "batch":
            batch(number)
        elif what == "time":
            desk.now += number
        else:
            written = [each for several in batches for each in several]
            desk.keys |= set(written[number : number + 1])
            opened.extend(desk.opened())
        settled = int(desk.waiting.cursor or 0)
        dealt_with = {*opened, *told}
        assert all(each in dealt_with for several in batches[: settled + 1] for each in several)
    desk.now += KEY_MAY_TAKE_S
    batch(0)
    assert sorted([*opened, *told]) == sorted(each for several in batches for each in several)
    assert int(desk.waiting.cursor) == len(batches) - 1
