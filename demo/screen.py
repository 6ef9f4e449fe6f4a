"""How the demo looks in a terminal: who said what, in the colours that the room would show."""

from html.parser import HTMLParser

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.padding import Padding
from rich.segment import ControlType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.words import html
from bot.words.document import Tone

NAMES = {"alice": "bold cyan", "bob": "bold magenta", "tocsin": "bold yellow"}
COLOURS = {
    html.COLOURS[Tone.GOOD]: "green",
    html.COLOURS[Tone.WARN]: "yellow",
    html.COLOURS[Tone.BAD]: "bright_red",
    html.COLOURS[Tone.QUIET]: "bright_black",
}
"""A terminal's own colours: they read on its background, whatever that is."""
WIDTH = 8
CLEAR_LINE = (Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2)),)

console = Console(highlight=False)


def heading(text: str) -> None:
    """A new part of the story."""
    console.print()
    console.print(Text(text, style="bold"))
    console.print()


def note(text: str) -> None:
    """What happens beside the room."""
    said("", Text(text, style="dim italic"))


def said(who: str, what: str | RenderableType) -> None:
    """What somebody said in the room. It takes the line of a prompt that waits there."""
    row = Table.grid(padding=(0, 1))
    row.add_row(_name(who), Text(what) if isinstance(what, str) else what)
    console.control(*CLEAR_LINE)
    console.print(row)


def prompt(who: str) -> None:
    """Whose turn it is to type."""
    if console.is_terminal:
        console.print(Text.assemble(_name(who), " "), end="")


def _name(who: str) -> Text:
    return Text(f"{who:>{WIDTH}}", style=NAMES.get(who, "bold"))


def from_html(source: str) -> RenderableType:
    """What a client would show of a message of ours."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return Group(*reader.blocks)


class _Reader(HTMLParser):
    """Understands the few tags that our documents are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[RenderableType] = []
        self._styles: list[Style] = []
        self._text = Text()
        self._table: Table | None = None
        self._cells: list[Text] = []
        self._in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        match tag:
            case "strong":
                self._styles.append(Style(bold=True))
            case "code":
                self._styles.append(Style(color="cyan"))
            case "font":
                self._styles.append(Style(color=COLOURS.get(dict(attrs).get("color") or "")))
            case "table":
                self._table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
            case "thead":
                self._in_head = True
            case "li":
                self._text = Text("• ")
            case _:
                self._text = Text()

    def handle_data(self, data: str) -> None:
        self._text.append(data, Style.combine([Style.null(), *self._styles]))

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "strong" | "code" | "font":
                self._styles.pop()
            case "p" | "li":
                self.blocks.append(self._text)
            case "td" | "th":
                if self._in_head:
                    self._text.stylize("dim")
                self._cells.append(self._text)
            case "tr" if self._table is not None:
                self._table.add_row(*self._cells)
                self._cells = []
            case "thead":
                self._in_head = False
            case "table" if self._table is not None:
                self.blocks.append(Padding(self._table, (0, 0, 0, 0)))
                self._table = None
            case _:
                pass
