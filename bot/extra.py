"""Commands of `tocsin` that other packages bring. None of them is imported before somebody calls it."""

import ast
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer

from bot import telling
from bot.words.errors import SettingsError
from bot.words.glyphs import quoted

GROUP = "tocsin.cli"


def mount(app: typer.Typer, taken: frozenset[str]) -> None:
    """Put them beside our own. One that has the name of ours is left out."""
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name not in taken:
            app.command(
                entry.name,
                help=_summary(entry),
                add_help_option=False,  # it has a help of its own
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
            )(_caller(entry))


def _caller(entry: EntryPoint) -> Callable[[], None]:
    def call() -> None:
        with telling.errors_told():
            function = _loaded(entry)
        own = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        own.command(entry.name)(function)
        # As they were typed: `--` would be gone from what was parsed once.
        own(args=sys.argv[sys.argv.index(entry.name) + 1 :], prog_name=f"tocsin {entry.name}")

    return call


def _loaded(entry: EntryPoint) -> Callable[..., None]:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The command {quoted(entry.name)} ({entry.value}) cannot be loaded: {error}.",
            hint="Install the package that brings it anew, with all that it needs.",
        ) from error


def _summary(entry: EntryPoint) -> str:
    """The first line of what the function says of itself, read and not run."""
    try:
        module = ast.parse(_source(entry.module).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _source(module: str) -> Path:
    """Where a module's text is, found without importing the packages around it."""
    name, _, rest = module.partition(".")
    spec = PathFinder.find_spec(name)
    while rest and spec is not None:
        part, _, rest = rest.partition(".")
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(module)
    return Path(spec.origin)
