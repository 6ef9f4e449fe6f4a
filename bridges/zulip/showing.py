"""Shows what a post shows beside a message, and takes it back. Zulip wants an emoji by its name on that very server."""

import asyncio
import re

import structlog

from bot.words.document import Reacts
from bot.words.errors import NetworkError
from bot.words.message import Lane, Post
from bridges.zulip.api import Api
from bridges.zulip.emoji import NAME, bare, code_of
from bridges.zulip.errors import Declined
from bridges.zulip.reading import id_of

ALREADY = "REACTION_ALREADY_EXISTS"
_SHOWN = re.compile(r"(?P<message>\d{1,16}) (?P<emoji>.{1,200})", re.ASCII | re.DOTALL)

log = structlog.get_logger(__name__)


def reaction_of(post: Post) -> Reacts | None:
    """What a post shows beside a message, where that is all it does."""
    match post.document.blocks:
        case (Reacts() as only,):
            return only
        case _:
            return None


class Showing:
    """What one account shows. What it is known by names the message, and the emoji as the server knows it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._emoji: dict[str, tuple[str, str]] | None = None
        """The server's own code and name of each, by its code."""
        self._asking = asyncio.Lock()

    async def show(self, post: Post, shows: Reacts) -> str:
        """Show it, or show it no more. The same again changes nothing."""
        if shows.gone:
            return await self._take_back(post)
        message = id_of(post.reply_to or "")
        if message is None:
            raise NetworkError("There is no message in Zulip to show this beside.")
        named = NAME.fullmatch(shows.emoji)
        form = {"emoji_name": named[1]} if named else await self._known(shows.emoji, post.lane)
        try:
            await self._api.react(message, form, post.lane)
        except Declined as declined:
            if declined.code != ALREADY:
                raise
        return f"{message} {form.get('emoji_code', shows.emoji)}"

    async def _take_back(self, post: Post) -> str:
        shown = _SHOWN.fullmatch(post.edits or "")
        if post.edits is None or shown is None:
            return ""
        named = NAME.fullmatch(shown["emoji"])
        code = {"emoji_code": shown["emoji"], "reaction_type": "unicode_emoji"}
        try:
            await self._api.react_no_more(int(shown["message"]), {"emoji_name": named[1]} if named else code, post.lane)
        except Declined as declined:  # it is gone, or the message is, or nobody lets the bot touch it any more
            log.info("what was shown is not there any more", message=shown["message"], why=declined.what)
        return post.edits

    async def _known(self, emoji: str, lane: Lane) -> dict[str, str]:
        async with self._asking:
            if self._emoji is None:
                self._emoji = {bare(code): (code, name) for code, name in (await self._api.emoji(lane)).items()}
        known = self._emoji.get(code_of(emoji))
        if known is None:
            raise NetworkError("This Zulip server does not know the emoji.")
        return {"emoji_name": known[1], "emoji_code": known[0], "reaction_type": "unicode_emoji"}
