"""One conversation in several places: passed on once, changed and answered everywhere, and kept from strangers."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import AT_ONCE, Channel, Channels
from bot.store import Store, inbox, outbox
from bot.words import packed
from bot.words.document import Block, Code, text
from bot.words.html import to_html
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from bot.words.talk import passed_on
from bot.words.zulip import to_zulip

MATRIX, OTHER, ZULIP, MQTT = (
    Place("matrix", "!lab:here"),
    Place("matrix", "!other:here"),
    Place("zulip", "5/lab"),
    Place("mqtt", "chat/lab"),
)
PLACES = (MATRIX, OTHER, ZULIP, MQTT)


class Talk:
    """What people write in the places of a channel, and what is queued for the others."""

    def __init__(self, store: Store, people: People, *, share: bool) -> None:
        self.store = store
        self.time = 0.0
        self._number = 0
        self.channels = Channels(
            [Channel("lab", PLACES, share_encrypted=share), Channel("alone", (Place("zulip", "9/alone"),))],
            people,
            is_encrypted=lambda place: place.network == "matrix",
            clock=lambda: self.time,
        )

    async def says(
        self,
        words: str,
        place: Place = ZULIP,
        who: str = "olga",
        standing: Standing | None = None,
        *,
        replies_to: str = "",
    ) -> str:
        """Somebody writes something. Returns its event."""
        self._number += 1
        how = standing or (Standing.ATTESTED if place.network == "matrix" else Standing.NAMED)
        event = f"${self._number}"
        message = Message(place, Account(place.network, who), event, words, how, "", 1, 0.0, replies_to=replies_to)

        def write(tx: object) -> None:
            new = inbox.accept(tx, place.network, [message], "c")  # pyright: ignore[reportArgumentType] - it is one
            self.channels.pass_on(tx, [each.message for each in new])  # pyright: ignore[reportArgumentType]

        await self.store.write(write)
        return event

    async def changes(self, event: str, place: Place = ZULIP, who: str = "olga", words: str = "") -> None:
        change = Change(place, event, Account(place.network, who), removed=not words, text=words)
        await self.store.write(lambda tx: self.channels.change(tx, place.network, [change]))

    async def posts(self, place: Place) -> list[str]:
        """All that is queued there."""
        sql = "SELECT document FROM outbox WHERE network = ? AND place = ? ORDER BY id"
        rows = await self.store.read(lambda tx: tx.execute(sql, (place.network, place.id)).fetchall())
        return [to_plain(packed.load(stored)) for (stored,) in rows]

    async def heard(self, place: Place) -> list[str]:
        """What was said there, each as it stands there now, in its order."""
        rows = await self.store.read(
            lambda tx: tx.execute(
                "SELECT subject, document FROM outbox WHERE network = ? AND place = ? ORDER BY id",
                (place.network, place.id),
            ).fetchall()
        )
        return list({subject: to_plain(packed.load(stored)) for subject, stored in rows if stored}.values())

    async def sent(self, place: Place) -> list[tuple[str, str | None]]:
        """Have all that waits there be said. The events, and what each answers."""
        said: list[tuple[str, str | None]] = []
        while heads := [
            each
            for each in await self.store.read(lambda tx: outbox.heads(tx, place.network, [], 99))
            if each.place == place
        ]:
            event = heads[0].edits or f"{place.id} {heads[0].row}"
            said.append((event, heads[0].reply_to))
            await self.store.write(lambda tx, head=heads[0], event=event: outbox.sent(tx, head.row, event))
        return said


@pytest.fixture
def people() -> People:
    return People(
        tuple(
            Person(name, Role.OPERATOR, frozenset(Account(place.network, name) for place in PLACES))
            for name in ("olga", "otto")
        )
    )


@pytest.fixture
def talk(store: Store, people: People) -> Talk:
    return Talk(store, people, share=False)


async def test_what_is_written_in_one_place_stands_in_the_others_once(talk: Talk) -> None:
    await talk.says("hello")
    assert {place: await talk.heard(place) for place in PLACES} == {
        MATRIX: ["olga (zulip): hello"],
        OTHER: ["olga (zulip): hello"],
        ZULIP: [],
        MQTT: ["olga (zulip): hello"],
    }


async def test_the_same_again_is_not_passed_on_again(talk: Talk) -> None:
    event = await talk.says("hello")
    talk._number -= 1  # pyright: ignore[reportPrivateUsage] - the network brings it once more
    assert await talk.says("hello") == event
    assert await talk.heard(MQTT) == ["olga (zulip): hello"]


async def test_what_is_encrypted_goes_to_no_place_that_is_not_unless_the_channel_says_so(
    store: Store, people: People, talk: Talk
) -> None:
    await talk.says("a secret", MATRIX)
    assert [await talk.heard(place) for place in PLACES] == [[], ["olga (matrix): a secret"], [], []]
    assert talk.channels.counts["kept_back"] == 2
    await talk.says("no secret", MATRIX, standing=Standing.CLEAR)
    assert await talk.heard(ZULIP) == ["olga (matrix, unproven): no secret"]
    shared = Talk(store, people, share=True)
    shared._number = 100  # pyright: ignore[reportPrivateUsage] - other messages
    await shared.says("for all", MATRIX)
    assert (await shared.heard(ZULIP))[-1] == "olga (matrix): for all"


async def test_encrypted_rooms_hear_once_that_what_is_said_there_leaves_them_and_that_it_does_not(
    store: Store, people: People
) -> None:
    for share, heard in ((True, 1), (True, 1), (False, 2), (False, 2)):
        talk = Talk(store, people, share=share)
        await store.write(talk.channels.announce)
        said = [each for place in PLACES for each in await talk.posts(place)]
        assert len([each for each in said if "passed on" in each]) == 2 * heard
    assert "in clear, to: zulip:5/lab, mqtt:chat/lab" in (await talk.posts(MATRIX))[0]
    assert await talk.posts(ZULIP) == []


async def test_who_is_not_listed_is_called_by_their_account_and_what_nothing_proves_is_marked(talk: Talk) -> None:
    await talk.says("hello", who="mallory")
    await talk.says("really", MATRIX, standing=Standing.UNPROVEN)
    assert await talk.heard(OTHER) == ["mallory (zulip): hello", "olga (matrix, unproven): really"]


async def test_an_edit_changes_every_copy_and_what_is_taken_back_is_gone_everywhere(talk: Talk) -> None:
    event = await talk.says("helo")
    (first,) = await talk.sent(MQTT)
    await talk.changes(event, words="hello")
    assert (await talk.heard(MATRIX), await talk.heard(MQTT)) == (["olga (zulip): hello"],) * 2
    assert await talk.sent(MQTT) == [(first[0], None)], "it edits what was said"
    await talk.changes(event)
    assert await talk.heard(OTHER) == ["(taken back)"]


async def test_nobody_edits_what_another_has_written(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.changes(event, who="otto", words="goodbye")
    await talk.changes("$never", words="goodbye")
    assert await talk.heard(MQTT) == ["olga (zulip): hello"]


async def test_an_answer_hangs_on_the_same_words_everywhere(talk: Talk) -> None:
    asked = await talk.says("who is there?")
    ((copy, _),) = await talk.sent(MQTT)
    await talk.says("I am", MQTT, "otto", replies_to=copy)
    ((there, hangs_on),) = await talk.sent(ZULIP)
    assert hangs_on == asked
    await talk.says("good", ZULIP, replies_to=there)
    assert [hangs_on for _, hangs_on in await talk.sent(MQTT)] == ["$2"]


async def test_a_flood_is_stemmed_and_told_once(talk: Talk) -> None:
    for number in range(AT_ONCE + 20):
        await talk.says(f"{number}")
    said = await talk.heard(MQTT)
    assert len(said) == AT_ONCE + 1
    assert [each for each in said if "not passed on" in each] == [said[-1]]
    assert talk.channels.counts["stemmed"] == 20
    talk.time += 60
    await talk.says("calm")
    assert (await talk.heard(MQTT))[-1] == "olga (zulip): calm"


async def test_what_cannot_be_passed_on_keeps_nothing_else_from_being_taken_in(talk: Talk) -> None:
    odd = Message(ZULIP, Account("zulip", "olga"), "$half \ud800", "odd", Standing.NAMED, "", 1, 0.0)
    await talk.store.write(lambda tx: talk.channels.pass_on(tx, [odd]))
    await talk.says("hello")
    assert await talk.heard(MQTT) == ["olga (zulip): hello"]
    assert talk.channels.counts["passed_over"] == 1


@pytest.mark.parametrize("place", [Place("zulip", "9/alone"), Place("zulip", "7/elsewhere")])
async def test_what_is_said_elsewhere_is_nobodys_affair(talk: Talk, place: Place) -> None:
    await talk.says("hello", place)
    assert [await talk.heard(each) for each in PLACES] == [[], [], [], []]


@pytest.mark.parametrize(
    ("said", "blocks"),
    [
        ("look\n```python\nx = 1\n\ny = 2\n```\nthere", [Code("x = 1\n\ny = 2"), text("there")]),
        ("~~~\nnever ended", [Code("never ended")]),
        ("```\n```", [Code("")]),
        ("", []),
    ],
)
def test_what_stands_between_fences_stays_as_it_is(said: str, blocks: list[Block]) -> None:
    assert list(passed_on("olga", "zulip", said, is_proven=True).blocks[1:]) == blocks


@pytest.mark.parametrize("shown", [to_plain, to_html, to_zulip])
@given(who=st.text(min_size=1), said=st.text())
def test_whatever_is_written_can_be_passed_on(shown: Callable[..., str], who: str, said: str) -> None:
    words = passed_on(who, "zulip", said, is_proven=True)
    assert "@**all**" not in shown(words)
    packed.load(packed.dump(words))
