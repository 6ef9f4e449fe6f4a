"""`tocsin doctor`: what it finds of the machine, how a network's part joins in, and how it is shown."""

import asyncio
import hashlib
import io
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel
from rich.console import Console

from bot import doctor, keys, settings
from bot.bridge import Office, Patient, Plugin
from bot.doctor import CORE, Found, machine, show
from bot.findings import Finding, Findings, State, bad, good, hint, surely, warn
from bot.settings import Settings
from bot.store import Store, overlay, pins
from bot.store.looking import NEWEST, look_into
from bot.words.errors import Unreachable
from bot.words.message import Place
from bot.words.people import Account
from demo.broker import Doors, LocalBroker
from tests.typed import tocsin
from wire.mqtt import Broker, Link

CONFIG = '[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[people.alice]\nrole = "viewer"\n[people.bob]\nrole = "viewer"\n'
ALICE = Account("lamp", "alice")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A bot's folder, as it is after a first start."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    keys.load_or_make(folder / keys.KEY)
    return folder


def configured(folder: Path, port: int = 1, more: str = "") -> Settings:
    (folder / "config.toml").write_text(CONFIG.format(port=port) + more)
    return settings.load(folder / "config.toml")


async def states(loaded: Settings) -> dict[str, State]:
    return {each.finding.about: each.finding.state async for each in doctor.examined(loaded)}


async def listed(findings: Findings) -> list[Finding]:
    return [each async for each in findings]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("make", [hint, warn, bad])
def test_what_is_not_good_says_what_to_do_and_what_is_good_does_not(make: Callable[[str, str, str], Finding]) -> None:
    assert make("disk", "It is full.", "Make room.").do
    with pytest.raises(ValueError, match="what to do about disk"):
        make("disk", "It is full.", "")
    with pytest.raises(ValueError, match="what to do about disk"):
        Finding(State.GOOD, "disk", "There is room.", "Nothing.")


@pytest.mark.parametrize(
    ("error", "what", "do"),
    [
        (Unreachable("It is away.", hint="Wait."), "It is away.", "Wait."),
        (Unreachable("It is away."), "It is away.", "Try again."),
        (PermissionError(13, "Permission denied", "/x"), "/x cannot be used: Permission denied.", "Ask as the user"),
        (KeyError("secret words"), "This could not be looked at: KeyError.", "That is a mistake"),
    ],
)
async def test_what_cannot_be_looked_at_is_what_was_found(error: Exception, what: str, do: str) -> None:
    async def looking() -> Findings:
        yield good("first", "It is good.")
        raise error

    first, last = await listed(surely("last", looking()))
    assert first.state is State.GOOD
    assert (last.about, last.state, last.what) == ("last", State.BAD, what)
    assert last.do.startswith(do)


@pytest.mark.parametrize(("mode", "state"), [(0o700, State.GOOD), (0o755, State.WARN), (0o777, State.BAD)])
def test_a_folder_that_others_see_or_write_in_is_found(home: Path, mode: int, state: State) -> None:
    home.chmod(mode)
    found = machine.folder(home)
    assert found.state is state
    assert (f"chmod 700 {home}" in found.do) is (state is not State.GOOD)


def test_a_folder_that_is_none_is_found(home: Path) -> None:
    assert machine.folder(home / "nowhere").state is State.WARN
    assert machine.folder(home / keys.KEY).state is State.BAD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_found(home: Path) -> None:
    os.chown(home, 12345, -1)
    found = machine.folder(home)
    assert (found.state, "belongs to the user 12345" in found.what) == (State.BAD, True)


def test_a_key_that_is_lost_or_that_others_can_read_is_found(home: Path) -> None:
    assert machine.key(home).state is State.GOOD
    (home / keys.KEY).chmod(0o640)
    assert machine.key(home).state is State.BAD
    (home / keys.KEY).unlink()
    assert machine.key(home).state is State.WARN
    (home / keys.DATABASE).touch()
    lost = machine.key(home)
    assert (lost.state, "backup" in lost.do) == (State.BAD, True)


async def test_the_database_is_looked_at_beside_the_bot_and_without_it_and_nothing_is_changed(home: Path) -> None:
    path = home / keys.DATABASE
    assert machine.database(path, await machine.look(path)).state is State.WARN
    async with Store.opened(path) as store:
        await store.write(lambda tx: pins.pin(tx, ALICE, "key", "alice"))
        look = look_into(path)
        assert look is not None
        assert look.pins is not None
        assert (look.version, look.pins[ALICE].key) == (NEWEST, "key")
        assert machine.database(path, look).state is State.GOOD
    before = digests(home)
    assert look_into(path) == look
    assert digests(home) == before


