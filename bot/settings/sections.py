"""What may stand in each section of the configuration. What cannot work is refused here, in words for its writer."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    model_validator,
)

from bot.paths import ConfiguredPath
from bot.private import SecretFile, SecretVariable, read_secret
from bot.words.message import Place
from bot.words.people import Role
from wire.birth import Danger
from wire.broker import Broker
from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.fields import ID
from wire.messages import ROOT
from wire.tls import Tls, Untrusted
from wire.work import Severity

T = TypeVar("T")

LONGEST_ROOT = 100
LONGEST_HOST = 255
LONGEST_ACCOUNT = 255
TOPIC = re.compile(r"[^+#\s/]+(/[^+#\s/]+)*")
HOST = re.compile(r"[^\s/@:]+")


def listed(names: Iterable[str], last: str = "and") -> str:
    """The names as words of a sentence: `viewer, operator or commander`."""
    *first, end = sorted(names) or ["none"]
    return f"{', '.join(first)} {last} {end}" if first else end


def _id(name: str) -> str:
    if ID.fullmatch(name) is None:
        raise ValueError("must be small letters, digits and hyphens, up to 63 characters")
    return name


def _port(port: int) -> int:
    if not 1 <= port <= 65535:  # noqa: PLR2004 - the ports that there are
        raise ValueError("must be from 1 to 65535")
    return port


def _port_or_any(port: int) -> int:
    return port if port == 0 else _port(port)


def _host(host: str) -> str:
    if len(host) > LONGEST_HOST or (HOST.fullmatch(host) is None and _address(host) is None):
        raise ValueError("must be a name or an address alone, such as mqtt.example.org")
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _topic(root: str) -> str:
    if len(root) > LONGEST_ROOT or TOPIC.fullmatch(root) is None or not root.isprintable():
        raise ValueError(f"must be names with / between them, without + # or blanks, up to {LONGEST_ROOT} characters")
    return root


def _loopback(host: str) -> str:
    address = _address(host)
    if host != "localhost" and not (address and address.is_loopback):
        raise ValueError(
            "must be an address of this machine alone (127.0.0.1, ::1, localhost): nobody is asked who they are there"
        )
    return host


def _danger(danger: object) -> Danger:
    try:
        return Danger(danger)
    except ValueError:
        raise ValueError(f"must be {', '.join(map(str, list(Danger)[:-1]))} or {list(Danger)[-1]}") from None


def _severity(severity: object) -> Severity | None:
    try:
        return None if severity is None else Severity(severity)
    except ValueError:
        raise ValueError(f"must be {listed(map(str, Severity), 'or')}") from None


def _account(account: str) -> str:
    if not 0 < len(account) <= LONGEST_ACCOUNT or not account.isprintable() or account != account.strip():
        raise ValueError("must be an account as its network writes it")
    return account


def _role(role: object) -> Role:
    found = Role.__members__.get(role.upper()) if isinstance(role, str) else None
    if found is None:
        raise ValueError(f"must be {', '.join(map(str, list(Role)[:-1]))} or {list(Role)[-1]}")
    return found


def _configured(network: str, info: ValidationInfo) -> str:
    context: dict[str, frozenset[str]] = info.context or {}
    configured = context.get("configured", frozenset({network}))
    if network not in configured:
        raise ValueError(f"must be a network with a section in this file ({listed(configured)})")
    return network


def _place(place: object, info: ValidationInfo) -> Place:
    parsed = Place.parse(place if isinstance(place, str) else "")
    _configured(parsed.network, info)
    return parsed


def _commanding(network: str, info: ValidationInfo) -> str:
    if network == "mqtt":
        raise ValueError("must be a network of people: nothing that is said on mqtt is ever a command")
    return _configured(network, info)


def _one_place(place: object, info: ValidationInfo) -> Place:
    """Where something is said: not all topics of a channel at once."""
    parsed = _place(place, info)
    if parsed.is_whole:
        raise ValueError("must be one place, not all topics of a channel")
    return parsed


def _key(key: str) -> str:
    try:
        PublicKey.parse(key)
    except BadMessage as error:
        raise ValueError("must be the key that the component's enrolment printed") from error
    return key


def _stop_key(key: str) -> str:
    try:
        return str(PublicKey.parse(key))  # the same key in another spelling is the same
    except BadMessage as error:
        raise ValueError("must be the key that `tocsin stop-key issue` printed") from error


def _once(named: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(named))


def _unsaid() -> Any:
    """For a key whose default depends on what stands before it."""
    return None


def _usual_port(port: object, info: ValidationInfo) -> object:
    if port is None:  # TOML has no such value
        return 8883 if info.data.get("tls") is True else 1883
    return port


def _of_tls(path: Path | None, info: ValidationInfo) -> Path | None:
    if path is None:
        return None
    if info.data.get("tls") is False:  # a value that is wrong is told of already
        raise ValueError("is for TLS; say tls = true, or leave this line out")
    if info.field_name == "ca_file":
        _loaded(Tls(path))
    return path


def _own_key(path: Path | None, info: ValidationInfo) -> Path | None:
    certificate: Path | None = info.data.get("certificate_file")
    if path is None and certificate is not None:
        raise ValueError("is missing; certificate_file is of no use without its key")
    if path is None or "certificate_file" not in info.data:
        return path
    if certificate is None:
        raise ValueError("stands alone; name its certificate in certificate_file")
    _loaded(Tls(None, certificate, path))
    return _of_tls(path, info)


def _loaded(tls: Tls) -> None:
    try:
        tls.context()
    except Untrusted as error:
        raise ValueError(str(error).removesuffix(".")) from error


Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Id = Annotated[str, AfterValidator(_id)]
RoleName = Annotated[Role, BeforeValidator(_role)]


class Section(BaseModel):
    """A section of ours. A key that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class BotSettings(Section):
    """The `[bot]` section."""

    name: Id = "tocsin"
    """How it is called on MQTT."""
    folder: ConfiguredPath = Path("state")
    """Where its database and its keys are, seen from the configuration file."""
    alarms: Annotated[tuple[Annotated[Place, BeforeValidator(_one_place)], ...], AfterValidator(_once)] = ()
    """Where the bot speaks of itself: a disk that fills, a part that fails. Who names a place twice hears once."""
    run_from: frozenset[Annotated[str, AfterValidator(_commanding)]] = frozenset()
    """Networks whose named accounts may run commands, though nothing there is end to end. Nothing dangerous."""


