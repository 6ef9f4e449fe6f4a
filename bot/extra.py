"""Commands of `tocsin` that other packages bring. None of them is imported before somebody calls it.

`lamp` becomes `tocsin lamp`, and `lamp-list` or `lamp.list` becomes `tocsin lamp list`.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer

from bot import telling
from bot.words.errors import SettingsError
from bot.words.glyphs import quoted

GROUP = "tocsin.cli"


def mount(app: typer.Typer) -> None:
    """Put them beside our own. One that has the name of ours is left out."""
    groups = {str(each.name): each.typer_instance for each in app.registered_groups if each.typer_instance is not None}
    commands = _commands_of(app)
    for entry in sorted(entry_points(group=GROUP)):
        group, word = _split(entry.name, groups, commands)
        if group and group not in groups:
            groups[group] = typer.Typer(no_args_is_help=True, help=_of_the_module(entry))
            app.add_typer(groups[group], name=group)
        place = groups[group] if group else app
        if word not in (_commands_of(place) | (frozenset() if group else groups.keys())):
            place.command(
                word,
                help=_summary(entry),
                add_help_option=False,  # it has a help of its own
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
            )(_caller(entry, *([group] if group else []), word))


def _commands_of(app: typer.Typer) -> frozenset[str]:
    return frozenset(str(each.name) for each in app.registered_commands)


def _split(name: str, groups: Iterable[str], commands: frozenset[str]) -> tuple[str, str]:
    """The group of a command, if it has one, and its word there. A group that is there already comes first."""
    for group in sorted(groups, key=len, reverse=True):
        if re.match(f"{re.escape(group)}[-.].", name):
            return group, name[len(group) + 1 :]
    parted = re.fullmatch(r"([^-.]+)[-.](.+)", name)
    return (parted[1], parted[2]) if parted and parted[1] not in commands else ("", name)


def _caller(entry: EntryPoint, *words: str) -> Callable[[], None]:
    def call() -> None:
        with telling.errors_told():
            function = _loaded(entry)
        own = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        own.command(words[-1])(function)
        # As they were typed: `--` would be gone from what was parsed once.
        typed = sys.argv[1:]
        for word in words:
            typed = typed[typed.index(word) + 1 :]
        from wire.errors import WireError  # noqa: PLC0415 - whose `wire` it is, is looked at when the bot runs

        try:
            own(args=typed, prog_name=" ".join(("tocsin", *words)))
        except WireError as error:  # what components bring knows no error of ours
            telling.say(str(error))
            sys.exit(1)

    return call


def _loaded(entry: EntryPoint) -> Callable[..., None]:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"The command {quoted(entry.name)} ({entry.value}) cannot be loaded: {error}.",
            hint="Install the package that brings it anew, with all that it needs.",
        ) from error


def _of_the_module(entry: EntryPoint) -> str:
    """The first line of what the module says of itself, after the name of the group."""
    module = _read(entry)
    said = (ast.get_docstring(module) or "").partition("\n")[0] if module else ""
    named = re.match(r"`[^`]*`: ", said)
    words = said[named.end() :] if named else said
    return words[:1].upper() + words[1:]


def _summary(entry: EntryPoint) -> str:
    """The first line of what the function says of itself, read and not run."""
    module = _read(entry)
    for node in module.body if module else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _read(entry: EntryPoint) -> ast.Module | None:
    try:
        return ast.parse(_source(entry.module).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


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
