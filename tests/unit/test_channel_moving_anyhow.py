"""Whatever is said, edited, moved and taken back: in the end each message stands once where it should, as it is now."""

import dataclasses
import itertools
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.channels import Channel
from bot.store import Store
from bot.words.message import Message, Moved, Place
from tests.unit.talk import MAIN, MATRIX, MQTT, OTHER, TOPICAL, Talk, change

TOPICS = (MAIN, Place("zulip", "4/cold"), Place("zulip", "4/warm"))
NUMBERS = itertools.count()


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that happens. What is not possible just then does not happen."""

    what: str
    topic: Place
    number: int
    is_together: bool
    """The step comes in one batch with the one that is its like."""
    tries: int


STEPS = st.builds(
    Step,
    st.sampled_from(["say", "say", "say in the room", "edit", "move", "move", "take back", "send"]),
    st.sampled_from(TOPICS),
    st.integers(0, 9),
    st.booleans(),
    st.integers(1, 2),
)


@dataclasses.dataclass
class Known:
    """A message as it ought to stand."""

    message: Message
    topic: Place
    """The topic that it is of, or in which its copy stands."""
    begun: Place
    """The topic in whose thread it stands in the rooms."""
    is_gone: bool = False


class Conversation:
    """What happens, and what ought to come of it."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.known: list[Known] = []
        self._versions = itertools.count()

    async def step(self, step: Step) -> None:
        self.talk.time += 60
        if step.what.startswith("say"):
            await (self._say(step) if step.what == "say" else self._say_in_the_room(step))
        elif step.what == "send":
            for place in (*TOPICAL, *TOPICS):
                for _ in range(step.number):
                    if await self.talk.head(place) is not None:
                        await self.talk.says_next(place)
        elif (there := [each for each in self.known if not each.is_gone]) and step.what == "edit":
            await self._edit(there[step.number % len(there)], step)
        elif there and step.what == "move":
            await self._move(there[step.number % len(there)], step)
        elif there:
            one = there[step.number % len(there)]
            one.is_gone = True
            await self.talk.takes(changes=[change(one.message.event, one.message.place)], tries=step.tries)

    def _words(self) -> str:
        return f"words {next(self._versions)}."

    async def _say(self, step: Step) -> None:
        message = self.talk.message(self._words(), step.topic)
        one = Known(message, step.topic, step.topic)
        self.known.append(one)
        if not step.is_together:
            await self.talk.takes(message, tries=step.tries)
            return
        to = TOPICS[step.number % len(TOPICS)]
        now = dataclasses.replace(message, place=to, text=self._words())
        moves = [Moved(step.topic, to, (message.event,), messages=(now,))] if to != step.topic else []
        edits = [change(message.event, to, words=now.text)]
        await self.talk.takes(message, moves=moves, changes=edits, tries=step.tries)
        one.message, one.topic, one.begun = now, to, to

    async def _say_in_the_room(self, step: Step) -> None:
        sql = "SELECT event FROM thread WHERE place = ? AND topic = ?"
        found = await self.talk.store.read(lambda tx: tx.execute(sql, (MATRIX.id, str(step.topic))).fetchone())
        thread = found[0] if found is not None else ""
        topic = step.topic if thread else MAIN
        message = self.talk.message(self._words(), MATRIX, thread=thread)
        self.known.append(Known(message, topic, topic))
        await self.talk.takes(message, tries=step.tries)

    async def _edit(self, one: Known, step: Step) -> None:
        one.message = dataclasses.replace(one.message, text=self._words())
        edit = change(one.message.event, one.message.place, words=one.message.text)
        await self.talk.takes(changes=[edit], tries=step.tries)

    async def _move(self, one: Known, step: Step) -> None:
        if one.topic == step.topic:
            return
        if one.message.place == MATRIX:
            copy = [event for event, each in self.talk.there.items() if each.place == one.topic]
            mine = [event for event in copy if one.message.event == await self._origin(event)]
            if mine:
                await self.talk.moves(one.topic, step.topic, *mine, tries=step.tries)
                one.topic = step.topic
            return
        edits = []
        before, one.topic, one.begun = one.topic, step.topic, step.topic
        if step.is_together:
            one.message = dataclasses.replace(one.message, text=self._words())
            edits = [change(one.message.event, step.topic, words=one.message.text)]
        one.message = dataclasses.replace(one.message, place=step.topic)
        await self.talk.moves(before, step.topic, messages=[one.message], changes=edits, tries=step.tries)

    async def _origin(self, event: str) -> str | None:
        sql = "SELECT origin_event FROM said WHERE event = ?"
        found = await self.talk.store.read(lambda tx: tx.execute(sql, (event,)).fetchone())
        return None if found is None else found[0]

    def ought_to_stand(self, place: Place) -> list[tuple[str, str]]:
        """Where something stands there, and its words."""
        found: list[tuple[str, str]] = []
        for one in self.known:
            home = one.message.place
            is_here = place in (OTHER, MQTT) or place == (one.topic if home == MATRIX else MATRIX)
            if not one.is_gone and is_here:
                is_topic = place in (MATRIX, OTHER) and one.begun != MAIN
                thread = f"{one.begun.id.removeprefix('4/')} (a topic in zulip)" if is_topic else ""
                found.append((thread, one.message.text))
        return sorted(found)

    async def stands(self, place: Place) -> list[tuple[str, str]]:
        """The same, as it is."""
        return sorted((thread, words.rpartition("): ")[2]) for thread, words in await self.talk.stands(place))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=25))
async def test_each_message_stands_once_where_it_should_as_it_is_now(tmp_path: Path, steps: list[Step]) -> None:
    async with Store.opened(tmp_path / f"{next(NUMBERS)}.db") as store:
        conversation = Conversation(Talk(store, lab=Channel("lab", TOPICAL, share_encrypted=True)))
        for step in steps:
            await conversation.step(step)
        for place in (MATRIX, OTHER, MQTT, *TOPICS):
            assert await conversation.stands(place) == conversation.ought_to_stand(place), place
