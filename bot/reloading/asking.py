"""How `tocsin reload` asks the running bot, and hears what became of it. It signals nobody but a bot that takes it."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from bot.reloading.answer import Answer, digest_of
from bot.reloading.holder import Holder, holder_of
from bot.settings import Settings
from bot.words.errors import SettingsError, StoreError, TocsinError

ANSWERS_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05


def ask(
    checked: Settings,
    *,
    within_s: float = ANSWERS_WITHIN_S,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Have the bot of a configuration take it anew. The configuration was checked, and is what the bot should read."""
    folder, digest = checked.bot.folder, digest_of(checked.file.path)
    holder, before = _bot_of(checked)
    _signal(holder)
    end = clock() + within_s
    answer = before
    while clock() < end:
        answer = _answer_in(folder) or answer
        is_new = answer.holder == holder.words and answer.number > before.number
        if is_new and _is_to(answer, digest):
            return answer
        if holder_of(folder) != holder:
            raise TocsinError("The bot has ended meanwhile.", hint="Its log has the reason.")
        pause(LOOK_EVERY_S)
    if answer.number > before.number:
        raise SettingsError(
            "The bot has read another version of the file than this one.", hint="Did somebody change it? Ask again."
        )
    raise TocsinError(
        f"The bot has not said within {within_s:.0f} s what became of it.",
        hint="It may do it still: its log says so. Does its disk take anything?",
    )


def _is_to(answer: Answer, digest: str) -> bool:
    """Whether it is about this file, and not to somebody who came first. What the bot cannot read has no digest."""
    return answer.digest == digest or not (answer.good or answer.digest)


def _bot_of(checked: Settings) -> tuple[Holder, Answer]:
    """The bot that runs, and what it said last. Raises what keeps it from being asked."""
    folder, path = checked.bot.folder, checked.file.path
    holder = holder_of(folder)
    if holder is None:
        raise TocsinError(
            f"No bot runs in {folder}, so there is nothing to reload.",
            hint=f"Start it: tocsin run --config {path}. But if one runs with another bot.folder, stop that one first: "
            "two of one name put each other off the broker.",
        )
    if holder.host != socket.gethostname():
        raise TocsinError(f"The bot runs on {holder.host}.", hint="Ask there.")
    answer = _answer_in(folder)
    if answer is None or answer.holder != holder.words:
        raise TocsinError(
            f"What works on {folder} takes no reload: {holder.words}.",
            hint="A bot that only just starts takes one in a moment. Another command of Tocsin never does.",
        )
    if not _is_same(path, Path(answer.file)):
        raise SettingsError(
            f"The bot that runs in {folder} goes by {answer.file}, and not by {path}.",
            hint=f"Name that one: --config {answer.file}",
        )
    return holder, answer


def _answer_in(folder: Path) -> Answer | None:
    try:
        return Answer.read(folder)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be read: {error.strerror}.", hint="Ask as the user that the bot runs as."
        ) from error


def _signal(holder: Holder) -> None:
    try:
        os.kill(holder.process, signal.SIGHUP)
    except OSError as error:
        raise TocsinError(
            f"The bot cannot be asked, {holder.words}: {error.strerror}.", hint="Ask as the user that it runs as."
        ) from error


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()
