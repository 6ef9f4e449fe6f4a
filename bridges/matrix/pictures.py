"""Pictures on their way to the homeserver, which never sees what is on them."""

import asyncio
from typing import Any

import structlog
from nio.crypto import encrypt_attachment

from bot.words.document import Picture
from bridges.matrix.connection import Connection, Denied

log = structlog.get_logger(__name__)


async def upload(connection: Connection, picture: Picture) -> dict[str, Any] | None:
    """Put a picture there, encrypted, and return what opens it; nothing where the homeserver does not take it."""
    data, opens = await asyncio.to_thread(encrypt_attachment, picture.data)
    try:
        address = await connection.put_file(data)
    except Denied as denied:  # it keeps no words from being said
        log.warning("a picture stays behind", bytes=len(data), error=denied.what)
        return None
    return {**opens, "url": address}
