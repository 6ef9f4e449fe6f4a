"""The `[matrix]` section of the configuration. It never holds a password, only the name of the file that does."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.private import SecretPath, read_secret


class MatrixSettings(BaseModel):
    """How to reach the homeserver, and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    homeserver: str
    """Where its client API is, such as `https://matrix.example.org`."""
    user: Annotated[str, Field(pattern=r"^@[^:\s]+:\S+$", max_length=255)]
    """The bot's own account, such as `@tocsin:example.org`."""
    password_file: SecretPath
    """Holds the account's password. It is read at every start; nobody but its owner may read it."""
    device_name: Annotated[str, Field(min_length=1, max_length=100)] = "Tocsin"
    """How the bot's device is called in other people's lists."""

    @field_validator("homeserver")
    @classmethod
    def _is_an_address(cls, homeserver: str) -> str:
        parts = urlsplit(homeserver)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://matrix.example.org")
        return homeserver.rstrip("/")

    def password(self) -> str:
        """The password, read now."""
        return read_secret(self.password_file)
