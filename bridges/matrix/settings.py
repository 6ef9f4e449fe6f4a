"""The `[matrix]` section of the configuration. It never holds a password, only where one is kept."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from bot.private import NeededSecretFile, SecretVariable, read_secret
from bot.words.errors import SettingsError
from bot.words.people import Account
from bridges.matrix.reading import NETWORK
from bridges.matrix.signing import is_public_key

USER = re.compile(r"@[^:\s]+:\S+")
LONGEST_USER = 255
ROOM = re.compile(r"![^\s:]+(:\S+)?")


def _master_key(key: str) -> str:
    """A key in the one form in which Matrix writes it. `!trust NAME` shows it in groups, and others pad it."""
    written = "".join(key.split()).rstrip("=")
    if not is_public_key(written):
        raise ValueError("must be a master key in base64, 43 characters, as `!trust NAME` shows it in a chat")
    return written


def _room(room: str) -> str:
    if len(room) > LONGEST_USER or ROOM.fullmatch(room) is None:
        raise ValueError("must be a room's id, such as !room:example.org: what an alias means, its homeserver decides")
    return room


class MatrixSettings(BaseModel):
    """How to reach the homeserver, and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    homeserver: str
    """Where its client API is, such as `https://matrix.example.org`."""
    user: str
    """The bot's own account, such as `@tocsin:example.org`."""
    password_env: SecretVariable = None
    """The environment variable that holds the account's password, where no file does."""
    password_file: NeededSecretFile = None
    """Holds the account's password. It is read at every start; nobody but its owner may read it."""
    device_name: Annotated[str, Field(min_length=1, max_length=100)] = "Tocsin"
    """How the bot's device is called in other people's lists."""
    pins: dict[str, Annotated[str, AfterValidator(_master_key)]] = Field(default_factory=dict[str, str])
    """By which master key an account is known, from the start and whatever it shows."""
    proof: Literal["cross-signed", "verified"] = "cross-signed"
    """What an identity needs to be attested: that it is the pinned one, or that people have compared it, too."""
    open_rooms: frozenset[Annotated[str, AfterValidator(_room)]] = frozenset()
    """Rooms where everybody in them may read, listed or not. All others are control rooms."""
    unencrypted_rooms: frozenset[Annotated[str, AfterValidator(_room)]] = frozenset()
    """Rooms without encryption where the bot answers in clear. In all others without it nothing is said."""

    @field_validator("homeserver")
    @classmethod
    def _is_an_address(cls, homeserver: str) -> str:
        parts = urlsplit(homeserver)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://matrix.example.org")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must be an address without a name or a password in it")
        return homeserver.rstrip("/")

    @field_validator("user")
    @classmethod
    def _is_an_account(cls, user: str) -> str:
        if len(user) > LONGEST_USER or USER.fullmatch(user) is None:
            raise ValueError("must be an account such as @tocsin:example.org")
        return user

    @field_validator("pins")
    @classmethod
    def _is_of_the_list(cls, pins: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        context: dict[str, frozenset[Account] | None] = info.context or {}
        listed = context.get("accounts")
        for user in pins:
            if listed is not None and Account(NETWORK, user) not in listed:
                raise ValueError(f"{user} is nobody's account; list it in a person's section, or leave this line out")
        return pins

    @field_validator("unencrypted_rooms")
    @classmethod
    def _are_not_open(cls, rooms: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        for room in sorted(rooms & info.data.get("open_rooms", frozenset[str]())):
            raise ValueError(f"{room} is in open_rooms, too, which are encrypted: leave it out in one of the two")
        return rooms

    def password(self) -> str:
        """The password, read now."""
        secret = read_secret(self.password_file, self.password_env)
        if secret is None:
            raise SettingsError("No password is named for the bot's account.", hint="Name password_file in [matrix].")
        return secret.reveal()
