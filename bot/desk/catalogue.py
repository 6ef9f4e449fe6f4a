"""All commands that are installed. No two answer to one name."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol, Self

from bot.desk.command import Command
from bot.desk.grammar import Line, nearest
from bot.words.errors import SettingsError, UsageError
from bot.words.glyphs import quoted
from bot.words.people import Role

Among = Callable[[Command], bool]


class Wish(Protocol):
    """What a configuration asks of one command."""

    @property
    def role(self) -> Role | None:
        """Who may give it, where that is said."""
        ...

    @property
    def two_persons(self) -> bool:
        """A second person must agree."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Unmet:
    """Something that a configuration asks for and that cannot be."""

    path: tuple[str, ...]
    """The command, and the key below it where it is about one."""
    what: str


class Catalogue:
    """All commands, found by name or alias. Looking one up takes as long with a thousand as with one."""

    def __init__(self, commands: tuple[Command, ...], wishes: Mapping[str, Wish] | None = None) -> None:
        wishes = wishes or {}
        if unmet := list(_unmet(commands, wishes)):
            raise SettingsError(" ".join(f"commands.{'.'.join(each.path)}: {each.what}." for each in unmet))
        self.commands = tuple(
            sorted((_as_wished(each, wishes.get(each.name)) for each in commands), key=lambda each: each.name)
        )
        self._by_name: dict[str, Command] = {}
        self._families: dict[str, list[Command]] = {}
        for each in self.commands:
            for name in (each.name, *each.aliases):
                if name in self._by_name:
                    raise SettingsError(
                        f"Two commands are called {quoted(name)}.",
                        hint="Uninstall the plug-in that brings one of them.",
                    )
                self._by_name[name] = each
                first, _, second = name.partition(" ")
                if second:
                    self._families.setdefault(first, []).append(each)

    @classmethod
    def installed(cls, wishes: Mapping[str, Wish] | None = None) -> Self:
        """All commands that an installed package offers."""
        commands: list[Command] = []
        for entry in entry_points(group="tocsin.commands"):
            try:
                found: object = entry.load()
            except (ImportError, AttributeError, TypeError) as error:
                raise SettingsError(
                    f"The command {quoted(entry.name)} ({entry.value}) cannot be loaded: {str(error).rstrip('.')}.",
                    hint="Install the package that brings it anew, or leave it out.",
                ) from error
            if not isinstance(found, Command):
                raise SettingsError(
                    f"The entry point {quoted(entry.name)} ({entry.value}) is no command.",
                    hint="Make it with @command.",
                )
            commands.append(found)
        return cls(tuple(commands), wishes)

    def find(self, line: Line) -> tuple[Command, str] | None:
        """The command that a line asks for, and the words that are for it."""
        if line.name in self._families:
            second, *rest = line.rest.split(maxsplit=1) or [""]
            found = self._by_name.get(f"{line.name} {second.lower()}")
            if found is not None:
                return found, "".join(rest)
        found = self._by_name.get(line.name)
        return None if found is None else (found, line.rest)

    def called(self, name: str) -> Command | None:
        """The command of this name or alias."""
        return self._by_name.get(name)

    def family(self, first: str) -> tuple[Command, ...]:
        """The commands of two words that begin with this one."""
        return tuple(self._families.get(first, ()))

    def names(self, among: Among = lambda _: True) -> list[str]:
        """All names and aliases, or those of some commands; of those of two words their first one, too."""
        names = [name for name, command in self._by_name.items() if among(command)]
        return list(dict.fromkeys(each for name in names for each in (name, name.partition(" ")[0])))

    def meant(self, words: Sequence[str], among: Among = lambda _: True) -> Command:
        """The command that somebody asks about, as they would type it. What they may give is named where it is none."""
        first, *rest = words
        line = Line(first.lstrip("!/").lower(), " ".join(rest))
        found = self.find(line)
        if found is None:
            raise self.unknown(line, among)
        return found[0]

    def unknown(self, line: Line, among: Among = lambda _: True) -> UsageError:
        """What somebody is told whose line asks for no command."""
        family = [each for each in self.family(line.name) if among(each)]
        if family:
            listed = " · ".join(dict.fromkeys(each.usage for each in family))
            return UsageError(f"{quoted(line.name)} alone says too little.", hint=f"There is: {listed}")
        near = self.near(line, among)
        hint = f"Did you mean !{near}?" if near else "!help lists what there is."
        return UsageError(f"There is no command {quoted(line.name)}.", hint=hint)

    def near(self, line: Line, among: Among = lambda _: True) -> str | None:
        """The name that somebody may have meant. Where its first word is no command by itself, with a second one."""
        names = self.names(among)
        near = nearest(line.name, names)
        if near is None or near in self._by_name or not line.rest.strip():
            return near
        second = line.rest.split(maxsplit=1)[0]
        return nearest(f"{near} {second}", [name for name in names if name.startswith(f"{near} ")]) or near

    def unmet(self, wishes: Mapping[str, Wish]) -> list[Unmet]:
        """All that a configuration asks for and that cannot be."""
        return list(_unmet(self.commands, wishes))


def _unmet(commands: Sequence[Command], wishes: Mapping[str, Wish]) -> Iterator[Unmet]:
    by_name = {each.name: each for each in commands}
    for name, wish in wishes.items():
        command = by_name.get(name)
        if command is None:
            near = nearest(name, by_name)
            shown = f'"{near}"' if near and " " in near else near
            yield Unmet((name,), f"there is no such command; {f'did you mean {shown}?' if near else '!help lists all'}")
        else:
            for key, what in command.unmet(wish.role, two_persons=wish.two_persons):
                yield Unmet((name, key), what)


def _as_wished(command: Command, wish: Wish | None) -> Command:
    return command if wish is None else command.asking_for(wish.role, two_persons=wish.two_persons)
