"""What of a new configuration this run can do: it has no way to a network that was not there when it began.

What is told at a place there is told to nobody, so nothing counts there before the next start.
"""

from collections.abc import Collection, Iterable

from pydantic import BaseModel

from bot.settings import Settings
from bot.settings.file import Key
from bot.settings.sections import ChannelSettings
from bot.words.message import Place

BOT = ("bot",)


def within_reach(whole: Settings, networks: Collection[str], alarms: Iterable[Place]) -> Settings:
    """A configuration without the places that nobody hears of in this run.

    Where that leaves no place for alarms, those of now stay: somebody must hear of them.
    """
    parts = dict(whole.parts)
    wanted = whole.bot.alarms
    near = _near(wanted, networks) or (_near(alarms, networks) if wanted else ())
    parts[BOT] = whole.bot if near == wanted else whole.bot.model_copy(update={"alarms": near})
    for path, part in whole.parts.items():
        if isinstance(part, ChannelSettings):
            _narrow(parts, path, part, networks)
    if parts == whole.parts:
        return whole
    return Settings(whole.file, parts, {network: plugin for network, (plugin, _) in whole.bridges.items()})


def _narrow(parts: dict[Key, BaseModel], path: Key, channel: ChannelSettings, networks: Collection[str]) -> None:
    near = _near(channel.places, networks)
    if not near:
        del parts[path]
    elif near != channel.places:
        parts[path] = channel.model_copy(update={"places": near})


def _near(places: Iterable[Place], networks: Collection[str]) -> tuple[Place, ...]:
    return tuple(place for place in places if place.network in networks)
