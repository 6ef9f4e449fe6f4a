"""`tocsin audit …`, as somebody types it at the bot's own machine."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import typer
from rich.console import Console

import bot
from bot.record import check_proof, checking, cli, opening
from bot.record.verdict import State
from bot.store import Store, Tx, audit, maintenance, tree
from bot.words.errors import StoreError
from wire.messages import ROOT

HOME = Path(bot.__file__).parents[1]
MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
ENVIRONMENT = {"PYTHONPATH": str(HOME), "TERM": "dumb", **MEASURED}
CONFIG = """
[bot]
folder = "state"
[mqtt]
host = "localhost"
[people.olga]
role = "operator"
matrix = ["@olga:example.org"]
[people.otto]
role = "operator"
matrix = ["@otto:example.org"]
"""
ID = "051739a8" + "0" * 24
Run = Callable[..., tuple[int, str, str]]


def order(tx: Tx) -> None:
    who = audit.about("olga", person="olga", account="matrix:@olga:example.org", event="$secret")
    audit.record(tx, "intent", who, id=ID, command="shutdown", standing="attested")
    audit.record(tx, "outcome", who, id=ID, command="shutdown", standing="attested", result="done")


def name_witnesses(config: Path, *files: Path) -> None:
    config.write_text(f"{CONFIG}[audit]\nwitness_files = {[str(each) for each in files]}\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest_asyncio.fixture
async def store(config: Path) -> AsyncIterator[Store]:
    """The database of a bot that runs. Its record has three entries."""
    async with opening.opened(config.with_name("state"), ROOT) as opened:
        await opened.write(order)
        yield opened


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command, with its exit status, what it said, and what it said of what went wrong."""

    def call(command: Callable[..., None], /, *args: object, needs_config: bool = True, **options: object) -> Any:
        capsys.readouterr()
        status = 0
        try:
            command(*args, **options, **({"config": config} if needs_config else {}))
        except typer.Exit as end:
            status = int(end.exit_code)
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def lines(said: str) -> list[str]:
    """The lines of an answer, with one blank between words."""
    return [" ".join(line.split()) for line in said.splitlines()]


