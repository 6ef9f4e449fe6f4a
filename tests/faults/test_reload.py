"""The configuration is changed while the bot runs: who may do what counts at once, and nothing else is disturbed."""

import asyncio
import contextlib
import dataclasses
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from bot import keys
from bot.reloading.answer import Answer, digest_of
from bot.words.plain import to_plain
from demo.broker import mosquitto
from tests.faults.field import STOP_KEY, Field, environment, running, until
from wire.clock import boot_clock
from wire.envelope import PrivateKey
from wire.messages import Shown

pytestmark = pytest.mark.asyncio(loop_scope="module")

CAROL = '[people.carol]\nrole = "commander"\nfeed = ["carol"]\n'
DAVE = '[people.dave]\nrole = "operator"\nfeed = ["dave"]\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Field]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    async with running(tmp_path_factory.mktemp("field"), walkers=2) as field:
        yield field


@pytest_asyncio.fixture(loop_scope="module")
async def field(whole: Field) -> AsyncGenerator[Field]:
    """With the configuration that it began with, before and after."""
    file = whole.folder / "config.toml"
    began = file.read_text()
    yield whole
    file.write_text(began)
    assert (await reloaded(whole)).good


def change(field: Field, *replaced: tuple[str, str], more: str = "") -> None:
    """Write into the file."""
    file = field.folder / "config.toml"
    content = file.read_text()
    for old, new in replaced:
        assert content.count(old) == 1, old
        content = content.replace(old, new)
    file.write_text(content + more)


@dataclasses.dataclass(frozen=True)
class Ended:
    """What an operator has seen of a command."""

    status: int
    shown: str
    wrong: str


