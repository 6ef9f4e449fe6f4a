"""What a command is: one async function, whose signature is its grammar and its help."""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping

from bot.desk.authority import Action
from bot.words.document import Document
from bot.words.errors import UsageError
from bot.words.people import Role

Handler = Callable[..., Awaitable[Document]]


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command as its entry point offers it."""

    name: str
    handler: Handler
    role: Role
    action: Action
    summary: str
    aliases: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is typed."""
        words = [
            f"<{name}>" if parameter.default is inspect.Parameter.empty else f"[{name}]"
            for name, parameter in _parameters(self.handler)
        ]
        return " ".join((f"!{self.name}", *words))

    def bind(self, words: list[str]) -> Mapping[str, str]:
        """Give each word to the parameter that it is for."""
        parameters = _parameters(self.handler)
        needed = [name for name, parameter in parameters if parameter.default is inspect.Parameter.empty]
        if len(words) < len(needed):
            raise UsageError(f"{needed[len(words)]!r} is missing.", hint=f"Usage: {self.usage}")
        if len(words) > len(parameters):
            extra = words[len(parameters)][:64]
            raise UsageError(f"{extra!r} is one word too many.", hint=f"Usage: {self.usage}")
        return {name: word for (name, _), word in zip(parameters, words, strict=False)}


def command(
    name: str, *, role: Role, action: Action = Action.READ, summary: str, aliases: tuple[str, ...] = ()
) -> Callable[[Handler], Command]:
    """Make a command of a function. Its parameters after the call are the words that it takes."""

    def make(handler: Handler) -> Command:
        for parameter, kind in _parameters(handler):
            if kind.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
                raise TypeError(f"The command {name!r} cannot fill the parameter {parameter!r}: use plain ones.")
        return Command(name, handler, role, action, summary, aliases)

    return make


def _parameters(handler: Handler) -> list[tuple[str, inspect.Parameter]]:
    return list(inspect.signature(handler).parameters.items())[1:]
