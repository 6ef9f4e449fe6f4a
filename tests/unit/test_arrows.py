"""Holds the house together: who may import whom, and what every module must bring.

It reads code and runs none.
"""

import ast
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "bot", "bridges", "commands", "components", "tocsin", "demo")
OURS = frozenset({*PACKAGES, "bench", "tests"})
EVERYTHING = OURS

# What a module of the part on the left may import of ours. The longest name that fits a module rules it.
ARROWS = {
    "wire": {"wire"},
    "bot": {"bot", "wire"},
    "bot.stop": {"bot.stop", "bot.store", "bot.words", "wire"},
    "bot.audit": {"bot.audit", "bot.words", "wire"},
    "bot.store": {"bot.store", "bot.audit", "bot.words"},
    "bot.words": {"bot.words"},
    "bridges": {"bridges", "bot", "wire"},
    "commands": {"commands", "bot"},
    "components": {"components", "wire"},
    "tocsin": {"tocsin", "bot"},
    "demo": EVERYTHING,
    "bench": EVERYTHING,
    "tests": EVERYTHING,
}

MOST_LINES = 400
BOUNDED = ("bot", "bridges", "commands", "components", "demo", "wire")


@dataclass(frozen=True, slots=True)
class WrongArrow:
    """An import that the table does not allow."""

    module: str
    line: int
    target: str


def module_name(path: Path, root: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports: at its top, in a function, or by `import_module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = module_name(path.parent / "__init__.py", root).split(".")
                start = package[: len(package) - (level - 1)] if level else []
                base = ".".join([*start, *([module] if module else [])])
                yield from ((node.lineno, named(base, alias.name, root)) for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ):
                yield node.lineno, target
            case _:
                pass


def named(base: str, name: str, root: Path) -> str:
    """What `from base import name` imports: the module `base.name` where there is one, else `base`."""
    if base.partition(".")[0] not in OURS:
        return base
    inner = root.joinpath(*base.split("."), name)
    return f"{base}.{name}" if inner.is_dir() or inner.with_suffix(".py").is_file() else base


def is_within(module: str, part: str) -> bool:
    """Whether a module is this part of the house, or lies in it."""
    return module == part or module.startswith(f"{part}.")


def wrong_arrows(root: Path) -> list[WrongArrow]:
    """Every import among our own packages that the table does not allow."""
    wrong: list[WrongArrow] = []
    for package in sorted(OURS):
        for path in sorted((root / package).rglob("*.py")):
            module = module_name(path, root)
            allowed = ARROWS[max((part for part in ARROWS if is_within(module, part)), key=len)]
            if allowed == EVERYTHING:
                continue
            wrong.extend(
                WrongArrow(module, line, target)
                for line, target in imports(path, root)
                if target.partition(".")[0] in OURS and not any(is_within(target, part) for part in allowed)
            )
    return wrong


def modules(*packages: str) -> list[Path]:
    """The files of these packages. None at all would mean that a test looks at the wrong place."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert found
    return found


def test_every_import_follows_the_arrows() -> None:
    modules(*PACKAGES)
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("file", "code", "target"),
    [
        ("wire/latch.py", "import bot", "bot"),
        ("wire/latch.py", "from bot.words import Place", "bot.words"),
        ("bot/cli.py", "def main() -> None:\n    from bridges.matrix import plugin", "bridges.matrix"),
        ("bot/cli.py", "import importlib\nimportlib.import_module('commands.help')", "commands.help"),
        ("bot/stop/incident.py", "from bot import desk", "bot.desk"),
        ("bot/stop/incident.py", "from ..desk import Desk", "bot.desk"),
        ("bot/stop/incident.py", "from .. import desk", "bot.desk"),
        ("bot/words/__init__.py", "from ..store import Store", "bot.store"),
        ("bot/words/message.py", "import wire.messages as m", "wire.messages"),
        ("bridges/matrix/__init__.py", "import demo.homeserver", "demo.homeserver"),
        ("commands/stop.py", "import wire", "wire"),
        ("components/kit.py", "try:\n    import bot.words\nexcept ImportError:\n    pass", "bot.words"),
        ("tocsin/__init__.py", "from wire import latch", "wire.latch"),
        ("bot/health.py", "from tests import servers", "tests"),
        ("bot/health.py", "import bench.measure", "bench.measure"),
    ],
)
def test_a_wrong_import_is_found_wherever_it_hides(tmp_path: Path, file: str, code: str, target: str) -> None:
    for module in ("bot/desk/__init__.py", "bot/store/__init__.py", "wire/latch.py", file):
        path = tmp_path / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / file).write_text(code, encoding="utf-8")
    found = wrong_arrows(tmp_path)
    assert [(arrow.module, arrow.target) for arrow in found] == [(module_name(tmp_path / file, tmp_path), target)]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (
            "bot/stop/incident.py",
            "from bot.store import Store\nfrom ..words import Place\nimport wire.latch, json",
        ),
        ("bridges/matrix/sync.py", "from . import keys\nfrom bot import bridge\nimport nio"),
        ("demo/__main__.py", "import components.kit, bot.runtime, bridges.matrix, wire"),
        ("components/botany.py", "import botocore, wirelike"),
    ],
)
def test_a_right_import_is_let_be(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert wrong_arrows(tmp_path) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert (ROOT / package / "__init__.py").is_file()


def test_the_public_names_are_re_exports_and_nothing_else() -> None:
    for path in modules("tocsin"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                    pass
                case ast.Assign(targets=[ast.Name(id="__all__")]):
                    pass
                case _:
                    pytest.fail(f"{path.name}:{node.lineno} is more than a re-export")


def test_no_module_has_grown_out_of_its_room() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*BOUNDED)}
    too_long = [f"{path.relative_to(ROOT)}: {count}" for path, count in lines.items() if count > MOST_LINES]
    assert too_long == []


def begins_with_words(path: Path) -> bool:
    """Whether the first that is said in a file is what it is."""
    beside = (tokenize.COMMENT, tokenize.NL)
    with path.open(encoding="utf-8") as file:
        first = next(each for each in tokenize.generate_tokens(file.readline) if each.type not in beside)
    return first.type == tokenize.STRING and bool(ast.literal_eval(first.string).strip())


def test_every_module_begins_with_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules(*OURS) if not begins_with_words(path)]
    assert silent == []
