"""All commands that are installed. No two answer to one name."""

from importlib.metadata import entry_points
from typing import Self

from bot.desk.command import Command
from bot.words.errors import SettingsError


class Catalogue:
    """All commands, found by name or alias."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        self.commands = tuple(sorted(commands, key=lambda each: each.name))
        self._by_name: dict[str, Command] = {}
        for each in commands:
            for name in (each.name, *each.aliases):
                if name in self._by_name:
                    raise SettingsError(
                        f"Two commands are called {name!r}.", hint="Uninstall the plug-in that brings one of them."
                    )
                self._by_name[name] = each

    @classmethod
    def installed(cls) -> Self:
        """All commands that an installed package offers."""
        commands: list[Command] = []
        for entry in entry_points(group="tocsin.commands"):
            found: object = entry.load()
            if not isinstance(found, Command):
                raise SettingsError(
                    f"The entry point {entry.name!r} ({entry.value}) is no command.", hint="Make it with @command."
                )
            commands.append(found)
        return cls(tuple(commands))

    def find(self, name: str) -> Command | None:
        """The command of this name."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """All names and aliases."""
        return list(self._by_name)
