"""Where things may be said in clear, before anything is said."""

from nio import MatrixRoom

from bridges.matrix.clear import ClearRooms

BOT = "@tocsin:example.org"
HALL = "!hall:example.org"


def test_in_clear_are_named_rooms_without_encryption_and_no_others() -> None:
    clear = ClearRooms([HALL])
    assert clear.has(MatrixRoom(HALL, BOT))
    assert not clear.has(MatrixRoom(HALL, BOT, encrypted=True))
    assert not clear.has(MatrixRoom("!yard:example.org", BOT))
    assert not ClearRooms().has(MatrixRoom(HALL, BOT))


def test_a_room_that_was_seen_encrypted_is_never_in_clear_again() -> None:
    clear = ClearRooms([HALL])
    clear.look({HALL: MatrixRoom(HALL, BOT)})
    assert clear.has(MatrixRoom(HALL, BOT))
    clear.look({HALL: MatrixRoom(HALL, BOT, encrypted=True)})
    clear.look({HALL: MatrixRoom(HALL, BOT)})
    assert not clear.has(MatrixRoom(HALL, BOT))
