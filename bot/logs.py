"""How the log looks: for people in a terminal, as JSON lines elsewhere. No message text is ever logged.

Nothing that comes from outside can look like a line of its own, in either form.
"""

import contextlib
import logging
import sys
import textwrap
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SEVERAL_LINES = ("exception", "stack")
PICTURES = 0x2400
AS_THEY_ARE = (int, float, bool, type(None))


class _Lines(logging.StreamHandler[TextIO]):
    """What cannot be formed is named, where Python would print all that the line was made of."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """A library has written a line that does not fit its own arguments, or nobody reads our log any more."""
        what = "a line of the log could not be written"
        named = logging.LogRecord(record.name, logging.ERROR, record.pathname, record.lineno, what, None, None)
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(self.format(named) + self.terminator)


def set_up(stream: TextIO = sys.stderr) -> None:
    """Send our log and that of every library to one stream, in one form."""
    terminal = stream.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # the id of the command that a line belongs to
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if terminal else "iso", utc=not terminal),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: list[Processor] = (
        # The trace is made here: the renderer's own shows the values of variables, such as words of messages and keys.
        [structlog.processors.format_exc_info, _printable, structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = _Lines(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _printable(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Each value on one line and without control characters; a trace set in, so that none of it begins a line."""
    return {
        key: _set_in(value) if key in SEVERAL_LINES else value if isinstance(value, AS_THEY_ARE) else _escaped(value)
        for key, value in line.items()
    }


def _escaped(value: object) -> str:
    shown = value if isinstance(value, str) else repr(value)
    if shown.isprintable():
        return shown
    return "".join(each if each.isprintable() else _picture(each) for each in shown)


def _picture(character: str) -> str:
    """The symbol that Unicode has for a control character, such as ␊."""
    return chr(PICTURES + ord(character)) if character < " " else "\N{REPLACEMENT CHARACTER}"


def _set_in(trace: object) -> str:
    return textwrap.indent("\n".join(_escaped(line) for line in str(trace).split("\n")), "  ", lambda _: True)
