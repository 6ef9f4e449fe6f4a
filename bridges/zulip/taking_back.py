"""Takes back what the bot has said for others. What the server keeps all the same says at least that it was taken back.

It can be done again: what is gone already stays so.
"""

from collections.abc import Callable

import structlog

from bot.words.document import TakenBack, document
from bot.words.message import Lane, Post
from bot.words.zulip import to_zulip
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.notes import Notes

INSTEAD = to_zulip(document(TakenBack(taken_back=True)))

log = structlog.get_logger(__name__)


def is_taken_back(post: Post) -> bool:
    """Whether all that a post says is that an earlier one is taken back."""
    return len(post.document.blocks) == 1 and isinstance(post.document.blocks[0], TakenBack)


class TakingBack:
    """For one account. `may_edit` says of a message by its id whether it may be tried."""

    def __init__(self, api: Api, notes: Notes, may_edit: Callable[[int], bool]) -> None:
        self._api = api
        self._notes = notes
        self._may_edit = may_edit

    async def take_back(self, message: int, lane: Lane) -> bool:
        """Whether nothing is left of all that was said with this message, wherever it was moved."""
        left = [each for each in await self._notes.together(message) if not await self._take_one(each, lane)]
        if left:
            log.info("what was taken back stays in Zulip", messages=left)
        return not left

    async def _take_one(self, message: int, lane: Lane) -> bool:
        try:
            await self._api.delete(message, lane)
        except Declined as declined:
            log.info("a message cannot be deleted", message=message, why=declined.what)
        else:
            return True
        if self._may_edit(message):
            try:
                await self._api.edit(message, INSTEAD, lane)
            except Declined as declined:
                log.info("a message cannot be edited", message=message, why=declined.what)
            else:
                return True
        return not await self._is_there(message, lane)

    async def _is_there(self, message: int, lane: Lane) -> bool:
        """Whether anything of it can be read still. What was edited by an earlier try says that it was taken back."""
        try:
            found = (await self._api.history(message, lane=lane)).messages
        except Declined:
            return False
        return any(each.get("id") == message and each.get("content") != INSTEAD for each in found)
