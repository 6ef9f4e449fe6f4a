"""Rooms without encryption in which things may be said in clear. Where encryption was ever seen, nothing is."""

from collections.abc import Iterable, Mapping

from nio import MatrixRoom


class ClearRooms:
    """The rooms that the file names, without those that turned out to be encrypted.

    It lives as long as the process: nothing that a homeserver says later brings one back.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._rooms = {*named}

    def has(self, room: MatrixRoom) -> bool:
        """Whether things may be said in clear here."""
        return not room.encrypted and room.room_id in self._rooms

    def look(self, rooms: Mapping[str, MatrixRoom]) -> None:
        """Look whether any of them is encrypted by now."""
        for name in [name for name in self._rooms if name in rooms and rooms[name].encrypted]:
            self.close(name)

    def close(self, room: str) -> None:
        """Somebody has shown that a room is encrypted."""
        self._rooms.discard(room)
