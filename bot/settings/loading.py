"""From the file to the settings. A section that is wrong never hides what is wrong with another."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from bot.bridge import Plugin, Topics, find_plugins
from bot.channels import Channel
from bot.desk.command import NAME
from bot.fleet.registry import Listed
from bot.settings.file import File, Key
from bot.settings.mistakes import Mistake, Mistakes, from_pydantic, key, quoted, unknown
from bot.settings.sections import (
    AuditSettings,
    BotSettings,
    ChannelSettings,
    CommandSettings,
    ComponentSettings,
    HealthSettings,
    MqttSettings,
    PersonSettings,
)
from bot.stop.bell import Enrolled
from bot.words.message import Place
from bot.words.people import Account, People, Person
from wire.envelope import PublicKey
from wire.fields import ID

S = TypeVar("S", bound=BaseModel)

OURS = ("bot", "mqtt", "audit", "health")
NAMED = ("people", "components", "commands", "channels")
"""Sections of which there is one for each name: `[people.alice]`."""
MOST_STOP_KEYS = 256
"""Of all people together: components are told of all of them in one message."""


class Settings:
    """All that the file says."""

    def __init__(self, file: File, parts: Mapping[Key, BaseModel], bridges: Mapping[str, Plugin[Any]]) -> None:
        self.file = file
        self.parts = parts
        """Each section as it was read, by where it stands."""
        self.bot = _one(parts, "bot", BotSettings)
        self.mqtt = _one(parts, "mqtt", MqttSettings)
        self.audit = _one(parts, "audit", AuditSettings)
        self.health = _one(parts, "health", HealthSettings) if ("health",) in parts else None
        self.bridges = {network: (plugin, parts[network,]) for network, plugin in bridges.items()}
        people = _each(parts, "people", PersonSettings)
        self.people = People(tuple(Person(name, each.role, _accounts(each)) for name, each in people.items()))
        for name, each in people.items():
            if each.suspended:
                self.people.suspend(name)
        self.stop_keys = {key: name for name, each in people.items() for key in each.stop_keys}
        """Whose each stop key is, by its public half. Which of them count, `bot/stopkeys.py` says."""
        self.enrolled = {
            name: Enrolled(PublicKey.parse(each.key), each.groups)
            for name, each in _each(parts, "components", ComponentSettings).items()
        }
        self.listed = {
            name: Listed(each.groups, each.danger)
            for name, each in _each(parts, "components", ComponentSettings).items()
        }
        self.commands = _each(parts, "commands", CommandSettings)
        self.channels = tuple(
            Channel(name, each.places, each.alerts, each.share_encrypted, each.only_hear, each.only_speak, each.passes)
            for name, each in _each(parts, "channels", ChannelSettings).items()
        )

    def is_encrypted(self, place: Place) -> bool:
        """Whether what is said at a place is encrypted end to end."""
        if place.network not in self.bridges:
            return False
        plugin, section = self.bridges[place.network]
        return plugin.is_encrypted(section, place)

    def is_threaded(self, place: Place) -> bool:
        """Whether a place shows topics as threads."""
        return place.network in self.bridges and self.bridges[place.network][0].topics is Topics.THREADS

    def place_mistake(self, place: Place) -> str:
        """Why nothing that people say has this place, where its network is configured."""
        plugin = self.bridges[place.network][0] if place.network in self.bridges else None
        return _place_mistake(place, plugin, self.mqtt)

    @property
    def networks(self) -> str:
        """The chat networks as words. MQTT is one where a topic of it is in a channel."""
        linked = {place.network for channel in self.channels for place in channel.places}
        return ", ".join(sorted(self.bridges.keys() - (set(OURS) - linked))) or "none"

    def sets(self, dotted: str) -> bool:
        """Whether the file itself has this key."""
        *section, name = dotted.split(".")
        part = self.parts.get(tuple(section))
        return part is not None and name in part.model_fields_set


def load(path: Path) -> Settings:
    """Read the file, and say everything that is wrong with it at once."""
    file = File.read(path)
    plugins = find_plugins()
    reading = _Reading(file, frozenset(plugins))
    reading.refuse_strangers()
    reading.section(("bot",), BotSettings, file.content.get("bot", {}))
    if "mqtt" in file.content:
        reading.section(("mqtt",), MqttSettings, file.content["mqtt"])
    else:
        reading.wrong(("mqtt",), "is missing; this section says where the broker is, with host at least")
    reading.section(("audit",), AuditSettings, file.content.get("audit", {}))
    reading.refuse_witnesses_at_home()
    if "health" in file.content:
        reading.section(("health",), HealthSettings, file.content["health"])
    with_people = reading.networks.difference(OURS)  # on MQTT nobody is known as who they are
    reading.sections("people", PersonSettings, _is_id, "small letters, digits and hyphens", with_people)
    reading.refuse_shared_accounts()
    reading.sections("components", ComponentSettings, _is_id, "small letters, digits and hyphens")
    reading.sections("commands", CommandSettings, _is_command, "one or two words of small letters")
    reading.sections("channels", ChannelSettings, _is_id, "small letters, digits and hyphens")
    reading.refuse_shared_places()
    reading.refuse_shared_keys()
    reading.refuse_what_no_command_takes()
    reading.know_accounts()
    bridges = {network: plugins[network] for network in file.content if network in plugins}
    opened = {network: plugin for network, find in bridges.items() if (plugin := reading.network(network, find))}
    reading.refuse_places_by_other_names(opened)
    reading.refuse_places_of_no_post(opened)
    if reading.mistakes:
        raise Mistakes(str(path), reading.mistakes)
    return Settings(file, reading.parts, opened)


class _Reading:
    """What was read so far, and what was wrong with it."""

    def __init__(self, file: File, networks: frozenset[str]) -> None:
        self.networks = networks
        self.mistakes: list[Mistake] = []
        self.parts: dict[Key, BaseModel] = {}
        self._file = file
        self._context: dict[str, object] = {"folder": file.folder, "configured": networks & file.content.keys()}

    def wrong(self, path: Key, what: str, found: str = "") -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(path, what, found, self._file.line_of(path)))

    def refuse_strangers(self) -> None:
        """What stands at the top is a section that there is."""
        known = {*OURS, *NAMED, *self.networks}
        for name, value in self._file.content.items():
            if name not in known:
                self._unknown(
                    (name,), known, "section" if isinstance(value, dict) else "section, and no key stands alone"
                )

    def section(self, path: Key, model: type[BaseModel], content: object, more: Iterable[str] = ()) -> None:
        """Read one section. `more` are keys that it takes beside those of its model."""
        keys = self._keys(path, content)
        if keys is None:
            return
        known = {*(field.alias or name for name, field in model.model_fields.items()), *more}
        closed = more or model.model_config.get("extra") == "forbid"
        strangers = keys.keys() - known if closed else set[str]()
        for stranger in strangers:
            self._unknown((*path, stranger), known, "key")
        try:
            sound = {key: value for key, value in keys.items() if key not in strangers}
            self.parts[path] = model.model_validate(sound, context=self._context)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                mistake = from_pydantic(each, path)
                self.wrong(mistake.path, mistake.what, mistake.found)

    def sections(
        self, name: str, model: type[BaseModel], fits: Callable[[str], bool], form: str, more: Iterable[str] = ()
    ) -> None:
        """Read all sections of one kind."""
        named = self._keys((name,), self._file.content.get(name, {}))
        for each, content in (named or {}).items():
            if not fits(each):
                self.wrong((name, each), f"the name must be {form}")
            elif name == "commands" and (second := _nested(content)):
                self.wrong((name, each), f"write [{key((name, f'{each} {second}'))}] for a command of two words")
            else:
                self.section((name, each), model, content, more)

    def network(self, name: str, find: Callable[[], object]) -> Plugin[Any] | None:
        """Read the section of a network, in the form that its plugin gives it."""
        try:
            plugin = find()
        except (ImportError, AttributeError) as error:
            self.wrong((name,), f"its plugin cannot be loaded: {error}")
            return None
        if not isinstance(plugin, Plugin):
            self.wrong((name,), "what is installed under this name is no plugin")
            return None
        known = cast("Plugin[BaseModel]", plugin)
        if name not in OURS:  # such as [mqtt], which the core has read
            self.section((name,), known.settings, self._file.content[name])
        return known

    def refuse_witnesses_at_home(self) -> None:
        """What changes the record could change a witness in the same folder, too."""
        home, audit = self.parts.get(("bot",)), self.parts.get(("audit",))
        if not isinstance(home, BotSettings) or not isinstance(audit, AuditSettings):
            return
        folder = os.path.normpath(home.folder)  # by names alone: a disk that hangs must not keep the bot from starting
        for path in audit.witness_files:
            if Path(os.path.normpath(path)).is_relative_to(folder):
                here = self._file.folder
                found = path.relative_to(here) if path.is_relative_to(here) else path
                what = "must not be in the bot's own folder: whoever changes the record there could change this, too"
                self.wrong(("audit", "witness_files"), what, quoted(str(found)))

    def refuse_shared_accounts(self) -> None:
        """An account of two people would act with the rights of either."""
        holders: dict[Account, str] = {}
        for name, person in _each(self.parts, "people", PersonSettings).items():
            for account in sorted(_accounts(person), key=str):
                holder = holders.setdefault(account, name)
                if holder != name:
                    self.wrong(("people", name, account.network), f"{account.id} is {holder}'s already")

    def refuse_shared_places(self) -> None:
        """What is said in a place of two channels would go round between them."""
        holders: dict[Place, str] = {}
        for name, channel in _each(self.parts, "channels", ChannelSettings).items():
            for place in channel.places:
                holder = holders.setdefault(place, name)
                if holder != name:
                    self.wrong(("channels", name, "places"), f"{place} is in the channel {holder} already")
                if any(whole.topic_of(place) is not None for whole in channel.places):
                    self.wrong(("channels", name, "places"), f"{place} is there already, with all topics")

    def refuse_places_by_other_names(self, plugins: Mapping[str, Plugin[Any]]) -> None:
        """What is said there would not be known as said there, and would be passed on to nobody."""
        mqtt = self.parts.get(("mqtt",))
        for name, channel in _each(self.parts, "channels", ChannelSettings).items():
            for place in channel.places:
                if what := _place_mistake(place, plugins.get(place.network), mqtt):
                    self.wrong(("channels", name, "places"), what, quoted(str(place)))

    def refuse_places_of_no_post(self, plugins: Mapping[str, Plugin[Any]]) -> None:
        """Where the bot is to speak by itself, what it says must be able to get there: else nobody hears an alarm."""
        bot, audit, mqtt = (self.parts.get((name,)) for name in ("bot", "audit", "mqtt"))
        named = [(("bot", "alarms"), each) for each in (bot.alarms if isinstance(bot, BotSettings) else ())]
        if isinstance(audit, AuditSettings):
            named += [(("audit", "witness_places"), each) for each in audit.witness_places]
        for path, place in named:
            plugin = plugins.get(place.network)
            if what := _ours_alone(place, mqtt) or (plugin.post_mistake(place) if plugin else ""):
                self.wrong(path, what, quoted(str(place)))

    def know_accounts(self) -> None:
        """Tell networks of all accounts that are listed, unless a person's section is wrong: some would be missing."""
        if not any(each.path[0] == "people" for each in self.mistakes):
            people = _each(self.parts, "people", PersonSettings).values()
            self._context["accounts"] = frozenset(account for each in people for account in _accounts(each))

    def refuse_shared_keys(self) -> None:
        """A key has one holder and one role: else a stop, or a statement, could be somebody else's."""
        components = _each(self.parts, "components", ComponentSettings)
        holders = {str(PublicKey.parse(each.key)): f"the component {name}'s" for name, each in components.items()}
        people = _each(self.parts, "people", PersonSettings)
        for name, person in people.items():
            for each in person.stop_keys:
                if (holder := holders.get(each)) is not None:
                    self.wrong(("people", name, "stop_keys"), f"{each} is {holder} already")
                holders[each] = f"{name}'s"
        if sum(len(person.stop_keys) for person in people.values()) > MOST_STOP_KEYS:
            self.wrong(("people",), f"there may be {MOST_STOP_KEYS} stop keys, of all people together")

    def refuse_what_no_command_takes(self) -> None:
        """What is asked of a command is known to that command alone. Without a wish none is looked at."""
        wishes = _each(self.parts, "commands", CommandSettings)
        if wishes:
            from bot.desk.catalogue import Catalogue  # noqa: PLC0415 - it imports every command

            for unmet in Catalogue.installed().unmet(wishes):
                self.wrong(("commands", *unmet.path), unmet.what)

    def _unknown(self, path: Key, known: Iterable[str], kind: str) -> None:
        mistake = unknown(path, known, kind)
        self.wrong(mistake.path, mistake.what)

    def _keys(self, path: Key, content: object) -> dict[str, object] | None:
        if isinstance(content, dict):
            return cast("dict[str, object]", content)
        self.wrong(path, f"must be a section: [{key(path)}]", quoted(content))
        return None


