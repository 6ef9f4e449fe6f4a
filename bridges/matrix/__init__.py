"""The Matrix bridge as its entry point offers it. It is imported only where `[matrix]` is configured."""

from bot.bridge import Plugin
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.settings import MatrixSettings

plugin = Plugin(settings=MatrixSettings, open=MatrixBridge)

__all__ = ["plugin"]
