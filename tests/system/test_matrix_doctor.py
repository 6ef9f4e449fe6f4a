"""`tocsin doctor` on Matrix: a healthy account is all good, and each broken thing is found with its remedy."""

import asyncio
import dataclasses
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from bot.bridge import Patient
from bot.findings import Finding, State
from bot.keys import DATABASE
from bot.store.looking import look_into
from bot.store.pins import Pinned
from bot.words.message import Place
from bot.words.people import Account as Holder
from bot.words.people import People
from bridges.matrix.account import Account
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import CrossSigning, publish, sign_device
from bridges.matrix.devices import delete_devices, other_devices
from bridges.matrix.examining import examine
from bridges.matrix.recovery import make_recovery_key
from bridges.matrix.session import Session, with_password
from bridges.matrix.settings import MatrixSettings
from demo.broker import LocalBroker
from demo.homeserver import Homeserver
from demo.operator import Operator
from demo.stage import Stage
from tests.system.machine import PASSWORD, Machine
from tests.typed import tocsin

SECRET_OF_THE_BOT = "secret of the bot"  # noqa: S105 - of accounts that live as long as a test
Clock = Callable[[], float]
Pins = Mapping[Holder, Pinned]
UNSAID: Pins = {}
"""What the bot knows itself."""


@pytest.fixture
async def machine(homeserver: Homeserver, tmp_path: Path) -> Machine:
    user = await homeserver.register(f"tocsin-{secrets.token_hex(4)}", PASSWORD)
    return Machine(homeserver.url, user, tmp_path / "first").set_up()


async def found_at(machine: Machine, *, now: Clock = time.time, homeserver: str = "") -> dict[str, Finding]:
    """What is found about an account that nobody is in a room with."""
    settings = MatrixSettings(
        homeserver=homeserver or machine.homeserver, user=machine.user, password_file=machine.folder / "password"
    )
    patient = Patient(machine.account.folder, People(), {})
    return {each.about: each async for each in examine(settings, patient, now=now)}


async def found_on(
    stage: Stage,
    *,
    knows: Pins | None = UNSAID,
    by_file: dict[str, str] | None = None,
    alarms: Sequence[str] = (),
    linked: Sequence[str] = (),
) -> list[Finding]:
    """What is found about the bot among its people."""
    settings = MatrixSettings(
        homeserver=stage.homeserver.url,
        user=stage.bot,
        password_file=stage.folder / "password",
        pins=by_file or {},
    )
    look = await asyncio.to_thread(look_into, stage.folder / DATABASE)
    assert look is not None
    pins = look.pins if knows is UNSAID else knows
    places = tuple(Place("matrix", each) for each in alarms)
    here = Place("console", "alice")
    among = tuple(Place("matrix", each) for each in linked)
    patient = Patient(stage.folder / "bot", stage.people, pins, (here, *places), (here, *among))
    return [each async for each in examine(settings, patient)]


def session_of(machine: Machine) -> Session:
    login = machine.account.kept()
    assert login is not None
    return Session(login)


@dataclasses.dataclass(frozen=True, slots=True)
class Company:
    """The bot's people, who have come together with it."""

    alice: Operator
    bob: Operator
    room: str


@pytest.fixture
async def company(stage: Stage) -> AsyncGenerator[Company]:
    """The bot has been among its people, and has a recovery key; no other device is logged in. It is away now."""
    async with stage.online(stage.alice) as alice, stage.online(stage.bob) as bob:
        async with stage.bot_online():
            room = await stage.room_of(alice, bob)
            for person in (alice, bob):
                await person.say(room, "!status")
                assert (await stage.inbox.next()).account == Holder("matrix", person.user)
            folder = stage.folder / "bot"
            login = Account(stage.homeserver.url, stage.bot, "Tocsin", folder).kept()
            assert login is not None
            session = Session(login)
            await make_recovery_key(session, folder, SECRET_OF_THE_BOT)
            await delete_devices(session, [each.id for each in await other_devices(session)], SECRET_OF_THE_BOT)
        yield Company(alice, bob, room)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.usefixtures("company")
async def test_a_healthy_account_is_all_good_and_nothing_is_changed_where_the_bot_is_away(stage: Stage) -> None:
    before = digests(stage.folder / "bot")
    found = await found_on(stage)
    assert [each for each in found if each.state is not State.GOOD and each.about != "limits"] == []
    assert [each.about for each in found] == [
        *("homeserver", "clock", "identity", "login", "device", "recovery key", "other devices", "one-time keys"),
        *("fallback key", "alice", "bob", "rooms", "limits"),
    ]
    (limits,) = (each for each in found if each.about == "limits")
    assert limits.state is State.HINT
    assert f"POST /_synapse/admin/v1/users/{stage.bot}/override_ratelimit" in limits.do
    assert digests(stage.folder / "bot") == before


