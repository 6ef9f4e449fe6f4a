"""The terminal of somebody who types while the bot speaks. The line that is being typed is never torn."""

import contextlib
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator

from rich.console import Console, RenderableType
from rich.text import Text

from bot.words.document import Tone
from bot.words.glyphs import one_line
from bot.words.html import COLOURS
from bot.words.terminal import QUIET, to_terminal
from bridges.console.client import Said
from bridges.console.editor import Editor
from bridges.console.lines import Hello, Posted

PROMPT = " ▸ "
NARROWEST = 8
"""Cells for what is typed, however long the name before it."""
_ERASE = "\r\x1b[J"
_TELL_PASTES, _TELL_NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"


class Screen:
    """What was said above, what is being typed below."""

    def __init__(self, console: Console, editor: Editor) -> None:
        self._console = console
        self._editor = editor
        self._name = ""
        self._there = False
        self._entered: Said | None = None
        self._foot: frozenset[str | None] = frozenset()
        """The post at the very end, under all its names: what edits it takes its place."""
        self._foot_lines = 0

    def met(self, hello: Hello) -> None:
        """Say who is there."""
        again, self._name, self._there = bool(self._name), one_line(hello.person), True
        version = one_line(hello.version)
        if again:
            self._print(Text(f"The bot is back: version {version}.", COLOURS[Tone.GOOD]), Text())
        else:
            more = f"You are {self._name}, {one_line(hello.role)}. Type help for what you may run; Ctrl-D ends."
            self._print(Text.assemble(("Tocsin ", "bold"), version), Text(more, QUIET), Text())

    def lost(self) -> None:
        """Say that the bot is away."""
        if self._there:
            self._there = False
            self.tell("The bot is away. What you say now waits until it is back.")

    def refused(self, said: Said, why: str) -> None:
        """Say what became of a line that was not taken."""
        self._print(
            Text.assemble(("Not taken: ", f"bold {COLOURS[Tone.BAD]}"), one_line(said.text)),
            Text(one_line(why)),
            Text(),
        )

    def show(self, post: Posted, answers: Said | None) -> None:
        """Show what the bot says. A post that edits the one right above takes its place."""
        in_place = post.edits is not None and post.edits in self._foot
        head: list[RenderableType] = []
        if not in_place and (answers is None or answers is not self._entered):
            head.append(Text(_head(post, answers), QUIET))
        over = self._foot_lines if in_place else 0
        lines = self._print(*head, to_terminal(post.document), Text(), over=over)
        if lines < self._console.height:  # of what has left the screen nothing can be drawn again
            names = self._foot if in_place else frozenset[str | None]()
            self._foot, self._foot_lines = names | {post.key, post.edits}, lines

    def tell(self, words: str) -> None:
        """Say something of our own."""
        self._print(Text(one_line(words), COLOURS[Tone.WARN]), Text())

    def entered(self, line: str) -> None:
        """Leave the line that was entered where it stands, whole."""
        with self._console.capture() as whole:
            self._console.print(self._prompt().append(line, "not bold default"), soft_wrap=True)
        self._write(f"{_ERASE}{whole.get()}")
        self._forget_foot()

    def said(self, said: Said) -> None:
        """That line was said: its answer needs no word on what it answers."""
        self._entered = said

    def draw(self) -> None:
        """Draw the line that is being typed, with the cursor where it belongs."""
        if self._name:
            self._write(_ERASE + self._line())

    def resized(self) -> None:
        """The terminal has another size, and has folded the lines as it liked."""
        self._forget_foot()
        self.draw()

    def clear(self) -> None:
        """An empty screen, but for the line that is being typed."""
        self._forget_foot()
        self._write("\x1b[H\x1b[2J")
        self.draw()

    def leave(self) -> None:
        """The end: whatever comes next in this terminal begins on a line of its own."""
        if self._name:
            self._write("\n")

    def _print(self, *shown: RenderableType, over: int = 0) -> int:
        """Print above what is being typed, in place of so many lines. Returns how many it took."""
        with self._console.capture() as printed:
            self._console.print(*shown, sep="\n")
        up = f"\x1b[{over}A" if over else ""
        self._forget_foot()
        self._write(f"\r{up}\x1b[J{printed.get()}{self._line()}")
        return printed.get().count("\n")

    def _line(self) -> str:
        if not self._name:
            return ""
        prompt = self._prompt()
        shown, cell = self._editor.view(max(self._console.width - prompt.cell_len, NARROWEST))
        with self._console.capture() as drawn:
            self._console.print(prompt, end="", soft_wrap=True)
        return f"{drawn.get()}{shown}\r\x1b[{prompt.cell_len + cell}C"

    def _prompt(self) -> Text:
        look = f"bold {COLOURS[Tone.GOOD]}" if self._there else QUIET
        return Text.assemble((self._name, look), (PROMPT, QUIET))

    def _forget_foot(self) -> None:
        self._foot, self._foot_lines = frozenset(), 0

    def _write(self, drawn: str) -> None:
        self._console.file.write(drawn)
        self._console.file.flush()


def _head(post: Posted, answers: Said | None) -> str:
    now = time.strftime("%H:%M:%S")
    if answers is not None:
        return f"{now} · answer to: {one_line(answers.text)}"
    return f"{now} · update" if post.edits else f"{now} · news"


@contextlib.contextmanager
def keys_one_by_one(terminal: int) -> Generator[Callable[[], None]]:
    """Each key as it is pressed, shown by nobody but us. What it gives takes the terminal again after a pause."""
    before = termios.tcgetattr(terminal)

    def take() -> None:
        tty.setcbreak(terminal)
        sys.stdout.write(_TELL_PASTES)
        sys.stdout.flush()

    try:
        take()
        yield take
    finally:
        sys.stdout.write(_TELL_NO_PASTES)
        sys.stdout.flush()
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
