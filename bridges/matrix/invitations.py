"""Going where listed people invite the bot, and nowhere else. It never holds up the stream: some rooms stay closed."""

import asyncio
from collections.abc import Callable

import structlog
from nio import InviteMemberEvent, SyncResponse

from bot.words.errors import NetworkError, TocsinError
from bridges.matrix.connection import Connection
from bridges.matrix.patience import patiently

LONGEST_S = 300.0
"""How long one invitation is tried. After that it is dropped, and the same room can be offered anew."""
MOST_AT_ONCE = 20

log = structlog.get_logger(__name__)


class Invitations:
    """Answers invitations beside the stream, one task a room."""

    def __init__(
        self,
        connection: Connection,
        listed: Callable[[], frozenset[str]],
        beside: asyncio.TaskGroup,
        *,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._connection = connection
        self._listed = listed
        self._beside = beside
        self._longest_s = longest_s
        self._under_way: set[str] = set()

    def answer(self, response: SyncResponse) -> None:
        """Begin to join the rooms that a batch invites to."""
        for room, info in response.rooms.invite.items():
            inviter = next(
                (
                    event.sender
                    for event in info.invite_state
                    if isinstance(event, InviteMemberEvent)
                    and event.membership == "invite"
                    and event.state_key == self._connection.login.user
                ),
                None,
            )
            if inviter not in self._listed():
                log.warning("an invitation of somebody who is not listed is not accepted", room=room, inviter=inviter)
            elif room in self._under_way:
                continue
            elif len(self._under_way) >= MOST_AT_ONCE:
                log.warning("too many invitations at once; this one is not accepted", room=room, inviter=inviter)
            else:
                self._under_way.add(room)
                self._beside.create_task(self._join(room, inviter), name=f"join {room}")

    async def _join(self, room: str, inviter: str) -> None:
        async def join() -> None:
            if inviter not in self._listed():
                raise NetworkError(f"{inviter} is not listed any more.")
            await self._connection.join(room)

        try:
            async with asyncio.timeout(self._longest_s):
                await patiently(join)
        except (TimeoutError, TocsinError) as error:
            log.warning("an invitation cannot be accepted; invite again", room=room, inviter=inviter, error=str(error))
        else:
            log.info("joined", room=room, inviter=inviter)
        finally:
            self._under_way.discard(room)
