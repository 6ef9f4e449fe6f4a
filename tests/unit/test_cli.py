"""What `tocsin` says in a terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

import bot
from bot import keys, settings
from wire.enrolment import Enrolment

HOME = Path(bot.__file__).parents[1]
GOOD = '[mqtt]\nhost = "localhost"\n[people.alice]\nrole = "viewer"\nmatrix = ["@alice:example.org"]\n'


def python(*words: str | Path, cwd: Path | None = None, path: Path | str = HOME) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *words],
        cwd=cwd,
        env={"PYTHONPATH": str(path), "TERM": "dumb"},
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


def test_without_words_the_help_is_shown_and_the_bot_is_not_imported() -> None:
    code = (
        "import sys; sys.argv = ['tocsin', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'pydantic', 'nio', 'paho'} & sys.modules.keys()))"
    )
    done = python("-c", code)
    assert "check-config" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_a_good_configuration_is_told_and_counted(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD)
    done = python("-m", "bot", "check-config", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is good. People: 1. Components: 0. Chat networks: none." in done.stdout


def test_a_bad_configuration_is_told_in_full_and_fails(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(GOOD.replace("viewer", "queen").replace("[mqtt]", "[mqtt]\nport = 0"))
    done = python("-m", "bot", "check-config", "-c", config)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "people.alice.role: " in done.stderr
    assert "mqtt.port: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    for command in ("check-config", "run"):
        done = python("-m", "bot", command, cwd=tmp_path)
        assert done.returncode == 1
        assert "config.toml cannot be read: No such file or directory." in done.stderr
        assert "Traceback" not in done.stderr


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
    done = python("-m", "bot", "component", "enrol", "walk-1", "--group", "sims", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    enrolment = Enrolment.load(tmp_path / "walk-1.json")
    assert (enrolment.id, enrolment.groups) == ("walk-1", ("sims",))
    assert enrolment.bot_key == keys.load_or_make(tmp_path / "state" / "bot.key").public
    config.write_text(GOOD + done.stdout[done.stdout.index("[components") :])
    assert settings.load(config).enrolled["walk-1"].key == enrolment.key.public
    again = python("-m", "bot", "component", "enrol", "walk-1", cwd=tmp_path)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert Enrolment.load(tmp_path / "walk-1.json").key.public == enrolment.key.public


@pytest.mark.parametrize("words", [("Walk 1",), ("walk-1", "--group", "../sims")])
def test_what_is_no_name_is_not_enrolled(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(GOOD)
    done = python("-m", "bot", "component", "enrol", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "is no name" in done.stderr
    assert list(tmp_path.glob("*.json")) == []
