"""`!link` and `!unlink`: who may, what cannot be, what is on record before it counts, and who is told."""

import asyncio
import contextlib
import dataclasses
import itertools
import time
from collections.abc import AsyncGenerator, Callable

import pytest
import pytest_asyncio

from bot.channels import Channel, Channels, Linking
from bot.channels.linking import MOST_PLACES
from bot.outgoing import Outgoing
from bot.store import Store, Tx, audit, links, moving, outbox
from bot.store.links import Link
from bot.system import System
from bot.words.document import document
from bot.words.errors import Refused, StoreError, Unreachable, UsageError
from bot.words.message import Lane, Message, Moved, Place, Post, Standing
from bot.words.people import Account, Person, Role
from tests.unit.room import HERE, PATIENCE, Room
from tests.unit.talk import Silent, Talk

LAB, HALL, YARD = Place("zulip", "5/lab"), Place("zulip", "6/hall"), Place("zulip", "7/yard")
WHOLE, COLD = Place("zulip", "4/*"), Place("zulip", "4/cold")
SECRET = Place("chat", "secret")
CAROL = Person("carol", Role.COMMANDER, frozenset())
STARTS = itertools.count(0, 100)
"""No two rooms have the same message."""


def mistake(place: Place) -> str:
    return "must be a channel's id and a topic" if place.id == "nowhere" else ""


def kept_back(rooms: str, places: str, write: str) -> str:
    """What is said of encrypted rooms of which nothing is brought to these places."""
    return (
        f"Not passed on: what is said in {rooms} does not go to {places}, because it is encrypted. To have it go there"
        f" in clear, write {write} the configuration, and then: tocsin reload"
    )


def kept_back_here(place: Place) -> str:
    """Where the channel is from chat."""
    write = f'[channels.linked-1] with places = ["{HERE}"] and share_encrypted = true into'
    return kept_back(str(HERE), str(place), write)


class Deaf(Silent):
    """A bridge to a network that is away."""

    async def send(self, post: Post, *, key: str) -> str:  # noqa: ARG002 - the interface
        raise Unreachable(f"{post.place.network} does not answer.")


class Linked(Room):
    """A room with channels, and two networks."""

    def __init__(self, store: Store, system: System, filed: tuple[Channel, ...] = ()) -> None:
        channels = Channels(filed, system.people, is_encrypted=lambda place: place.network == "chat")
        self.linking = Linking(channels, mistake)
        self.channels = channels
        self.ways_out = {name: Outgoing(name, Silent(), store) for name in ("chat", "zulip")}
        super().__init__(
            store,
            dataclasses.replace(system, ways_out=self.ways_out, linking=self.linking, channels=lambda: channels.all),
        )
        self._numbers = iter(range(next(STARTS), 10_000))

    def all(self) -> dict[str, list[Place]]:
        return {channel.name: [*channel.places] for channel in self.channels.all}

    async def heard(self, place: Place) -> list[str]:
        """What the bot says there by itself."""
        talk = Talk(self.store)
        return [each for each in await talk.posts(place) if each.startswith(("Linked by", "Parted by", "From", "What"))]

    async def kept(self) -> list[Link]:
        return await self.store.read(links.everything)


@contextlib.asynccontextmanager
async def open_room(store: Store, system: System, *filed: Channel) -> AsyncGenerator[Linked]:
    room = Linked(store, system, filed)
    await room.linking.read(store)
    working = asyncio.create_task(room.desk.run())
    yield room
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


@pytest_asyncio.fixture
async def room(store: Store, system: System) -> AsyncGenerator[Linked]:
    async with open_room(store, system) as opened:
        yield opened


@pytest.mark.parametrize(("who", "may"), [("carol", True), ("cleo", True), ("olga", False), ("vera", False)])
@pytest.mark.parametrize("command", ["!link zulip:5/lab", "!unlink zulip:5/lab"])
async def test_only_a_commander_links_and_parts(room: Linked, who: str, command: str, *, may: bool) -> None:
    if command.startswith("!unlink"):
        await room.said("!link zulip:5/lab", "carol")
    before = room.all()
    answer = await room.said(command, who)
    assert (room.all() != before) is may, answer
    assert may or "commander" in answer