async def tocsin_reload(field: Field, config: Path | None = None) -> Ended:
    """As an operator types it, in a process of its own, while all else goes on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "reload", "--config", config or field.folder / "config.toml"),
        env=environment(field.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shown, wrong = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, shown.decode(), wrong.decode())


def hang_up(field: Field) -> None:
    os.kill(field.bot.pid, signal.SIGHUP)


async def reloaded(field: Field) -> Answer:
    """What becomes of a file where nobody types anything."""
    file = field.folder / "config.toml"
    before = Answer.read(field.state) or Answer("", "")
    hang_up(field)

    def answered() -> Answer | None:
        answer = Answer.read(field.state) or before
        return answer if answer.number > before.number and answer.digest == digest_of(file) else None

    return await until(answered, "the bot says what became of it", field.last_words) or before


def result_of(field: Field, event: str) -> str:
    """What became of something that was said, as far as it is recorded."""
    return next((each["result"] for each in field.records("outcome") if each["event"] == event), "")


def line_of(field: Field, words: str) -> int:
    lines = (field.folder / "config.toml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if words in line)


@contextlib.contextmanager
def refused(field: Field, what: str) -> Generator[None]:
    """The disk refuses this kind of rows."""
    with contextlib.closing(sqlite3.connect(field.state / keys.DATABASE, isolation_level=None)) as other:
        other.execute(f"CREATE TRIGGER refused BEFORE INSERT ON {what} BEGIN SELECT RAISE(ABORT, 'refused'); END")
        yield
        other.execute("DROP TRIGGER refused")


def works_since(field: Field, name: str, moment: float) -> bool:
    return any(state.shown in (Shown.BUSY, Shown.READY) for _, state in field.wire.states(name, moment))


@contextlib.asynccontextmanager
async def nobody_is_disturbed(field: Field) -> AsyncGenerator[None]:
    """No connection is made anew, and no component comes to be held."""
    proxies = (field.bot_proxy, *(each.proxy for each in field.walkers.values()))
    entered = boot_clock()
    for name in field.walkers:  # what it said before it was let work may still be on its way
        await until(lambda name=name: works_since(field, name, entered), "each says that it works", field.last_words)
    connections, began = [each.connections for each in proxies], boot_clock()
    yield
    ended = boot_clock()
    for name in field.walkers:
        await until(lambda name=name: field.wire.states(name, ended), "each says how it is", field.last_words)
    assert [each.connections for each in proxies] == connections
    shown = {state.shown for name in field.walkers for _, state in field.wire.states(name, began)}
    assert not shown & {Shown.HELD, Shown.LOST}


async def test_what_changes_is_shown_told_recorded_and_counts_with_every_lease_and_connection(field: Field) -> None:
    bob = 'role = "operator"\nfeed = ["bob"]'
    change(field, (bob, 'role = "viewer"\nfeed = ["bob"]'), ("port = 0", "port = 9464"), more=CAROL)
    began = boot_clock()
    async with nobody_is_disturbed(field):
        done = await tocsin_reload(field)
        assert done.status == 0, done.wrong
        assert re.search(r"people\.bob\.role +operator +viewer", done.shown)
        assert re.search(r"people\.carol\.role +– +commander", done.shown)
        now, waiting = done.shown.split("This needs a restart")
        assert "health.port" not in now
        assert re.search(r"health\.port +0 +9464", waiting)
        told = await until(lambda: [each for each in field.news("RELOADED") if each.at > began], "the room is told")
        assert "people.carol.role" in told[0].words
        assert re.search(r"role +commander", (await field.answer("!whoami", "carol")).words)
        assert "bob is a viewer" in (await field.answer("!shutdown walk-1", "bob")).words
        refused = await field.answer("!maintenance walk-1 for 10m", "bob")
        assert "Not run" in refused.words
        for name in field.walkers:  # long enough that a lease which was dropped would have run out
            await until(lambda name=name: len(field.wire.on(f"lease/{name}", began)) > 6, "leases go on")
    reloaded = field.records("reloaded")[-1]
    assert reloaded["needs_a_restart"] == ["health"]
    changed = field.records("configuration changed")[-1]
    assert {"people.bob", "people.carol", "health"} <= {*changed["section"], *changed["sections"]}


async def test_a_file_with_mistakes_changes_nothing_and_everybody_hears_which(field: Field) -> None:
    change(field, ('role = "operator"\nfeed = ["alice"]', 'role = "admiral"\nfeed = ["alice"]'), more=CAROL)
    number = line_of(field, "admiral")
    before = len(field.records("reloaded"))
    async with nobody_is_disturbed(field):
        done = await tocsin_reload(field)
        assert done.status == 1
        assert f"line {number}" in done.wrong
        assert "people.alice.role" in done.wrong
        hang_up(field)
        told = await field.hears("NOT RELOADED")
        assert f"line {number}" in told.words
        assert "must be viewer, operator or commander" in told.words
        assert field.bot.said(f"line {number}: people.alice.role")
        assert "alice" in (await field.answer("!whoami")).words
        unheard = field.say("!whoami", "carol")
        assert "walk-1" in (await field.answer("!status")).words
    assert len(field.records("reloaded")) == before
    assert result_of(field, unheard) == "refused: not listed"


async def test_a_place_that_no_alarm_ever_gets_to_is_a_mistake_and_nothing_counts(field: Field) -> None:
    change(field, ('["feed:alarms"]', '["feed:alarms", "mqtt:tocsin/v1/x"]'), more=CAROL)
    number = line_of(field, "alarms = ")
    done = await tocsin_reload(field)
    assert done.status == 1
    assert f"line {number}" in done.wrong
    assert "must not be under tocsin/v1" in done.wrong
    answer = await reloaded(field)
    assert not answer.good
    assert "must not be under tocsin/v1" in to_plain(answer.shown)
    unheard = field.say("!whoami", "carol")
    assert await until(lambda: result_of(field, unheard), "it was heard") == "refused: not listed"


async def test_who_is_gone_has_no_right_in_anything_and_what_waited_for_them_is_void(field: Field) -> None:
    change(field, more=CAROL.replace("commander", "operator"))
    assert (await reloaded(field)).good
    await field.stopped("!shutdown walk-1")
    asked = await field.answer("!reset", "carol")
    code = re.search(r"!approve ([A-Z]+)", asked.words)
    assert code is not None, asked.words
    assert "Planned" in (await field.answer("!every 1h !status", "carol")).words
    change(field, (CAROL.replace("commander", "operator"), ""))
    assert (await reloaded(field)).good
    await field.hears(f"Your request {code[1]} is void", asked.to)
    assert "!status" in (await field.hears("VOID")).words
    assert "void" in (await field.answer(f"!approve {code[1]}", "bob")).words
    unheard = field.say("!shutdown all", "carol")
    await until(lambda: result_of(field, unheard), "it was heard")
    assert result_of(field, unheard) == "refused: not listed"
    assert not field.news("", unheard)
    assert len(field.open_incidents()) == 1
    await field.reset()


async def test_what_was_changed_from_chat_holds_on_and_a_key_can_be_taken_away(field: Field) -> None:
    change(field, more=CAROL + DAVE)
    assert (await reloaded(field)).good
    await field.answer("!person suspend dave", "carol")
    change(field, ('feed = ["dave"]', 'feed = ["dave", "david"]'), (f'stop_keys = ["{STOP_KEY.public}"]\n', ""))
    shown = to_plain((await reloaded(field)).shown)
    assert re.search(rf"people\.alice\.stop_keys +{re.escape(str(STOP_KEY.public))} +–", shown)
    for account in ("dave", "david"):
        unheard = field.say("!status", account)
        assert await until(lambda it=unheard: result_of(field, it), "it was heard") == "refused: not listed"
    roster = field.records("stop keys changed")[-1]
    assert roster["keys"] == []
    assert re.search(r"dave +suspended", (await field.answer("!people")).words)


async def test_what_cannot_be_recorded_gives_nothing_and_takes_all_the_same(field: Field) -> None:
    change(field, ('role = "operator"\nfeed = ["bob"]', 'role = "viewer"\nfeed = ["bob"]'), more=CAROL)
    with refused(field, "known_key"):
        done = await tocsin_reload(field)
        assert done.status == 1
        assert "NOT RELOADED" in done.shown
        assert "cannot be recorded" in done.shown
        unheard = field.say("!whoami", "carol")
        assert re.search(r"role +viewer", (await field.answer("!whoami", "bob")).words)
    assert not field.news("", unheard)
    assert (await reloaded(field)).good
    assert re.search(r"role +commander", (await field.answer("!whoami", "carol")).words)


async def test_the_command_signals_nobody_but_the_bot_of_the_file(field: Field, tmp_path: Path) -> None:
    content = (field.folder / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(content)
    done = await tocsin_reload(field, tmp_path / "config.toml")
    assert done.status == 1
    assert "goes by" in done.wrong
    (tmp_path / "config.toml").write_text(content.replace(str(field.state), str(tmp_path / "state")))
    done = await tocsin_reload(field, tmp_path / "config.toml")
    assert done.status == 1
    assert "No bot runs" in done.wrong
    assert field.bot.alive


async def test_nothing_that_changed_is_told_to_the_one_who_asks_alone(field: Field) -> None:
    before = len(field.records("reloaded"))
    done = await tocsin_reload(field)
    assert done.status == 0
    assert "Nothing has changed" in done.shown
    assert len(field.records("reloaded")) == before


async def test_a_key_of_a_component_that_still_runs_is_nobodys_stop_key(field: Field) -> None:
    walker, other = field.walkers["walk-1"].enrolment.key.public, PrivateKey(b"another".ljust(32, b".")).public
    change(field, (f'key = "{walker}"', f'key = "{other}"'), (f'["{STOP_KEY.public}"]', f'["{walker}"]'))
    answer = await reloaded(field)
    assert not answer.good
    assert "is the component walk-1's until the next start" in to_plain(answer.shown)
    assert f"line {line_of(field, 'stop_keys')}" in to_plain(answer.shown)


async def test_a_channel_joins_its_places_at_once_and_is_gone_at_once(field: Field) -> None:
    channel = '[channels.lab]\nplaces = ["feed:room", "feed:next door"]\nshare_encrypted = true\n'
    change(field, more=channel)
    async with nobody_is_disturbed(field):
        assert "channels.lab.places" in to_plain((await reloaded(field)).shown)
        field.say("is anybody there?")
        heard = await field.hears("alice (feed): is anybody there?")
        shown = await field.answer("!channels")
        assert re.search(r"lab\s+feed:next door\s", shown.words)
        change(field, (channel, ""))
        assert "channels.lab.places" in to_plain((await reloaded(field)).shown)
        assert "feed:next door" not in (await field.answer("!channels")).words
    assert heard.edits is None
