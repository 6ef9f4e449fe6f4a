"""The configuration file, typed. All mistakes are told at once, and no secret ever stands in it."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.bridge import Plugin, find_plugins
from bot.private import SecretPath, read_secret
from bot.stop.bell import Enrolled
from bot.words.errors import SettingsError
from bot.words.people import Account, People, Person, Role
from wire.broker import Broker
from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.messages import ROOT

S = TypeVar("S", bound=BaseModel)
NOT_IN_THE_FILE = ("accounts", "[key]")
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class BotSettings(_Section):
    """The `[bot]` section."""

    name: Id = "tocsin"
    """How it is called on MQTT."""
    folder: Path = Path("state")
    """Where its database and its keys are, seen from the configuration file."""

    @field_validator("folder")
    @classmethod
    def _whole(cls, folder: Path, info: ValidationInfo) -> Path:
        return info.context["folder"] / folder if info.context else folder


class MqttSettings(_Section):
    """The `[mqtt]` section."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: SecretPath | None = None
    root: Annotated[str, Field(pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", max_length=100)] = ROOT

    def broker(self) -> Broker:
        """Where to connect, with the password as it stands now."""
        password = read_secret(self.password_file) if self.password_file else None
        return Broker(self.host, self.port, self.username, password)


def _network(name: str, info: ValidationInfo) -> str:
    networks: frozenset[str] = info.context["networks"] if info.context else frozenset({name})
    if name not in networks:
        raise ValueError(f"no network is called so; there is {_listed(networks)}")
    return name


class PersonSettings(_Section):
    """One `[people.NAME]` section: a role, and for each network a list of accounts."""

    role: Role
    accounts: dict[Annotated[str, AfterValidator(_network)], list[str]]

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, section: object) -> object:
        """Every key but the role is the name of a network."""
        if not isinstance(section, dict):
            return section
        keys = cast("dict[str, object]", section)
        return {"role": keys.get("role"), "accounts": {key: keys[key] for key in keys if key != "role"}}

    @field_validator("role", mode="before")
    @classmethod
    def _by_name(cls, role: object) -> Role:
        try:
            return Role[str(role).upper()]
        except KeyError:
            raise ValueError(f"must be one of {', '.join(str(each) for each in Role)}") from None


class ComponentSettings(_Section):
    """One `[components.ID]` section."""

    key: str
    """The component's public key, as its enrolment printed it."""
    groups: frozenset[Id] = frozenset()

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: str) -> str:
        try:
            PublicKey.parse(key)
        except BadMessage as error:
            raise ValueError(str(error)) from error
        return key


class _Core(_Section):
    bot: BotSettings
    mqtt: MqttSettings
    people: dict[Id, PersonSettings] = Field(default_factory=dict[str, PersonSettings])
    components: dict[Id, ComponentSettings] = Field(default_factory=dict[str, ComponentSettings])


class Settings:
    """All that the file says."""

    def __init__(self, core: _Core, bridges: Mapping[str, tuple[Plugin[Any], BaseModel]]) -> None:
        self.bot = core.bot
        self.mqtt = core.mqtt
        self.bridges = bridges
        self.people = People(
            tuple(Person(name, person.role, _accounts(person)) for name, person in core.people.items())
        )
        self.enrolled = {
            name: Enrolled(PublicKey.parse(each.key), each.groups) for name, each in core.components.items()
        }


def load(path: Path) -> Settings:
    """Read the file, and say everything that is wrong with it at once."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}.", hint="Name the configuration file with --config FILE."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    plugins = find_plugins()
    context = {"folder": path.parent.absolute(), "networks": frozenset(plugins)}
    mistakes: list[str] = []
    ours: dict[str, object] = {"bot": {}, **{key: value for key, value in content.items() if key not in plugins}}
    core = _validated(_Core, ours, context, "", mistakes)
    bridges: dict[str, tuple[Plugin[Any], BaseModel]] = {}
    for network in content.keys() & plugins.keys():
        plugin = plugins[network]()
        section = _validated(plugin.settings, content[network], context, f"{network}.", mistakes)
        if section is not None:
            bridges[network] = (plugin, section)
    if core is not None:
        mistakes.extend(_shared_accounts(core.people))
    if core is None or mistakes:
        raise SettingsError(f"{path} cannot be used:\n" + "\n".join(f"  {each}" for each in mistakes))
    return Settings(core, bridges)


def _validated(
    model: type[S], content: object, context: Mapping[str, object], prefix: str, mistakes: list[str]
) -> S | None:
    try:
        return model.model_validate(content, context=dict(context))
    except ValidationError as error:
        for mistake in error.errors():
            key = prefix + ".".join(str(part) for part in mistake["loc"] if part not in NOT_IN_THE_FILE)
            mistakes.append(f"{key}: {mistake['msg'].removeprefix('Value error, ')}")
        return None


def _shared_accounts(people: Mapping[str, PersonSettings]) -> Iterable[str]:
    """An account of two people would act with the rights of either."""
    holders: dict[Account, str] = {}
    for name, person in people.items():
        for account in sorted(_accounts(person), key=str):
            holder = holders.setdefault(account, name)
            if holder != name:
                yield f"people.{name}.{account.network}: {account.id} is {holder}'s already"


def _accounts(person: PersonSettings) -> frozenset[Account]:
    return frozenset(Account(network, each) for network, listed in person.accounts.items() for each in listed)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
