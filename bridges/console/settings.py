"""The `[console]` section of the configuration: where the socket is. The bot and `tocsin chat` both read it."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from bot.paths import ConfiguredPath

LONGEST_PATH = 107
"""How many bytes the kernel takes for the path of a socket."""


def _a_socket_can_have(socket: Path) -> Path:
    if not socket.name:
        raise ValueError("must be the path of a file")
    length = len(os.fsencode(socket))
    if length > LONGEST_PATH:
        raise ValueError(f"{socket} is {length} bytes long, and a socket's path may have {LONGEST_PATH} at most")
    return socket


class ConsoleSettings(BaseModel):
    """Where people of this machine find the bot."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    socket: Annotated[ConfiguredPath, AfterValidator(_a_socket_can_have)]
    """The socket's path, seen from the configuration file. Its folder must let people in: the bot's own does not."""
