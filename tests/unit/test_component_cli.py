"""`tocsin component …`, and the groups of words that other packages bring to `tocsin`."""

import subprocess
import sys
from pathlib import Path

import pytest

import bot
from components.commands import new as starting
from components.starter import starter
from tests.typed import tocsin
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey
from wire.mqtt import Broker

pytestmark = pytest.mark.usefixtures("starts_are_cheap")

HOME = Path(bot.__file__).parents[1]
WORDS = """\
[tocsin.cli]
component-say = extra.saying:say
component.lost = extra.nowhere:lost
component-enrol = extra.saying:say
lamp-list = extra.saying:say
lamp.list.all = extra.saying:fail
run-fast = extra.saying:say
stop-key-say = extra.saying:say
"""
ONE = "from components.kit import Component\n{} = Component(title='x', kind='x', version='1')"
SAYING = '''\
def say(words: list[str], *, loud: bool = False) -> None:
    """Say it."""
    print("LOUD" if loud else "low", words)

def fail() -> None:
    """Fail."""
    from wire.errors import WireError
    raise WireError("It [bold]failed.")
'''


def with_packages(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `tocsin` where other packages bring words to it: they are found as it starts."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-m", "bot", *words],
        env={"PYTHONPATH": f"{path}:{HOME}", "TERM": "dumb", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def extra(tmp_path: Path) -> str:
    """Where to find a package that brings words in groups."""
    info = tmp_path / "packages" / "extra-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1\n")
    (info / "entry_points.txt").write_text(WORDS)
    package = tmp_path / "packages" / "extra"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; sys.stderr.write('imported\\n')")
    (package / "saying.py").write_text(SAYING)
    return str(tmp_path / "packages")


def test_a_word_with_a_hyphen_joins_the_group_of_its_first_part_without_being_imported(extra: str) -> None:
    shown = with_packages(extra, "component", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "say    Say it." in shown.stdout
    assert shown.stdout.count("\n  enrol ") == 1
    assert "Make the file that a new component starts with." in shown.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("component", "say", "a", "--loud"), "LOUD ['a']"),
        (("component", "say", "component", "say", "--", "-x"), "low ['component', 'say', '-x']"),
        (("lamp", "list", "lamp", "list"), "low ['lamp', 'list']"),
        (("run-fast", "now"), "low ['now']"),  # what is a command is no group
        (("stop-key", "say", "it"), "low ['it']"),  # the longest group that is there
    ],
)
def test_a_word_in_a_group_gets_its_words_as_they_were_typed(extra: str, words: tuple[str, ...], said: str) -> None:
    done = with_packages(extra, *words)
    assert (done.returncode, done.stdout) == (0, f"{said}\n")


def test_what_a_word_raises_is_told_in_a_sentence(extra: str) -> None:
    failed = with_packages(extra, "lamp", "list.all")
    assert (failed.returncode, failed.stderr) == (1, "imported\nError: It [bold]failed.\n")
    lost = with_packages(extra, "component", "lost")
    assert lost.returncode == 1
    assert "The command 'component.lost' (extra.nowhere:lost) cannot be loaded" in lost.stderr


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_component_can_be_run_and_is_never_written_over(there: Path) -> None:
    made = tocsin("component", "new", "my-oven", "--kind", 'a "kind"', cwd=there)
    assert (made.returncode, made.stderr) == (0, "")
    assert "tocsin component enrol my-oven" in made.stdout
    text = (there / "my_oven.py").read_text()
    assert "starter" not in text
    assert 'title="My oven (simulated)", kind="a \\"kind\\""' in text
    again = tocsin("component", "new", "my-oven", cwd=there)
    assert (again.returncode, again.stdout) == (1, "")
    assert "my_oven.py is there already, and is not written over. Choose another name." in again.stderr
    assert (there / "my_oven.py").read_text() == text


@pytest.mark.parametrize("name", ["heater", "class", "read", "oven", "3d-printer", "a"])
def test_under_any_name_it_is_a_component_of_that_name(there: Path, name: str) -> None:
    starting.new(name)
    names: dict[str, object] = {"__name__": "tried"}
    file = there / f"{name.replace('-', '_')}.py"
    exec(compile(file.read_text(), file, "exec"), names)  # noqa: S102 - our own text
    (made,) = {each for each in names.values() if type(each) is type(starter)}
    assert made.commands.keys() == {"warm", "read"}
    assert made.title == f"{name.replace('-', ' ').capitalize()} (simulated)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Oven", "'Oven' is no name. Use small letters, digits and hyphens, up to 63."),
        ("../oven", "is no name"),
        ("asyncio", "'asyncio' is the name of a module that is installed. Choose another name."),
        ("wire", "'wire' is the name of a module that is installed. Choose another name."),
    ],
)
def test_a_name_that_would_make_trouble_is_refused(there: Path, name: str, said: str) -> None:
    done = tocsin("component", "new", name, cwd=there)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(there.glob("*.py")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "one.py is no file of Python. `tocsin component new` makes one."),
        ("x = 1", "one.py makes no components, and one can be run."),
        (
            "import nosuchmodule",
            "one.py cannot be run: ModuleNotFoundError: No module named 'nosuchmodule'. `python one.py` shows where.",
        ),
        (
            f"{ONE.format('a')}\nraise SystemExit",
            'one.py ends by itself: call main() below `if __name__ == "__main__":` only.',
        ),
        (
            f"{ONE.format('a')}\n{ONE.format('b')}",
            "one.py makes 2 components, and one can be run.",
        ),
        (
            ONE.format("a = b"),
            "none.json cannot be read: No such file or directory. `tocsin component enrol` makes it.",
        ),
    ],
)
def test_what_cannot_be_run_is_told(there: Path, text: str | None, said: str) -> None:
    if text is not None:
        (there / "one.py").write_text(text)
    done = tocsin("component", "run", "one.py", "none.json", cwd=there)
    assert done.returncode == 1
    assert done.stderr == f"Error: {said}\n"


def test_the_latch_is_never_written_over_the_enrolment(there: Path) -> None:
    starting.new("oven")
    path = there / "oven.latch"
    Enrolment("r", "oven", (), Broker("127.0.0.1", 1), PrivateKey(bytes(32)).public, (), bytes(32)).save(path)
    before = path.read_bytes()
    done = tocsin("component", "run", "oven.py", "oven.latch", cwd=there)
    assert done.stderr == "Error: oven.latch is the enrolment. Name another file for the latch.\n"
    assert path.read_bytes() == before
