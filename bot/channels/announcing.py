"""Says in encrypted rooms from when on what is said there goes to places that are not, and from when on not.

What is kept back in them has words here, too: who links places, or looks at them, must not believe that it goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.channels.channel import Channel
from bot.store import Tx, audit, keychain, outbox
from bot.words.document import Text, Tone, document, mono, strong, text
from bot.words.message import Lane, Place, Post

ROLE, EACH = "what leaves a room", "what leaves it for a place"
IsEncrypted = Callable[[Place], bool]


def announce(tx: Tx, channels: Iterable[Channel], is_encrypted: IsEncrypted) -> None:
    """Tell each room where that has changed since it was told."""
    leaks = {room: clear for channel in channels for room, clear in _leaks(channel, is_encrypted).items()}
    digests = {str(room): audit.digest(" ".join(map(str, clear))) for room, clear in leaks.items()}
    new, gone = keychain.note_keys(tx, ROLE, digests)
    keychain.note_keys(tx, EACH, {_way(room, each): "told" for room, clear in leaks.items() for each in clear})
    for room, clear in leaks.items():
        if str(room) in new:
            words = text(
                strong("From now on what is said here is passed on", Tone.WARN), f" in clear, to: {_names(clear)}"
            )
            outbox.queue(tx, Post(room, document(words), Lane.ALERT))
    for name in gone.keys() - new.keys():
        room = Place.parse(name)
        words = text("What is said here is not passed on in clear any more.")
        outbox.queue(tx, Post(room, document(words), Lane.ALERT))


def was_told(tx: Tx, room: Place, place: Place, said_s: float) -> bool:
    """Whether people had been told that it goes there when they said it. Who tells nobody of it has told them."""
    since = keychain.known_since(tx, EACH, _way(room, place))
    return since is None or said_s >= since


def kept_back(channel: Channel, is_encrypted: IsEncrypted) -> Mapping[Place, Sequence[Place]]:
    """The encrypted places of which no words go to some that are not, and to which: the channel does not share them."""
    return {} if channel.share_encrypted else _in_clear(channel, is_encrypted)


def stays(channel: Channel, kept: Mapping[Place, Sequence[Place]], *, in_file: bool) -> Text:
    """What is kept back, and what to do about it. Where the file has no such channel, one place of it is enough."""
    room, clear = next(iter(kept.items()))  # all of them go to the same places: none of those is encrypted
    section, share = mono(f"[channels.{channel.name}]"), mono("share_encrypted = true")
    to_write = (
        (share, " into ", section, " of")
        if in_file
        else (section, " with ", mono(f'places = ["{room}"]'), " and ", share, " into")
    )
    return text(
        strong("Not passed on", Tone.WARN),
        f": what is said in {_names(kept)} does not go to {_names(clear)}, because it is encrypted.",
        " To have it go there in clear, write ",
        *to_write,
        " the configuration, and then: ",
        mono("tocsin reload"),
    )


def _leaks(channel: Channel, is_encrypted: IsEncrypted) -> Mapping[Place, Sequence[Place]]:
    """The encrypted places of which words go to places that are not, and to which."""
    return _in_clear(channel, is_encrypted) if channel.share_encrypted else {}


def _in_clear(channel: Channel, is_encrypted: IsEncrypted) -> Mapping[Place, Sequence[Place]]:
    """The encrypted places, and those that are not and hear them, if the channel shares what is encrypted."""
    rooms = [place for place in channel.places if is_encrypted(place)]
    clear = {room: [each for each in channel.takers(room) if not is_encrypted(each)] for room in rooms}
    return {room: places for room, places in clear.items() if places}


def _way(room: Place, place: Place) -> str:
    return f"{room} {place}"


def _names(places: Iterable[Place]) -> str:
    return ", ".join(map(str, places))
