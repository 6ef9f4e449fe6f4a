"""What people write in the places of a channel, and what is queued for the others: its tests stand on it."""

import contextlib
import dataclasses
from collections.abc import Sequence

from bot.bridge import Health
from bot.channels import Channel, Channels
from bot.store import Store, Tx, inbox, outbox
from bot.store.outbox import Queued
from bot.words import packed
from bot.words.document import Block, Enclosed, Reacts, TakenBack
from bot.words.message import Change, Lane, Message, Moved, Place, Post, Reaction, Standing
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
WHOLE = Place("zulip", "4/*")
MAIN = Place("zulip", "4/lab")
"""That of its topics which is the main one of a channel that is called lab."""
TOPICAL = (MATRIX, OTHER, WHOLE, MQTT)
"""Places with threads, one with topics, and a flat one."""
NAMES = ("olga", "otto")
PEOPLE = People(
    tuple(Person(name, Role.OPERATOR, frozenset(Account(place.network, name) for place in PLACES)) for name in NAMES)
)


def is_encrypted(place: Place) -> bool:
    return place.network == "matrix"


def is_threaded(place: Place) -> bool:
    return place.network == "matrix"


def how(place: Place) -> Standing:
    """How what is said there usually is."""
    return Standing.ATTESTED if is_encrypted(place) else Standing.NAMED


class DiskError(Exception):
    """A disk that does not take a commit."""


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


@dataclasses.dataclass(slots=True)
class Stands:
    """Something that the bot has said, as people see it now."""

    place: Place
    words: str
    thread: str | None
    """The event that the thread begins with in which it stands."""
    answers: str | None


class Talk:
    """One channel of four places, and what people do in them."""

    def __init__(
        self, store: Store, *, share: bool = False, lab: Channel | None = None, others: Sequence[Channel] = ()
    ) -> None:
        self.store = store
        self.time = 0.0
        self._number = 0
        self.lab = lab or Channel("lab", PLACES, share_encrypted=share)
        alone = Channel("alone", (ALONE,))
        self.channels = Channels(
            [self.lab, alone, *others],
            PEOPLE,
            is_encrypted=is_encrypted,
            is_threaded=is_threaded,
            clock=lambda: self.time,
        )
        self.there: dict[str, Stands] = {}
        """By event, what the networks have of the bot."""
        self.shown: dict[str, tuple[str, str]] = {}
        """By event, beside what the bot shows something."""

    def message(
        self,
        words: str,
        place: Place = ZULIP,
        who: str = "olga",
        standing: Standing | None = None,
        *,
        replies_to: str = "",
        thread: str = "",
        topic: str = "",
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
            thread=thread,
            topic=topic,
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
        moves: Sequence[Moved] = (),
        network: str = "",
        tries: int = 1,
    ) -> None:
        """One batch of one network comes. The disk takes it at the last of so many tries."""
        first = next(iter([*messages, *changes, *reactions, *moves]))
        network = network or first.place.network

        def write(tx: Tx) -> None:
            inbox.accept(tx, network, messages, "c", changes, moves)
            self.channels.take_in(tx, network, messages, changes, reactions, moves)

        def fail(tx: Tx) -> None:
            write(tx)
            raise DiskError

        for _ in range(tries - 1):
            with contextlib.suppress(DiskError):
                await self.store.write(fail)
        await self.store.write(write)
        for moved in moves:
            for event, each in self.there.items():
                if each.place == moved.place and (moved.is_whole or event in moved.events):
                    each.place = moved.to

    async def moves(
        self,
        place: Place,
        to: Place,
        *events: str,
        messages: Sequence[Message] = (),
        is_whole: bool = False,
        topic: str = "",
        tries: int = 1,
        changes: Sequence[Change] = (),
    ) -> None:
        """Messages stand elsewhere. Those of which the words are told are told as they stand there."""
        told = tuple(dataclasses.replace(each, place=to) for each in messages)
        ones = (*events, *(each.event for each in told))
        moved = Moved(place, to, ones, is_whole=is_whole, topic=topic, messages=told)
        await self.takes(moves=[moved], changes=changes, tries=tries)

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
        self._stands(head, event)
        await self.store.write(lambda tx: outbox.sent(tx, head.row, event))
        return event

    def _stands(self, head: Queued, event: str) -> None:
        """As a network would have it."""
        match packed.load(head.stored).blocks:
            case (TakenBack(),):
                self.there.pop(event, None)
            case (Reacts(emoji, gone=gone),):
                if gone:
                    self.shown.pop(event, None)
                else:
                    assert head.reply_to is not None, "it is shown beside something"
                    assert event not in self.shown, "it is shown there once"
                    self.shown[event] = head.reply_to, emoji
            case _ if event in self.there:
                self.there[event].words = to_plain(packed.load(head.stored))
            case _:
                words = to_plain(packed.load(head.stored))
                self.there[event] = Stands(head.place, words, head.thread, head.reply_to)

    async def all_sent(self) -> None:
        """Have all that waits anywhere be said."""
        networks = sorted({place.network for place in (*PLACES, ALONE)})
        while heads := [
            each
            for network in networks
            for each in await self.store.read(lambda tx, network=network: outbox.heads(tx, network, [], 99))
        ]:
            for head in heads:
                await self._confirmed(head)

    async def stands(self, place: Place) -> list[tuple[str, str]]:
        """What the bot has said there, once all is said: with what its thread begins, and the words. No beginnings."""
        await self.all_sent()
        roots = {each.thread for each in self.there.values()} | await self._beginnings()
        return [
            (self.there[each.thread].words if each.thread else "", each.words)
            for event, each in self.there.items()
            if each.place == place and event not in roots
        ]

    async def beginnings(self, place: Place) -> list[str]:
        """With what the threads of topics begin there, once all is said."""
        await self.all_sent()
        events = await self._beginnings()
        return [each.words for event, each in self.there.items() if event in events and each.place == place]

    async def thread(self, place: Place, topic: str) -> str:
        """The event that the thread of a topic begins with there, once all is said."""
        await self.all_sent()
        named = str(Place("zulip", f"4/{topic}"))
        sql = "SELECT event FROM thread WHERE network = ? AND place = ? AND topic = ?"
        return await self.store.read(lambda tx: tx.execute(sql, (place.network, place.id, named)).fetchone()[0])

    async def _beginnings(self) -> set[str]:
        return await self.store.read(lambda tx: {event for (event,) in tx.execute("SELECT event FROM thread")})

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