def _place_mistake(place: Place, plugin: Plugin[Any] | None, mqtt: BaseModel | None) -> str:
    """Why nothing that people say has this place, as its network says it, and as we do: topics of ours are none."""
    if ours := _ours_alone(place, mqtt):
        return ours
    if plugin is None or not place.is_whole:
        return plugin.place_mistake(place) if plugin else ""
    if plugin.topics is not Topics.PLACES:
        return f"must be one place: {place.network} has no topics that are places of their own"
    if place.id.count("/") > 1:
        return f"must be all topics of a channel, such as {place.network}:4/*"
    return plugin.place_mistake(place.with_topic("topic"))


def _ours_alone(place: Place, mqtt: BaseModel | None) -> str:
    if place.network == "mqtt" and isinstance(mqtt, MqttSettings) and f"{place.id}/".startswith(f"{mqtt.root}/"):
        return f"must not be under {mqtt.root}: there the bot talks to components"
    return ""


def _one(parts: Mapping[Key, BaseModel], name: str, model: type[S]) -> S:
    part = parts[name,]
    assert isinstance(part, model)  # noqa: S101 - it was made from this model
    return part


def _each(parts: Mapping[Key, BaseModel], name: str, model: type[S]) -> dict[str, S]:
    return {path[1]: part for path, part in parts.items() if path[0] == name and isinstance(part, model)}


def _accounts(person: PersonSettings) -> frozenset[Account]:
    return frozenset(Account(network, each) for network, listed in person.accounts.items() for each in listed)


def _is_id(name: str) -> bool:
    return ID.fullmatch(name) is not None


def _is_command(name: str) -> bool:
    return NAME.fullmatch(name) is not None


def _nested(content: object) -> str | None:
    """The second word of a command whose name was written without quotes."""
    keys = cast("dict[str, object]", content).items() if isinstance(content, dict) else ()
    return next((name for name, value in keys if isinstance(value, dict)), None)
