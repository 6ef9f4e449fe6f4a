"""The outbox: what is urgent goes first, and words are kept no longer than they are needed."""

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store import Store, outbox, schema
from bot.store.outbox import Queued
from bot.words.document import Document, Items, Span, Style, Table, Text, Tone, document
from bot.words.message import Lane, Place, Post

spans = st.builds(Span, st.text(max_size=20), st.sampled_from(Style), st.sampled_from(Tone))
paragraphs = st.builds(Text, st.lists(spans, max_size=4).map(tuple))
lists = st.builds(Items, st.lists(paragraphs, max_size=3).map(tuple))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    width = draw(st.integers(0, 3))
    head = tuple(draw(st.lists(st.text(max_size=10), min_size=width, max_size=width)))
    rows = draw(st.lists(st.lists(spans, min_size=width, max_size=width).map(tuple), max_size=3))
    return Table(head, tuple(rows))


documents = st.builds(Document, st.lists(paragraphs | lists | tables(), max_size=4).map(tuple))


def post(words: str, lane: Lane = Lane.ANSWER, network: str = "chat") -> Post:
    return Post(Place(network, "room"), document(words), lane, reply_to="$event")


async def queue(store: Store, *posts: Post) -> list[str]:
    return await store.write(lambda tx: [outbox.queue(tx, each) for each in posts])


async def waiting(store: Store, network: str = "chat", most: int = 50) -> list[Queued]:
    return await store.read(lambda tx: outbox.waiting(tx, network, most))


@given(saying=documents)
def test_every_document_comes_back_as_it_was(saying: Document) -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as tx:
        schema.migrate(tx)
        outbox.queue(tx, Post(Place("chat", "room"), saying, Lane.ANSWER))
        (queued,) = outbox.waiting(tx, "chat")
    assert queued.post.document == saying


async def test_a_post_comes_out_as_it_went_in(store: Store) -> None:
    said = post("hello <b>")
    (key,) = await queue(store, said)
    (queued,) = await waiting(store)
    assert (queued.post, queued.key) == (said, key)
    without_reply = Post(Place("talk", "stream>topic"), document(), Lane.WITNESS)
    await queue(store, without_reply)
    assert [each.post for each in await waiting(store, "talk")] == [without_reply]


async def test_what_is_urgent_goes_first_and_each_lane_in_order(store: Store) -> None:
    lanes = (Lane.WITNESS, Lane.ANSWER, Lane.STOP, Lane.PROGRESS, Lane.ALERT, Lane.ANSWER, Lane.STOP)
    posts = [post(str(number), lane) for number, lane in enumerate(lanes)]
    await queue(store, *posts)
    assert [each.post for each in await waiting(store)] == [posts[number] for number in (2, 6, 1, 5, 4, 3, 0)]
    assert [each.post for each in await waiting(store, most=1)] == [posts[2]]


async def test_a_network_is_given_its_own_posts_only(store: Store) -> None:
    await queue(store, post("a"), post("b", network="talk"))
    assert [each.post.place.network for each in await waiting(store)] == ["chat"]


async def test_keys_are_unique_and_stay_the_same(store: Store) -> None:
    keys = await queue(store, *(post("the same words") for _ in range(50)))
    assert len(set(keys)) == 50
    for _ in range(2):
        assert [each.key for each in await waiting(store)] == keys


async def test_what_was_sent_keeps_no_words(store: Store) -> None:
    await queue(store, post("the secret words"))
    (queued,) = await waiting(store)
    await store.write(lambda tx: outbox.sent(tx, queued.row, "$sent"))
    assert await waiting(store) == []
    rows = await store.read(lambda tx: tx.execute("SELECT state, event, document FROM outbox").fetchall())
    assert rows == [("sent", "$sent", b"")]


async def test_what_failed_keeps_its_words_and_the_reason(store: Store) -> None:
    await queue(store, post("the words"))
    (queued,) = await waiting(store)
    await store.write(lambda tx: outbox.failed(tx, queued.row, "The room is gone."))
    assert await waiting(store) == []
    ((state, error, words),) = await store.read(
        lambda tx: tx.execute("SELECT state, error, document FROM outbox").fetchall()
    )
    assert (state, error) == ("failed", "The room is gone.")
    assert b"the words" in words


@pytest.mark.parametrize("broken", [None, "words", Document((Text((Span("\ud800"),)),))])
async def test_what_is_no_document_is_never_queued(store: Store, broken: Document) -> None:
    with pytest.raises(ValueError, match=r"."):
        await queue(store, Post(Place("chat", "room"), broken, Lane.ANSWER))
    assert await waiting(store) == []