class MqttSettings(Section):
    """The `[mqtt]` section."""

    host: Annotated[str, AfterValidator(_host)]
    tls: Flag = False
    """Whether the broker must prove who it is, and nobody on the way can read."""
    port: Annotated[Whole, AfterValidator(_port), BeforeValidator(_usual_port)] = Field(default_factory=_unsaid)
    username: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    password_env: SecretVariable = None
    password_file: SecretFile = None
    ca_file: Annotated[ConfiguredPath | None, AfterValidator(_of_tls)] = None
    """Who may speak for the broker. Without it, those that the system trusts."""
    certificate_file: Annotated[ConfiguredPath | None, AfterValidator(_of_tls)] = None
    """The bot's own, where the broker asks for one."""
    key_file: Annotated[ConfiguredPath | None, AfterValidator(_own_key)] = None
    root: Annotated[str, AfterValidator(_topic)] = ROOT

    def broker(self) -> Broker:
        """Where to connect, with the password as it stands now."""
        password = read_secret(self.password_file, self.password_env)
        tls = Tls(self.ca_file, self.certificate_file, self.key_file) if self.tls else None
        return Broker(self.host, self.port, self.username, password.reveal() if password else None, tls)

    def address(self) -> Broker:
        """Where others connect: with nothing of what is the bot's own."""
        ca = self.ca_file.absolute() if self.ca_file else None
        return Broker(self.host, self.port, tls=Tls(ca) if self.tls else None)


class HealthSettings(Section):
    """The `[health]` section: where it is told how the bot is. Without it nothing listens."""

    port: Annotated[Whole, AfterValidator(_port_or_any)]
    """0 lets the system pick one; the log says which."""
    host: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"


class AuditSettings(Section):
    """The `[audit]` section: who holds checkpoints of the record, where nobody can change them together with it."""

    witness_files: Annotated[tuple[ConfiguredPath, ...], AfterValidator(_once)] = ()
    """On another disk or machine; none is in the bot's own folder."""
    witness_mqtt: Flag = True
    """The broker keeps the newest one."""
    witness_places: Annotated[tuple[Annotated[Place, BeforeValidator(_one_place)], ...], AfterValidator(_once)] = ()
    """Where people have them."""


Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class ChannelSettings(Section):
    """One `[channels.NAME]` section: places that are one conversation."""

    places: Annotated[
        tuple[Annotated[Place, BeforeValidator(_place)], ...], AfterValidator(_once), Field(min_length=1, max_length=50)
    ]
    alerts: Annotated[Severity | None, BeforeValidator(_severity)] = None
    """Alerts of components that are told there: those of at least this severity."""
    share_encrypted: Flag = False
    """Whether what is said in an encrypted room is passed on to places that are not encrypted."""
    only_hear: frozenset[Annotated[Place, BeforeValidator(_place)]] = frozenset()
    """Places of which nothing is passed on."""
    only_speak: frozenset[Annotated[Place, BeforeValidator(_place)]] = frozenset()
    """Places to which nothing is brought."""
    passes: dict[Annotated[Place, BeforeValidator(_place)], tuple[Pattern, ...]] = Field(
        default_factory=dict[Place, tuple[str, ...]], max_length=50
    )
    """Of what is said in a place, only what matches one of these is passed on. `*` stands for any words."""

    @model_validator(mode="after")
    def _are_its_own(self) -> Self:
        for name in ("only_hear", "only_speak", "passes"):
            for place in getattr(self, name):
                if place not in self.places:
                    raise ValueError(f"{name} names {place}, which is not among its places")
        return self


class PersonSettings(Section):
    """One `[people.NAME]` section. Every key but these is the name of a network, with that person's accounts there."""

    model_config = ConfigDict(extra="allow")

    role: RoleName
    suspended: Flag = False
    """Nothing that this person says counts."""
    stop_keys: tuple[Annotated[str, AfterValidator(_stop_key)], ...] = ()
    """The public halves of this person's stop keys."""
    # pydantic's way to say what the other keys hold; pyright wants it as wide as in the base.
    __pydantic_extra__: dict[str, list[Annotated[str, AfterValidator(_account)]]]  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def accounts(self) -> dict[str, list[str]]:
        """The accounts by network."""
        return self.__pydantic_extra__


class ComponentSettings(Section):
    """One `[components.ID]` section."""

    key: Annotated[str, AfterValidator(_key)]
    """The component's public key, as its enrolment printed it."""
    groups: frozenset[Id] = frozenset()
    danger: dict[Id, Annotated[Danger, BeforeValidator(_danger)]] = Field(default_factory=dict[str, Danger])
    """By command: at least this much care, whatever the component says."""


class CommandSettings(Section):
    """One `[commands.NAME]` section: what is asked beyond what the command asks by itself."""

    role: RoleName | None = None
    two_persons: Flag = False