async def test_nobody_links_by_a_name_alone(room: Linked) -> None:
    await room.hears(room.message("!link zulip:5/lab", "carol", standing=Standing.NAMED))
    assert room.all() == {}


@pytest.mark.parametrize("standing", [Standing.NAMED, Standing.CLEAR])
@pytest.mark.parametrize("command", ["!link zulip:5/lab", "!unlink zulip:5/lab", "!unlink"])
async def test_where_nothing_proves_who_asks_they_hear_where_it_can_be_typed(
    room: Linked, command: str, standing: Standing
) -> None:
    await room.linking.link(room.store, HERE, LAB, CAROL)
    answer = await room.said(command, "carol", standing=standing)
    assert answer.startswith("Not run: ")
    assert answer.endswith(" Ask in an encrypted room, or at the console.")
    assert room.all() == {"linked-1": [HERE, LAB]}


async def test_at_the_console_ones_own_terminal_is_not_linked_and_places_can_be_parted(room: Linked) -> None:
    answer = await room.said("!link zulip:5/lab", "carol", standing=Standing.LOCAL)
    assert answer == (
        "This would link your own terminal, chat:room. Type it in the encrypted room that you mean, or have the"
        " configuration name both places in [channels.NAME], and then: tocsin reload"
    )
    assert (room.all(), await room.kept(), await room.records("linked")) == ({}, [], [])
    answer = await room.said("!unlink", "carol", standing=Standing.LOCAL)
    assert answer == "chat:room is in no channel. !channels shows which places are; !unlink PLACE parts one."
    await room.linking.link(room.store, SECRET, LAB, CAROL)
    assert "Parted" in await room.said("!unlink zulip:5/lab", "carol", standing=Standing.LOCAL)
    assert room.all() == {}


async def test_two_places_become_one_conversation_on_record_and_told_in_both(room: Linked) -> None:
    answer = await room.said("!link zulip:5/lab", "carol")
    assert answer == f"Linked as linked-1. To part it again: !unlink zulip:5/lab\n\n{kept_back_here(LAB)}"
    assert room.all() == {"linked-1": [HERE, LAB]}
    told = "Linked by carol: what is said in one place of the channel linked-1 is said in the others: "
    told += f"chat:room, zulip:5/lab.\n\n{kept_back_here(LAB)}"
    assert [await room.heard(place) for place in (HERE, LAB)] == [[told]] * 2
    assert await room.records("linked") == [
        {
            **(await room.records("linked"))[0],
            "person": "carol",
            "channel": "linked-1",
            "places": ["chat:room", "zulip:5/lab"],
        }
    ]
    shown = await room.said("!channels", "carol")
    assert "linked-1" in shown
    assert "zulip:5/lab" in shown


async def test_a_third_joins_and_a_second_conversation_is_another(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    await room.said("!link zulip:6/hall", "cleo")
    assert room.all() == {"linked-1": [HERE, LAB, HALL]}
    await room.linking.link(room.store, SECRET, YARD, CAROL)
    assert room.all()["linked-2"] == [SECRET, YARD]
    assert "zulip:7/yard is in linked-2 already." in await room.said("!link zulip:7/yard", "carol")
    assert "They are one channel already: linked-1." in await room.said("!link zulip:6/hall", "carol")
    assert len(await room.records("linked")) == 3


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("lab", "'lab': a place must be a network and a place on it"),
        ("zulip:", "a place must be a network and a place on it"),
        ("irc:lab", "There is no network 'irc'. There is chat, zulip."),
        ("chat:room", "A place cannot be linked to itself."),
        ("zulip:nowhere", "zulip:nowhere must be a channel's id and a topic."),
        ("", "!link"),
    ],
)
async def test_a_place_that_is_none_is_refused(room: Linked, word: str, why: str) -> None:
    assert why in await room.said(f"!link {word}", "carol")
    assert (room.all(), await room.kept(), await room.records("linked")) == ({}, [], [])


