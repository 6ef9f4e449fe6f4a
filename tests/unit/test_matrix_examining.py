"""What `tocsin doctor` says of a homeserver that answers oddly. Ours does not, so a small one is made to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.bridge import Patient
from bot.findings import Finding, State
from bot.store.pins import Pinned
from bot.words.errors import Unreachable
from bot.words.people import Account, People, Person, Role
from bridges.matrix.account import Login
from bridges.matrix.cross_signing import CrossSigning
from bridges.matrix.examining.people import people
from bridges.matrix.examining.rooms import MOST_ROOMS, rooms
from bridges.matrix.examining.server import greeting
from bridges.matrix.session import Session
from demo import odd as homeserver
from demo.odd import ALICE, signed_by_its_owner

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
NOW_S = 1_000_000_000.0
NOW = "Sun, 09 Sep 2001 01:46:40 GMT"


class Odd:
    """A homeserver that answers as a test wants."""

    def __init__(self) -> None:
        self.address = ""
        self.answers: dict[str, web.Response] = {}

    def says(self, path: str, said: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        self.answers[path] = web.Response(text=text, status=status, headers=headers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        known = self.answers.get(request.path) or self.answers[request.path.rpartition("/")[2]]
        return web.Response(text=known.text, status=known.status, headers=known.headers)

    @property
    def session(self) -> Session:
        return Session(Login(self.address, "@tocsin:localhost", "DEVICE", "token", "key"))


@pytest_asyncio.fixture
async def odd() -> AsyncIterator[Odd]:
    server = Odd()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def listed(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [each async for each in findings]


async def greeted(odd: Odd, now_s: float = NOW_S) -> list[Finding]:
    return await listed(greeting(odd.address, lambda: now_s))


@pytest.mark.parametrize(
    ("said", "status"), [("<html>It works!</html>", 200), ("[]", 200), ("", 200), ({"versions": ["v1.12"]}, 502)]
)
async def test_what_is_no_homeserver_is_told(odd: Odd, said: object, status: int) -> None:
    odd.says("/_matrix/client/versions", said, status)
    with pytest.raises(Unreachable, match=f"is no homeserver .status {status}.") as caught:
        await greeted(odd)
    assert "proxy" in caught.value.hint


@pytest.mark.parametrize("versions", [["r0.6.1"], ["v1.0"], [], None, [7, "v1.x"]])
async def test_a_homeserver_that_is_too_old_is_told(odd: Odd, versions: object) -> None:
    odd.says("/_matrix/client/versions", {"versions": versions}, headers={"Date": NOW})
    assert [each.state for each in await greeted(odd)] == [State.BAD, State.GOOD]


@pytest.mark.parametrize(
    ("now_s", "state"),
    [
        (NOW_S + 6.0, State.GOOD),  # the second that the server tells is not over before the next begins
        (NOW_S + 6.1, State.WARN),
        (NOW_S - 5.0, State.GOOD),
        (NOW_S - 5.1, State.WARN),
        (NOW_S + 61.0, State.WARN),
        (NOW_S + 61.1, State.BAD),
        (NOW_S - 60.1, State.BAD),
    ],
)
async def test_a_clock_is_judged_by_what_is_sure(odd: Odd, now_s: float, state: State) -> None:
    odd.says("/_matrix/client/versions", {"versions": ["v1.2", "v1.11"]}, headers={"Date": NOW})
    homeserver, clock = await greeted(odd, now_s)
    assert homeserver.what.endswith("speaks up to v1.11.")
    assert clock.state is state


async def test_a_homeserver_that_tells_no_time_is_not_judged_by_it(odd: Odd) -> None:
    odd.says("/_matrix/client/versions", {"versions": ["v1.11"]}, headers={"Date": "noon"})
    assert [each.about for each in await greeted(odd)] == ["homeserver"]


async def test_people_whose_homeserver_is_away_are_not_judged(odd: Odd) -> None:
    alice = Person("alice", Role.OPERATOR, frozenset({Account("matrix", "@alice:away.example")}))
    odd.says("query", {"device_keys": {}, "failures": {"away.example": {}}})
    (found,) = await listed(people(odd.session, Patient(Path(), People((alice,)), {}), {}))
    assert (found.about, found.state) == ("alice", State.WARN)
    assert "does not answer" in found.what


@pytest.mark.parametrize(("encrypted", "said"), [(False, "as the file lets it be"), (True, "changes nothing there")])
async def test_a_room_that_may_be_unencrypted_is_a_hint(odd: Odd, encrypted: bool, said: str) -> None:
    alice = Person("alice", Role.OPERATOR, frozenset({Account("matrix", "@alice:example.org")}))
    odd.says("joined_rooms", {"joined_rooms": ["!hall:example.org"]})
    odd.says("m.room.encryption", {}, 200 if encrypted else 404)
    odd.says("m.room.name", {}, 404)
    odd.says("joined_members", {"joined": {"@alice:example.org": {}}})
    (found,) = await listed(rooms(odd.session, People((alice,)), {"!hall:example.org"}))
    assert (found.state, said in found.what) == (State.HINT, True)


@pytest.mark.parametrize("pins", [{}, None], ids=["never seen", "no database"])
async def test_who_is_known_by_the_file_is_judged_by_it_before_the_bot_has_seen_them(
    odd: Odd, pins: dict[Account, Pinned] | None
) -> None:
    user = "@alice:example.org"
    alice = Person("alice", Role.OPERATOR, frozenset({Account("matrix", user)}))
    shown, other = CrossSigning.fresh(), CrossSigning.fresh()
    keys = shown.upload(user)
    whose = {"master_keys": {user: keys["master_key"]}, "self_signing_keys": {user: keys["self_signing_key"]}}
    odd.says("query", {"device_keys": {user: {}}, **whose})
    patient = Patient(Path(), People((alice,)), pins)
    (found,) = await listed(people(odd.session, patient, {user: shown.master.public}))
    assert f"{user}: known by this identity, and no device is signed" in found.what
    (found,) = await listed(people(odd.session, patient, {user: other.master.public}))
    assert (found.state, "shows another identity" in found.what) == (State.BAD, True)
    assert "change it under `pins` in [matrix]" in found.do
    assert "!trust renew" not in found.do


async def test_who_must_be_compared_and_was_not_is_told_with_what_to_do(odd: Odd, tmp_path: Path) -> None:
    account = Account("matrix", ALICE)
    async with homeserver.Odd().device(ALICE, "PHONE", tmp_path / "phone") as phone:
        keys = signed_by_its_owner(phone)
    odd.says("query", keys)
    (master,) = keys["master_keys"][ALICE]["keys"].values()
    alice = People((Person("alice", Role.OPERATOR, frozenset({account})),))
    for pins, state in (({}, State.WARN), ({account: Pinned(master, 1.0)}, State.WARN),
                        ({account: Pinned(master, 1.0, verified=2.0)}, State.GOOD)):  # fmt: skip
        (found,) = await listed(people(odd.session, Patient(Path(), alice, pins), {}, compared_only=True))
        assert found.state is state
        assert ("`!verify alice`" in found.do) is (state is State.WARN)
        assert [each.state async for each in people(odd.session, Patient(Path(), alice, pins), {})] == [State.GOOD]
    patient = Patient(Path(), alice, {})
    (by_file,) = await listed(people(odd.session, patient, {ALICE: master}, compared_only=True))
    assert by_file.state is State.GOOD


async def test_of_a_great_many_rooms_the_first_are_looked_at_and_that_is_said(odd: Odd) -> None:
    alice = Person("alice", Role.OPERATOR, frozenset({Account("matrix", "@alice:example.org")}))
    odd.says("joined_rooms", {"joined_rooms": [f"!{number}:example.org" for number in range(MOST_ROOMS + 1)]})
    odd.says("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    odd.says("joined_members", {"joined": {"@alice:example.org": {}}})
    sound, more = await listed(rooms(odd.session, People((alice,))))
    assert (sound.state, more.state) == (State.GOOD, State.HINT)
    assert sound.what.startswith(f"{MOST_ROOMS}, all encrypted")
    assert f"is in {MOST_ROOMS + 1} rooms" in more.what


async def test_who_is_suspended_is_not_asked_for_and_still_counts_as_there(odd: Odd) -> None:
    alice = Person("alice", Role.OPERATOR, frozenset({Account("matrix", "@alice:example.org")}))
    known = People((alice,))
    known.suspend("alice")
    (found,) = await listed(people(odd.session, Patient(Path(), known, {}), {}))
    assert (found.about, found.state) == ("people", State.WARN)
    odd.says("joined_rooms", {"joined_rooms": ["!1:example.org"]})
    odd.says("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    odd.says("joined_members", {"joined": {"@alice:example.org": {}}})
    (found,) = await listed(rooms(odd.session, known))
    assert found.state is State.GOOD
