"""What `tocsin` says in a terminal."""

import asyncio
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bot
from bot import keys, settings
from bot.store import Store, overlay
from tests.typed import MEASURED, tocsin
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey
from wire.messages import ROOT
from wire.stopkey import StopKey

HOME = Path(bot.__file__).parents[1]
GOOD = '[mqtt]\nhost = "localhost"\n[people.alice]\nrole = "viewer"\nmatrix = ["@alice:example.org"]\n'


def python(
    *words: str | Path, cwd: Path | None = None, path: Path | str = HOME, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *words],
        cwd=cwd,
        env={"PYTHONPATH": str(path), "TERM": "dumb", **MEASURED, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_answered_before_anything_large_is_imported(flag: str) -> None:
    code = (
        "import sys; sys.argv = ['tocsin', sys.argv[1]]; from bot.cli import main; main();"
        "print(sorted({'typer', 'pydantic', 'rich', 'structlog', 'asyncio', 'nio', 'paho'} & sys.modules.keys()))"
    )
    done = python("-c", code, flag)
    assert done.stdout == f"tocsin {bot.__version__}\n[]\n"


def test_the_help_is_shown_with_all_commands_and_neither_the_bot_nor_they_are_imported() -> None:
    code = (
        "import sys; sys.argv = ['tocsin', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'pydantic', 'nio', 'paho', 'bridges.console', 'bridges'} & sys.modules.keys()))"
    )
    done = python("-c", code)
    for command in ("run  ", "config  ", "component  ", "chat       Talk to the running bot from this machine"):
        assert f"\n  {command}" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_a_good_configuration_is_told_and_counted(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD)
    done = tocsin("config", "check", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is good. People: 1. Components: 0. Chat networks: none." in done.stdout


def test_a_bad_configuration_is_told_in_full_and_fails(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD.replace("viewer", "queen").replace("[mqtt]", "[mqtt]\nport = 0"))
    for command in (["config", "check"], ["config", "show"], ["run"]):
        done = tocsin(*command, "-c", config)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"Error: {config} cannot be used: 2 mistakes.",
            "line 2  mqtt.port          must be from 1 to 65535; found 0",
            'line 5  people.alice.role  must be viewer, operator or commander; found "queen"',
        ]


def test_what_is_asked_of_a_command_that_there_is_not_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"{GOOD}[commands.hepl]\n")
    done = tocsin("config", "check", "-c", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "commands.hepl" in done.stderr
    assert "help" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    for command in (["config", "check"], ["config", "show"], ["run"]):
        done = tocsin(*command, cwd=tmp_path)
        assert done.returncode == 1
        assert "config.toml cannot be read: No such file or directory." in done.stderr
        assert "Traceback" not in done.stderr


async def test_what_is_in_force_is_shown_while_the_bot_runs_and_no_secret_is(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD.replace("[people", 'username = "u"\npassword_env = "OUR_PASSWORD"\n[people'))
    (tmp_path / "state").mkdir(mode=0o700)
    async with Store.opened(tmp_path / "state" / "tocsin.db") as store:
        await store.write(lambda tx: overlay.put(tx, "people.alice.suspended", value=True, by="carol"))
        show = functools.partial(tocsin, "config", "show", "-c", config)
        done = await asyncio.to_thread(show, env={"OUR_PASSWORD": "sesame"})
    assert (done.returncode, done.stderr) == (0, "")
    shown = {tuple(re.split(" {2,}", line)) for line in done.stdout.splitlines()}
    assert ("bot.name", "tocsin", "default") in shown
    assert ("mqtt.host", "localhost", "file") in shown
    assert ("mqtt.password_env", "environment OUR_PASSWORD", "file") in shown
    assert re.search(
        r"people\.alice\.suspended +true +chat \(by carol, (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\)\n", done.stdout
    )
    assert "sesame" not in done.stdout


def test_showing_what_is_in_force_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(GOOD)
    assert tocsin("config", "show", cwd=tmp_path).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


@pytest.fixture
def extra(tmp_path: Path) -> str:
    """Where to find a package that brings commands of its own, beside ours."""
    info = tmp_path / "packages" / "extra-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[tocsin.cli]\nsay = extra.saying:say\nlost = extra.nowhere:lost\nrun = extra.saying:say\n"
    )
    package = tmp_path / "packages" / "extra"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; sys.stderr.write('imported\\n')")
    (package / "saying.py").write_text(
        "def say(words: list[str], *, loud: bool = False) -> None:\n"
        '    """Say it.\n\n    At length."""\n    print("LOUD" if loud else "low", words)\n'
    )
    return f"{tmp_path / 'packages'}:{HOME}"


