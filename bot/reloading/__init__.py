"""The configuration, taken anew while the bot runs. Nothing of a file with a mistake counts, and nobody is dropped."""

from bot.reloading.live import Live, LiveStopKeys
from bot.reloading.reloader import Reloader

__all__ = ["Live", "LiveStopKeys", "Reloader"]
