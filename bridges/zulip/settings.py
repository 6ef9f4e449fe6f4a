"""The `[zulip]` section of the configuration. It never holds a key, only where one is kept."""

import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from bot.private import NeededSecretFile, Secret, SecretVariable, read_secret
from bot.words.errors import SettingsError

EMAIL = re.compile(r"[^@\s:]+@[^@\s:]+")
LONGEST_EMAIL = 255
KEY = re.compile(r"[A-Za-z0-9]{8,128}")


class ZulipSettings(BaseModel):
    """Where the server is, and the bot's account there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site: str
    """The address of the organization, such as `https://zulip.example.org`."""
    email: str
    """The bot's e-mail, as Zulip shows it in the list of bots."""
    key_env: SecretVariable = None
    """The environment variable that holds the bot's API key, where no file does."""
    key_file: NeededSecretFile = None
    """Holds the bot's API key. It is read at every start; nobody but its owner may read it."""

    @field_validator("site")
    @classmethod
    def _is_an_address(cls, site: str) -> str:
        parts = urlsplit(site)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://zulip.example.org")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must be an address without a name or a password in it")
        if parts.scheme == "http" and not _is_here(parts.hostname):
            raise ValueError("must begin with https: else whoever is on the way reads the key, and everything said")
        return site.rstrip("/").removesuffix("/api")

    @field_validator("email")
    @classmethod
    def _is_an_email(cls, email: str) -> str:
        if len(email) > LONGEST_EMAIL or EMAIL.fullmatch(email) is None:
            raise ValueError("must be the bot's e-mail, such as tocsin-bot@zulip.example.org")
        return email

    def key(self) -> Secret:
        """The API key, read now."""
        secret = read_secret(self.key_file, self.key_env)
        if secret is None:
            raise SettingsError("No key is named for the bot in Zulip.", hint="Name key_file in [zulip].")
        if KEY.fullmatch(secret.reveal()) is None:
            raise SettingsError(
                "What is kept as the bot's key in Zulip is no key.",
                hint="It is one word of letters and digits: in Zulip's settings, below the bot's name.",
            )
        return secret


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
