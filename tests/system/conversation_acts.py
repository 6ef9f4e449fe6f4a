"""What people on three networks do at random, also while one of the servers is away, and what must stand where then."""

import dataclasses
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.system.conversation import GONE, MAIN, SIGNS, Item, Seen, Talker, View, known
from tests.system.conversation_matrix import OnMatrix
from tests.system.conversation_mqtt import NAMELESS
from tests.system.conversation_zulip import OnZulip

TOPICS = 3
"""So many beside the main one."""
KINDS = (
    ("write",) * 5 + ("edit",) * 4 + ("reply",) * 3 + ("react",) * 3 + ("remove",) * 2 + ("upload", "rename", "move")
)
LATELY = 10
"""So far back somebody changes what was said."""
BOT = "bot"


@dataclasses.dataclass(frozen=True)
class Mortal:
    """What can die and live again."""

    name: str
    kill: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[None]]


@dataclasses.dataclass
class Talk:
    """All of them, and what they have said."""

    alice: OnMatrix
    bob: OnZulip
    carol: OnZulip
    dave: Talker
    channel: int
    """That in Zulip."""
    tell: Callable[[str], None]
    """What is done is told, for whoever looks for a fault."""
    items: list[Item] = dataclasses.field(default_factory=list[Item])
    topics: list[str] = dataclasses.field(default_factory=list[str])
    """Those in Zulip, but for the main one."""
    down: set[str] = dataclasses.field(default_factory=set[str])
    """The networks whose servers are away; the bot, where it is."""

    @property
    def talkers(self) -> Sequence[Talker]:
        """Everybody."""
        return (self.alice, self.bob, self.carol, self.dave)

    @property
    def viewers(self) -> Sequence[Talker]:
        """One on each network."""
        return (self.alice, self.bob, self.dave)

    async def act(self, chance: random.Random) -> None:
        """Somebody whose own server is there does something, as chance has it."""
        kind = chance.choice(KINDS)
        talker = chance.choice([each for each in self.talkers if each.network not in self.down])
        there = await self._known_to(talker)
        mine = [each for each in there if each.author == talker.name][-LATELY:]
        if kind == "rename":
            await self.rename(chance)
        elif kind == "move":
            await self.move(chance)
        elif kind == "edit" and mine:
            item = chance.choice(mine)
            item.words, item.edits = f"{talker.name} means {chance.randrange(10**6)}", item.edits + 1
            self.tell(f"{item.text}, by edit {item.edits}")
            await talker.edit(item)
        elif kind == "remove" and mine:
            item = chance.choice(mine)
            item.removed = True
            self.tell(f"[{item.number}] is taken back")
            await talker.remove(item)
        elif kind == "react" and there and talker is not self.dave:
            await self._react(talker, chance.choice(there[-LATELY:]), chance.choice(list(SIGNS)))
        else:
            item = Item(len(self.items), talker.name, talker.network, f"{talker.name} says {chance.randrange(10**6)}")
            item.file = b"in file %d" % item.number if kind == "upload" and talker is not self.dave else None
            # A bot that died in the midst of saying something does not know yet how its network calls that.
            may_reply = kind == "reply" and there and BOT not in self.down
            item.replies_to = chance.choice(there) if may_reply else None
            item.topic = item.replies_to.topic if item.replies_to else self.topic_of(talker, chance)
            await self._say(talker, item)

    async def last_words(self) -> None:
        """Everybody says one more thing, everywhere."""
        for topic in (MAIN, *self.topics):
            before: Item | None = None
            for talker in (self.bob, self.carol, self.alice, self.dave):
                item = Item(len(self.items), talker.name, talker.network, f"the last of {talker.name}", topic=topic)
                item.replies_to = before if talker is self.dave and topic != MAIN else None
                await self._say(talker, item)
                before = item

    async def _say(self, talker: Talker, item: Item) -> None:
        item.head, item.topics = talker.head, {item.topic}
        self.items.append(item)
        answers = f", to [{item.replies_to.number}]" if item.replies_to else ""
        self.tell(f"{item.text}, in {item.topic}{answers}, {len(item.file or b'')} bytes of a file, as {item.head}")
        item.own = await talker.write(item)

    async def _react(self, talker: Talker, item: Item, sign: str) -> None:
        self.tell(f"{talker.name} shows {sign} beside [{item.number}], or no more")
        if (own := item.signs.pop((talker.name, sign), None)) is not None:
            await talker.show_no_more(item, sign, own)
        else:
            item.signs[talker.name, sign] = await talker.show(item, sign)

    async def _known_to(self, talker: Talker) -> list[Item]:
        """What they can do something with; nobody waits for what comes when a server is back."""
        there = [each for each in self.items if not each.removed]
        if not self.down:
            return there[-2 * LATELY :]
        return [each for each in there[-LATELY:] if talker.reaches(each.topic) and await talker.finds(each) is not None]

    def topic_of(self, talker: Talker, chance: random.Random) -> str:
        """Where one of them begins to speak. Topics are begun in Zulip, and dave has none."""
        if talker is self.dave or chance.random() < 1 / 3:
            return MAIN
        if talker.network == "zulip" and len(self.topics) < TOPICS:
            self.topics.append(f"topic {len(self.topics)}")
            return self.topics[-1]
        # What is taken back at once begins no thread.
        begun = {each.topic for each in self.items if each.network == "zulip" and not each.removed}
        there = [each for each in self.topics if talker.reaches(each) or (each in begun and not self.down)]
        return chance.choice(there or [MAIN])

    async def move(self, chance: random.Random) -> None:
        """A topic in Zulip is called otherwise, or one of bob's messages stands in another one."""
        mine = [each for each in self.items if each.author == "bob" and not each.removed and each.topic != MAIN]
        if not mine or "zulip" in self.down:
            return
        item, before = chance.choice(mine), ""
        if chance.random() < 1 / 2:
            before, now = item.topic, f"topic {chance.randrange(10**6)}"
            self.topics = [now if each == before else each for each in self.topics]
            for each in self.items:
                if each.topic == before:
                    each.topic = now
                    each.topics.add(now)
            await self._move(item, now, "change_all")
        elif len(self.topics) > 1 and not self.down:
            for each in self.items:  # an answer goes where what it answers is when it is heard
                if each.replies_to is item and not each.removed:
                    await known(self.bob, each)
            item.topic = chance.choice([each for each in self.topics if each != item.topic])
            item.topics.add(item.topic)
            item.was_moved = True
            await self._move(item, item.topic, "change_one")
            await self.alice.sees_in(item.topic, item)

    async def _move(self, item: Item, topic: str, mode: str) -> None:
        self.tell(f"[{item.number}] moves to {topic}: {mode}")
        await self.carol.ask("PATCH", f"/messages/{item.own}", {"topic": topic, "propagate_mode": mode})

    async def rename(self, chance: random.Random) -> None:
        """Somebody, or the channel in Zulip, is called otherwise from now on."""
        name = f"called {chance.randrange(10**6)}"
        who = chance.choice([None, *self.talkers])
        if who is None:
            if "zulip" not in self.down:
                self.tell(f"the channel is {name}")
                await self.carol.ask("PATCH", f"/streams/{self.channel}", {"new_name": name})
        elif who.network not in self.down and not (who is self.carol and self.down):
            name = chance.choice([name, NAMELESS, "alice", "dave"]) if who is self.dave else name
            self.tell(f"{who.name} is {name}")
            if who is self.carol:
                await self._all_heard_of(who)
            await who.rename(name)

    async def _all_heard_of(self, who: Talker) -> None:
        """A network tells how somebody is called now, also of what they said before and nobody has heard yet."""
        mine = [each for each in self.items if each.author == who.name and not each.removed]
        if mine:
            await known(self.alice, mine[-1])

    def expected(self, viewer: Talker) -> View:
        """What must be seen on a network."""
        others = [each.name for each in self.talkers if each.network != viewer.network]
        copies = {
            each.number: self._copy(each, viewer, others) for each in self.items if each.network != viewer.network
        }
        own = [each for each in self.items if each.network == viewer.network and not each.removed]
        return View(copies, {each.number: each.shown_by(*others) for each in own})

    def _copy(self, item: Item, viewer: Talker, others: Sequence[str]) -> Seen:
        head, files, topics = item.head, () if item.file is None else (item.file,), frozenset({item.topic})
        if viewer is self.dave:
            # A payload is as it was when it was published, names its files, and takes no chosen name for proven.
            head = head.replace(")", ", unproven)") if item.author == self.carol.name else head
            files, topics = () if item.file is None else (item.name.encode(),), frozenset(item.topics)
        answers = (GONE if item.replies_to.removed else item.replies_to.number) if item.replies_to else None
        text = "" if item.removed else item.copied
        return Seen(1, frozenset({head}), text, item.shown_by(*others), answers, files, topics)

    def disorder(self, viewer: Talker, order: Sequence[tuple[str, int]]) -> list[str]:
        """What is seen before what its author has said earlier there."""
        found: list[str] = []
        last: dict[tuple[str, str], int] = {}
        for topic, number in order:
            item = self.items[number]
            if item.was_moved or item.removed:
                continue
            if number < last.get((topic, item.author), -1):
                found.append(f"{viewer.name} sees {number} behind {last[topic, item.author]} in {topic}")
            last[topic, item.author] = max(number, last.get((topic, item.author), -1))
        return found


def unlike(seen: Mapping[int, object], expected: Mapping[int, object]) -> dict[int, object]:
    """What is otherwise than it should be."""
    return {each: (seen.get(each), wanted) for each, wanted in expected.items() if seen.get(each) != wanted}
