"""The `[matrix]` section of the configuration. It never holds a password, only the name of the file that does."""

import stat
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class MatrixSettings(BaseModel):
    """How to reach the homeserver, and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    homeserver: str
    """Where its client API is, such as `https://matrix.example.org`."""
    user: Annotated[str, Field(pattern=r"^@[^:\s]+:\S+$", max_length=255)]
    """The bot's own account, such as `@tocsin:example.org`."""
    password_file: Path
    """Holds the account's password. Read at the first login only; nobody but its owner may read it."""
    device_name: Annotated[str, Field(min_length=1, max_length=100)] = "Tocsin"
    """How the bot's device is called in other people's lists."""

    @field_validator("homeserver")
    @classmethod
    def _is_an_address(cls, homeserver: str) -> str:
        parts = urlsplit(homeserver)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://matrix.example.org")
        return homeserver.rstrip("/")

    @field_validator("password_file")
    @classmethod
    def _is_private(cls, path: Path, info: ValidationInfo) -> Path:
        context: dict[str, Path] = info.context or {}
        whole = context.get("folder", Path()) / path
        try:
            mode = stat.S_IMODE(whole.stat().st_mode)
        except OSError as error:
            raise ValueError(f"{whole} cannot be read: {error.strerror}") from error
        if mode & 0o077:
            raise ValueError(f"{whole} can be read by others; run `chmod 600 {whole}`")
        return whole

    def password(self) -> str:
        """The password, read now."""
        return self.password_file.read_text(encoding="utf-8").strip()
