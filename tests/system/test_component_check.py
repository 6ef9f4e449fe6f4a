"""The judge of components: it finds nothing wrong with a good one, and names what is wrong with each bad one."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from components.check.judge import RULES, verdict_on
from components.check.rule import Outcome, Verdict
from components.check.trial import Place
from demo.broker import ROOT, Doors, LocalBroker
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD = Path(__file__).with_name("bad_component.py")
JUDGE = Path(__file__).with_name("judge.py")
GOOD = (sys.executable, str(BAD), "{enrolment}", "--latch", "{latch}")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
PATIENCE = 240.0
SOON = 40.0
AT_ONCE = 4

# Which guard is missing, and the rule that must say so.
FLAWS = {
    "state-before-birth": "birth-first",
    "birth-not-kept": "birth-kept",
    "birth-of-another-session": "birth-right",
    "works-at-once": "starts-held",
    "groups-untold": "state-right",
    "lazy": "asks-in-time",
    "one-nonce": "fresh-nonces",
    "birth-unsigned": "signed",
    "session-kept": "new-session",
    "no-will": "will",
    "lease-unnamed": "lease-permits",
    "no-end": "lease-ends",
    "time-from-arrival": "lease-late",
    "no-cap": "lease-capped",
    "any-nonce": "lease-unasked",
    "old-nonces": "lease-old",
    "any-lease-key": "lease-forged",
    "any-lease-kind": "lease-kind",
    "any-lease-root": "lease-root",
    "deaf-to-group": "stop-heard",
    "no-stop-keys": "stop-key",
    "any-stop": "stop-forged",
    "topic-counts": "stop-target",
    "slow-down": "stop-in-time",
    "stop-unshown": "stop-shown",
    "late-subscriber": "stop-kept-by-broker",
    "lease-resets": "stop-no-lease",
    "empty-resets": "stop-taken-away",
    "forgets-latch": "stop-survives",
    "lease-stops-ignored": "stop-by-lease",
    "damaged-is-new": "latch-damaged",
    "missing-is-new": "latch-missing",
    "no-reset": "reset-frees",
    "resets-all": "reset-named-only",
    "resets-what-stops": "reset-stops-win",
    "resets-early": "reset-when-down",
    "old-session": "reset-new-session",
    "no-new-birth": "reset-new-birth",
    "job-goes-on": "reset-nothing-runs",
    "keeps-questions": "reset-old-questions",
    "forgets-reset": "reset-stop-again",
    "reset-is-forever": "reset-lease-wins",
    "reset-unwritten": "reset-survives",
    "key-ignored": "key-taken",
    "old-key-counts": "key-old-void",
    "one-signature": "key-forged",
    "key-unwritten": "key-survives",
    "key-keeps-questions": "key-questions",
    "roster-adds": "roster-taken",
    "any-serial": "roster-older",
    "any-roster": "roster-forged",
    "roster-unwritten": "roster-survives",
    "deaf-to-commands": "cmd-runs",
    "unknown-runs": "cmd-unknown",
    "any-arguments": "cmd-arguments",
    "runs-expired": "cmd-expired",
    "wall-clock": "cmd-runs",
    "any-session": "cmd-session",
    "any-target": "cmd-target",
    "runs-twice": "cmd-twice",
    "any-command": "cmd-forged",
    "runs-held": "cmd-held",
    "runs-stopped": "cmd-stopped",
    "chatters": "job-told",
    "no-cancel": "job-cancelled",
    "end-not-kept": "job-cancelled",
    "job-is-done": "job-stopped",
    "job-dies-held": "job-held",
    "dies-of-rubbish": "rubbish-unsigned",
    "dies-of-signed": "rubbish-signed",
    "dies-of-large": "rubbish-large",
    "dies-without-broker": "broker-cut",
    "new-session-at-connect": "broker-cut",
    "state-kept": "state-not-kept",
    "drill-unheard": "drill-heard",
    "drill-stops": "drill-heard",
    "any-drill": "drill-forged",
    "new-key-stops-nothing": "key-taken",
    "first-session-counts": "cmd-after-reset",
    "down-too-soon": "job-stopped",
    "picture-late": "job-pictures",
    "picture-other": "job-pictures",
    "picture-not-kept": "job-pictures",
}
BY_NAME = {rule.name: rule for rule in RULES}


def with_flaw(flaw: str, *more: str) -> tuple[str, ...]:
    return (*GOOD, "--flaw", flaw, *more)


class Bench:
    """All bad components, each with the rule that must find it. Four are tried at once, as time is mostly waiting."""

    def __init__(self, tasks: Mapping[str, asyncio.Task[Verdict]]) -> None:
        self._tasks = tasks

    async def verdict(self, flaw: str) -> Verdict:
        async with asyncio.timeout(PATIENCE):
            return await self._tasks[flaw]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    slots = asyncio.Semaphore(AT_ONCE)
    async with LocalBroker(folder / "broker", kind="mosquitto") as broker, asyncio.TaskGroup() as group:

        async def tried(flaw: str, rule: str) -> Verdict:
            async with slots:
                place = Place(broker.address, folder, with_flaw(flaw))
                return await verdict_on(place, BY_NAME[rule])

        tasks = {flaw: group.create_task(tried(flaw, rule)) for flaw, rule in FLAWS.items()}
        yield Bench(tasks)
        for each in tasks.values():
            each.cancel()


@pytest.mark.parametrize("flaw", FLAWS)
async def test_a_missing_guard_is_found_by_its_rule(bench: Bench, flaw: str) -> None:
    verdict = await bench.verdict(flaw)
    assert verdict.outcome is Outcome.BROKEN, f"{verdict.rule.name}: {verdict.outcome} {verdict.seen}"
    assert verdict.expected
    assert verdict.seen


async def ran(*arguments: str, command: tuple[str, ...] = GOOD, status: int = 0) -> tuple[str, str]:
    """What the judge prints as a program, and what it complains of."""
    judge = (JUDGE,) if arguments == ALL_RULES else ("-m", "components.check")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *judge, *arguments, "--", *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == status, f"{printed.decode()}{complaints.decode()}"
    assert "Traceback" not in complaints.decode()
    return printed.decode(), complaints.decode()


def only(*rules: str) -> tuple[str, ...]:
    return tuple(word for rule in rules for word in ("--only", rule))


ALL_RULES = ("--json",)
WALKER = (sys.executable, "-m", "demo.walker", "{enrolment}", "--latch", "{latch}")
ON_SILENCE = ("--at-once", "5", *only("silence", "lease-ends", "lease-late", "lease-capped", "stop-survives"))
LATCHES, LATCHES_NOT = (with_flaw(flaw, "--on-silence", "latch") for flaw in ("none", "no-silence"))
DANGEROUS = (*GOOD, "--danger", "high")
NAMED = ("--job", "walk", "--arguments", '{"steps": 900}', "--only", "job-told")
NO_BROKER = ("--broker", "127.0.0.1:1")
Words = tuple[str, ...]
TOGETHER: Mapping[tuple[Words, Words], int] = {
    (ON_SILENCE, LATCHES): 0,
    (only("silence"), LATCHES_NOT): 1,
    (NO_BROKER, GOOD): 2,
    (NAMED, DANGEROUS): 0,
}
"""Those that take long, as time is mostly waiting: who comes first begins all."""


class Judges:
    """Runs the judge, and knows which were begun already."""

    def __init__(self) -> None:
        self._begun: dict[tuple[Words, Words], asyncio.Task[tuple[str, str]]] = {}

    async def __call__(self, *arguments: str, command: Words = GOOD, status: int = 0) -> tuple[str, str]:
        key = arguments, command
        if key in TOGETHER and not self._begun:
            for (more, other), expected in TOGETHER.items():
                self._begun[more, other] = asyncio.create_task(ran(*more, command=other, status=expected))
        if key not in self._begun:
            return await ran(*arguments, command=command, status=status)
        return await self._begun[key]

    async def end(self) -> None:
        for each in self._begun.values():
            each.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judged() -> AsyncGenerator[Judges]:
    judges = Judges()
    yield judges
    await judges.end()


@pytest.mark.soak  # each time: the demo's component, below, and the one in JavaScript
async def test_a_good_component_keeps_every_rule(judged: Judges) -> None:
    printed, _ = await judged(*ALL_RULES)
    told = cast("dict[str, Any]", json.loads(printed))
    wrong = [(each["name"], each["seen"]) for each in told["rules"] if each["outcome"] in ("broken", "untried")]
    skipped = [each["name"] for each in told["rules"] if each["outcome"] == "skipped"]
    assert (told["passed"], wrong) == (True, [])
    assert set(skipped) <= {"silence", "reset-when-down"}
    assert len(told["rules"]) == len(RULES)


async def test_the_component_of_the_demo_keeps_every_rule(judged: Judges) -> None:
    printed, _ = await judged(*ALL_RULES, command=WALKER)
    told = cast("dict[str, Any]", json.loads(printed))
    assert [each for each in told["rules"] if each["outcome"] not in ("kept", "skipped")] == []
    assert told["kept"] > len(RULES) * 0.9


async def test_a_component_that_stops_on_silence_is_judged_by_that(judged: Judges) -> None:
    _, (printed, _) = await asyncio.gather(
        judged(*ON_SILENCE, command=LATCHES), judged(*only("silence"), command=LATCHES_NOT, status=1)
    )
    assert "expected  stopping with an incident own-…" in printed


async def test_what_is_broken_is_told_with_what_was_seen_and_the_rest_is_judged_all_the_same(judged: Judges) -> None:
    printed, _ = await judged(
        *only("lease-permits", "stop-heard", "stop-key", "silence"), command=with_flaw("no-stop-keys"), status=1
    )
    assert "✓ A lease lets it work" in printed
    assert "✗ A stop of a stop key counts as the bot's does" in printed
    assert "expected  stopping or stopped, naming the incident" in printed
    assert "seen      " in printed
    assert "contract  The component: stop (--only stop-key tries it again)" in printed
    assert "– Where silence is a stop" in printed
    assert "It does not keep the contract. 2 kept, 1 broken, 1 not for this component" in printed


async def test_what_never_comes_so_far_is_not_called_good(judged: Judges) -> None:
    (stopped, _), (reset, _) = await asyncio.gather(
        judged("--only", "stop-heard", command=with_flaw("birth-unsigned"), status=0),
        judged("--only", "reset-when-down", command=with_flaw("birth-unsigned"), status=1),
    )
    assert "1 kept" in stopped  # a stop needs no birth
    assert "could not be tried" in reset


async def test_a_program_that_ends_at_once_is_not_judged_and_its_last_words_are_told(judged: Judges) -> None:
    bad = (sys.executable, "-c", "import sys; sys.exit('no \\x1b[31mconfiguration here')")
    printed, complaints = await judged(command=bad, status=2)
    assert printed == ""
    assert "Not judged: The component does not start: the program ended (status 1)" in complaints
    assert "configuration here" in complaints
    assert "\x1b" not in complaints


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        ((), ("/nowhere/component",), "cannot be started: No such file or directory"),
        (NO_BROKER, GOOD, "The broker at 127.0.0.1:1 does not answer"),
        (("--broker", "host:port"), GOOD, "'host:port' is no broker. Write --broker HOST:PORT."),
        (("--only", "no-such-rule"), GOOD, "There is no rule 'no-such-rule'. There are: birth-first,"),
        (("--job", "walk", "--arguments", "[1]"), GOOD, "--arguments must be an object"),
        (("--arguments", "{}"), GOOD, "--arguments are those of a job. Name it with --job."),
        (("--enrolment", "nowhere.json"), GOOD, "nowhere.json cannot be read: No such file or directory."),
        (("--job", "no-such", "--only", "job-told"), GOOD, "It has no job 'no-such'. Name one with --job, of: walk."),
        (("--job", "where", "--only", "job-told"), GOOD, "It has no job 'where'. Name one with --job, of: walk."),
    ],
)
async def test_what_cannot_be_judged_is_told_in_a_sentence(
    arguments: Words, command: Words, said: str, judged: Judges
) -> None:
    _, complaints = await judged(*arguments, command=command, status=2)
    assert said in complaints


async def test_what_survives_a_restart_is_not_asked_of_a_disk_that_is_wiped(judged: Judges) -> None:
    printed, _ = await judged(
        "--latch-wipes", *only("stop-survives", "stop-heard"), command=with_flaw("forgets-latch"), status=0
    )
    assert "– A stop survives kill -9 and a restart" in printed


async def test_a_command_of_high_danger_is_not_tried_unless_it_is_named(judged: Judges) -> None:
    (printed, _), _ = await asyncio.gather(
        judged(*only("cmd-runs", "job-told"), command=DANGEROUS, status=2), judged(*NAMED, command=DANGEROUS)
    )
    assert "it has no command that could be tried; name one with --job" in printed
    assert "Nothing was tried." in printed


async def test_the_broker_of_an_enrolment_file_is_used_with_its_account(tmp_path: Path, judged: Judges) -> None:
    doors = Doors(people=(("judge", "a word"),))
    address = Broker("127.0.0.1", 0, "judge", "a word")
    async with LocalBroker(tmp_path / "broker", kind="mosquitto", doors=doors, address=address) as broker:
        file = tmp_path / "enrolment.json"
        Enrolment("tocsin/v1", "some", (), broker.address, PrivateKey(bytes(32)).public, (), bytes(32)).save(file)
        _, (_, complaints) = await asyncio.gather(
            judged("--enrolment", str(file), *only("lease-permits", "broker-cut")),
            judged("--broker", str(broker.address), "--only", "lease-permits", status=2),
        )
        assert "does not answer or does not let the judge in" in complaints


async def test_it_leaves_nothing_with_a_broker_that_was_named_and_no_process(tmp_path: Path, judged: Judges) -> None:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as broker:
        address = f"{broker.address.host}:{broker.address.port}"
        mark = tmp_path / "mark"
        await judged(
            "--broker", address, *only("job-stopped", "stop-survives"), command=(*GOOD, "--flaw", "none"), status=0
        )
        await judged("--broker", address, *only("starts-held"), command=with_flaw("state-kept"))
        mark.touch()
        kept = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KEPT, str(broker.address.port), stdout=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
        printed, _ = await kept.communicate()
    assert printed.split() == []


KEPT = """
import sys
import paho.mqtt.client as paho
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.on_connect = lambda *_: (client.subscribe("tocsin-check/#", 1), client.subscribe("end", 1))
def subscribed(_, __, mid, *rest):
    if mid == 2:
        client.publish("end", b"x", 1)
client.on_subscribe = subscribed
def heard(_, __, message):
    if message.topic == "end":
        client.disconnect()
    else:
        print(message.topic, flush=True)
client.on_message = heard
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""


WATCHED = """
import os, socket, sys
watcher = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
watcher.set_inheritable(True)
os.execv(sys.executable, sys.argv[2:])
"""


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_component_too(which: signal.Signals) -> None:
    """The component holds a connection to us from its first moment; the kernel closes it when the process is gone."""
    watched: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def comes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        watched.put_nowait(reader)

    async with await asyncio.start_server(comes, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        command = (sys.executable, "-c", WATCHED, str(port), *GOOD)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "components.check", "--only", "asks-in-time", "--", *command,
            stdout=asyncio.subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT,
        )  # fmt: skip
        async with asyncio.timeout(SOON):
            await (await watched.get()).read()  # the first look is over, and its component is gone
            judged_one = await watched.get()
            process.send_signal(which)
            assert await judged_one.read() == b""
            assert await process.wait() == 130
        for writer in writers:
            writer.close()
            await writer.wait_closed()