async def test_a_healthy_account_is_all_good_while_the_bot_runs_and_takes_nothing_from_it(
    stage: Stage, company: Company
) -> None:
    company.alice.connection.client.invalidate_outbound_session(company.room)
    await company.alice.say(company.room, "!said while the bot was away")
    await found_on(stage)  # the new key waits on the homeserver for the bot's device, and must wait on
    async with stage.bot_online():
        assert (await stage.inbox.next()).text.endswith("said while the bot was away")
        found = await found_on(stage)
        assert {each.state for each in found if each.about != "limits"} == {State.GOOD}
        await company.bob.say(company.room, "!said after the look")
        assert (await stage.inbox.next()).text.endswith("said after the look")


async def test_a_person_who_shows_another_identity_is_bad_and_trust_renew_is_named(
    stage: Stage, company: Company
) -> None:
    swapped = CrossSigning.fresh()
    await publish(company.alice.connection, swapped, f"secret of {stage.alice}")
    await sign_device(company.alice.connection, swapped)
    (alice,) = (each for each in await found_on(stage) if each.about == "alice")
    assert alice.state is State.BAD
    assert "shows another identity" in alice.what
    assert "`!trust renew alice`" in alice.do
    pinned = {stage.alice: swapped.master.public, stage.bob: swapped.master.public}
    found = {each.about: each for each in await found_on(stage, by_file=pinned)}
    assert (found["alice"].state, found["bob"].state) == (State.GOOD, State.BAD)
    assert "change it under `pins` in [matrix]" in found["bob"].do


async def test_an_identity_that_has_signed_nothing_and_one_that_nobody_can_compare_are_told(
    stage: Stage, company: Company
) -> None:
    await publish(company.alice.connection, CrossSigning.fresh(), f"secret of {stage.alice}")
    alice = {each.about: each for each in await found_on(stage, knows={})}["alice"]
    assert (alice.state, "no device is signed by it" in alice.what) == (State.WARN, True)
    bob = {each.about: each for each in await found_on(stage, knows=None)}["bob"]
    assert (bob.state, "the database cannot tell" in bob.what) == (State.WARN, True)


async def test_devices_that_a_person_has_not_signed_are_counted(stage: Stage, company: Company) -> None:
    assert company.alice.user == stage.alice
    async with stage.online(stage.alice, "tablet", signed=False):
        (alice,) = (each for each in await found_on(stage) if each.about == "alice")
    assert alice.state is State.WARN
    assert "signed devices 1, unsigned 1" in alice.what


async def test_a_person_without_an_identity_or_without_any_device_is_told_apart(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice, signed=False) as alice:
        room = await alice.create_room("ops", stage.bot)
        await alice.joined(room, stage.bot)
        found = {each.about: each for each in await found_on(stage)}
    assert (found["alice"].state, found["bob"].state) == (State.WARN, State.WARN)
    assert "no identity of cross-signing" in found["alice"].what
    assert "no device that can encrypt" in found["bob"].what


async def test_a_room_that_is_not_encrypted_or_where_nobody_listed_is_left_is_found(
    stage: Stage, company: Company
) -> None:
    alice = company.alice
    async with stage.bot_online():
        room = await alice.create_open_room("in the open", stage.bot)
        await alice.joined(room, stage.bot)
    found = {each.about: each for each in await found_on(stage)}
    assert found["room"].state is State.WARN
    assert f"'in the open' ({room}) is not encrypted" in found["room"].what
    assert "Turn encryption on" in found["room"].do
    assert "rooms" not in found
    for each in (alice, company.bob):
        await each.connection.request("POST", f"/_matrix/client/v3/rooms/{company.room}/leave", {})
    whats = [each.what for each in await found_on(stage) if each.about == "room"]
    assert f"Nobody on the list is in 'ops' ({company.room})." in whats


