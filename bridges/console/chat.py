"""`tocsin chat`: talk to the running bot from this machine, also when no network works. It never imports the bot."""

import asyncio
import os
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from bot.words.errors import SettingsError, TocsinError, each_of
from bot.words.glyphs import one_line
from bridges.console.settings import ConsoleSettings
from bridges.console.talking import by_hand, by_script, lines_of

INTERRUPTED = 130


def chat(
    message: Annotated[list[str] | None, typer.Argument(help="What to say. Without it you talk until Ctrl-D.")] = None,
    *,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    """Talk to the running bot from this machine. It needs no network."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    wrong: list[TocsinError] = []
    interrupted = False
    try:
        wrong += asyncio.run(_talk(socket_of(config), " ".join(message or ()).strip()))
    except* TocsinError as group:
        wrong += each_of(group)
    except* (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, and what tells a chat in a terminal to end
        interrupted = True
    for error in wrong:
        errors.print(f"[bold red]Error:[/] {escape(one_line(str(error)))}")
    if interrupted or wrong:
        raise typer.Exit(INTERRUPTED if interrupted else 1)


def socket_of(config: Path) -> Path:
    """Where the bot with this configuration listens. Nothing else in the file is looked at."""
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{config} cannot be read: {error.strerror}.", hint="Name the bot's configuration with --config FILE."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is not TOML: {error}.") from error
    if "console" not in content:
        raise SettingsError(
            f"{config} has no [console], so the bot has no socket here.",
            hint='Add [console] with socket = "/run/tocsin/chat.sock", and start the bot again.',
        )
    try:
        section = ConsoleSettings.model_validate(content["console"], context={"folder": config.parent.absolute()})
    except ValidationError as error:
        wrong = "; ".join(_mistake(each["loc"], each["msg"]) for each in error.errors())
        raise SettingsError(f"[console] in {config} cannot be used: {wrong}.") from error
    return section.socket


def _mistake(key: tuple[int | str, ...], what: str) -> str:
    return " ".join((*map(str, key), what.removeprefix("Value error, ")))


async def _talk(path: Path, words: str) -> list[TocsinError]:
    answers, rest = Console(highlight=False), Console(highlight=False, stderr=True)
    keyboard = sys.stdin.fileno()
    if words:
        return await by_script(path, _only(words), answers, rest)
    if os.isatty(keyboard) and answers.is_terminal:
        await by_hand(path, keyboard, answers)
        return []
    return await by_script(path, lines_of(keyboard), answers, rest)


async def _only(words: str) -> AsyncIterator[str]:
    yield words
