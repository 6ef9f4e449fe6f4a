"""`tocsin doctor`: looks at an installation and says what is wrong and what to do. It changes nothing.

It works while the bot runs and while it does not, and never takes the bot's place: not its lock, nor its name at the
broker, nor the keys of its devices.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bot import keys
from bot.bridge import Patient
from bot.doctor import machine, witnesses
from bot.findings import Finding, Findings, bad, good, surely
from bot.settings import Effect, Settings, load, weigh
from bot.settings.mistakes import Mistakes
from bot.store.looking import Look, changed_from_chat
from bot.store.pins import Pinned
from bot.words.errors import SettingsError, StoreError
from bot.words.people import Account

CORE = "tocsin"


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A finding, and in which part of the installation: `tocsin` itself, or a network."""

    part: str
    finding: Finding


async def examined(settings: Settings) -> AsyncIterator[Found]:
    """All that is found, each as soon as it is. A network that cannot be looked at keeps no other from being."""
    path = settings.bot.folder / keys.DATABASE
    yield Found(CORE, _configuration(settings))
    async for each in surely("folder", _one(machine.folder, settings.bot.folder)):
        yield Found(CORE, each)
    async for each in surely("bot's key", _one(machine.key, settings.bot.folder)):
        yield Found(CORE, each)
    look = await machine.look(path)
    yield Found(CORE, machine.database(path, look))
    async for each in surely("disk", _one(machine.disk, settings.bot.folder)):
        yield Found(CORE, each)
    async for each in surely(witnesses.ABOUT, _one(lambda _: witnesses.elsewhere(settings), settings.bot.folder)):
        yield Found(CORE, each)
    async for each in surely("broker", machine.broker(settings)):
        yield Found(CORE, each)
    _suspend(settings)
    known = look.pins if isinstance(look, Look) else None if look else dict[Account, Pinned]()
    linked = tuple(place for channel in settings.channels for place in channel.places)
    for network, (plugin, section) in settings.bridges.items():
        if plugin.examine is not None:
            folder, alarms = settings.bot.folder / network, settings.bot.alarms
            findings: Findings = plugin.examine(section, Patient(folder, settings.people, known, alarms, linked))
            async for each in surely(network, findings):
                yield Found(network, each)


async def everything(path: Path) -> list[Found]:
    """All that is found, for a program: what is wrong with the configuration is among it, and then it is all."""
    try:
        settings = load(path)
    except SettingsError as error:
        return _unusable(error)
    return [found async for found in examined(settings)]


def _unusable(error: SettingsError) -> list[Found]:
    """What is found where the configuration cannot be used. Nothing else can be looked at then."""
    if isinstance(error, Mistakes):
        lines = ((each, f" in line {each.line}" if each.line else "") for each in error.mistakes)
        return [Found(CORE, bad("configuration", f"{each}.", f"Mend it{line} of the file.")) for each, line in lines]
    return [Found(CORE, bad("configuration", error.what, error.hint or "Mend the file."))]


async def _one(look: Callable[[Path], Finding], path: Path) -> Findings:
    """A look at the disk, which may hang."""
    yield await asyncio.to_thread(look, path)


def _configuration(settings: Settings) -> Finding:
    people, components = len(settings.people.listed), len(settings.enrolled)
    networks = settings.networks
    what = f"{settings.file.path} is good. People: {people}. Components: {components}. Chat networks: {networks}."
    return good("configuration", what)


def _suspend(settings: Settings) -> None:
    """Who is suspended from chat counts for nothing, as in the bot that runs."""
    try:
        changes = weigh(changed_from_chat(settings.bot.folder / keys.DATABASE), settings)
    except StoreError:  # the database was looked at, and what is wrong with it told
        return
    for change in changes:
        if change.person and change.effect is Effect.APPLIED and change.entry.value:
            settings.people.suspend(change.person)