async def test_alarms_that_reach_a_room_twice_or_not_at_all_are_found(stage: Stage, company: Company) -> None:
    async def told(*alarms: str) -> list[tuple[State, str]]:
        return [(each.state, each.what) for each in await found_on(stage, alarms=alarms) if each.about == "alarms"]

    alias = f"#ops-{secrets.token_hex(4)}:localhost"
    path = f"/_matrix/client/v3/directory/room/{alias.replace('#', '%23')}"
    await company.alice.connection.request("PUT", path, {"room_id": company.room})
    for name in (company.room, alias, "ops"):
        assert await told(name) == [(State.GOOD, "The bot is in each room where it raises them: 1.")]
    twice = f"'{company.room}' and '{alias}' are one room: each alarm is said there 2 times."
    assert await told(company.room, alias) == [(State.WARN, twice)]
    (leave,) = [each.do for each in await found_on(stage, alarms=(company.room, alias)) if each.about == "alarms"]
    assert leave == f"Leave one of them in `alarms` of [bot], best {company.room}, and run `tocsin reload`."
    away = await company.alice.create_room("ops", stage.bot)
    nowhere = await told("#gone:localhost", away, "lab")
    assert {state for state, _ in nowhere} == {State.BAD}
    (gone, *absent) = [what for _, what in nowhere]
    assert gone.startswith("There is no room #gone:localhost")
    assert absent == [f"The bot is not in '{each}': no alarm gets there." for each in (away, "lab")]
    login = Account(stage.homeserver.url, stage.bot, "Tocsin", stage.folder / "bot").kept()
    assert login is not None
    await Session(login).request("POST", f"/_matrix/client/v3/join/{away}", {})
    ((state, what),) = await told("ops")
    assert (state, "2 rooms that are called 'ops'" in what) == (State.BAD, True)
    (name,) = [each.do for each in await found_on(stage, alarms=["ops"]) if each.about == "alarms"]
    assert name.endswith(", and run `tocsin reload`.")
    assert all(each in name for each in (company.room, away))


async def test_a_room_of_a_channel_that_the_bot_is_not_in_is_found(stage: Stage, company: Company) -> None:
    async def told(*linked: str) -> list[Finding]:
        return [each for each in await found_on(stage, linked=linked) if each.about == "places"]

    assert await told() == []
    (good,) = await told(company.room)
    assert (good.state, good.what) == (State.GOOD, "The bot is in each room of [channels]: 1.")
    away = await company.alice.create_room("away", stage.bot)
    (bad,) = await told(company.room, away)
    assert (bad.state, bad.what.startswith(f"The bot is not in matrix:{away}, a place in")) == (State.BAD, True)
    assert bad.do == "Invite it there, as somebody on the list."


@pytest.mark.parametrize(
    ("ahead_s", "state", "said"),
    [
        (3.0, State.GOOD, "agree on the time"),
        (-3.0, State.GOOD, "agree on the time"),
        (30.0, State.WARN, "ahead of the homeserver's"),
        (-30.0, State.WARN, "behind the homeserver's"),
        (90.0, State.BAD, "1 min"),
        (-90.0, State.BAD, "1 min"),
    ],
)
async def test_a_clock_that_is_off_is_found(machine: Machine, ahead_s: float, state: State, said: str) -> None:
    clock = (await found_at(machine, now=lambda: time.time() + ahead_s))["clock"]
    assert clock.state is state
    assert said in clock.what
    assert ("timedatectl" in clock.do) is (state is not State.GOOD)


async def test_what_is_not_there_before_the_first_start_is_told_and_nothing_is_made(machine: Machine) -> None:
    found = await found_at(machine)
    assert list(found) == ["homeserver", "clock", "identity", "login"]
    assert found["login"].do == "Start the bot: it logs in."
    assert not machine.account.folder.exists()


async def test_an_account_alone_is_good_but_for_what_it_lacks(machine: Machine) -> None:
    async with machine.started():
        found = await found_at(machine)
    assert {about for about, each in found.items() if each.state is State.GOOD} == {
        *("homeserver", "clock", "identity", "login", "device", "one-time keys", "fallback key"),
    }
    assert "`tocsin matrix recovery-key`" in found["recovery key"].do
    assert "--delete-others" in found["other devices"].do
    assert (found["people"].state, "run `tocsin reload`" in found["people"].do) == (State.WARN, True)
    assert found["rooms"].state is State.HINT
    await machine.new_key()
    session = session_of(machine)
    await delete_devices(session, [each.id for each in await other_devices(session)], PASSWORD)
    found = await found_at(machine)
    assert (found["recovery key"].state, found["other devices"].state) == (State.GOOD, State.GOOD)


async def test_a_device_that_is_not_signed_is_bad_until_the_next_start(machine: Machine) -> None:
    async with machine.started() as connection:
        pass
    (machine.account.folder / connection.login.store).unlink()
    lost = (await found_at(machine))["login"]
    assert lost.state is State.BAD
    assert f"The keys of the device {connection.login.device} are lost" in lost.what
    login = await machine.account.login(PASSWORD)
    async with Connection.opened(login, machine.account.folder) as connection:
        empty = (await found_at(machine))["device"]
        await connection.upkeep()
        device = (await found_at(machine))["device"]
    assert (empty.state, device.state) == (State.BAD, State.BAD)
    assert "has no keys of the device" in empty.what
    assert f"The device {login.device} is not signed" in device.what
    assert device.do == "Start the bot again: it signs its device."
    async with machine.started():
        pass
    assert (await found_at(machine))["device"].state is State.GOOD


