"""What goes to the terminal from the command line: documents, and errors in a sentence each, without a trace."""

import contextlib
import sys
from collections.abc import Generator

from rich.console import Console
from rich.markup import escape

from bot.words.document import Document
from bot.words.errors import TocsinError, each_of
from bot.words.glyphs import lines
from bot.words.plain import to_plain
from bot.words.terminal import to_terminal

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def show(document: Document, console: Console) -> None:
    """A document, folded to the width of a terminal. Elsewhere a row is a line, however long, for what reads lines."""
    if console.is_terminal:
        console.print(to_terminal(document), soft_wrap=False)
    else:
        console.file.write(f"{to_plain(document)}\n")


@contextlib.contextmanager
def errors_told() -> Generator[None]:
    """What an operator can mend is told, and the process ends with 1."""
    failed = False
    try:
        yield
    except* TocsinError as group:
        failed = True
        for error in each_of(group):
            say(str(error))
    if failed:
        sys.exit(1)


def say(what: str) -> None:
    """Tell one error."""
    shown = "\n".join(lines(what))  # a server's words may be among it, and must not command the terminal
    errors.print(f"[bold red]Error:[/] {escape(shown)}", emoji=False)
