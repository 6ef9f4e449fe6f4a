"""What a homeserver, or somebody on one, says wrongly. It never ends the bridge, and costs nobody else a word."""

import asyncio
import contextlib
import copy
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest

from bot.bridge import Unreadable
from bot.store import Store
from bot.words.errors import Unreachable
from bot.words.message import Change, Message, Place, Reaction
from bot.words.people import Account
from bridges.matrix.account import Account as LoginOf
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import establish
from bridges.matrix.invitations import Invitations
from bridges.matrix.patience import LONGEST_ASKED_S, asked_wait_s
from bridges.matrix.receiving import Heard, Receiver
from bridges.matrix.threads import Threads
from bridges.matrix.trust import Trust
from bridges.matrix.waiting import KEY_MAY_TAKE_S
from demo.inlet import Batch, StoredInlet
from demo.odd import ALICE, BOT, ROOM, VERA, Answer, Odd, batch, said, signed_by_its_owner
from demo.operator import PinsInMemory

SOON_S = 10.0


class Inbox(StoredInlet):
    """The inbox of a real store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "matrix")
        self.taken: list[Message] = []
        self.changes: list[Change] = []
        self.unreadable: list[Unreadable] = []
        self.reactions: list[Reaction] = []
        self.news = asyncio.Event()

    async def take(self, batch: Batch) -> None:
        """Take a batch."""
        await self.keep(batch)
        self.taken += batch.messages
        self.changes += batch.changes
        self.unreadable += batch.unreadable
        self.reactions += batch.reactions
        self.news.set()


@pytest.fixture
async def taken(tmp_path: Path) -> AsyncGenerator[Inbox]:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        yield Inbox(store)


@pytest.fixture
async def connection(odd: Odd, tmp_path: Path) -> AsyncGenerator[Connection]:
    async with odd.device(BOT, "TOCSIN", tmp_path / "bot") as connection:
        yield connection


@pytest.fixture
async def phone(odd: Odd, tmp_path: Path) -> AsyncGenerator[Connection]:
    async with odd.device(ALICE, "PHONE", tmp_path / "phone") as phone:
        yield phone


def trusted_by(connection: Connection) -> set[str]:
    olm = connection.olm
    return {device.device_id for device in olm.device_store if olm.is_device_verified(device) and not device.deleted}


@contextlib.asynccontextmanager
async def receiving(
    connection: Connection,
    taken: Inbox,
    *,
    longest_s: float = SOON_S,
    asked: frozenset[str] = frozenset(),
    listed: AbstractSet[str] = frozenset({ALICE}),
    key_may_take_s: float = KEY_MAY_TAKE_S,
) -> AsyncGenerator[Callable[[str | None], Awaitable[str]]]:
    """Takes batches, one a call. The keys of nobody but those named are asked for."""
    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as beside:
        invitations = Invitations(connection, lambda: frozenset(listed), beside, longest_s=longest_s)
        trust = Trust(connection, lambda: asked, PinsInMemory())
        threads = Threads(connection)
        receiver = Receiver(
            connection, trust, taken, threads, Heard(), invitations.answer, key_may_take_s=key_may_take_s
        )
        yield lambda since: receiver.take(since, first=since is None)


async def joins_ended() -> None:
    joins = [task for task in asyncio.all_tasks() if task.get_name().startswith("join ")]
    if joins:
        await asyncio.wait(joins)


def rubbish(**changed: object) -> Answer:
    whole = {"user_id": VERA, "device_id": "DD", "algorithms": ["a"], "signatures": {VERA: {"ed25519:DD": "x"}}}
    return whole | {"keys": {"ed25519:DD": "xxx", "curve25519:DD": "y"}} | changed


RUBBISH: list[object] = [
    {"DD": rubbish()},
    {"DD": rubbish(keys={})},
    {"DD": rubbish(keys=None)},
    {"DD": rubbish(keys={"ed25519:DD": ["x"], "curve25519:DD": {}})},
    {"DD": rubbish(keys={"ed25519:DD": "é", "curve25519:DD": "\ud800"})},
    {"DD": rubbish(keys={"ed25519:DD": "x", "curve25519:DD": "y", "signed_curve25519:AA": 5})},
    {"DD": rubbish(unsigned="x")},
    {"DD": rubbish(signatures={VERA: {"ed25519:DD": "%%%"}})},
    {"DD": rubbish(algorithms=None)},
    {"DD": {}},
    {"DD": None},
    ["x"],
    None,
]


@pytest.mark.parametrize("devices", RUBBISH)
async def test_rubbish_for_the_keys_of_one_costs_nobody_else_a_word(
    odd: Odd, connection: Connection, phone: Connection, taken: Inbox, devices: object
) -> None:
    answer = signed_by_its_owner(phone)
    answer["device_keys"][VERA] = devices
    odd.answers["/keys/query"] = answer
    odd.batches.put_nowait(batch("one", said("$1")))
    async with receiving(connection, taken, asked=frozenset({ALICE, VERA})) as take:
        assert await take(None) == "one"
    assert [message.text for message in taken.taken] == ["$1"]
    assert trusted_by(connection) == {"PHONE"}


@pytest.mark.parametrize("spoil", [{}, {"signed_curve25519:AA": "x"}, {"signed_curve25519:AA": {"key": 5}}])
async def test_rubbish_for_a_one_time_key_costs_no_other_device_its_session(
    odd: Odd, connection: Connection, phone: Connection, spoil: Answer
) -> None:
    odd.answers["/keys/query"] = signed_by_its_owner(phone)
    await Trust(connection, lambda: frozenset({ALICE}), PinsInMemory()).refresh()
    name, key = next(iter(phone.olm.share_keys()["one_time_keys"].items()))
    (device,) = connection.olm.device_store
    for one_time_key, works in ((spoil, False), ({name: key}, True)):
        odd.answers["/keys/claim"] = {"one_time_keys": {ALICE: {"PHONE": one_time_key}}, "failures": {}}
        await connection.client.keys_claim({ALICE: ["PHONE"]})
        assert (connection.olm.session_store.get(device.curve25519) is not None) is works


async def test_a_device_that_was_gone_for_a_while_is_trusted_again(
    odd: Odd, connection: Connection, phone: Connection
) -> None:
    answer = signed_by_its_owner(phone)
    trust = Trust(connection, lambda: frozenset({ALICE}), PinsInMemory())
    seen: list[set[str]] = []
    without: Answer = answer | {"master_keys": None}
    for changed in (answer, without, answer):
        odd.answers["/keys/query"] = copy.deepcopy(changed)
        connection.olm.users_for_key_query.add(ALICE)
        await trust.refresh()
        seen.append(trusted_by(connection))
    assert seen == [{"PHONE"}, set(), {"PHONE"}]


async def test_the_library_never_hears_of_a_device_that_its_owner_did_not_sign(
    odd: Odd, connection: Connection, phone: Connection
) -> None:
    answer = signed_by_its_owner(phone)
    own = answer["device_keys"][ALICE]["PHONE"]["signatures"][ALICE]
    answer["device_keys"][ALICE]["PHONE"]["signatures"] = {ALICE: {"ed25519:PHONE": own["ed25519:PHONE"]}}
    odd.answers["/keys/query"] = answer
    await Trust(connection, lambda: frozenset({ALICE}), PinsInMemory()).refresh()
    assert list(connection.olm.device_store) == []


async def test_an_answer_that_is_none_changes_nobodys_trust(
    odd: Odd, connection: Connection, phone: Connection
) -> None:
    odd.answers["/keys/query"] = signed_by_its_owner(phone)
    trust = Trust(connection, lambda: frozenset({ALICE}), PinsInMemory())
    await trust.refresh()
    nothing: list[object] = [{}, {"device_keys": None}, [], "x"]
    for answer in nothing:
        odd.answers["/keys/query"] = answer
        connection.olm.users_for_key_query.add(ALICE)
        with pytest.raises(Unreachable):
            await trust.refresh()
    assert trusted_by(connection) == {"PHONE"}


async def test_an_invitation_that_cannot_be_joined_holds_up_nothing_and_can_be_repeated(
    odd: Odd, connection: Connection, taken: Inbox
) -> None:
    odd.answers["/join/"] = {"errcode": "M_FORBIDDEN", "error": "no"}
    odd.status = 403
    odd.answers.pop("/keys/query")
    for name in ("one", "two", "three"):
        odd.batches.put_nowait(batch(name, said(f"${name}"), invites=("!closed:example.org",)))
    async with receiving(connection, taken) as take:
        cursor = None
        for name in ("one", "two", "three"):
            cursor = await take(cursor)
            assert cursor == name
            assert "closed" in await odd.joins.get()
            await joins_ended()
    assert [message.text for message in taken.taken] == ["$one", "$two", "$three"]


async def test_a_room_whose_server_is_away_is_given_up_after_a_while(
    odd: Odd, connection: Connection, taken: Inbox
) -> None:
    odd.answers["/join/"] = {"errcode": "M_UNKNOWN", "error": "Failed to make_join via any server"}
    odd.status = 502
    odd.batches.put_nowait(batch("one", said("$1"), invites=("!away:example.org",)))
    odd.batches.put_nowait(batch("two", said("$2"), invites=("!away:example.org",)))
    async with receiving(connection, taken, longest_s=0.1) as take:
        assert await take(None) == "one"
        await joins_ended()
        assert await take("one") == "two"
        await joins_ended()
    assert odd.joins.qsize() == 2
    assert [message.text for message in taken.taken] == ["$1", "$2"]


async def test_one_odd_event_does_not_keep_the_others_out(odd: Odd, connection: Connection, taken: Inbox) -> None:
    odd_events = [
        said("$late", origin_server_ts=2**63),
        said("$later", origin_server_ts=10**400),
        said("$\ud800"),
        said("$sender", sender="@\ud800:example.org"),
    ]
    odd.batches.put_nowait(batch("one", *odd_events, said("$1")))
    async with receiving(connection, taken) as take:
        assert await take(None) == "one"
    assert [message.text for message in taken.taken] == ["$late", "$later", "$1"]
    assert all(math.isfinite(message.age_s) for message in taken.taken)


def edit(event: str, **changed: object) -> Answer:
    return said("$edit", content={"m.relates_to": {"rel_type": "m.replace", "event_id": event}}) | changed


def redaction(event: str, **changed: object) -> Answer:
    return said("$redaction", type="m.room.redaction", redacts=event, content={}) | changed


@pytest.mark.parametrize(
    "event",
    [
        redaction("$1"),
        redaction("$1", content={"redacts": "$1"}),
        redaction("$1", content={"reason": 5}),
        {name: value for name, value in redaction("", content={"redacts": "$1"}).items() if name != "redacts"},
    ],
)
async def test_what_was_taken_back_is_heard_of_in_every_form(
    odd: Odd, connection: Connection, taken: Inbox, event: Answer
) -> None:
    odd.batches.put_nowait(batch("one", event))
    async with receiving(connection, taken) as take:
        assert await take(None) == "one"
    assert taken.changes == [Change(Place("matrix", ROOM), "$1", Account("matrix", ALICE), removed=True)]


async def test_odd_changes_change_nothing_and_stop_nobody(odd: Odd, connection: Connection, taken: Inbox) -> None:
    names: list[Any] = [None, 5, ["$1"], {"$1": "$1"}, "", "\ud800", "$\n", "$" * 256]
    events = [change(name) for name in names for change in (edit, redaction)]
    events += [change("$1", sender="@\ud800:example.org") for change in (edit, redaction)]
    contents: list[Any] = [None, [], {"m.relates_to": ["m.replace"]}]
    events += [edit("$1", content=content) for content in contents]
    odd.batches.put_nowait(batch("one", *events, said("$1"), edit("$1")))
    async with receiving(connection, taken) as take:
        assert await take(None) == "one"
    assert [message.text for message in taken.taken] == ["$1"]
    assert taken.changes == [Change(Place("matrix", ROOM), "$1", Account("matrix", ALICE))]


async def test_who_is_suspended_while_an_invitation_is_tried_is_not_followed(
    odd: Odd, connection: Connection, taken: Inbox
) -> None:
    odd.answers["/join/"] = {"errcode": "M_UNKNOWN", "error": "Failed to make_join via any server"}
    odd.status = 502
    listed = {ALICE}
    odd.meanwhile["/join/"] = listed.clear
    odd.batches.put_nowait(batch("one", invites=("!away:example.org",)))
    async with receiving(connection, taken, listed=listed) as take:
        assert await take(None) == "one"
        await joins_ended()
    assert odd.joins.qsize() == 1


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", "Mon, 01 Jan 99999 00:00:00 GMT"])
async def test_a_date_that_is_none_does_not_stop_the_stream(
    odd: Odd, connection: Connection, taken: Inbox, date: str
) -> None:
    odd.headers = {"Date": date}
    odd.batches.put_nowait(batch("one", said("$1")))
    async with receiving(connection, taken) as take:
        assert await take(None) == "one"
    assert taken.taken[0].age_s > 0


@pytest.mark.parametrize("asked", ["soon", None, True, [], -1, 0, math.nan])
def test_a_wait_that_is_none_is_not_kept(asked: object) -> None:
    assert asked_wait_s(asked) is None


@pytest.mark.parametrize(("asked", "kept"), [(1500, 1.5), (10**400, LONGEST_ASKED_S), (math.inf, LONGEST_ASKED_S)])
def test_a_wait_is_kept_up_to_a_bound(asked: float, kept: float) -> None:
    assert asked_wait_s(asked) == kept


@pytest.mark.parametrize("answer", [[], "x", None, 5])
async def test_an_answer_that_is_no_object_is_a_homeserver_that_is_away(
    odd: Odd, connection: Connection, tmp_path: Path, answer: object
) -> None:
    odd.answers = {"": answer}
    odd.batches.put_nowait(answer)  # pyright: ignore[reportArgumentType] - that is the point
    account = LoginOf(odd.url, BOT, "Tocsin", tmp_path / "new")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: connection.sync(None, full_state=True),
        connection.upkeep,
        lambda: connection.join(ROOM),
        lambda: connection.missed(ROOM, "a", "b"),
        lambda: establish(connection, "secret"),
        lambda: account.login("secret"),
    ]
    for call in calls:
        with pytest.raises(Unreachable):
            await call()


async def test_an_identity_that_cannot_be_read_is_not_taken_for_none(odd: Odd, connection: Connection) -> None:
    odd.answers["/keys/query"] = {"device_keys": {}, "master_keys": {BOT: None}}
    with pytest.raises(Unreachable, match="cannot be read"):
        await establish(connection, "secret")
    assert not (connection.folder / "identity.json").exists()


SEALED = {"algorithm": "m.megolm.v1.aes-sha2", "sender_key": "k", "device_id": "PHONE", "session_id": "s"}


def sealed(event: str, **changed: object) -> Answer:
    return said(event, type="m.room.encrypted", content={**SEALED, "ciphertext": "c"}) | changed


async def test_what_cannot_be_read_is_told_while_the_homeserver_is_away(
    odd: Odd, connection: Connection, taken: Inbox
) -> None:
    odd.batches.put_nowait(batch("one", said("$1")))
    odd.batches.put_nowait(batch("two", sealed("$2"), said("$3")))
    odd.batches.put_nowait([])  # pyright: ignore[reportArgumentType] - no homeserver answers so
    async with receiving(connection, taken, asked=frozenset({ALICE}), key_may_take_s=0.1) as take:
        assert await take(await take(None)) == "two"
        assert (await taken.cursor(), taken.unreadable) == ("one", [])
        waiting = asyncio.ensure_future(take("two"))
        while not taken.unreadable:
            assert not waiting.done()
            await taken.news.wait()
            taken.news.clear()
        assert ([each.event for each in taken.unreadable], await taken.cursor()) == (["$2"], "two")
        odd.batches.put_nowait(batch("three", said("$4")))
        assert await waiting == "three"
    assert [each.event for each in taken.unreadable] == ["$2"]
    assert [message.text for message in taken.taken] == ["$1", "$3", "$4"]


async def test_what_was_there_before_the_first_cursor_is_not_told(
    odd: Odd, connection: Connection, taken: Inbox
) -> None:
    odd.batches.put_nowait(batch("one", sealed("$1")))
    odd.batches.put_nowait(batch("two", sealed("$2", content=5), sealed("$3", sender=VERA), sealed("$4")))
    async with receiving(connection, taken, asked=frozenset({ALICE}), key_may_take_s=0) as take:
        assert await take(await take(None)) == "two"
    assert [each.event for each in taken.unreadable] == ["$2", "$4"]