async def test_a_login_that_was_revoked_is_bad_and_the_file_to_remove_is_named(machine: Machine) -> None:
    async with machine.started() as connection:
        await connection.request("POST", "/_matrix/client/v3/logout", {})
    found = await found_at(machine)
    assert list(found)[-1] == "login"  # the rest cannot be asked
    assert found["login"].state is State.BAD
    assert f"remove {machine.account.file} and start it" in found["login"].do


async def test_a_login_of_another_device_is_bad(machine: Machine) -> None:
    async with machine.started():
        pass
    other = machine.another()
    stranger = await other.account.login(PASSWORD)
    own = orjson.loads(machine.account.file.read_bytes())
    machine.account.file.write_bytes(orjson.dumps({**own, "token": stranger.token}))
    login = (await found_at(machine))["login"]
    assert (login.state, f"on {stranger.device}" in login.what) == (State.BAD, True)
    assert f"remove {machine.account.file} and start it" in login.do


async def test_a_changed_password_is_bad_and_the_recovery_key_is_named(machine: Machine) -> None:
    async with machine.started() as connection:
        body = {"new_password": "open", "logout_devices": False}
        await with_password(connection, "POST", "/_matrix/client/v3/account/password", body, PASSWORD)
    machine.set_up("open")
    identity = (await found_at(machine))["identity"]
    assert identity.state is State.BAD
    assert "was changed since" in identity.what
    assert "`tocsin matrix recover`" in identity.do


async def test_an_identity_that_is_lost_damaged_or_in_clear_is_found(machine: Machine) -> None:
    async with machine.started():
        whole = machine.identity.read_bytes()
    machine.identity.write_text("{")
    damaged = (await found_at(machine))["identity"]
    machine.identity.unlink()
    lost = (await found_at(machine))["identity"]
    assert (damaged.state, lost.state) == (State.BAD, State.BAD)
    assert "`tocsin matrix recover`" in damaged.do
    assert "`tocsin matrix recover`" in lost.do
    machine.identity.write_bytes(CrossSigning.fresh().dumps())
    found = await found_at(machine)
    assert (found["identity"].state, found["device"].state) == (State.WARN, State.BAD)
    assert "not the one in" in found["device"].what
    machine.identity.write_bytes(whole)
    assert (await found_at(machine))["device"].state is State.GOOD


async def test_keys_that_have_run_out_are_found(machine: Machine) -> None:
    async with machine.started() as connection:
        device = connection.login.device
    session = session_of(machine)
    wanted = {machine.user: {device: "signed_curve25519"}}
    before = (await found_at(machine))["one-time keys"]
    left = int(before.what.split()[0])
    for _ in range(left):
        await session.request("POST", "/_matrix/client/v3/keys/claim", {"one_time_keys": wanted})
    found = await found_at(machine)
    assert (found["one-time keys"].state, found["fallback key"].state) == (State.WARN, State.GOOD)
    await session.request("POST", "/_matrix/client/v3/keys/claim", {"one_time_keys": wanted})
    found = await found_at(machine)
    assert (found["one-time keys"].state, found["fallback key"].state) == (State.BAD, State.WARN)


async def test_a_homeserver_that_is_away_is_told_once_and_what_is_here_is_looked_at(machine: Machine) -> None:
    async with machine.started():
        pass
    found = await found_at(machine, homeserver="http://127.0.0.1:9")
    assert {about: each.state for about, each in found.items()} == {
        "homeserver": State.BAD,
        "identity": State.GOOD,
    }
    assert "Look whether it runs" in found["homeserver"].do


async def test_the_command_tells_all_of_it_and_ends_with_1_where_something_is_bad(
    machine: Machine, tmp_path: Path
) -> None:
    config = machine.folder / "config.toml"
    async with LocalBroker(tmp_path / "broker") as broker, machine.started() as connection:
        config.write_text(config.read_text().replace("[matrix]", f"port = {broker.address.port}\n[matrix]", 1))
        (machine.folder / "state").chmod(0o700)
        code, said, wrong = await doctor(machine)
        assert (code, wrong) == (0, "")
        assert "\nmatrix    good  device  " in said
        assert "\nmatrix    warn  recovery key      The identity has none" in said
        assert "→ Run `tocsin matrix recovery-key`" in said
        assert "tocsin    good  broker" in said
        await connection.request("POST", "/_matrix/client/v3/logout", {})
        code, said, wrong = await doctor(machine, "--json")
        assert (code, wrong) == (1, "")
    rows = {(each["part"], each["about"]): each for each in orjson.loads(said)}
    assert rows["matrix", "login"]["state"] == "bad"
    assert rows["tocsin", "broker"]["do"] == ""


async def doctor(machine: Machine, *words: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(tocsin, "doctor", *words, "-c", machine.folder / "config.toml")
    return done.returncode, done.stdout, done.stderr
