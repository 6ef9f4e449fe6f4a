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

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
components = typer.Typer(no_args_is_help=True, help="Components and their keys.")
app.add_typer(components, name="component")
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
    from bot.desk.catalogue import Catalogue

    with _errors_told():
        loaded = settings.load(config)
        Catalogue.installed()
        listed, enrolled = len(loaded.people.listed), len(loaded.enrolled)
        bridges = ", ".join(sorted(loaded.bridges)) or "none"
        typer.echo(f"{config} is good. People: {listed}. Components: {enrolled}. Chat networks: {bridges}.")


@components.command("enrol")
def enrol_component(
    component: Annotated[str, typer.Argument(metavar="ID", help="Small letters, digits and hyphens.")],
    *,
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="A group that a stop can name.")] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Make the file that a new component starts with."""
    from bot import enrol, keys, settings
    from wire.broker import Broker
    from wire.fields import ID

    with _errors_told():
        _refuse_strangers()
        groups = tuple(dict.fromkeys(group or ()))
        for name in (component, *groups):
            if not ID.fullmatch(name):
                raise SettingsError(f"{name!r} is no name.", hint="Use small letters, digits and hyphens, up to 63.")
        loaded = settings.load(config)
        path = Path(f"{component}.json")
        broker = Broker(loaded.mqtt.host, loaded.mqtt.port)
        bot_key = keys.load_or_make(loaded.bot.folder / "bot.key").public
        enrolment = enrol.enrol(component, groups, loaded.mqtt.root, broker, bot_key, path)
        typer.echo(f"{path} is made. It holds the component's own key: bring it there, and let nobody else read it.")
        if loaded.mqtt.username:
            typer.echo("The broker asks for a name and a password: write the component's own into its 'broker'.")
        typer.echo(f"Add this to {config} and start the bot again:\n\n{enrol.stanza(enrolment)}")


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
