"""The console bridge as its entry point offers it. `tocsin chat` lies beside it and must start without the bot."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.bridge import Plugin
    from bridges.console.settings import ConsoleSettings

    plugin: Plugin[ConsoleSettings]

__all__ = ["plugin"]


def __getattr__(name: str) -> Any:
    """The plugin, once it is asked for. The bridge needs the store and the chat does not."""
    if name != "plugin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bot.bridge import Plugin  # noqa: PLC0415 - see above
    from bridges.console.bridge import ConsoleBridge  # noqa: PLC0415 - see above
    from bridges.console.settings import ConsoleSettings  # noqa: PLC0415 - see above

    return Plugin(settings=ConsoleSettings, open=ConsoleBridge)
