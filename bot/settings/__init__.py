"""The configuration file, typed. All mistakes are told at once, and no secret ever stands in it."""

from bot.settings.loading import Settings, load
from bot.settings.overlaid import Effect, weigh

__all__ = ["Effect", "Settings", "load", "weigh"]