async def test_a_database_that_a_bot_left_in_a_crash_is_looked_at_and_left_as_it_is(home: Path) -> None:
    path, log = home / keys.DATABASE, home / f"{keys.DATABASE}-wal"
    async with Store.opened(path) as store:
        await store.write(lambda tx: pins.pin(tx, ALICE, "key", "alice"))
        left = {each: each.read_bytes() for each in (path, log)}
    for each, content in left.items():
        each.write_bytes(content)
    look = look_into(path)
    assert look is not None
    assert look.pins is not None
    assert look.pins[ALICE].key == "key"
    assert {each: each.read_bytes() for each in left} == left


async def test_a_database_of_another_version_or_that_is_damaged_is_found(home: Path) -> None:
    path = home / keys.DATABASE
    async with Store.opened(path):
        pass
    for version, state in ((NEWEST + 1, State.BAD), (NEWEST - 1, State.WARN)):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        look = await machine.look(path)
        assert isinstance(look, type(look_into(path)))
        assert machine.database(path, look).state is state
    path.write_bytes(b"no database" * 1000)
    found = machine.database(path, await machine.look(path))
    assert (found.state, "cannot be read" in found.what) == (State.BAD, True)


@pytest.mark.parametrize(
    ("free", "state", "said"),
    [
        (49_999_999, State.BAD, "50 MB"),
        (50_000_000, State.WARN, "50 MB"),
        (499_999_999, State.WARN, "500 MB"),
        (500_000_000, State.GOOD, "500 MB"),
        (81_200_000_000, State.GOOD, "81.2 GB"),
    ],
)
def test_a_disk_that_is_full_or_nearly_is_found(home: Path, free: int, state: State, said: str) -> None:
    found = machine.disk(home / "not" / "yet", lambda _: free)
    assert (found.state, said in found.what) == (state, True)


async def test_the_broker_is_asked_as_somebody_else_than_the_bot(home: Path, tmp_path: Path) -> None:
    async with LocalBroker(tmp_path / "broker") as broker:
        loaded = configured(home.parent, broker.address.port)
        link = Link(loaded.mqtt.broker(), f"bot-{loaded.bot.name}", receive=lambda _: None)
        running = asyncio.create_task(link.run())
        await link.ready()
        (found,) = await listed(machine.broker(loaded))
        assert found.state is State.GOOD
        assert (link.connected, link.counts.reconnects) == (True, 0)
        running.cancel()
        await asyncio.wait([running])
    (found,) = await listed(machine.broker(loaded))
    assert (found.state, "components hold" in found.do) == (State.BAD, True)


async def test_a_broker_that_refuses_the_bots_name_is_found(home: Path, tmp_path: Path) -> None:
    async with LocalBroker(
        tmp_path / "broker",
        kind="mosquitto",
        doors=Doors(people=(("tocsin", "sesame"),)),
        address=Broker("127.0.0.1", 0, "tocsin", "sesame"),
    ) as broker:
        (found,) = await listed(machine.broker(configured(home.parent, broker.address.port)))
    assert (found.state, "refuses" in found.what) == (State.BAD, True)


class Lamp(BaseModel):
    """A network's section."""


def with_network(loaded: Settings, examine: Callable[[Lamp, Patient], Findings] | None) -> Settings:
    def no_bridge(_: Lamp, __: Office) -> Any:
        raise AssertionError

    loaded.bridges["lamp"] = (Plugin(Lamp, no_bridge, examine), Lamp())
    return loaded


async def test_a_network_gets_its_folder_who_counts_whom_the_bot_knows_and_where_it_alarms(home: Path) -> None:
    patients: list[Patient] = []
    alarms = f'[bot]\nalarms = ["console:alice"]\n[console]\nsocket = "{home}/socket"'

    async def examine(_: Lamp, patient: Patient) -> Findings:
        patients.append(patient)
        yield good("bulb", "It shines.")
        raise KeyError

    async with Store.opened(home / keys.DATABASE) as store:
        await store.write(lambda tx: pins.pin(tx, ALICE, "key", "alice"))
        await store.write(lambda tx: overlay.put(tx, "people.bob.suspended", value=True, by="carol"))
        loaded = with_network(configured(home.parent, more=alarms), examine)
        found = [each async for each in doctor.examined(loaded)]
    assert [(each.part, each.finding.about, each.finding.state) for each in found[-2:]] == [
        ("lamp", "bulb", State.GOOD),
        ("lamp", "lamp", State.BAD),
    ]
    (patient,) = patients
    assert patient.folder == home / "lamp"
    assert (patient.people.is_suspended("alice"), patient.people.is_suspended("bob")) == (False, True)
    assert patient.pins is not None
    assert list(patient.pins) == [ALICE]
    assert patient.alarms == (Place("console", "alice"),)


