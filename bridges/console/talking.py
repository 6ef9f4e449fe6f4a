"""The two forms of `tocsin chat`: by hand in a terminal, and line by line from a script. A script waits for no key."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console

from bot.words.errors import NetworkError, Refused, TocsinError, Unreachable, UsageError
from bot.words.glyphs import quoted
from bot.words.plain import to_plain
from bot.words.terminal import to_terminal
from bot.words.times import span
from bridges.console.client import Chat, Said
from bridges.console.editor import Editor, Key
from bridges.console.lines import MOST_FROM_CLIENT, Hello, Posted
from bridges.console.screen import Screen, keys_one_by_one

ANSWER_WITHIN_S = 30.0
AT_ONCE = 4096


async def by_hand(path: Path, keyboard: int, console: Console) -> None:
    """Talk with the bot until Ctrl-D."""
    editor = Editor()
    screen = Screen(console, editor)
    chat = Chat(path, screen)
    loop = asyncio.get_running_loop()
    myself = asyncio.current_task()
    assert myself is not None  # noqa: S101 - a coroutine that runs is a task's
    with keys_one_by_one(keyboard) as take_again:

        def continued() -> None:
            take_again()
            screen.resized()

        loop.add_signal_handler(signal.SIGWINCH, screen.resized)
        loop.add_signal_handler(signal.SIGCONT, continued)
        loop.add_signal_handler(signal.SIGTERM, myself.cancel)  # the terminal must be given back as it was
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(chat.run())
                while (data := await read(keyboard)) and _typed(data, editor, screen, chat):
                    screen.draw()
                running.cancel()
        finally:
            screen.leave()
            for each in (signal.SIGWINCH, signal.SIGCONT, signal.SIGTERM):
                loop.remove_signal_handler(each)


def _typed(data: bytes, editor: Editor, screen: Screen, chat: Chat) -> bool:
    """Do what the keys say. False at the end."""
    for key in editor.feed(data):
        if key is Key.END:
            return False
        if key is Key.CLEAR:
            screen.clear()
        else:
            screen.entered(key)
            if key.strip():
                try:
                    screen.said(chat.say(key))
                except UsageError as error:
                    screen.tell(str(error))
    return True


class Answers:
    """What a script gets: answers on one stream, everything else that the bot says on the other."""

    def __init__(self, answers: Console, rest: Console) -> None:
        self._answers = answers
        self._rest = rest
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def ask(self, chat: Chat, line: str) -> None:
        """Say a line and wait until its answer was printed."""
        said = chat.say(line)
        answered = self._waiting[said.id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await answered
        except TimeoutError as error:
            raise Unreachable(
                f"No answer to {quoted(line)} within {span(ANSWER_WITHIN_S)}.",
                hint="It may still be run; what the bot says to it comes with your next chat.",
            ) from error
        finally:
            del self._waiting[said.id]

    def met(self, hello: Hello) -> None:
        """Nothing to say: a script knows who it is."""

    def lost(self) -> None:
        """Nothing to say yet: the bot may be back in time."""

    def refused(self, said: Said, why: str) -> None:
        """The line was not taken."""
        waiting = self._waiting.get(said.id)
        if waiting is not None and not waiting.done():
            waiting.set_exception(Refused(why))

    def show(self, post: Posted, answers: Said | None) -> None:
        """Print what the bot says."""
        console = self._rest if answers is None else self._answers
        if console.is_terminal:
            console.print(to_terminal(post.document))
        else:
            console.print(to_plain(post.document), markup=False, highlight=False, soft_wrap=True)
        waiting = self._waiting.get(answers.id) if answers is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


async def by_script(path: Path, lines: AsyncIterator[str], answers: Console, rest: Console) -> list[TocsinError]:
    """Say line after line, each when the one before it is answered. Returns what went wrong."""
    wrong: list[TocsinError] = []
    face = Answers(answers, rest)
    chat = Chat(path, face)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(chat.run())
        async for line in lines:
            try:
                await face.ask(chat, line)
            except (NetworkError, Refused, UsageError) as error:
                wrong.append(error)
        running.cancel()
    return wrong


async def lines_of(source: int) -> AsyncIterator[str]:
    """The lines of a file or a pipe as they come, without the empty ones."""
    pending = b""
    while data := await read(source):
        *whole, pending = (pending + data).split(b"\n")
        for line in whole:
            if text := _decoded(line):
                yield text
        if len(pending) > MOST_FROM_CLIENT:
            raise UsageError("Not said: this line is too long.")
    if text := _decoded(pending):
        yield text


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


async def read(source: int) -> bytes:
    """What has come since, or nothing at the end. It holds up nothing else."""
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    try:
        loop.add_reader(source, there.set)
    except PermissionError:  # a file on the disk is always there, and the kernel refuses to watch it
        return os.read(source, AT_ONCE)
    try:
        await there.wait()
    finally:
        loop.remove_reader(source)
    return os.read(source, AT_ONCE)
