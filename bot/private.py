"""Secrets, and where they are kept: a file of ours alone, or the environment. What one says is never shown.

A private file is written whole or not at all: a crash leaves the old one or the new one, never half of one.
"""

import os
import re
import stat
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from bot.paths import ConfiguredPath
from bot.words.errors import SettingsError

LARGEST_FILE = 64 * 1024
ROOT = 0
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
"""How they are called by custom. What is written otherwise may be the secret itself, and is not said again."""


class Secret:
    """Something that nobody may see. Printing it, logging it or quoting it in an error shows `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """What it says, for the one who must send it."""
        return self._value

    def __repr__(self) -> str:
        return "***"


def read_secret(file: Path | None, variable: str | None) -> Secret | None:
    """What stands in the file or in the variable, now. None where neither is named."""
    try:
        if file is not None:
            return _in_file(file)
        return None if variable is None else _in_environment(variable)
    except ValueError as error:
        raise SettingsError(f"The secret cannot be used: {error}.") from error


def private_folder(path: Path) -> Path:
    """A folder that nobody else may look into, made where it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file as a whole, and return once the disk has it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_file(path: Path) -> Secret:
    """The file is judged while it is open, so that what was judged is what is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _judge(path, os.fstat(descriptor))
            content = _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{path} is larger than {LARGEST_FILE // 1024} KiB")
    try:
        value = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8") from None  # the error would quote the bytes
    if not value:
        raise ValueError(f"{path} is empty")
    return Secret(value)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(LARGEST_FILE + 1)


def _judge(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is not a file")
    if found.st_uid not in (os.geteuid(), ROOT):
        raise ValueError(f"{path} belongs to another user; run `chown {os.geteuid()} {path}`")
    if found.st_mode & 0o077:
        raise ValueError(f"{path} can be read by others; run `chmod 600 {path}`")


def _in_environment(variable: str) -> Secret:
    value = os.environ.get(variable)
    if value is None:
        named = f"no {variable}" if VARIABLE_NAME.fullmatch(variable) else "no variable of that name"
        raise ValueError(f"the environment has {named}")
    if not value.strip():
        raise ValueError(f"{variable} is empty in the environment")
    return Secret(value.strip())


def _readable(path: Path) -> Path:
    _in_file(path)
    return path


def _set(variable: str) -> str:
    if VARIABLE.fullmatch(variable) is None:
        raise ValueError("must be the name of an environment variable: letters, digits and _")
    _in_environment(variable)
    return variable


def _at_most_one(path: Path | None, info: ValidationInfo) -> Path | None:
    variable = _beside(info)
    if path is not None and info.data.get(variable) is not None:
        raise ValueError(f"stands beside {variable}; keep one of the two")
    return path


def _exactly_one(path: Path | None, info: ValidationInfo) -> Path | None:
    variable = _beside(info)
    if path is None and variable in info.data and info.data[variable] is None:  # one that is wrong is not in there
        raise ValueError(f"is missing; name the file that holds the secret here, or a variable in {variable}")
    return _at_most_one(path, info)


def _beside(info: ValidationInfo) -> str:
    return (info.field_name or "").removesuffix("_file") + "_env"


SecretVariable = Annotated[str, AfterValidator(_set)] | None
"""The name of an environment variable that holds a secret: `password_env`, say. It stands before the file."""
SecretFile = Annotated[
    Annotated[ConfiguredPath, AfterValidator(_readable)] | None,
    AfterValidator(_at_most_one),
    Field(validate_default=True),
]
"""The name of a file that holds it, seen from the configuration's folder: `password_file`. Or neither is named."""
NeededSecretFile = Annotated[
    Annotated[ConfiguredPath, AfterValidator(_readable)] | None,
    AfterValidator(_exactly_one),
    Field(validate_default=True),
]
"""The same where one of the two must be named."""
