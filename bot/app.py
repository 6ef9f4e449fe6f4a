"""What can be asked of `tocsin` in a terminal."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import bot
from bot import extra, logs, telling
from bot.words.errors import SettingsError

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
configuration = typer.Typer(no_args_is_help=True, help="The configuration: check the file, show what is in force.")
components = typer.Typer(no_args_is_help=True, help="Components and their keys.")
app.add_typer(configuration, name="config")
app.add_typer(components, name="component")

END_WITHIN_S = 17.0
"""What the parts may take to stop, what a thread that hangs may take, and a little more."""

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


@app.command("run")
def run(config: Config = Path("config.toml")) -> None:
    """Run the bot until SIGTERM or Ctrl-C."""
    logs.set_up()
    with telling.errors_told():
        _refuse_strangers()
        loaded = _load(config)
        from bot import runtime

        asyncio.run(_until_told(runtime.run(loaded)))


@configuration.command("check")
def check(config: Config = Path("config.toml")) -> None:
    """Read the file and tell all that is wrong with it."""
    with telling.errors_told():
        loaded = _load(config)
        from bot.desk.catalogue import Catalogue

        Catalogue.installed(loaded.commands)
        listed, enrolled = len(loaded.people.listed), len(loaded.enrolled)
        bridges = ", ".join(sorted(loaded.bridges)) or "none"
        typer.echo(f"{config} is good. People: {listed}. Components: {enrolled}. Chat networks: {bridges}.")


@configuration.command("show")
def show(config: Config = Path("config.toml")) -> None:
    """Show every key that is in force, and where it comes from."""
    with telling.errors_told():
        loaded = _load(config)
        from bot import keys, settings
        from bot.settings.effective import effective
        from bot.store.overlay import entries_in

        changes = settings.weigh(entries_in(loaded.bot.folder / keys.DATABASE), loaded)
        telling.show(effective(loaded, changes), Console(highlight=False))


@components.command("enrol")
def enrol_component(
    component: Annotated[str, typer.Argument(metavar="ID", help="Small letters, digits and hyphens.")],
    *,
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="A group that a stop can name.")] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Make the file that a new component starts with."""
    from bot import enrol, keys
    from wire.broker import Broker
    from wire.fields import ID

    with telling.errors_told():
        _refuse_strangers()
        groups = tuple(dict.fromkeys(group or ()))
        for name in (component, *groups):
            if not ID.fullmatch(name):
                raise SettingsError(f"{name!r} is no name.", hint="Use small letters, digits and hyphens, up to 63.")
        loaded = _load(config)
        path = Path(f"{component}.json")
        broker = Broker(loaded.mqtt.host, loaded.mqtt.port)
        bot_key = keys.load_or_make(loaded.bot.folder / keys.KEY).public
        enrolment = enrol.enrol(component, groups, loaded.mqtt.root, broker, bot_key, path)
        typer.echo(f"{path} is made. It holds the component's own key: bring it there, and let nobody else read it.")
        if loaded.mqtt.username:
            typer.echo("The broker asks for a name and a password: write the component's own into its 'broker'.")
        typer.echo(f"Add this to {config} and start the bot again:\n\n{enrol.stanza(enrolment)}")


extra.mount(app, frozenset(str(each.name) for each in (*app.registered_commands, *app.registered_groups)))


def _load(config: Path) -> "Settings":
    """The settings; where there are mistakes they are shown as a table, and that is the end."""
    from bot import settings
    from bot.settings.mistakes import Mistakes

    try:
        return settings.load(config)
    except Mistakes as mistakes:
        telling.say(mistakes.summary)
        telling.show(mistakes.document(), telling.errors)
        raise typer.Exit(1) from None


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until a signal ends it. It is heard, and ends the process, even where the event loop does not turn."""
    working = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def end(_: int, __: FrameType | None) -> None:
        faulthandler.dump_traceback_later(END_WITHIN_S, exit=True, file=sys.__stderr__ or sys.stderr)
        loop.call_soon_threadsafe(working.cancel)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    try:
        await asyncio.wait([working])
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
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
