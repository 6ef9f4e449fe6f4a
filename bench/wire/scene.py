"""What both sides and the components agree on: topics, names, and the one command that is given."""

import os
import time
from collections.abc import Iterable
from typing import Literal

from wire.birth import Offer
from wire.messages import ROOT
from wire.work import Called, Command, Reply, Status

What = Literal["request", "recorded", "many", "fleet"]
"""One command and its reply; the same with a commit before it; one command to many; a fleet that appears."""

CUE, DONE = "bench/cue", "bench/done"
"""A side tells the crowd to get its answers ready, or to appear; the crowd says that they are ready."""
ENROLMENT = "walker.json"
COMMAND = "note"
ARGUMENTS = {"level": 7}
OFFER = Offer("Note a level", {"type": "object", "properties": {"level": {"type": "integer"}}})
BOT_NAME = "tocsin"
REPLIES = f"{ROOT}/reply/{BOT_NAME}"
WITHIN_S = 30.0
"""Whoever has not answered or appeared by then will not."""


def draw() -> str:
    """An id, a session, or a nonce."""
    return os.urandom(16).hex()


def command_topic(component: str) -> str:
    """Where it hears commands."""
    return f"{ROOT}/cmd/{component}"


def bare_command(id_: str, components: Iterable[str]) -> bytes:
    """The command as the reference gives it: the same fields, and no signature."""
    called = tuple(Called(each, "0" * 32) for each in components)
    expires_ms = round(time.time() * 1000) + 10_000
    return Command(id_, COMMAND, ARGUMENTS, called, BOT_NAME, expires_ms, "olga").to_bytes()


def bare_reply(id_: str, component: str) -> bytes:
    """The answer without a signature."""
    return Reply(id_, component, Status.DONE, ARGUMENTS).to_bytes()
