"""Files on their way to the homeserver and back. What belongs to an encrypted room it never sees into."""

import asyncio
from typing import Any
from urllib.parse import quote

import structlog
from nio import EncryptionError
from nio.crypto import decrypt_attachment, encrypt_attachment

from bot.words.document import OCTETS
from bot.words.errors import NetworkError, Unreachable
from bridges.matrix.connection import Connection
from bridges.matrix.enclosing import Kept

DOWNLOAD = "/_matrix/client/v1/media/download"

log = structlog.get_logger(__name__)


async def upload(connection: Connection, content: bytes, media_type: str, *, in_clear: bool) -> dict[str, Any] | None:
    """Put a file there, and return what an event says of where it is; nothing where the homeserver does not take it."""
    try:
        if in_clear:
            return {"url": await connection.put_file(content, media_type)}
        sealed, opens = await asyncio.to_thread(encrypt_attachment, content)
        return {"file": {**opens, "url": await connection.put_file(sealed, OCTETS)}}
    except Unreachable:
        raise
    except NetworkError as error:  # it keeps no words from being said
        log.warning("a file stays behind", bytes=len(content), error=error.what)
        return None


async def download(connection: Connection, reference: str, most: int) -> bytes:
    """What is in a file that somebody has sent. Raises NetworkError where it is too large, or is not what was sent."""
    try:
        kept = Kept.referred(reference)
    except ValueError as error:
        raise NetworkError("This is no file of Matrix.") from error
    raw = await connection.get_file(f"{DOWNLOAD}/{quote(kept.server, safe='')}/{quote(kept.media, safe='')}", most)
    lock = kept.lock
    if lock is None:
        return raw
    try:
        return await asyncio.to_thread(decrypt_attachment, raw, lock.key, lock.sha256, lock.iv)
    except (EncryptionError, ValueError) as error:
        raise NetworkError(f"A file cannot be opened: {error}") from error
