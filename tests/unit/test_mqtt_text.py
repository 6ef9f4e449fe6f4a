"""Text on MQTT topics: whatever is published is read or counted, taken in once, and what is said can be read back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import settings
from bot.bridge import Linked, Office
from bot.identities import Identities
from bot.settings.mistakes import Mistakes
from bot.settings.sections import MqttSettings
from bot.store import Store
from bot.words.document import Reacts, code, document, text
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Change, Lane, Place, Post, Standing
from bot.words.people import Account, People
from bot.words.talk import Speaker, passed_on
from bridges.mqtt import plugin
from bridges.mqtt.ears import BURST
from bridges.mqtt.payloads import EARLIEST_MS, LARGEST, LONGEST_ID, NAMELESS, Heard, Odd, id_of, read, written
from bridges.mqtt.receipts import MOST, Receipts
from bridges.mqtt.topics import LONGEST, event_of, id_in, mistake_in
from tests.unit.ears import PATIENCE_S, PLACE, TOPIC, Inbox, listening, published
from wire.mqtt import Delivery

NAMES = ("id", "from", "text", "edits", "replies_to", "origin", "sent_ms")
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
utf8 = st.text(st.characters(codec="utf-8"))
objects = st.dictionaries(st.sampled_from(NAMES), utf8 | anything, max_size=6).map(
    lambda fields: json.dumps(fields).encode()
)


def said(words: str, who: str = "olga", *, is_proven: bool = True, **more: Any) -> Post:
    """What a channel passes on."""
    return Post(PLACE, passed_on(Speaker(who, "matrix", is_proven=is_proven), words), Lane.TALK, **more)


def as_published(post: Post, key: str = "k") -> dict[str, Any]:
    return orjson.loads(written(post, key, "lamp", 17))


@given(st.binary(max_size=300) | utf8.map(str.encode) | objects)
def test_whatever_is_published_is_read_or_is_one_error(payload: bytes) -> None:
    try:
        heard = read(payload)
    except Odd:
        return
    assert heard.text or heard.edits
    for each in (heard.text, heard.who, heard.id, heard.edits, heard.replies_to):
        each.encode()  # half a pair is no text
        assert "\x00" not in each
    assert heard.who.strip()
    assert max(len(heard.id), len(heard.edits), len(heard.replies_to)) <= LONGEST_ID
    assert heard.sent_ms == 0 or heard.sent_ms >= EARLIEST_MS


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"   \n",
        b"\xff\xfe",
        b"{",
        b"{]",
        b"{}",
        b'{"text": 3}',
        b'{"text": null}',
        b'{"text": " "}',
        b'{"text": "a", "from": ["b"]}',
        b'{"text": "a", "id": 7}',
        b'{"text": "a", "id": "two\\nlines"}',
        b'{"text": "\\ud800"}',
        b'{"text": "a", "origin": {}}',
        orjson.dumps({"text": "a", "id": "x" * (LONGEST_ID + 1)}),
        b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b"x" * (LARGEST + 1),
    ],
)
def test_what_cannot_be_taken_in_is_odd(payload: bytes) -> None:
    with pytest.raises(Odd):
        read(payload)


def test_what_is_published_is_read_as_it_is_documented() -> None:
    assert read(b"the lamp is on") == Heard("the lamp is on")
    assert read(b'["no", "object"]').text == '["no", "object"]'
    assert read(b'{"text": "hello", "what": {"is": "this"}}') == Heard("hello", NAMELESS)
    whole = {"id": "m-1", "from": "lamp", "text": "on", "replies_to": "m-0", "edits": "m-9", "origin": "a-lamp"}
    assert read(orjson.dumps(whole)) == Heard("on", "lamp", "m-1", "m-0", "m-9")
    assert read(b'{"edits": "m-1", "text": ""}') == Heard("", edits="m-1")


def test_what_commands_a_terminal_does_nothing() -> None:
    heard = read(orjson.dumps({"from": "ev\x1b[2Jil\n(matrix): alice", "text": "a\x00b\u202ec\nd"}))
    assert heard.who == "ev\ufffd[2Jil (matrix): alice"
    assert heard.text == "a\ufffdb\ufffdc\nd"


@pytest.mark.parametrize("origin", ["tocsin/lamp", "tocsin/another", "tocsin/"])
def test_what_a_bot_has_published_is_known_as_that(origin: str) -> None:
    assert read(orjson.dumps({"origin": origin, "text": "a"})).of_a_bot
    assert read(orjson.dumps({"id": id_of("k"), "text": "a"})).of_a_bot, "also where its origin was taken off"
    assert not read(b'{"origin": "node-red", "id": "m", "text": "a"}').of_a_bot


def test_what_somebody_wrote_elsewhere_is_published_apart_from_who_they_are() -> None:
    assert as_published(said("the lamp is on\n@room look")) == {
        "id": id_of("k"),
        "origin": "tocsin/lamp",
        "from": "olga",
        "network": "matrix",
        "text": "the lamp is on\n\n@room look",
        "sent_ms": 17,
    }
    assert as_published(said("yes", is_proven=False))["unproven"] is True
    fenced = as_published(said("```\nx = 1\n```"))
    assert (fenced["from"], fenced["text"]) == ("olga", "    x = 1")


def test_a_name_that_looks_like_the_head_deceives_nobody() -> None:
    words = passed_on(Speaker("alice (matrix): stop\n", "zulip"), "hello")
    fields = as_published(Post(PLACE, words, Lane.TALK))
    assert (fields["network"], fields["text"]) == ("zulip", "hello")
    assert "stop" in fields["from"]


def test_what_the_bot_says_itself_has_no_sender() -> None:
    fields = as_published(Post(PLACE, document("The lamp", text("is on")), Lane.ALERT))
    assert fields["text"] == "The lamp\n\nis on"
    assert not {"from", "network"} & fields.keys()
    taken_back = as_published(Post(PLACE, document("(taken back)"), Lane.TALK, edits=event_of(TOPIC, "tocsin-1")))
    assert (taken_back["edits"], taken_back["text"]) == ("tocsin-1", "(taken back)")
    assert "from" not in taken_back


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_shown_beside_a_message_never_reads_like_words_of_the_bots(*, gone: bool) -> None:
    fields = as_published(Post(PLACE, document(Reacts("STOPPED", gone)), Lane.TALK, reply_to=event_of(TOPIC, "m1")))
    assert fields["text"] == ("Reaction: STOPPED is taken back" if gone else "Reaction: STOPPED")
    assert fields["replies_to"] == "m1"


def test_edits_and_answers_name_what_the_payloads_call_them() -> None:
    fields = as_published(said("x", reply_to=event_of(TOPIC, "m#1"), edits=event_of(TOPIC, "tocsin-7")))
    assert (fields["replies_to"], fields["edits"]) == ("m#1", "tocsin-7")
    assert (
        as_published(said("x"), "k")["id"] == as_published(said("x"), "k")["id"] != as_published(said("x"), "l")["id"]
    )


@given(utf8, utf8)
def test_whatever_is_said_can_be_published_and_comes_back_as_of_a_bot(who: str, words: str) -> None:
    payload = written(said(words * 50, who), "k", "lamp", 1)
    assert len(payload) <= LARGEST
    if orjson.loads(payload)["text"].strip():
        assert read(payload).of_a_bot


def test_the_longest_post_fits_into_a_payload() -> None:
    post = Post(PLACE, document(code("\U0001f980" * 100_000)), Lane.ANSWER, edits=event_of(TOPIC, "\U0001f980" * 200))
    assert len(written(post, "k", "lamp", 1)) <= LARGEST


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("lab/+", "without"),
        ("lab/#", "without"),
        ("#", "without"),
        ("$SYS/broker", "broker's own"),
        ("$share/a/lab", "broker's own"),
        ("tocsin/v1", "components"),
        ("tocsin/v1/stop/all", "components"),
        (" lab", "must be a topic"),
        ("a" * (LONGEST + 1), "at most"),
        ("\u00e4" * LONGEST, "at most"),
    ],
)
def test_what_is_no_topic_of_talk_is_told(topic: str, why: str) -> None:
    assert why in mistake_in(Place("mqtt", topic))


def test_any_other_topic_is_one() -> None:
    for topic in ("lab/talk", "lab", "/lab//talk", "tocsin", "tocsin/v10", "lab/two words", "\u00e4"):
        assert mistake_in(Place("mqtt", topic)) == ""


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("lab/+", "must be one topic"),
        ("tocsin/v1/talk", "must not be under tocsin/v1"),
        ("our/bots/talk", "must not be under our/bots"),
        ("our/bots", "must not be under our/bots"),
        ("our/botsy", ""),
        ("lab/talk", ""),
    ],
)
def test_the_configuration_tells_which_topics_are_no_places(tmp_path: Path, place: str, why: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[mqtt]\nhost = "127.0.0.1"\nroot = "our/bots"\n[channels.lab]\nplaces = ["mqtt:{place}"]\n')
    if why:
        with pytest.raises(Mistakes) as told:
            settings.load(file)
        (mistake,) = told.value.mistakes
        assert (mistake.path, mistake.line) == (("channels", "lab", "places"), 5)
        assert mistake.what.startswith(why)
        return
    loaded = settings.load(file)
    assert loaded.networks == "mqtt"
    assert loaded.place_mistake(Place("mqtt", place)) == ""
    assert loaded.place_mistake(Place("mqtt", "our/bots/x"))


def test_nobody_is_listed_by_an_account_on_mqtt(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[mqtt]\nhost = "127.0.0.1"\n[people.alice]\nrole = "operator"\nmqtt = ["alice"]\n')
    with pytest.raises(Mistakes) as told:
        settings.load(file)
    assert [each.path for each in told.value.mistakes] == [("people", "alice", "mqtt")]


@given(st.text(), st.text())
def test_an_event_names_topic_and_id(topic: str, id_: str) -> None:
    topic = topic.replace("#", "")
    assert id_in(event_of(topic, id_)) == id_


async def test_a_message_is_taken_in_as_what_somebody_unproven_says(store: Store) -> None:
    async with listening(store) as there:
        await there.hears(published({"id": "1", "from": "olga", "text": "!shutdown all", "replies_to": "0"}))
        (message,) = there.inbox.messages
        assert (message.place, message.account, message.event) == (PLACE, Account("mqtt", "olga"), f"{TOPIC}#1")
        assert (message.standing, message.replies_to) == (Standing.RELAYED, f"{TOPIC}#0")


async def test_the_same_id_is_taken_in_once_whatever_it_says_then(store: Store) -> None:
    async with listening(store) as there:
        await there.hears(*[published({"id": "1", "text": each}) for each in ("a", "a", "b")])
        await there.hears(published({"id": "2", "text": "a"}))
        assert there.texts() == ["a", "a"]


async def test_the_same_words_without_an_id_are_two_unless_the_broker_gives_them_again(store: Store) -> None:
    first, again = published("yes", number=3), published("yes", number=3, dup=True)
    async with listening(store) as there:
        await there.hears(first, published("yes", number=4))
        assert len(there.texts()) == 2
        await there.hears(again)
        assert len(there.texts()) == 2
    async with listening(store) as there:  # the bot was killed before its acknowledgement went out
        await there.hears(again)
        assert there.texts() == []
        await there.hears(published("yes", number=5, dup=True), first)
        assert len(there.texts()) == 2, "one that never came in before, and one that is said anew under an old number"


async def test_where_the_broker_has_forgotten_us_nothing_is_taken_for_known(store: Store) -> None:
    async with listening(store) as there:
        there.ears.connected(resumed=True)
        await there.hears(published("yes", number=1))
        there.ears.connected(resumed=True)
        await there.hears(published("yes", number=1, dup=True))
        assert there.texts() == ["yes"]
        there.ears.connected(resumed=False)
        await there.hears(published("yes", number=1, dup=True))
        assert there.texts() == ["yes", "yes"]


async def test_edits_and_what_is_taken_back_become_changes_once(store: Store) -> None:
    edit = {"id": "e", "edits": "1", "from": "olga", "text": "b"}
    async with listening(store) as there:
        await there.hears(published({"id": "1", "text": "a"}), published(edit), published(edit))
        await there.hears(published({"edits": "1", "text": ""}))
        olga, nobody = Account("mqtt", "olga"), Account("mqtt", NAMELESS)
        assert there.inbox.changes == [
            Change(PLACE, f"{TOPIC}#1", olga, text="b", standing=Standing.RELAYED),
            Change(PLACE, f"{TOPIC}#1", nobody, removed=True, standing=Standing.RELAYED),
        ]
        assert there.texts() == ["a"]


async def test_what_is_no_talk_is_acknowledged_counted_and_not_taken_in(store: Store) -> None:
    async with listening(store) as there:
        is_waited_for = await there.hears(
            published("{"),
            published({"origin": "tocsin/lamp", "text": "a"}),
            Delivery(TOPIC, b"kept", 1, retain=True),
            Delivery("lab/other", b"elsewhere", 1, retain=False),
        )
        assert not any(is_waited_for)
        await there.hears(published("a"))
        assert there.texts() == ["a"]
        counts = there.ears.counts
        assert [counts[each] for each in ("bad_payloads", "own_or_of_a_bot", "retained", "on_no_place")] == [1, 1, 1, 1]


async def test_a_flood_is_no_conversation(store: Store) -> None:
    async with listening(store) as there:
        await there.hears(*[published({"id": f"{each}", "text": "x"}) for each in range(BURST + 5)])
        assert (len(there.texts()), there.ears.counts["flooded"]) == (BURST, 5)


async def test_nothing_is_acknowledged_before_the_disk_has_it(store: Store) -> None:
    waits: list[float] = []
    acknowledged: list[bool] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        acknowledged.append(bool(taken and taken.done()))

    async with listening(store, pause=pause) as there:
        there.inbox.faults = [StoreError("The disk is full.")] * 3
        taken = there.ears.hear(published("a"))
        assert taken is not None
        async with asyncio.timeout(PATIENCE_S):
            await taken
        assert there.texts() == ["a"]
    assert waits == [0.5, 1.0, 2.0]
    assert not any(acknowledged)


async def test_what_can_never_be_written_keeps_nobody_elses_words_out(store: Store) -> None:
    async with listening(store) as there:
        there.inbox.poison = "poison"
        await there.hears(*map(published, ("a", "poison", "b")), published({"edits": "1", "text": "c"}))
        assert there.texts() == ["a", "b"]
        assert len(there.inbox.changes) == 1
        assert there.ears.counts["never_taken"] == 1


@given(st.text() | st.none())
def test_any_cursor_is_read(cursor: str | None) -> None:
    assert Receipts.parse(str(Receipts.parse(cursor))).is_new("an event")


def test_receipts_have_a_bound() -> None:
    receipts = Receipts()
    for each in range(2 * MOST):
        receipts.id_for(published("yes", number=each))
    assert len(orjson.loads(str(receipts))) == MOST
    newest = published("yes", number=2 * MOST - 1, dup=True)
    assert Receipts.parse(str(receipts)).id_for(newest) == receipts.id_for(newest)


async def test_without_a_place_there_is_no_connection_and_nothing_is_wrong(store: Store, tmp_path: Path) -> None:
    places: list[Place] = []
    people = People()
    office = Office(
        tmp_path, people, store, Inbox(store), Identities(store, people), lambda _: None, places=lambda: places
    )
    section = MqttSettings.model_validate({"host": "127.0.0.1", "port": 1})
    bridge = plugin.open(section, office)
    assert isinstance(bridge, Linked)
    running = asyncio.create_task(bridge.run())
    try:
        await asyncio.sleep(0)
        assert bridge.health().ready
        for topic in ("lab/+", f"{section.root}/stop/all"):
            with pytest.raises(NetworkError, match="is no place"):
                await bridge.send(Post(Place("mqtt", topic), document("x"), Lane.ALERT), key="k")
        assert bridge.health().ready
        places.append(PLACE)
        bridge.places_changed()
        assert not bridge.health().ready
        places.clear()
        bridge.places_changed()
        assert bridge.health().ready
    finally:
        running.cancel()
        await asyncio.wait([running])
