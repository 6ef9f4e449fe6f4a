"""Who has said something, as MQTT is told: an impostor is never byte for byte the one whose name they chose."""

from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from bot.channels import Channel
from bot.store import Store
from bot.words.document import Document
from bot.words.message import Lane, Place, Post, Standing
from bot.words.plain import to_plain
from bot.words.talk import LONGEST_NAME, NOT_SEEN, Speaker, passed_on
from bot.words.times import clock
from bridges.mqtt.payloads import HEAD, written
from tests.unit.talk import MATRIX, MQTT, TOPICAL, ZULIP, Talk

WORDS = "the lamp is on"
LATEST_S = 253_402_300_799
MARKS = (
    "(",
    ")",
    ":",
    ",",
    ", ",
    " ",
    "): ",
    ", unproven",
    ", in x",
    ", 11:02 UTC",
    "in ",
    "?",
    "\u200b",
    "\u3000",
    "a",
)
chosen = st.text() | st.lists(st.sampled_from(MARKS), max_size=6).map("".join) | st.just("x" * (LONGEST_NAME + 1))
moments = st.integers(0, LATEST_S)
speakers = st.builds(
    Speaker,
    name=chosen,
    network=st.from_regex(r"[a-z][a-z0-9_-]*", fullmatch=True),  # nobody who speaks chooses that
    account=chosen,
    is_proven=st.booleans(),
    at=st.just("") | st.builds(clock, moments, moments),
    topic=chosen,
)


def as_published(document: Document) -> dict[str, Any]:
    return orjson.loads(written(Post(MQTT, document, Lane.TALK), "k", "lamp", 1))


async def sender(talk: Talk) -> dict[str, Any]:
    """Who has said what is to be published next, as it is published."""
    (*_, block) = await talk.blocks(MQTT)
    fields = as_published(Document((block,)))
    return {name: value for name, value in fields.items() if name not in ("id", "origin", "text", "sent_ms")}


def bare(chosen: str, signs: str) -> str:
    """Without all that a mark cannot have."""
    return "".join(each for each in chosen if each not in signs and not each.isspace())


@given(speakers)
@example(Speaker("alice", "zulip", "(),", at="11:02 UTC", topic=":"))
@example(Speaker("alice (matrix): no", "zulip", "99, in x, 11:02 UTC", topic="x, unproven, 11:02 UTC"))
def test_whoever_speaks_wherever_is_read_back_as_they_are(speaker: Speaker) -> None:
    document = passed_on(speaker, WORDS)
    fields = as_published(document)
    assert fields.pop("from").strip()
    assert (fields.pop("network"), fields.pop("text")) == (speaker.network, WORDS)
    assert fields.pop("unproven", False) is (not speaker.is_proven or speaker.account != "")
    assert fields.pop("at", "") == speaker.at
    for name, wished, signs in (("account", speaker.account, "(),"), ("topic", speaker.topic, "(),:")):
        found = fields.pop(name, "")
        assert (found != "") is (wished != "")
        assert len(found) <= LONGEST_NAME
        if wished.isprintable() and len(wished) <= LONGEST_NAME:
            assert bare(found, signs) == (bare(wished, signs) or (NOT_SEEN if wished else ""))
    assert fields.keys() == {"id", "origin", "sent_ms"}


@given(speakers)
def test_people_can_read_the_same_in_the_words_alone(speaker: Speaker) -> None:
    said = to_plain(passed_on(speaker, WORDS))
    head = HEAD.match(said, said.index(" ("))
    assert head is not None, "nothing before it looks like it"
    assert said[head.end() :] == WORDS
    there = (head["account"], head["topic"], head["unproven"], head["at"])
    assert [each is not None for each in there] == [
        *map(bool, (speaker.account, speaker.topic, not speaker.is_proven, speaker.at))
    ]


async def test_whoever_calls_themselves_like_a_listed_person_is_told_from_them(store: Store) -> None:
    talk = Talk(store)
    await talk.says("stop it", ZULIP, "olga")
    assert await sender(talk) == {"from": "olga", "network": "zulip"}
    await talk.says("stop it", ZULIP, "99", called="olga")
    assert await sender(talk) == {"from": "olga", "network": "zulip", "account": "99", "unproven": True}
    await talk.says("stop it", MATRIX, standing=Standing.CLEAR)
    assert await sender(talk) == {"from": "olga", "network": "matrix", "unproven": True}
    await talk.says("stop it", ZULIP, "99")
    assert await sender(talk) == {"from": "99", "network": "zulip"}, "an account is no choice of theirs"


async def test_topic_and_time_are_told(store: Store) -> None:
    talk = Talk(store, lab=Channel("lab", TOPICAL, share_encrypted=True))
    await talk.says("brr", Place("zulip", "4/cold, unproven"))
    assert await sender(talk) == {"from": "olga", "network": "zulip", "topic": "cold unproven"}
    await talk.says("it was", Place("zulip", "4/lab"), age_s=61.0)
    assert await sender(talk) == {"from": "olga", "network": "zulip", "at": "1970-01-01 00:00 UTC"}
    doubtful = Standing.UNPROVEN
    await talk.says("no", Place("zulip", "4/cold"), "99", standing=doubtful, called="olga, unproven", age_s=61.0)
    assert await sender(talk) == {
        "from": "olga, unproven",
        "network": "zulip",
        "account": "99",
        "topic": "cold",
        "at": "1970-01-01 00:00 UTC",
        "unproven": True,
    }
