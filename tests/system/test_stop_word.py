"""`tocsin stop` as a process: by the bot, by the key, by both; what it says, and how it ends."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.words.document import Document, document, strong, text
from bot.words.message import Lane
from bridges.console.lines import FromBot, Hello, NotTaken, Posted, Taken, event_of, to_line
from demo.broker import LocalBroker
from tests.system.fleet import PATIENCE, Fleet, Walker
from tests.typed import tocsin
from wire.messages import ROOT
from wire.mqtt import Delivery, Link

STOP = "import typer\nfrom bridges.console.stop import stop\ntyper.run(stop)"
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
Answer = Callable[[str, str], tuple[FromBot, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it said."""

    status: int
    said: str
    wrong: str


class Scene:
    """A fleet, the files of somebody who stops it, and what was sent to it."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.folder = folder
        self.sent: asyncio.Queue[Delivery] = asyncio.Queue()
        self.key = folder / "stop.key"
        fleet.key.save(self.key)

    def configure(self, more: str = "") -> None:
        people = f'[people.alice]\nrole = "operator"\nstop_keys = ["{self.fleet.key.key.public}"]\n'
        components = "".join(
            f'[components.{name}]\nkey = "{each.key}"\ngroups = {json.dumps(sorted(each.groups))}\n'
            for name, each in self.fleet.listed.items()
        )
        (self.folder / "config.toml").write_text(f'[mqtt]\nhost = "localhost"\n{people}{components}{more}')

    def with_console(self) -> None:
        self.configure('[console]\nsocket = "chat.sock"\n')

    async def stop(self, *words: str, key: Path | None = None) -> Ended:
        """Run it to its end."""
        typing = functools.partial(tocsin, "stop", *words, cwd=self.folder, env=self.environment(key))
        async with asyncio.timeout(PATIENCE):
            done = await asyncio.to_thread(typing)
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def command(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-c", STOP, *words)

    def environment(self, key: Path | None = None) -> dict[str, str]:
        home = Path(__file__).parents[2]
        return {"PYTHONPATH": str(home), "TOCSIN_STOP_KEY": str(key or self.key), "HOME": str(self.folder)}

    @contextlib.asynccontextmanager
    async def bot(self, answer: Answer) -> AsyncGenerator[list[str]]:
        """The end of a bot at the console, which answers each line as the test says. Gives what it was told."""
        told: list[str] = []
        writers: list[asyncio.StreamWriter] = []

        async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(to_line(Hello("ann", "alice", "operator", "1.0")))
            while line := await reader.readline():
                content = json.loads(line)
                if "say" in content:
                    told.append(content["say"])
                    writer.writelines(map(to_line, answer(content["id"], content["say"])))
            writer.close()

        server = await asyncio.start_unix_server(come, str(self.folder / "chat.sock"))
        try:
            yield told
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
            await server.wait_closed()


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with LocalBroker(tmp_path / "broker") as broker:
        scene = Scene(Fleet(broker, tmp_path), tmp_path)
        listening = Link(broker.address, "listening", receive=scene.sent.put_nowait)
        await listening.subscribe(f"{ROOT}/stop/#", qos=1)
        running = asyncio.create_task(listening.run())
        async with asyncio.timeout(PATIENCE):
            await listening.ready()
        yield scene
        running.cancel()
        await asyncio.wait([running])


def says(head: str, rest: str = "", *, name: str | None = None, lane: Lane = Lane.STOP, number: int = 0) -> Posted:
    """Something that the bot says; `name` is the line that it answers."""
    words: Document = document(text(strong(head), f" {rest}"))
    return Posted(f"{number:032x}", words, lane, event_of("ann", name) if name else None, None)


def carries_it_out(name: str, _: str) -> tuple[FromBot, ...]:
    order = says("STOPPING", "everything: 1 component. Incident 0123abcd.", name=name)
    return Taken(name), order, says("STOPPED", "everything. Incident 0123abcd.", name=name, number=1)


async def test_all_that_are_listed_stop_by_the_key_and_it_ends_well(scene: Scene) -> None:
    walkers = [Walker(scene.fleet.enrolled(name, "sims")) for name in ("one", "two")]
    scene.configure()
    async with scene.fleet.online(*walkers):
        ended = await scene.stop("sims", "--reason", "smoke in hall 3")
    assert (ended.status, ended.wrong) == (0, "")
    assert "STOPPED group sims: 2 of 2 listed components say so, signed." in ended.said
    for words in (
        "one: stopped after",
        "two: stopped after",
        "Reason: smoke in hall 3",
        "proves nothing",
        "Two persons",
    ):
        assert words in ended.said
    delivery = scene.sent.get_nowait()
    assert delivery.topic == f"{ROOT}/stop/group/sims"
    assert b"smoke" not in delivery.payload
    assert all(walker.latch.open for walker in walkers)


async def test_who_has_not_answered_is_named_and_it_ends_unconfirmed(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    scene.fleet.enrolled("away")
    scene.configure()
    async with scene.fleet.online(walker):
        ended = await scene.stop("all", "--wait", "2")
    assert ended.status == 1
    assert "NOT CONFIRMED everything: 1 of 2 listed components have stopped." in ended.said
    assert "Go and look at away, or cut the power." in ended.said


async def test_without_a_configuration_a_claim_is_a_claim(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    async with scene.fleet.online(walker):
        ended = await scene.stop("one", "--wait", "2")
    assert ended.status == 1
    assert "one: says stopped, not verified" in ended.said
    assert "NOT CONFIRMED one: without a configuration, so nobody's word can be verified." in ended.said
    assert walker.latch.open != ()


async def test_a_configuration_that_cannot_be_read_keeps_no_stop_from_going_out(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    (scene.folder / "config.toml").write_bytes(b"\xff[[[")
    async with scene.fleet.online(walker):
        ended = await scene.stop("all", "--wait", "2")
    assert "is no TOML that can be read, so nobody's word can be verified." in ended.said
    assert (ended.status, walker.latch.open != ()) == (1, True)


async def test_a_mistyped_target_is_answered_with_the_line_to_send_and_stops_nothing(scene: Scene) -> None:
    scene.fleet.enrolled("walk-1", "sims")
    scene.configure()
    ended = await scene.stop("wakl-1")
    assert (ended.status, ended.said) == (2, "")
    assert "tocsin stop walk-1 or tocsin stop all. One that it does not list: tocsin stop id/wakl-1" in ended.wrong
    assert scene.sent.empty()


async def test_nobody_called_so_is_told_with_who_there_is(scene: Scene) -> None:
    async with scene.fleet.online(Walker(scene.fleet.enrolled("one"))):
        ended = await scene.stop("two", "--wait", "2")
    assert ended.status == 1
    assert "Nobody called two was heard. There are: one." in ended.said


async def test_without_a_key_nothing_is_sent_and_it_says_what_to_do(scene: Scene) -> None:
    scene.configure()
    missing = await scene.stop("all", key=scene.folder / "nowhere")
    assert (missing.status, missing.said) == (2, "")
    assert "Nothing was sent, so nothing was stopped. There is no stop key at" in missing.wrong
    assert "`tocsin stop-key issue NAME`" in missing.wrong
    scene.key.chmod(0o644)
    refused = await scene.stop("all")
    assert (refused.status, f"Run: chmod 600 {scene.key}" in refused.wrong) == (2, True)
    assert scene.sent.empty()


async def test_a_broker_that_is_away_is_told_and_nothing_was_sent(scene: Scene) -> None:
    scene.configure()
    await scene.fleet.broker.stop()
    ended = await scene.stop("all", "--wait", "1")
    assert ended.status == 2
    assert "Nothing was sent, so nothing was stopped. No connection to the broker at" in ended.wrong


async def test_a_key_that_the_configuration_does_not_list_is_used_and_doubted(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one", knows_the_key=False))
    scene.configure()
    config = scene.folder / "config.toml"
    config.write_text(re.sub(r"stop_keys = .*\n", "", config.read_text()))
    async with scene.fleet.online(walker):
        ended = await scene.stop("all", "--wait", "2")
    assert "This key is not in the configuration: components may not take it." in ended.said
    assert (ended.status, walker.latch.open) == (1, ())


async def test_a_bot_that_answers_is_asked_and_believed_and_the_key_is_left_alone(scene: Scene) -> None:
    scene.with_console()
    async with scene.bot(carries_it_out) as told:
        ended = await scene.stop("all", "-r", "smoke,\nin hall 3", key=scene.folder / "nowhere")
    assert (ended.status, ended.wrong) == (0, "")
    assert told == ['!shutdown all because "smoke, in hall 3"']
    assert "STOPPED everything. Incident 0123abcd." in ended.said
    assert scene.sent.empty()


async def test_a_bot_that_does_not_take_the_reason_is_asked_without_it(scene: Scene) -> None:
    def answer(name: str, line: str) -> tuple[FromBot, ...]:
        if "because" in line:
            return (says("Nothing was stopped", name=name, lane=Lane.ANSWER, number=9),)
        return carries_it_out(name, line)

    scene.with_console()
    async with scene.bot(answer) as told:
        ended = await scene.stop("all", "-r", "smoke")
    assert (ended.status, told) == (0, ["!shutdown all because smoke", "!shutdown all"])


async def test_news_of_another_stop_confirms_nothing_and_that_of_a_joined_one_does(scene: Scene) -> None:
    def answer(name: str, _: str) -> tuple[FromBot, ...]:
        other = says("STOPPED", "rigs. Incident ffffffff.", name="f" * 32)
        joins = says("ALREADY STOPPING", "everything, by incident 0123abcd.", name=name, number=1)
        return Taken(name), joins, other, says("NOT CONFIRMED", "Incident 0123abcd.", name="e" * 32, number=2)

    scene.with_console()
    async with scene.bot(answer):
        ended = await scene.stop("all", key=scene.folder / "nowhere")
    assert ended.status == 1
    assert "NOT CONFIRMED: the bot has not confirmed it, and nothing else was sent." in ended.said


async def test_a_bot_that_hangs_does_not_keep_the_key_from_being_used(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    async with scene.bot(lambda name, _: (Taken(name),)) as told, scene.fleet.online(walker):
        ended = await scene.stop("all")
    assert told == ["!shutdown all"]
    assert "The bot has not answered within 2 s." in ended.said
    assert (ended.status, walker.latch.open != ()) == (0, True)


async def test_a_bot_that_takes_nothing_at_all_does_not_either(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    ended_by_test = asyncio.Event()

    async def come(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended_by_test.wait()
        writer.transport.abort()

    async with await asyncio.start_unix_server(come, str(scene.folder / "chat.sock")), scene.fleet.online(walker):
        ended = await scene.stop("all")
        ended_by_test.set()
    assert (ended.status, walker.latch.open != ()) == (0, True)


@pytest.mark.parametrize("answer", ["refused", "not taken", "gone", "closed", "garbage"])
async def test_where_the_bot_does_not_carry_it_out_the_key_does(scene: Scene, answer: str) -> None:
    def answers(name: str, _: str) -> tuple[FromBot, ...]:
        if answer == "refused":
            return (says("You may not do this.", name=name, lane=Lane.ANSWER),)
        return (NotTaken(name, "The disk is full."),)

    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(scene.fleet.online(walker))
        if answer in ("closed", "garbage"):

            async def come(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b'{"closed": "You may not talk here."}\n' if answer == "closed" else b"[[[\n")
                await writer.drain()
                writer.close()

            await stack.enter_async_context(await asyncio.start_unix_server(come, str(scene.folder / "chat.sock")))
        elif answer != "gone":
            await stack.enter_async_context(scene.bot(answers))
        ended = await scene.stop("all")
    assert "The bot does not carry it out." in ended.said
    assert (ended.status, walker.latch.open != ()) == (0, True)


async def test_what_the_bot_cannot_confirm_is_sent_with_the_key_beside_it(scene: Scene) -> None:
    def answer(name: str, _: str) -> tuple[FromBot, ...]:
        order = says("STOPPING", "everything. Incident 0123abcd.", name=name)
        return Taken(name), order, says("NOT CONFIRMED", "everything. Incident 0123abcd.", name=name, number=1)

    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    async with scene.bot(answer), scene.fleet.online(walker):
        ended = await scene.stop("all")
    assert (ended.status, walker.latch.open != ()) == (0, True)


@pytest.mark.parametrize("goes", [True, False])
async def test_what_the_bot_took_and_then_neither_confirms_nor_denies_is_sent_with_the_key_in_time(
    scene: Scene, goes: bool
) -> None:
    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(to_line(Hello("ann", "alice", "operator", "1.0")))
        while line := await reader.readline():
            content = json.loads(line)
            if "say" in content:
                order = says("STOPPING", "everything. Incident 0123abcd.", name=content["id"])
                writer.writelines(map(to_line, (Taken(content["id"]), order)))
                if goes:  # as one that is killed
                    break
        writer.close()

    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    async with await asyncio.start_unix_server(come, str(scene.folder / "chat.sock")), scene.fleet.online(walker):
        ended = await scene.stop("all", "--wait", "20" if goes else "6")
    assert ("went away before it confirmed" if goes else "has not confirmed the stop yet") in ended.said
    assert (ended.status, walker.latch.open != ()) == (0, True)


async def test_now_asks_no_bot(scene: Scene) -> None:
    walker = Walker(scene.fleet.enrolled("one"))
    scene.with_console()
    async with scene.bot(carries_it_out) as told, scene.fleet.online(walker):
        ended = await scene.stop("all", "--now")
    assert (ended.status, told, walker.latch.open != ()) == (0, [], True)


async def test_a_group_that_is_called_as_a_component_is_not_left_to_the_bot(scene: Scene) -> None:
    named, meant = Walker(scene.fleet.enrolled("sims")), Walker(scene.fleet.enrolled("one", "sims"))
    scene.with_console()
    async with scene.bot(carries_it_out) as told, scene.fleet.online(named, meant):
        ended = await scene.stop("group/sims")
    assert (ended.status, told) == (0, [])
    assert (named.latch.open, meant.latch.open != ()) == ((), True)


async def test_ctrl_c_says_whether_the_stop_stands(scene: Scene) -> None:
    scene.fleet.enrolled("away")
    scene.configure()
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *scene.command("all"), cwd=scene.folder, env={**scene.environment(), "TERM": "xterm", "COLUMNS": "100"},
        stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    async with asyncio.timeout(PATIENCE):
        await scene.sent.get()
        shown = await _until(master, "away")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while more := os.read(master, 65_536):
                shown += COLOUR.sub("", more.decode(errors="replace"))
    os.close(master)
    assert "not heard yet" in shown
    assert "The stop stands: it was sent" in " ".join(shown.split())
    assert "Traceback" not in shown


async def _until(terminal: int, words: str) -> str:
    """What a terminal shows, until these words stand there."""
    loop, there, seen = asyncio.get_running_loop(), asyncio.Event(), ""
    loop.add_reader(terminal, there.set)
    try:
        while words not in seen:
            await there.wait()
            there.clear()
            seen = COLOUR.sub("", seen + os.read(terminal, 65_536).decode(errors="replace"))
    finally:
        loop.remove_reader(terminal)
    return seen


async def test_it_starts_without_what_it_does_not_need(scene: Scene) -> None:
    code = "import sys, bridges.console.stop; print(*sorted(sys.modules))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=scene.environment(), stdout=asyncio.subprocess.PIPE
    )
    found = set((await process.communicate())[0].decode().split())
    assert "bot.stop.bykey" in found
    assert not {"pydantic", "nio", "aiohttp", "sqlite3", "structlog", "bot.store", "bot.settings", "rich.live"} & found
