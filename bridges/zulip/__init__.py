"""The Zulip bridge as its entry point offers it. It is imported only where `[zulip]` is configured."""

from bot.bridge import Plugin, Topics
from bridges.zulip.bridge import ZulipBridge
from bridges.zulip.examining import examine
from bridges.zulip.places import mistake_in, post_mistake_in
from bridges.zulip.settings import ZulipSettings

plugin = Plugin(
    settings=ZulipSettings,
    open=ZulipBridge,
    examine=examine,
    place_mistake=mistake_in,
    post_mistake=post_mistake_in,
    topics=Topics.PLACES,
)

__all__ = ["plugin"]
