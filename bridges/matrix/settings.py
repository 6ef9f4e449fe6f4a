"""The `[matrix]` section of the configuration. It never holds a password, only where one is kept."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.private import NeededSecretFile, SecretVariable, read_secret
from bot.words.errors import SettingsError

USER = re.compile(r"@[^:\s]+:\S+")
LONGEST_USER = 255


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

    def password(self) -> str:
        """The password, read now."""
        secret = read_secret(self.password_file, self.password_env)
        if secret is None:
            raise SettingsError("No password is named for the bot's account.", hint="Name password_file in [matrix].")
        return secret.reveal()
