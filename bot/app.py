"""What can be asked of `tocsin` in a terminal."""

import asyncio
import faulthandler
import logging
import signal
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

import bot
from bot import extra, logs, telling
from bot.findings import State
from bot.importing import importing
from bot.words.errors import SettingsError
from bot.words.glyphs import quoted

if TYPE_CHECKING:
    from bot.doctor import Found
    from bot.doctor.show import Shown
    from bot.settings import Settings
    from bot.settings.overlaid import Overlaid
    from bot.stopkeys import StopKeys

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
configuration = typer.Typer(no_args_is_help=True, help="The configuration: check the file, show what is in force.")
components = typer.Typer(no_args_is_help=True, help="Components and their keys.")
app.add_typer(configuration, name="config")
app.add_typer(components, name="component")
stop_keys = typer.Typer(no_args_is_help=True, help="Stop keys of people: for `tocsin stop`, where no chat works.")
app.add_typer(stop_keys, name="stop-key")

bot_key = typer.Typer(no_args_is_help=True, help="The bot's own key, by which components know it.")
app.add_typer(bot_key, name="key")

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
        with importing():
            loaded = _load(config)
            from bot import runtime
        asyncio.run(_until_told(runtime.run(loaded)))


@app.command("reload")
def reload_it(config: Config = Path("config.toml")) -> None:
    """Have the running bot take its configuration anew, and show what changes.

    It ends with 1 where that cannot be: then nothing has changed, but for rights that were taken away.
    """
    with telling.errors_told():
        loaded = _load(config)
        from bot.reloading import asking

        answer = asking.ask(loaded)
        telling.show(answer.shown, Console(highlight=False))
        raise typer.Exit(not answer.good)


@configuration.command("check")
def check(config: Config = Path("config.toml")) -> None:
    """Read the file and tell all that is wrong with it."""
    with telling.errors_told():
        loaded = _load(config)
        from bot.desk.catalogue import Catalogue

        Catalogue.installed(loaded.commands)
        listed, enrolled = len(loaded.people.listed), len(loaded.enrolled)
        networks = loaded.networks
        typer.echo(f"{config} is good. People: {listed}. Components: {enrolled}. Chat networks: {networks}.")


@configuration.command("show")
def show(config: Config = Path("config.toml")) -> None:
    """Show every key that is in force, and where it comes from."""
    with telling.errors_told():
        loaded = _load(config)
        from bot.settings.effective import effective

        telling.show(effective(loaded, _changes(loaded)), Console(highlight=False))


@app.command("doctor")
def look_it_over(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, when all are there.")] = False,
    config: Config = Path("config.toml"),
) -> None:
    """Look at the installation: what is wrong, and what to do.

    It changes nothing, and the bot may run. It ends with 1 where something is bad.
    """
    from bot import doctor
    from bot.doctor import show

    logs.set_up()
    logging.getLogger().setLevel(logging.CRITICAL)  # what goes wrong is found, and told once
    with telling.errors_told():
        _refuse_strangers()
        if as_json:
            everything = asyncio.run(doctor.everything(config))
            typer.echo(show.to_json(everything))
        else:
            everything = asyncio.run(_examined(_load(config), show.Shown(Console(highlight=False))))
    raise typer.Exit(show.worst(everything) is State.BAD)


@components.command("enrol")
def enrol_component(
    component: Annotated[str, typer.Argument(metavar="ID", help="Small letters, digits and hyphens.")],
    *,
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="A group that a stop can name.")] = None,
    disk: Annotated[
        Literal["new", "kept"], typer.Option(help="kept: its disk lasts, and a missing latch file is a stop.")
    ] = "new",
    config: Config = Path("config.toml"),
) -> None:
    """Make the file that a new component starts with."""
    from bot import enrol, keys
    from wire.enrolment import DiskKind
    from wire.fields import ID

    with telling.errors_told():
        _refuse_strangers()
        groups = tuple(dict.fromkeys(group or ()))
        for name in (component, *groups):
            if not ID.fullmatch(name):
                raise SettingsError(f"{name!r} is no name.", hint="Use small letters, digits and hyphens, up to 63.")
        loaded = _load(config)
        path = Path(f"{component}.json")
        bot_key = keys.load_or_make(loaded.bot.folder / keys.KEY).public
        counting = _stop_keys(loaded).counting()
        enrolment = enrol.enrol(
            component,
            groups,
            loaded.mqtt.root,
            loaded.mqtt.address(),
            bot_key,
            path,
            stop_keys=counting,
            disk=DiskKind(disk),
        )
        typer.echo(f"{path} is made. It holds the component's own key: bring it there, and let nobody else read it.")
        if disk == "kept":
            typer.echo("At its first start say --make-latch: without its latch file it starts stopped.")
        if loaded.mqtt.username:
            typer.echo("The broker asks for a name and a password: write the component's own into its 'broker'.")
        if loaded.mqtt.tls:
            typer.echo("The broker speaks TLS: look whether the files in 'tls' of its 'broker' are right over there.")
        typer.echo(f"Add this to {config} and start the bot again:\n\n{enrol.stanza(enrolment)}")


