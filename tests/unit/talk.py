"""What people write in the places of a channel, and what is queued for the others: its tests stand on it."""

from collections.abc import Sequence

from bot.bridge import Health
from bot.channels import Channel, Channels
from bot.store import Store, inbox, outbox
from bot.store.outbox import Queued
from bot.words import packed
from bot.words.document import Block, Enclosed, Reacts
from bot.words.message import Change, Lane, Message, Place, Post, Reaction, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain

MATRIX, OTHER, ZULIP, MQTT = (
    Place("matrix", "!lab:here"),
    Place("matrix", "!other:here"),
    Place("zulip", "5/lab"),
    Place("mqtt", "chat/lab"),
)
PLACES = (MATRIX, OTHER, ZULIP, MQTT)
ALONE = Place("zulip", "9/alone")
NAMES = ("olga", "otto")
PEOPLE = People(
    tuple(Person(name, Role.OPERATOR, frozenset(Account(place.network, name) for place in PLACES)) for name in NAMES)
)


def is_encrypted(place: Place) -> bool:
    return place.network == "matrix"


def how(place: Place) -> Standing:
    """How what is said there usually is."""
    return Standing.ATTESTED if is_encrypted(place) else Standing.NAMED


class Silent:
    """A bridge to a network that takes all posts, and keeps no files."""

    def __init__(self) -> None:
        self.said: list[Post] = []

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None: ...

    async def send(self, post: Post, *, key: str) -> str:
        self.said.append(post)
        return key


class Talk:
    """One channel of four places, and what people do in them."""

    def __init__(self, store: Store, *, share: bool = False, lab: Channel | None = None) -> None:
        self.store = store
        self.time = 0.0
        self._number = 0
        self.lab = lab or Channel("lab", PLACES, share_encrypted=share)
        alone = Channel("alone", (ALONE,))
        self.channels = Channels([self.lab, alone], PEOPLE, is_encrypted=is_encrypted, clock=lambda: self.time)

    def message(
        self,
        words: str,
        place: Place = ZULIP,
        who: str = "olga",
        standing: Standing | None = None,
        *,
        replies_to: str = "",
        age_s: float = 0.0,
        files: Sequence[Enclosed] = (),
        called: str = "",
        apart: bool = False,
        planned_by: str = "",
    ) -> Message:
        """What somebody writes, as its network brings it."""
        self._number += 1
        return Message(
            place,
            Account(place.network, who),
            f"${self._number}",
            words,
            standing or how(place),
            "",
            1,
            age_s,
            replies_to=replies_to,
            files=tuple(files),
            called=called,
            apart=apart,
            planned_by=planned_by,
        )

    async def takes(
        self,
        *messages: Message,
        changes: Sequence[Change] = (),
        reactions: Sequence[Reaction] = (),
        network: str = "",
    ) -> None:
        """One batch of one network comes."""
        first = next(iter([*messages, *changes, *reactions]))
        network = network or first.place.network

        def write(tx: object) -> None:
            inbox.accept(tx, network, messages, "c", changes)  # pyright: ignore[reportArgumentType] - it is one
            self.channels.take_in(tx, network, messages, changes, reactions)  # pyright: ignore[reportArgumentType]

        await self.store.write(write)

    async def says(self, words: str, place: Place = ZULIP, who: str = "olga", **more: object) -> str:
        """Somebody writes something. Returns its event."""
        message = self.message(words, place, who, **more)  # pyright: ignore[reportArgumentType] - as there
        await self.takes(message)
        return message.event

    async def changes(
        self,
        event: str,
        place: Place = ZULIP,
        who: str = "olga",
        words: str = "",
        standing: Standing | None = None,
    ) -> None:
        """It is edited, or taken back where there are no words."""
        await self.takes(changes=[change(event, place, who, words, standing)])

    async def shows(self, emoji: str, event: str, place: Place = ZULIP, who: str = "olga", *, own: str = "") -> str:
        """Somebody shows something beside a message. Returns the network's id of that."""
        self._number += 1
        own = own or f"own {self._number}"
        await self.takes(reactions=[Reaction(place, event, Account(place.network, who), emoji, own)])
        return own

    async def hides(self, own: str, place: Place = ZULIP) -> None:
        """It is shown no more."""
        await self.takes(reactions=[Reaction(place, "", Account(place.network, "olga"), "", own, gone=True)])

    async def posts(self, place: Place) -> list[str]:
        """All that is queued there."""
        sql = "SELECT document FROM outbox WHERE network = ? AND place = ? AND document <> x'' ORDER BY id"
        rows = await self.store.read(lambda tx: tx.execute(sql, (place.network, place.id)).fetchall())
        return [to_plain(packed.load(stored)) for (stored,) in rows]

    async def blocks(self, place: Place) -> list[Block]:
        """The first block of each post that waits there."""
        sql = "SELECT document FROM outbox WHERE network = ? AND place = ? AND state = 'waiting' ORDER BY id"
        rows = await self.store.read(lambda tx: tx.execute(sql, (place.network, place.id)).fetchall())
        return [packed.load(stored).blocks[0] for (stored,) in rows]

    async def reactions(self, place: Place) -> list[Reacts]:
        """What the bot is to show there, or to show no more."""
        return [block for block in await self.blocks(place) if isinstance(block, Reacts)]

    async def heard(self, place: Place) -> list[str]:
        """What was said there, each as it stands there now, in its order."""
        rows = await self.store.read(
            lambda tx: tx.execute(
                "SELECT subject, document FROM outbox WHERE network = ? AND place = ? ORDER BY id",
                (place.network, place.id),
            ).fetchall()
        )
        return list({subject: to_plain(packed.load(stored)) for subject, stored in rows if stored}.values())

    async def head(self, place: Place) -> Queued | None:
        """What is first in line there."""
        heads = await self.store.read(lambda tx: outbox.heads(tx, place.network, [], 99))
        return next((each for each in heads if each.place == place), None)

    async def sent(self, place: Place) -> list[tuple[str, str | None]]:
        """Have all that waits there be said. The events, and what each answers."""
        said: list[tuple[str, str | None]] = []
        while head := await self.head(place):
            said.append((await self._confirmed(head), head.reply_to))
        return said

    async def says_next(self, place: Place) -> Queued:
        """The first in line is said."""
        head = await self.head(place)
        assert head is not None
        await self._confirmed(head)
        return head

    async def _confirmed(self, head: Queued) -> str:
        event = head.edits or f"{head.place.id} {head.row}"
        await self.store.write(lambda tx: outbox.sent(tx, head.row, event))
        return event

    async def refused(self, place: Place) -> None:
        """The network refuses the first in line for good."""
        head = await self.head(place)
        assert head is not None
        await self.store.write(lambda tx: outbox.failed(tx, head.row, "The bot is not in the room."))

    async def lanes(self, place: Place) -> list[Lane]:
        sql = "SELECT lane FROM outbox WHERE network = ? AND place = ? ORDER BY id"
        rows = await self.store.read(lambda tx: tx.execute(sql, (place.network, place.id)).fetchall())
        return [Lane(lane) for (lane,) in rows]


def change(
    event: str, place: Place = ZULIP, who: str = "olga", words: str = "", standing: Standing | None = None
) -> Change:
    """An edit, or a removal where there are no words."""
    account = Account(place.network, who)
    return Change(place, event, account, removed=not words, text=words, standing=standing or how(place))


def a_file(name: str = "plan.pdf", *, size: int = 3, type_: str = "application/pdf") -> Enclosed:
    """One that somebody has sent."""
    return Enclosed("zulip", f"/user_uploads/{name}", name, size, type_)
