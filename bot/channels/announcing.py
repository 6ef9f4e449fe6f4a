"""Says in encrypted rooms from when on what is said there goes to places that are not, and from when on not."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.channels.channel import Channel
from bot.store import Tx, audit, keychain, outbox
from bot.words.document import Tone, document, strong, text
from bot.words.message import Lane, Place, Post

ROLE = "what leaves a room"
IsEncrypted = Callable[[Place], bool]


def announce(tx: Tx, channels: Iterable[Channel], is_encrypted: IsEncrypted) -> None:
    """Tell each room where that has changed since it was told."""
    leaks = {room: clear for channel in channels for room, clear in _leaks(channel, is_encrypted).items()}
    digests = {str(room): audit.digest(" ".join(map(str, clear))) for room, clear in leaks.items()}
    new, gone = keychain.note_keys(tx, ROLE, digests)
    for room, clear in leaks.items():
        if str(room) in new:
            names = ", ".join(map(str, clear))
            words = text(strong("From now on what is said here is passed on", Tone.WARN), f" in clear, to: {names}")
            outbox.queue(tx, Post(room, document(words), Lane.ALERT))
    for name in gone.keys() - new.keys():
        room = Place.parse(name)
        words = text("What is said here is not passed on in clear any more.")
        outbox.queue(tx, Post(room, document(words), Lane.ALERT))


def _leaks(channel: Channel, is_encrypted: IsEncrypted) -> Mapping[Place, Sequence[Place]]:
    """The encrypted places of which words go to places that are not, and to which."""
    if not channel.share_encrypted:
        return {}
    rooms = [place for place in channel.places if is_encrypted(place)]
    clear = {room: [each for each in channel.takers(room) if not is_encrypted(each)] for room in rooms}
    return {room: places for room, places in clear.items() if places}
