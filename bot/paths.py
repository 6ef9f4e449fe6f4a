"""Paths in the configuration: each is seen from the folder that the file is in, wherever the bot was started."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo


def _given(path: object) -> object:
    if path == "" or "\0" in str(path):
        raise ValueError("must be a path, in quotes")
    return path


def _seen_from_the_file(path: Path, info: ValidationInfo) -> Path:
    context: dict[str, Path] = info.context or {}
    return context.get("folder", Path()) / path


ConfiguredPath = Annotated[Path, AfterValidator(_seen_from_the_file), BeforeValidator(_given)]
"""A path in a section. An empty one is a mistake, and not the folder itself."""