@stop_keys.command("issue")
def issue_stop_key(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Whose it is, as the configuration calls them.")],
    *,
    file: Annotated[Path | None, typer.Option("--file", help="Where to write it. PERSON.stop.key by itself.")] = None,
    config: Config = Path("config.toml"),
) -> None:
    """Make a stop key for a person: it can stop, and nothing else."""
    from bot import enrol

    with telling.errors_told():
        _refuse_strangers()
        loaded = _load(config)
        if loaded.people.named(person) is None:
            listed = ", ".join(each.name for each in loaded.people.listed) or "nobody"
            raise SettingsError(f"{config} lists nobody called {quoted(person)}.", hint=f"There is {listed}.")
        path = Path(f"{person}.stop.key") if file is None else file
        issued = enrol.issue_stop_key(person, loaded.mqtt.root, loaded.mqtt.address(), path)
        theirs = [key for key, holder in loaded.stop_keys.items() if holder == person]
        typer.echo(
            f"{path} is made: the stop key {issued.key.public.id} of {person}. Whoever has it can stop everything."
        )
        if loaded.mqtt.username:
            typer.echo("The broker asks for a name and a password: write those for stops into its 'broker'.")
        if loaded.mqtt.tls:
            typer.echo("The broker speaks TLS: look whether the files in 'tls' of its 'broker' are right over there.")
        typer.echo(f"Bring it to {person}, as ~/.config/tocsin/stop.key, and remove it here.")
        typer.echo(f"In {config}, {person}'s section must say this. It counts after `tocsin reload`:")
        typer.echo(f"\n{enrol.stop_key_line(person, (*theirs, str(issued.key.public)))}")


@stop_keys.command("list")
def list_stop_keys(config: Config = Path("config.toml")) -> None:
    """Show whose stop keys count, and who has none."""
    with telling.errors_told():
        loaded = _load(config)
        telling.show(_stop_keys(loaded).shown(), Console(highlight=False))
        if loaded.stop_keys:
            typer.echo("\nTo revoke one at once, in chat: !stop-key revoke ID")
            typer.echo("Or remove it from the file: tocsin reload")


@bot_key.command("rotate")
def rotate_bot_key(config: Config = Path("config.toml")) -> None:
    """Give the bot a new key. Components are handed over to it as they next ask."""
    from bot import rotation

    with telling.errors_told():
        _refuse_strangers()
        loaded = _load(config)
        old, new = asyncio.run(rotation.rotate_bot_key(loaded.bot.folder, loaded.mqtt.root))
        typer.echo(f"The bot's key is {new.id} now. It was {old.id}. Start the bot again, and back its folder up.")
        typer.echo("Each component follows when it next asks; until then it is held. `!status` shows how each is.")
        typer.echo("This is no help against a stolen key: who has the old one can follow, too. Then enrol them anew.")


extra.mount(app)


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


def _changes(loaded: "Settings") -> "tuple[Overlaid, ...]":
    """What was changed from chat, also while the bot runs."""
    from bot import keys, settings
    from bot.store.looking import changed_from_chat

    return settings.weigh(changed_from_chat(loaded.bot.folder / keys.DATABASE), loaded)


def _stop_keys(loaded: "Settings") -> "StopKeys":
    """The stop keys as they count now, for who may look into the bot's folder."""
    from bot.settings import Effect
    from bot.stopkeys import StopKeys

    changes = _changes(loaded)
    for change in changes:
        if change.person and change.effect is Effect.APPLIED and change.entry.value:
            loaded.people.suspend(change.person)
    return StopKeys.of(loaded, changes)


async def _examined(loaded: "Settings", shown: "Shown") -> "list[Found]":
    """All findings, each shown as it is found."""
    from bot import doctor

    everything: list[Found] = []
    async for found in doctor.examined(loaded):
        everything.append(found)
        shown.show(found)
    shown.end(everything)
    return everything


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
