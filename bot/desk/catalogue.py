"""All commands that are installed. No two answer to one name."""

from bot.desk.command import Command


class Catalogue:
    """All commands, found by name or alias."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        self.commands = tuple(sorted(commands, key=lambda each: each.name))
        self._by_name: dict[str, Command] = {}
        for each in commands:
            for name in (each.name, *each.aliases):
                if name in self._by_name:
                    raise ValueError(f"Two commands are called {name!r}. Uninstall the plug-in that brings one.")
                self._by_name[name] = each

    def find(self, name: str) -> Command | None:
        """The command of this name."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """All names and aliases."""
        return list(self._by_name)
