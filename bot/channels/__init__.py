"""One conversation in several places: what somebody writes in one of them stands a moment later in the others."""

from bot.channels.channel import Channel
from bot.channels.channels import Channels
from bot.channels.linking import Linking

__all__ = ["Channel", "Channels", "Linking"]