async def test_a_network_hears_where_nobody_can_tell_whom_the_bot_knows(home: Path) -> None:
    patients: list[Patient] = []

    async def examine(_: Lamp, patient: Patient) -> Findings:
        patients.append(patient)
        yield good("bulb", "It shines.")

    loaded = with_network(configured(home.parent), examine)
    await states(loaded)
    (home / keys.DATABASE).write_bytes(b"no database" * 1000)
    assert (await states(loaded))["database"] is State.BAD
    assert [patient.pins for patient in patients] == [{}, None]


async def test_a_network_without_an_examination_is_passed_over(home: Path) -> None:
    assert set(await states(with_network(configured(home.parent), None))) == {
        *("configuration", "folder", "bot's key", "database", "disk", "witnesses", "broker"),
    }


FOUND = (
    Found(CORE, good("configuration", "It is good.")),
    Found("lamp", warn("a name longer than its column", "The bulb flickers, now and then, " * 5, "Change it. " * 12)),
    Found("lamp", hint("fuse", "It cannot be seen from here.", "Open the box.")),
    Found("lamp", bad("switch\x1b[2J", "Somebody wrote \x1b[31mred\nand a second line.", "Ask them.")),
)


def shown(width: int | None) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=width is not None, width=width, color_system="truecolor", highlight=False, _environ={}
    )
    screen = show.Shown(console)
    for each in FOUND:
        screen.show(each)
    screen.end(FOUND)
    return out.getvalue()


@pytest.mark.parametrize("width", [30, 80, 120])
def test_in_a_terminal_it_is_folded_to_its_width_and_says_all_without_colour(width: int) -> None:
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown(width))
    assert "\x1b" not in bare
    lines = bare.splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(bare.split())
    assert "Lamp" in lines
    assert words.count("Change it.") == 12
    assert words.count("flickers") == 5
    assert words.endswith("1 bad, 1 to be looked at, 1 good.")


def test_elsewhere_each_finding_is_a_line_and_none_commands_a_terminal() -> None:
    said = shown(None)
    assert "\x1b" not in said
    lines = said.splitlines()
    assert len(lines) == len(FOUND) + 1
    assert lines[0] == "tocsin    good  configuration     It is good."
    assert lines[2] == "lamp      hint  fuse              It cannot be seen from here. → Open the box."


def test_all_is_well_only_where_nothing_is_to_be_looked_at() -> None:
    assert show.summary(FOUND[:1]) == "All is well: 1 good."
    assert show.summary([FOUND[0], FOUND[2]]) == "All is well: 1 good."
    assert show.summary(FOUND[:2]) == "1 to be looked at, 1 good."
    assert [show.worst(FOUND[:number]) for number in range(5)] == [
        *(State.GOOD, State.GOOD, State.WARN, State.WARN, State.BAD),
    ]


def test_for_programs_it_is_a_list_with_everything_in_it() -> None:
    rows = orjson.loads(show.to_json(FOUND))
    assert rows[2] == {
        "part": "lamp",
        "state": "hint",
        "about": "fuse",
        "what": "It cannot be seen from here.",
        "do": "Open the box.",
    }


def test_a_broken_configuration_is_told_as_a_start_tells_it_and_to_programs_as_findings(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[mqtt]\nport = 0\n")
    done, run = (tocsin(word, cwd=tmp_path) for word in ("doctor", "run"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", run.stderr)
    done = tocsin("doctor", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    rows = orjson.loads(done.stdout)
    assert {each["state"] for each in rows} == {"bad"}
    assert ("mqtt.port: must be from 1 to 65535; found 0.", "Mend it in line 2 of the file.") in {
        (each["what"], each["do"]) for each in rows
    }
    done = tocsin("doctor", "--json", "-c", "nowhere.toml", cwd=tmp_path)
    assert (done.returncode, "cannot be read" in orjson.loads(done.stdout)[0]["what"]) == (1, True)


async def test_the_command_ends_with_0_where_nothing_is_bad_and_makes_no_file(home: Path, tmp_path: Path) -> None:
    async with LocalBroker(tmp_path / "broker") as broker:
        configured(home.parent, broker.address.port)
        async with Store.opened(home / keys.DATABASE):
            pass
        before = digests(home)
        done = await asyncio.to_thread(tocsin, "doctor", cwd=tmp_path)
        assert digests(home) == before
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "All is well: 6 good."
    done = await asyncio.to_thread(tocsin, "doctor", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 bad, 5 good."
