"""The Matrix bridge as its entry point offers it. It is imported only where `[matrix]` is configured."""

from bot.bridge import Plugin, Topics
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.examining import examine
from bridges.matrix.settings import MatrixSettings

plugin = Plugin(
    settings=MatrixSettings,
    open=MatrixBridge,
    examine=examine,
    place_mistake=lambda place: (
        "" if place.id.startswith("!") else "must be a room's id, such as matrix:!abc:example.org"
    ),
    is_encrypted=lambda section, place: place.id not in section.unencrypted_rooms,
    topics=Topics.THREADS,
)

__all__ = ["plugin"]
