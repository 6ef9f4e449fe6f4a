"""What a command of a component takes, from the types of its function: a JSON Schema, and a judge that agrees with it.

A wrong argument is refused with a sentence that names it. A function that cannot be called with JSON is a TypeError,
before the component has started.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from components.kinds import JSON, Kind, Misfit, kind, shown
from wire.errors import Rejected


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command."""

    kind: Kind
    needed: bool
    default: JSON = None


@dataclass(frozen=True, slots=True)
class Signature:
    """All that a command takes."""

    arguments: Mapping[str, Argument]

    @property
    def schema(self) -> dict[str, JSON]:
        """As JSON Schema."""
        properties = {
            name: dict(each.kind.schema) | ({} if each.needed else {"default": each.default})
            for name, each in self.arguments.items()
        }
        needed = [name for name, each in self.arguments.items() if each.needed]
        return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}

    def read(self, given: Mapping[str, JSON]) -> dict[str, Any]:
        """What the function is called with. Raises Rejected with a sentence that names the argument."""
        for name in given:
            if name not in self.arguments:
                raise Rejected(f"{shown(name)} is no argument. There are: {', '.join(self.arguments) or 'none'}.")
        read: dict[str, Any] = {}
        for name, each in self.arguments.items():
            if name in given:
                try:
                    read[name] = each.kind.read(given[name])
                except Misfit:
                    raise Rejected(f"{name} must be {each.kind.says}, not {shown(given[name])}.") from None
            elif each.needed:
                raise Rejected(f"{name} is missing. It must be {each.kind.says}.")
        return read


def signature(function: Callable[..., Any], *, without: type | None = None) -> tuple[Signature, str | None]:
    """What a function takes, and which of its parameters is of the type that is left out. Raises TypeError."""
    hints = get_type_hints(function, include_extras=True)
    arguments: dict[str, Argument] = {}
    left_out: str | None = None
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: {name} must be an argument with a name, without * or /.")
        if name not in hints:
            raise TypeError(f"{function.__name__}: {name} needs a type.")
        if without is not None and hints[name] is without:
            if left_out is not None:
                raise TypeError(f"{function.__name__}: {left_out} and {name} are both {without.__name__}: one can be.")
            left_out = name
            continue
        try:
            arguments[name] = _argument(kind(hints[name]), parameter.default)
        except TypeError as error:
            raise TypeError(f"{function.__name__}: {name} {error}.") from None
    return Signature(arguments), left_out


def _argument(of: Kind, default: Any) -> Argument:
    if default is inspect.Parameter.empty:
        return Argument(of, needed=True)
    try:
        written = of.write(default)
        of.read(written)
    except (Misfit, AttributeError, TypeError):
        raise TypeError(f"has a default that is not {of.says}: {default!r}") from None
    return Argument(of, needed=False, default=written)
