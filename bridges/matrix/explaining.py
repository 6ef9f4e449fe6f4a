"""Who in a room can read the bot, who can be read by it, and why not. It looks only at what is known already."""

from collections.abc import Iterable, Iterator

from nio import MatrixRoom

from bot.bridge import Reach
from bot.words.people import Account, People
from bridges.matrix.connection import Connection
from bridges.matrix.reading import NETWORK
from bridges.matrix.trust import Trust
from bridges.matrix.withheld import Withheld

UNSIGNED = "its owner has not signed it", "verify it from another device of theirs"
NO_IDENTITY = (
    "its owner has no cross-signing identity",
    "set one up in the app: it asks for it when one verifies a device",
)
NO_DEVICE = "no device that encrypts is known", "log in with an app that encrypts"
NOT_TOLD = "the homeserver has not told their keys yet", "wait for the next message here"
NOT_LISTED = "not listed, and this is a control room", "list them in the file, or name the room in open_rooms there"
NOT_IN = "not listed, and has not come in yet", "come in"
OUR_ID = "bears the id of the bot's own device", "log it in anew"
NO_KEYS = "it had no one-time keys when the key was shared", "open its app, then wait for the next message here"


class Explainer:
    """Looks at what is known of a room and of the people in it."""

    def __init__(self, connection: Connection, trust: Trust, withheld: Withheld, people: People) -> None:
        self._connection = connection
        self._trust = trust
        self._withheld = withheld
        self._people = people

    def reach(self, name: str) -> list[Reach] | None:
        """All devices in a room, those of listed people first; nothing where the bot is not in it."""
        room = self._connection.client.rooms.get(name)
        if room is None:
            return None
        others = sorted(room.users.keys() - {self._connection.login.user})
        return [
            each
            for user in sorted(others, key=lambda user: not self._trust.counts(user))
            for each in (*self._reading(room, user), *self._kept_back(name, user))
        ]

    def _reading(self, room: MatrixRoom, user: str) -> Iterator[Reach]:
        if self._trust.clear.has(room):
            return iter([_reach(user, "")])
        if self._trust.counts(user):
            return self._of_listed(room, user)
        if (person := self._people.owner_of(Account(NETWORK, user))) is not None:
            back = f"!person resume {person.name}, by two persons"
            return iter([_reach(user, "", ("suspended", back))])
        if not self._trust.guests.is_open(room.room_id):
            return iter([_reach(user, "", NOT_LISTED)])
        if room.users[user].invited:
            return iter([_reach(user, "", NOT_IN)])
        return self._of_guest(room.room_id, user)

    def _of_listed(self, room: MatrixRoom, user: str) -> Iterator[Reach]:
        judged = self._trust.judged(user)
        if judged is None:
            yield _reach(user, "", NOT_TOLD)
            return
        key = self._connection.olm.outbound_group_sessions.get(room.room_id)
        for device in sorted(each.id for each in judged.trusted):
            if device == self._connection.login.device:
                yield _reach(user, device, OUR_ID)
            elif key is not None and key.shared and (user, device) not in key.users_shared_with:
                yield _reach(user, device, NO_KEYS)
            else:
                yield _reach(user, device)
        why = UNSIGNED if judged.holds else NO_IDENTITY
        if judged.holds is False:
            person = self._people.owner_of(Account(NETWORK, user))
            assert person is not None  # noqa: S101 - whoever counts is listed
            why = "the identity has changed", f"!trust renew {person.name}, by two persons"
        yield from _of_refused(user, judged.refused, why, alone=not judged.trusted)

    def _of_guest(self, room: str, user: str) -> Iterator[Reach]:
        guests = self._trust.guests
        seen = guests.seen(user)
        if seen is None:
            yield _reach(user, "", NOT_TOLD)
            return
        spoken = room in self._connection.olm.outbound_group_sessions
        for device in sorted(seen.signed):
            lacks = spoken and not guests.has_key(room, (user, device))
            yield _reach(user, device, NO_KEYS if lacks else None)
        yield from _of_refused(user, seen.unsigned, UNSIGNED, alone=not seen.signed)

    def _kept_back(self, room: str, user: str) -> Iterator[Reach]:
        """What the app of somebody has said of keys that it keeps from the bot, if its device can still be there."""
        if (latest := self._withheld.latest(user, room)) is None:
            return
        sender_key, cause = latest
        device = self._trust.device_with(user, sender_key)
        if device is None and self._trust.judged(user) is not None:
            return
        remedy = cause.remedy.removesuffix(".")
        why = f"of keys that it kept from the bot lately, its app says that {cause.what}"
        yield Reach(Account(NETWORK, user), device or "", reads=True, is_read=False, why=why, remedy=remedy)


def _of_refused(user: str, devices: Iterable[str], why: tuple[str, str], *, alone: bool) -> Iterator[Reach]:
    refused = sorted(devices)
    if not refused and alone:
        yield _reach(user, "", NO_DEVICE)
    for device in refused:
        yield _reach(user, device, why)


def _reach(user: str, device: str, why: tuple[str, str] | None = None) -> Reach:
    what, remedy = why or ("", "")
    return Reach(Account(NETWORK, user), device, reads=why is None, is_read=True, why=what, remedy=remedy)