def python(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *words], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def altered(path: Path) -> None:
    """Somebody changes an entry in the file of a bot that does not run."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'done', 'gone') AS BLOB)")
        database.commit()


@pytest.mark.usefixtures("store")
def test_the_newest_are_shown_in_a_table(run: Run) -> None:
    status, said, wrong = run(cli.tail)
    head, begun, intent, outcome = lines(said)
    assert (status, wrong) == (0, "")
    assert head == "no. UTC kind who id what"
    assert begun.startswith("1 ")
    assert intent.endswith("intent olga 051739a8 !shutdown")
    assert outcome.endswith("outcome olga 051739a8 !shutdown: done")
    _, said, _ = run(cli.tail, count=1)
    assert lines(said)[1:] == [outcome]


async def test_an_empty_record_is_said_to_be_so(config: Path, run: Run) -> None:
    async with Store.opened(config.with_name("state") / "tocsin.db"):
        assert run(cli.tail) == (0, "Nothing is recorded yet.\n", "")


def test_where_the_bot_never_ran_that_is_told(run: Run) -> None:
    for command, args in (
        (cli.tail, ()),
        (cli.show, ("1",)),
        (cli.search, ()),
        (cli.export, ()),
        (cli.report, ("olga",)),
    ):
        status, said, wrong = run(command, *args)
        assert (status, said) == (1, "")
        assert "There is no database" in wrong


async def test_new_entries_are_followed_until_somebody_ends_it(config: Path, store: Store) -> None:
    tail = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "audit", "tail", "-f", "-n", "1", "-c", str(config)),
        cwd=config.parent,
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert tail.stdout is not None
    assert tail.stderr is not None
    async with asyncio.timeout(60):
        try:
            head, outcome = await tail.stdout.readline(), await tail.stdout.readline()
            assert lines(head.decode()) == ["no. UTC kind who id what"]
            await store.write(lambda tx: [audit.record(tx, "x", why=f"number {number}") for number in range(2)])
            new = [await tail.stdout.readline() for _ in range(2)]
            assert [each.decode().split()[0] for each in (outcome, *new)] == ["3", "4", "5"]
            assert [each.index(b"why") for each in new] == [outcome.index(b"!shutdown")] * 2  # below one another
        finally:
            tail.send_signal(signal.SIGINT)
            _, wrong = await tail.communicate()
    assert (tail.returncode, wrong) == (130, b"")


def test_a_record_that_became_shorter_while_it_was_followed_is_told(store: Store) -> None:
    with pytest.raises(
        StoreError, match=r"The record has 3 entries, and had 99 a moment ago\. Run: tocsin audit verify"
    ):
        cli.following(store.path, 99, cli.Lines(Console()))


@pytest.mark.usefixtures("store")
def test_all_that_came_of_a_command_is_shown_and_one_entry_too(run: Run) -> None:
    status, said, wrong = run(cli.show, ID[:6])
    assert (status, wrong) == (0, "")
    assert lines(said)[0].startswith(f"2 entries under {ID}")
    assert "olga account matrix:@olga:example.org" in lines(said)
    _, said, _ = run(cli.show, "3")
    assert lines(said)[0].startswith("#3 outcome ")
    status, said, wrong = run(cli.show, "ffffff")
    assert (status, said) == (1, "")
    assert "Nothing is recorded under an id that begins with 'ffffff'." in wrong


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, ["3", "2", "1"]),
        ({"person": "olga"}, ["3", "2"]),
        ({"person": "matrix:@olga:example.org"}, None),
        ({"person": "otto"}, None),
        ({"command": "!Shutdown"}, ["3", "2"]),
        ({"command": "reset"}, None),
        ({"target": "walker"}, None),
        ({"since": "1h"}, ["3", "2", "1"]),
        ({"since": "2001-01-01", "until": "2100-01-01T00:00+02:00"}, ["3", "2", "1"]),
        ({"since": "2100-01-01"}, None),
        ({"until": "1d"}, None),
        ({"count": 1}, ["3"]),
    ],
)
def test_what_somebody_looks_for_is_shown_newest_first(
    run: Run, wanted: dict[str, object], numbers: list[str] | None
) -> None:
    status, said, wrong = run(cli.search, **wanted)
    if numbers is None:
        assert (status, said) == (1, "")
        assert "Nothing of the kind is recorded." in wrong or "lists nobody called" in wrong
    else:
        assert (status, wrong) == (0, "")
        assert [line.split()[0] for line in lines(said)[1:]] == numbers


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"since": "2h30"}, "is not a duration"),
        ({"since": "2026-02-30"}, "is not a date and time"),
        ({"since": "2026-02-03T10:00"}, "needs a zone"),
        ({"since": ""}, "is not a duration"),
        ({"target": "\udcff"}, "stands in no entry"),
        ({"command": "\n"}, "stands in no entry"),
        ({"person": "eve"}, "lists nobody called 'eve'"),
    ],
)
def test_what_nobody_can_look_for_is_told(run: Run, wanted: dict[str, object], told: str) -> None:
    status, said, wrong = run(cli.search, **wanted)
    assert (status, said) == (1, "")
    assert told in wrong


@pytest.mark.usefixtures("store")
def test_all_entries_are_given_as_lines_of_json(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "record.jsonl"
    out.write_text("readable by all")
    assert run(cli.export, out=out)[0] == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    first, *_, last = map(json.loads, out.read_text().splitlines())
    assert (first["seq"], last["seq"]) == (1, 3)
    assert json.loads(last["entry"])["result"] == "done"
    assert [each["person"] for each in last["opened"]] == ["olga"]
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


@pytest.mark.usefixtures("store")
def test_the_export_goes_to_the_next_program_too(config: Path) -> None:
    done = python("-m", "bot", "audit", "export", "--since", "1h", cwd=config.parent)
    assert (done.returncode, done.stderr) == (0, "3 entries.\n")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2, 3]


@pytest.mark.usefixtures("store")
def test_an_export_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path, run: Run) -> None:
    for out in (tmp_path / "nowhere" / "x", Path("/dev/full/x")):
        status, said, wrong = run(cli.export, out=out)
        assert (status, said) == (1, "")
        assert f"{out} cannot be written" in wrong
    folder = tmp_path / "folder"
    folder.mkdir()
    status, _, wrong = run(cli.export, out=folder)
    assert (status, "cannot be written: Is a directory." in wrong) == (1, True)


async def test_the_report_shows_what_is_held_of_somebody(store: Store, run: Run) -> None:
    await store.write(lambda tx: maintenance.put(tx, maintenance.Work("all", 2e9, "olga")))
    status, said, wrong = run(cli.report, "olga")
    assert (status, wrong) == (0, "")
    assert "audit 2" in lines(said)
    assert "maintenance 1" in lines(said)
    assert "$secret" in said
    status, said, _ = run(cli.report, "olga", as_json=True)
    report = json.loads(said)
    assert (status, report["accounts"], len(report["tables"]["audit"])) == (0, ["matrix:@olga:example.org"], 2)
    status, said, _ = run(cli.report, "otto")
    assert (status, "audit 0" in lines(said)) == (0, True)
    for nobody in ("eve", "matrix:@eve:example.org"):
        status, said, wrong = run(cli.report, nobody)
        assert (status, said) == (1, "")
        assert "lists nobody called" in wrong


async def test_the_exit_status_says_what_became_of_the_record(config: Path, run: Run, tmp_path: Path) -> None:
    folder = config.with_name("state")
    async with opening.opened(folder, ROOT) as store:
        await store.write(order)
        note = await store.read(tree.newest_note)
    assert note is not None
    witness, key = tmp_path / "witness", tmp_path / "key"
    witness.write_bytes(note)
    shutil.copy(folder / opening.PUBLIC, key)

    status, said, wrong = run(checking.verify)
    assert (status, "INCOMPLETE" in said, "No witness was asked" in said) == (State.INCOMPLETE, True, True)
    assert "The keys were those beside it, in audit.pub." in wrong
    status, said, wrong = run(checking.verify, witness=[witness], every=True, key=str(key))
    assert (status, wrong) == (State.INTACT, "")
    assert said.startswith("INTACT: ")
    assert run(checking.verify, witness=[witness], key=key.read_text().strip())[0] == State.INTACT
    altered(folder / "tocsin.db")
    status, said, _ = run(checking.verify, witness=[witness], key=str(key))
    assert (status, said.startswith("ALTERED: ")) == (State.ALTERED, True)


async def test_the_signatures_of_old_checkpoints_are_checked_where_that_is_asked(
    store: Store, run: Run, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    witness.write_bytes(await store.read(tree.newest_note) or b"")
    sql = "UPDATE checkpoint SET signature = (SELECT signature FROM checkpoint WHERE size = 3) WHERE size = 1"
    await store.write(lambda tx: tx.execute(sql))
    assert run(checking.verify, witness=[witness])[0] == State.INTACT
    status, said, _ = run(checking.verify, witness=[witness], every=True)
    assert (status, "its signature is false" in said) == (State.ALTERED, True)


async def test_the_witnesses_of_the_configuration_are_asked_as_far_as_they_are_there(
    config: Path, store: Store, run: Run, tmp_path: Path
) -> None:
    witness, away = tmp_path / "witness", tmp_path / "away"
    witness.write_bytes(await store.read(tree.newest_note) or b"")
    name_witnesses(config, away, witness)
    status, said, wrong = run(checking.verify)
    assert (status, said.startswith("INTACT: ")) == (State.INTACT, True)
    assert f"{away} cannot be read: No such file or directory." in wrong
    witness.unlink()
    assert run(checking.verify)[0] == State.INCOMPLETE


@pytest.mark.usefixtures("store")
def test_what_keeps_us_from_looking_says_nothing_of_the_record(config: Path, run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("nothing\n")
    folder = config.with_name("state")
    for options in (
        {"key": "a+b"},
        {"key": str(tmp_path / "nowhere")},
        {"key": str(empty)},
        {"key": str(folder / "audit.key")},
        {"witness": [tmp_path / "nowhere"]},
        {"witness": [empty]},
        {"config": tmp_path / "nowhere.toml"},
    ):
        status, said, wrong = run(checking.verify, **options, needs_config="config" not in options)
        assert (status, said) == (State.INCOMPLETE, "")
        assert wrong.startswith("Error: ")
    folder.joinpath(opening.PUBLIC).unlink()
    status, said, wrong = run(checking.verify)
    assert (status, said) == (State.INCOMPLETE, "")
    assert "Give the key of the record: --key VKEY" in wrong


@pytest.mark.usefixtures("store")
def test_a_proof_is_made_for_nobody_else_and_opens_only_what_was_asked(config: Path, run: Run, tmp_path: Path) -> None:
    shut, opened = tmp_path / "shut", tmp_path / "opened"
    key = str(config.with_name("state") / opening.PUBLIC)
    assert run(checking.prove, 3, out=shut) == (0, f"{shut} is made: the proof of entry 3.\n", "")
    assert run(checking.prove, 3, out=opened, opened=True)[0] == 0
    assert stat.S_IMODE(opened.stat().st_mode) == 0o600
    status, said, _ = run(checking.prove, 3)
    assert (status, said.strip()) == (0, shut.read_text().strip())
    status, said, wrong = run(check_proof.check_proof, shut, key=key, needs_config=False)
    assert (status, wrong, said.startswith("PROVEN: Entry 3 is in the record ")) == (State.INTACT, "", True)
    assert "(shut) cannot be opened" in lines(said)
    assert "olga" not in said
    _, said, _ = run(check_proof.check_proof, opened, key=key, needs_config=False)
    assert "olga account matrix:@olga:example.org" in lines(said)
    status, said, wrong = run(checking.prove, 4)
    assert (status, said) == (1, "")
    assert "There is no entry 4. The newest is 3." in wrong
    status, said, wrong = run(checking.prove, 3, out=tmp_path / "nowhere" / "x")
    assert (status, "cannot be written" in wrong) == (1, True)


@pytest.mark.usefixtures("store")
def test_the_exit_status_says_what_a_proof_shows(config: Path, run: Run, tmp_path: Path) -> None:
    proof, false = tmp_path / "proof", tmp_path / "false"
    key = str(config.with_name("state") / opening.PUBLIC)
    run(checking.prove, 3, out=proof, opened=True)
    false.write_text(proof.read_text().replace("done", "gone"))
    other = "other+" + "0" * 8 + "+AAAA"
    for file, given, status in (
        (proof, key, State.INTACT),
        (proof, None, State.INCOMPLETE),
        (proof, other, State.INCOMPLETE),
        (proof, str(tmp_path / "nowhere"), State.INCOMPLETE),
        (tmp_path / "nowhere", key, State.INCOMPLETE),
        (false, key, State.ALTERED),
        (false, None, State.ALTERED),
        (config, key, State.ALTERED),
    ):
        assert run(check_proof.check_proof, file, key=given, needs_config=False)[0] == status, (file, given)
    _, said, _ = run(check_proof.check_proof, proof, needs_config=False)
    assert said.startswith("NOT VOUCHED FOR: ")


def test_a_proof_that_nobody_vouches_for_may_hold_anything_and_is_shown() -> None:
    for inside in ("not JSON", "[]", "7"):
        assert check_proof.box_of(inside) == ("", {"": inside})


@pytest.mark.usefixtures("store")
def test_a_proof_is_checked_where_there_is_neither_a_bot_nor_a_configuration(
    config: Path, run: Run, tmp_path: Path
) -> None:
    proof, elsewhere = tmp_path / "proof", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(checking.prove, 3, out=proof)
    key = shutil.copy(config.with_name("state") / opening.PUBLIC, elsewhere)
    code = (
        "import sys; sys.argv = ['tocsin', 'audit', 'check-proof', *sys.argv[1:]]\n"
        "before = {*sys.modules}\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "finally: print(sorted(each for each in {*sys.modules} - before"
        " if each.split('.')[0] in {'sqlite3', 'nio', 'paho'}"
        " or each.startswith(('bot.store', 'bot.settings', 'bot.desk'))))"
    )
    done = python("-c", code, proof, "--key", key, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PROVEN: ")
    assert done.stdout.endswith("[]\n")


def test_the_help_names_all_of_it_and_imports_none_of_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['tocsin', 'audit', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "finally: print([each for each in sys.modules if each.startswith(('bot.record', 'bot.store'))])"
    )
    done = python("-c", code, cwd=tmp_path)
    assert "What happened and who ordered it" in done.stdout
    for word in ("check-proof", "export", "prove", "report", "search", "show", "tail", "verify"):
        assert f"\n  {word} " in done.stdout
    assert done.stdout.endswith("[]\n")