def test_a_command_of_another_package_is_listed_without_importing_it(extra: str) -> None:
    done = python("-m", "bot", "--help", path=extra)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  say        Say it." in done.stdout
    assert "\n  lost\n" in done.stdout
    assert done.stdout.count("\n  run ") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "b"], "low ['a', 'b']"),
        (["--loud", "a"], "LOUD ['a']"),
        (["--", "--loud"], "low ['--loud']"),
        (["say", "--", "-x"], "low ['say', '-x']"),
    ],
)
def test_a_command_of_another_package_gets_its_words_as_they_were_typed(
    extra: str, words: list[str], said: str
) -> None:
    done = python("-m", "bot", "say", *words, path=extra)
    assert (done.returncode, done.stdout) == (0, f"{said}\n")


def test_a_command_of_another_package_has_its_own_help_and_errors(extra: str) -> None:
    shown = python("-m", "bot", "say", "--help", path=extra)
    assert "Usage: tocsin say" in shown.stdout
    assert "At length." in shown.stdout
    wrong = python("-m", "bot", "say", "--nope", path=extra)
    assert wrong.returncode == 2
    assert "No such option: --nope" in wrong.stderr


def test_a_command_that_cannot_be_loaded_is_told(extra: str) -> None:
    done = python("-m", "bot", "lost", path=extra)
    assert done.returncode == 1
    assert "The command 'lost' (extra.nowhere:lost) cannot be loaded: No module named 'extra.nowhere'." in done.stderr
    assert "Traceback" not in done.stderr


def test_no_command_of_another_package_takes_the_place_of_ours(extra: str, tmp_path: Path) -> None:
    done = python("-m", "bot", "run", path=extra, cwd=tmp_path)
    assert "config.toml cannot be read" in done.stderr


