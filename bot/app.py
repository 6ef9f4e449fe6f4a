"""What can be asked of `tocsin` in a terminal."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

import bot
from bot import logs
from bot.words.errors import SettingsError, TocsinError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
terminal = Console(stderr=True, highlight=False, soft_wrap=True)

OURS = ("bot", "bridges", "commands", "components", "tocsin", "wire")

Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")]


@app.callback()
def tocsin(
    *, version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False
) -> None:
    """The bot that operators trust with a stop button."""
    if version:  # reached only with more words beside it: alone it is answered before this module is imported
        typer.echo(f"tocsin {bot.__version__}")
        raise typer.Exit


@app.command()
def run(config: Config = Path("config.toml")) -> None:
    """Run the bot until SIGTERM or Ctrl-C."""
    logs.set_up()
    with _errors_told():
        _refuse_strangers()
        from bot import runtime, settings

        asyncio.run(_until_told(runtime.run(settings.load(config))))


@app.command("check-config")
def check_config(config: Config = Path("config.toml")) -> None:
    """Read the configuration and tell all that is wrong with it."""
    from bot import settings

    with _errors_told():
        loaded = settings.load(config)
        listed, enrolled = len(loaded.people.listed), len(loaded.enrolled)
        bridges = ", ".join(sorted(loaded.bridges)) or "no chat network"
        typer.echo(f"{config} is good: {listed} people, {enrolled} components, {bridges}.")


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until a signal ends it."""
    working = asyncio.ensure_future(work)
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, working.cancel)
    await asyncio.wait([working])
    if not working.cancelled():
        working.result()


def _refuse_strangers() -> None:
    """Our folder names are general. A foreign package of one of them must not pass for ours."""
    home = Path(bot.__file__).parent.parent
    for name in OURS:
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != home:
            raise SettingsError(
                f"The package {name!r} is not Tocsin's own.",
                hint="Install Tocsin in a virtual environment of its own.",
            )


@contextlib.contextmanager
def _errors_told() -> Generator[None]:
    """What an operator can mend is told in a sentence each, without a trace."""
    failed = False
    try:
        yield
    except* TocsinError as group:
        failed = True
        for error in _each(group):
            terminal.print(f"[bold red]Error:[/] {escape(str(error))}")
    if failed:
        sys.exit(1)


def _each(group: BaseExceptionGroup[TocsinError]) -> Iterator[TocsinError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _each(error)
        else:
            yield error
