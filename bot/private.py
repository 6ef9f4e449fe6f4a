"""Files that hold a secret. One that others can read is refused, and what stands in it is never told."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from bot.words.errors import SettingsError


def _private(path: Path, info: ValidationInfo) -> Path:
    context: dict[str, Path] = info.context or {}
    whole = context.get("folder", Path()) / path
    try:
        mode = whole.stat().st_mode
    except OSError as error:
        raise ValueError(f"{whole} cannot be read: {error.strerror}") from error
    if not whole.is_file():
        raise ValueError(f"{whole} is not a file")
    if mode & 0o077:
        raise ValueError(f"{whole} can be read by others; run `chmod 600 {whole}`")
    return whole


SecretPath = Annotated[Path, AfterValidator(_private)]
"""The name of a file that holds a secret, seen from the folder of the configuration."""


def read_secret(path: Path) -> str:
    """What stands in the file, now."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8.") from error