def test_errors_of_several_parts_are_told_one_by_one_and_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(GOOD)
    code = (
        "import sys; sys.argv = ['tocsin', 'run']\n"
        "from bot import app, runtime\n"
        "from bot.words.errors import NetworkError\n"
        "async def run(_): raise ExceptionGroup('parts', [NetworkError('One.'), "
        "ExceptionGroup('more', [NetworkError('Two.', hint='Do [this].')])])\n"
        "runtime.run = run\n"
        "app.app()"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Error: One.\nError: Two. Do [this].\n"


def test_it_refuses_to_run_with_a_foreign_package_in_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "__init__.py").write_text("")
    (tmp_path / "config.toml").write_text(GOOD)
    done = python("-m", "bot", "run", cwd=tmp_path, path=f"{tmp_path}:{HOME}")
    assert done.returncode == 1
    assert "The package 'wire' is not Tocsin's own. Install Tocsin in a virtual environment of its own." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_component_is_enrolled_once_and_the_configuration_takes_what_is_printed(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD)
    done = tocsin("component", "enrol", "walk-1", "--group", "sims", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    enrolment = Enrolment.load(tmp_path / "walk-1.json")
    assert (enrolment.id, enrolment.groups) == ("walk-1", ("sims",))
    assert enrolment.bot_key == keys.load_or_make(tmp_path / "state" / "bot.key").public
    config.write_text(GOOD + done.stdout[done.stdout.index("[components") :])
    assert settings.load(config).enrolled["walk-1"].key == enrolment.key.public
    again = tocsin("component", "enrol", "walk-1", cwd=tmp_path)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert Enrolment.load(tmp_path / "walk-1.json").key.public == enrolment.key.public


@pytest.mark.parametrize("words", [("Walk 1",), ("walk-1", "--group", "../sims")])
def test_what_is_no_name_is_not_enrolled(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(GOOD)
    done = tocsin("component", "enrol", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "is no name" in done.stderr
    assert list(tmp_path.glob("*.json")) == []


def test_a_stop_key_is_issued_once_and_the_configuration_takes_what_is_printed(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD)
    done = tocsin("stop-key", "issue", "alice", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first = StopKey.load(tmp_path / "alice.stop.key")
    assert (first.person, first.root, str(first.broker)) == ("alice", ROOT, "localhost:1883")
    assert first.key.public.id in done.stdout
    config.write_text(f"{GOOD}{done.stdout[done.stdout.index('stop_keys') :]}")
    assert settings.load(config).stop_keys == {str(first.key.public): "alice"}
    again = tocsin("stop-key", "issue", "alice", cwd=tmp_path)
    assert (again.returncode, "is there already, and a key is never written over." in again.stderr) == (1, True)
    assert StopKey.load(tmp_path / "alice.stop.key") == first
    second = tocsin("stop-key", "issue", "alice", "--file", "other", cwd=tmp_path)
    config.write_text(f"{GOOD}{second.stdout[second.stdout.index('stop_keys') :]}")
    assert len(settings.load(config).stop_keys) == 2


@pytest.mark.parametrize("words", [("bob",), ("../alice",), ("alice", "--file", "no/such/folder")])
def test_a_stop_key_that_cannot_be_issued_is_told_and_none_is_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(GOOD)
    done = tocsin("stop-key", "issue", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


async def test_the_stop_keys_that_count_are_listed_and_told_to_a_new_component(tmp_path: Path) -> None:
    lost, kept, leaver = (PrivateKey(bytes([number]) * 32).public for number in range(3))
    config = tmp_path / "config.toml"
    bob = f'[people.bob]\nrole = "viewer"\nstop_keys = ["{leaver}"]\n[people.carol]\nrole = "viewer"\n'
    config.write_text(f'{GOOD}stop_keys = ["{lost}", "{kept}"]\n{bob}')
    (tmp_path / "state").mkdir(mode=0o700)
    keys.load_or_make(tmp_path / "state" / "bot.key")
    async with Store.opened(tmp_path / "state" / "tocsin.db") as store:
        await store.write(lambda tx: overlay.put(tx, f"stop_keys.{lost.id}.revoked", value=True, by="carol"))
        await store.write(lambda tx: overlay.put(tx, "people.bob.suspended", value=True, by="carol"))
    done = await asyncio.to_thread(tocsin, "stop-key", "list", cwd=tmp_path)
    shown = {tuple(re.split(" {2,}", line)) for line in done.stdout.splitlines()}
    assert {("alice", kept.id, "yes"), ("alice", lost.id, "revoked")} < shown
    assert ("bob", leaver.id, "not while bob is suspended") in shown
    assert "Without a stop key: carol." in done.stdout
    assert "!stop-key revoke ID" in done.stdout
    enrolled = await asyncio.to_thread(tocsin, "component", "enrol", "walk-1", cwd=tmp_path)
    assert (enrolled.returncode, enrolled.stderr) == (0, "")
    assert Enrolment.load(tmp_path / "walk-1.json").stop_keys == (kept,)


def test_the_stop_word_is_told_in_the_help_and_says_what_its_exit_codes_mean() -> None:
    assert "\n  stop " in tocsin("--help").stdout
    shown = " ".join(tocsin("stop", "--help").stdout.split())
    assert "Usage: tocsin stop" in shown
    assert "1 where not; 2 where nothing was sent" in shown