async def test_where_it_is_typed_has_to_be_a_place_as_well(room: Linked) -> None:
    with pytest.raises(UsageError, match="must be a channel's id and a topic"):
        await room.linking.link(room.store, Place("chat", "nowhere"), LAB, CAROL)
    assert room.all() == {}


async def test_a_channel_has_a_bound(room: Linked) -> None:
    for number in range(MOST_PLACES - 1):
        await room.linking.link(room.store, HERE, Place("zulip", f"5/{number}"), CAROL)
    assert f"linked-1 has {MOST_PLACES} places already." in await room.said("!link zulip:5/lab", "carol")


async def test_parting_is_on_record_and_told_in_all_places(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    await room.said("!link zulip:6/hall", "carol")
    assert await room.said("!unlink zulip:6/hall", "cleo") == "Parted: zulip:6/hall is not in linked-1 any more."
    told = "Parted by cleo: zulip:6/hall is not in linked-1 any more."
    assert [(await room.heard(place))[-1] for place in (HERE, LAB, HALL)] == [told] * 3
    (entry,) = await room.records("unlinked")
    assert (entry["person"], entry["channel"], entry["places"]) == ("cleo", "linked-1", ["zulip:6/hall"])
    assert await room.said("!unlink", "carol") == "Parted: chat:room is not in linked-1 any more."
    assert (room.all(), await room.kept()) == ({}, []), "one place alone is no conversation"
    assert "chat:room is in no channel." in await room.said("!unlink", "carol")


async def test_after_parting_each_place_can_be_linked_anew(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    await room.said("!unlink zulip:5/lab", "carol")
    assert "Linked" in await room.said("!link zulip:6/hall", "carol")
    assert [*room.all().values()] == [[HERE, HALL]]
    await room.linking.link(room.store, LAB, YARD, CAROL)
    assert [*room.all().values()] == [[HERE, HALL], [LAB, YARD]]


async def test_who_is_alone_since_the_file_has_the_other_can_be_linked_anew(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    room.channels.take([Channel("filed", (LAB, YARD))])
    assert "Linked" in await room.said("!link zulip:6/hall", "carol")
    assert room.all() == {"filed": [LAB, YARD], "linked-2": [HERE, HALL]}


async def test_what_waits_for_a_place_that_was_parted_is_not_said_there(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    message = Message(HERE, Account("chat", "olga"), "$1", "hello", Standing.CLEAR, "", 1, 0.0)
    later = dataclasses.replace(message, event="$2", text="later")
    await room.store.write(lambda tx: room.channels.take_in(tx, "chat", [message, later]))
    await room.said("!unlink zulip:5/lab", "carol")
    said = await Talk(room.store).posts(LAB)
    assert [each for each in said if "olga" in each] == ["olga (chat, unproven): hello"]


async def test_the_file_rules_and_its_channels_take_more_places(store: Store, system: System) -> None:
    async with open_room(store, system, Channel("lab", (HERE, LAB))) as room:
        assert "zulip:5/lab is in the channel lab by the configuration file." in await room.said(
            "!unlink zulip:5/lab", "carol"
        )
        await room.said("!link zulip:6/hall", "carol")
        assert room.all() == {"lab": [HERE, LAB, HALL]}
        await room.said("!unlink zulip:6/hall", "carol")
        assert room.all() == {"lab": [HERE, LAB]}


async def test_a_reload_in_which_the_file_has_the_place_counts_more(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    await room.said("!link zulip:6/hall", "carol")
    room.channels.take([Channel("filed", (LAB, YARD))])
    assert room.all() == {"filed": [LAB, YARD], "linked-1": [HERE, HALL]}
    answer = await room.said("!unlink zulip:5/lab", "carol")
    assert "zulip:5/lab is in the channel filed by the configuration file." in answer
    room.channels.take([Channel("linked-1", (LAB, YARD))])
    assert room.all() == {"linked-1": [LAB, YARD, HERE, HALL]}
    await room.linking.link(room.store, SECRET, Place("zulip", "8/more"), CAROL)
    assert room.all()["linked-2"] == [SECRET, Place("zulip", "8/more")]


async def test_it_is_there_after_a_restart(store: Store, system: System) -> None:
    async with open_room(store, system) as room:
        await room.said("!link zulip:5/lab", "carol")
    async with open_room(store, system, Channel("other", (HALL, YARD))) as later:
        assert later.all() == {"other": [HALL, YARD], "linked-1": [HERE, LAB]}
        assert (await later.kept())[0].person == "carol"
        later.ways_out.clear()  # the network is not configured any more
        assert "There is no network 'zulip'. There is none." in await later.said("!link zulip:6/hall", "carol")
        assert "Parted" in await later.said("!unlink zulip:5/lab", "carol"), "it can still be parted"


@pytest.mark.parametrize("share", [True, False])
async def test_words_of_encrypted_rooms_follow_a_link_only_where_the_file_says_so_and_the_rooms_hear_it_first(
    store: Store, system: System, *, share: bool
) -> None:
    async with open_room(store, system, Channel("lab", (HERE, SECRET), share_encrypted=share)) as room:
        await store.write(room.channels.announce)
        assert await room.heard(SECRET) == []
        await room.said("!link zulip:5/lab", "carol")
        told = ["From now on what is said here is passed on in clear, to: zulip:5/lab"] if share else []
        assert (await room.heard(SECRET))[1:] == told
        message = Message(SECRET, Account("chat", "olga"), "$1", "hello", Standing.ATTESTED, "", 1, 0.0)
        await store.write(lambda tx: room.channels.take_in(tx, "chat", [message]))
        words = ["olga (chat): hello"] if share else []
        assert [each for each in await Talk(store).posts(LAB) if "hello" in each] == words
        await room.said("!unlink zulip:5/lab", "carol")
        told = ["What is said here is not passed on in clear any more."] if share else []
        assert [each for each in await room.heard(SECRET) if each.startswith("What is said here is not")] == told


async def test_what_a_link_says_to_write_has_the_words_of_the_room_go_there(room: Linked) -> None:
    async def arrive(event: str) -> list[str]:
        message = Message(HERE, Account("chat", "olga"), event, f"hello {event}", Standing.ATTESTED, "", 1, 0.0)
        await room.store.write(lambda tx: room.channels.take_in(tx, "chat", [message]))
        return [each for each in await Talk(room.store).posts(LAB) if "hello" in each]

    await room.said("!link zulip:5/lab", "carol")
    assert await arrive("$1") == []
    room.channels.take([Channel("linked-1", (HERE,), share_encrypted=True)])
    assert room.all() == {"linked-1": [HERE, LAB]}
    assert await arrive("$2") == ["olga (chat): hello $2"]
    answer = await room.said("!link zulip:6/hall", "carol")
    assert answer == "Linked as linked-1. To part it again: !unlink zulip:6/hall", "nothing is kept back any more"


async def test_who_links_into_a_channel_of_the_file_is_told_to_write_it_there(store: Store, system: System) -> None:
    async with open_room(store, system, Channel("lab", (SECRET, LAB), only_hear=frozenset({SECRET}))) as room:
        said = (await room.said("!link zulip:5/lab", "carol")).splitlines()[-1]
        write = "share_encrypted = true into [channels.lab] of"
        assert said == kept_back("chat:room", "zulip:5/lab", write)
        assert [(await room.heard(each))[0].splitlines()[-1] for each in (HERE, SECRET, LAB)] == [said] * 3


async def test_what_cannot_be_recorded_does_not_count(room: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    await room.said("!link zulip:6/hall", "carol")
    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(StoreError):
        await room.linking.link(room.store, HERE, LAB, CAROL)
    with pytest.raises(StoreError):
        await room.linking.unlink(room.store, HALL, CAROL)
    assert room.all() == {"linked-1": [HERE, HALL]}
    assert [each.place for each in await room.kept()] == [HERE, HALL]
    assert len(await room.heard(HALL)) == 1


async def test_the_rooms_are_told_before_it_counts(
    store: Store, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_room(store, system, Channel("lab", (HERE, SECRET), share_encrypted=True)) as room:
        seen: list[tuple[bool, str]] = []
        write = store.write

        async def watched(work: Callable[[Tx], object]) -> object:
            result = await write(work)
            seen.append((LAB in room.all()["lab"], (await room.heard(SECRET))[-1]))
            return result

        monkeypatch.setattr(store, "write", watched)
        await room.linking.link(store, HERE, LAB, CAROL)
        assert seen[0] == (False, "From now on what is said here is passed on in clear, to: zulip:5/lab")
        assert seen[-1][0]


async def test_channels_shows_what_waits_and_what_is_refused(room: Linked) -> None:
    assert "No places are linked." in await room.said("!channels", "vera")
    await room.linking.link(room.store, HERE, LAB, CAROL)

    def refuse(tx: Tx) -> None:
        tx.execute("DELETE FROM outbox")
        outbox.queue(tx, Post(LAB, document("a"), Lane.TALK))
        outbox.queue(tx, Post(LAB, document("b"), Lane.TALK))
        outbox.queue(tx, Post(HERE, document("c"), Lane.ANSWER))
        for row, _ in enumerate("ac"):
            outbox.failed(tx, [1, 3][row], "The bot is not in the\nroom.")

    await room.store.write(refuse)
    assert (await room.said("!channels", "vera")).splitlines()[:-2] == [
        "channel   place        waits  for",
        "linked-1  chat:room    –      0 s  words kept back: encrypted; refused: The bot is not in the room.",
        "linked-1  zulip:5/lab  1      0 s  refused: The bot is not in the room.",
    ]


async def test_channels_shows_of_which_room_nothing_goes_where_and_what_to_do(store: Store, system: System) -> None:
    filed = Channel("lab", (HERE, SECRET, LAB, YARD)), Channel("open", (HALL, COLD))
    share = "share_encrypted = true into [channels.lab] of"
    async with open_room(store, system, *filed) as room:
        assert (await room.said("!channels", "vera")).splitlines() == [
            "channel  place         waits  for",
            "lab      chat:room     –      0 s  words kept back: encrypted",
            "lab      chat:secret   –      0 s  words kept back: encrypted",
            "lab      zulip:5/lab   –      0 s  up to date",
            "lab      zulip:7/yard  –      0 s  up to date",
            "open     zulip:6/hall  –      0 s  up to date",
            "open     zulip:4/cold  –      0 s  up to date",
            "",
            kept_back("chat:room, chat:secret", "zulip:5/lab, zulip:7/yard", share),
        ]


@pytest.mark.parametrize(
    "lab",
    [
        Channel("lab", (HERE, SECRET, LAB), share_encrypted=True),
        Channel("lab", (HERE, SECRET)),
        Channel("lab", (HERE, LAB), only_hear=frozenset({HERE})),
        Channel("lab", (HERE, LAB), only_speak=frozenset({LAB})),
    ],
    ids=["shared", "all are encrypted", "nothing goes on from there", "nothing is brought there"],
)
async def test_channels_says_nothing_of_what_is_not_kept_back(store: Store, system: System, lab: Channel) -> None:
    async with open_room(store, system, lab) as room:
        shown = (await room.said("!channels", "vera")).splitlines()[1:]
        assert [line.endswith("up to date") for line in shown] == [True] * len(lab.places)


async def test_channels_shows_who_is_away_and_for_how_long_something_waits(room: Linked) -> None:
    await room.linking.link(room.store, HERE, LAB, CAROL)
    since = time.time() - 2 * 3600 - 30 * 60 - 20  # as a span it is the same for 40 seconds

    def wait(tx: Tx) -> None:
        tx.execute("DELETE FROM outbox")
        for place, lane in ((LAB, Lane.TALK), (LAB, Lane.ALERT), (HERE, Lane.TALK)):
            outbox.queue(tx, Post(place, document("hello"), lane))
        tx.execute("UPDATE outbox SET queued = ? WHERE id = 1", (since,))

    await room.store.write(wait)
    away = room.ways_out["zulip"] = Outgoing("zulip", Deaf(), room.store)
    saying = asyncio.create_task(away.run())
    async with asyncio.timeout(PATIENCE):
        await away.until_idle()
    assert (await room.said("!channels", "vera")).splitlines()[:3] == [
        "channel   place        waits  for",
        "linked-1  chat:room    1      0 s         words kept back: encrypted; on its way",
        "linked-1  zulip:5/lab  2      2 h 30 min  zulip does not answer.",
    ]
    saying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await saying


async def test_channels_shows_a_place_that_refused_the_bots_own_words_until_it_takes_something(room: Linked) -> None:
    async def state(place: Place = LAB) -> str:
        shown = (await room.said("!channels", "vera")).splitlines()
        return next(line for line in shown if str(place) in line).partition(" s  ")[2]

    async def said(place: Place, lane: Lane, refused: str = "") -> None:
        def write(tx: Tx) -> None:
            tx.execute("DELETE FROM outbox WHERE state = 'waiting' AND network = ? AND place = ?", place_of)
            outbox.queue(tx, Post(place, document("hello"), lane))
            (row,) = tx.execute("SELECT max(id) FROM outbox").fetchone()
            outbox.failed(tx, row, refused) if refused else outbox.sent(tx, row, "$event")

        place_of = place.network, place.id
        await room.store.write(write)

    def refuse_all(tx: Tx) -> None:
        for (row,) in tx.execute("SELECT id FROM outbox WHERE network = 'zulip' AND state = 'waiting'").fetchall():
            outbox.failed(tx, row, "The bot is not in the channel.")

    await room.said("!link zulip:5/lab", "carol")
    await room.linking.link(room.store, HERE, WHOLE, CAROL)
    await said(Place("zulip", "4/hot"), Lane.TALK)
    await room.store.write(refuse_all)  # "Linked by" it is
    assert [await state(each) for each in (LAB, WHOLE)] == ["refused: The bot is not in the channel."] * 2
    await said(COLD, Lane.TALK)
    assert [await state(each) for each in (LAB, WHOLE)] == ["refused: The bot is not in the channel.", "up to date"]
    await said(LAB, Lane.ALERT)
    assert await state() == "up to date"
    await said(LAB, Lane.TALK, "Too long.")
    await said(LAB, Lane.TALK, "Too large.")
    await said(LAB, Lane.TALK)
    assert await state() == "refused: Too large.", "what somebody said is missing there"
    await said(LAB, Lane.ANSWER, "The channel is archived.")
    assert await state() == "refused: The channel is archived.", "the newest counts"
    await said(LAB, Lane.TALK)
    assert await state() == "refused: Too large."


async def test_channels_shows_all_topics_of_a_place_as_one(store: Store, system: System) -> None:
    both = Channel("lab", (HERE, WHOLE)), Channel("hall", (Place("zulip", "4/hall"), YARD))
    async with open_room(store, system, *both) as room:

        def wait(tx: Tx) -> None:
            for topic in ("cold", "warm", "hall"):
                outbox.queue(tx, Post(Place("zulip", f"4/{topic}"), document("a"), Lane.TALK))
            outbox.queue(tx, Post(Place("zulip", "4/hot"), document("c"), Lane.TALK))
            outbox.failed(tx, 4, "There is no such topic.")

        await store.write(wait)
        shown = [" ".join(line.split()) for line in (await room.said("!channels", "vera")).splitlines()]
        assert shown[1:-2] == [
            "lab chat:room – 0 s words kept back: encrypted",
            "lab zulip:4/* 2 0 s refused: There is no such topic.",
            "hall zulip:4/hall 1 0 s on its way",
            "hall zulip:7/yard – 0 s up to date",
        ]


async def test_all_topics_are_linked_and_parted_as_one_and_told_in_the_main_one(room: Linked) -> None:
    done = "Linked as linked-1. To part it again: !unlink zulip:4/*"
    assert await room.said("!link zulip:4/*", "carol") == f"{done}\n\n{kept_back_here(WHOLE)}"
    assert room.all() == {"linked-1": [HERE, WHOLE]}
    main = Place("zulip", "4/linked-1")
    assert [len(await room.heard(place)) for place in (HERE, main, WHOLE)] == [1, 1, 0]
    for topic in ("cold", "warm"):
        answer = await room.said(f"!unlink zulip:4/{topic}", "carol")
        assert f"zulip:4/{topic} is in linked-1 with all topics. !unlink zulip:4/* parts them all." in answer
    assert await room.said("!unlink zulip:4/*", "carol") == "Parted: zulip:4/* is not in linked-1 any more."
    assert (room.all(), await room.kept()) == ({}, [])
    assert "zulip:4/cold is in no channel." in await room.said("!unlink zulip:4/cold", "carol")


async def test_a_topic_of_a_channel_with_all_of_them_is_not_linked_with_it_once_more(room: Linked) -> None:
    await room.said("!link zulip:4/*", "carol")
    before = room.all()
    answer = await room.said("!link zulip:4/cold", "carol")
    assert "chat:room would be one conversation with zulip:4/cold, and a topic in it twice" in answer
    for here, there in ((COLD, HERE), (COLD, WHOLE), (WHOLE, COLD)):
        with pytest.raises(Refused, match="a topic in it twice"):
            await room.linking.link(room.store, here, there, CAROL)
    assert room.all() == before
    assert len(await room.kept()) == 2


async def test_a_topic_can_leave_all_the_others_for_a_channel_of_its_own(room: Linked) -> None:
    await room.said("!link zulip:4/*", "carol")
    await room.linking.link(room.store, COLD, HALL, CAROL)
    assert room.all() == {"linked-1": [HERE, WHOLE], "linked-2": [COLD, HALL]}
    channel = room.channels.of(COLD)
    assert channel is not None
    assert channel.name == "linked-2"
    with pytest.raises(Refused, match="a topic in it twice"):
        await room.linking.link(room.store, YARD, Place("zulip", "7/*"), CAROL)
    await room.linking.unlink(room.store, COLD, CAROL)
    channel = room.channels.of(COLD)
    assert channel is not None
    assert channel.name == "linked-1", "it is one of all of them again"


async def test_what_was_linked_from_chat_rests_while_the_file_has_all_topics_there(room: Linked) -> None:
    room.channels.take([Channel("lab", (HERE, YARD))])
    await room.linking.link(room.store, HERE, COLD, CAROL)
    assert room.all() == {"lab": [HERE, YARD, COLD]}
    room.channels.take([Channel("lab", (HERE, WHOLE))])
    assert room.all() == {"lab": [HERE, WHOLE]}
    room.channels.take([Channel("lab", (HERE, YARD))])
    assert room.all() == {"lab": [HERE, YARD, COLD]}


async def test_names_that_nothing_goes_by_any_more_are_forgotten_at_the_next_start(
    store: Store, system: System
) -> None:
    def rename(tx: Tx) -> None:
        moving.follow(tx, LAB, HALL, LAB)
        moving.follow(tx, YARD, COLD, YARD)

    await store.write(rename)
    async with open_room(store, system, Channel("lab", (HERE, LAB))) as room:
        assert room.all() == {"lab": [HERE, HALL]}
        assert await store.read(moving.names) == {LAB: HALL}
        assert "zulip:6/hall is in the channel lab by the configuration file." in await room.said(
            "!unlink zulip:6/hall", "carol"
        )
        assert "zulip:5/lab is in no channel." in await room.said("!unlink zulip:5/lab", "carol")
    async with open_room(store, system, Channel("lab", (HERE, HALL))) as room:
        assert room.all() == {"lab": [HERE, HALL]}
        assert await store.read(moving.names) == {}


async def test_what_is_linked_from_chat_is_parted_by_its_new_name(room: Linked) -> None:
    await room.said("!link zulip:5/lab", "carol")
    moved = Moved(LAB, YARD, (), is_whole=True)
    await room.store.write(lambda tx: room.channels.take_in(tx, "zulip", [], moves=[moved]))
    assert room.all() == {"linked-1": [HERE, YARD]}
    assert "zulip:5/lab is in no channel." in await room.said("!unlink zulip:5/lab", "carol")
    assert await room.said("!unlink zulip:7/yard", "carol") == "Parted: zulip:7/yard is not in linked-1 any more."
    assert await room.kept() == []
