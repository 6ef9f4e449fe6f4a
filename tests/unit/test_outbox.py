"""The outbox: what is urgent goes first, words are kept no longer than needed, and nothing is dropped unseen."""

import contextlib
import dataclasses
import sqlite3
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store import Store, Tx, digest, inbox, outbox, said, schema, talk, threads
from bot.store.outbox import Failure, Queued, Waiting
from bot.store.said import Said
from bot.words import packed
from bot.words.document import Document, Items, Span, Style, Table, Text, Tone, document, progress, strong
from bot.words.message import Lane, Message, Moved, Place, Post, Standing
from bot.words.people import Account
from bot.words.plain import to_plain

ROOM = Place("chat", "room")
MORE_THAN_ENOUGH = 1000

spans = st.builds(Span, st.text(max_size=20), st.sampled_from(Style), st.sampled_from(Tone))
paragraphs = st.builds(Text, st.lists(spans, max_size=4).map(tuple))
lists = st.builds(Items, st.lists(paragraphs, max_size=3).map(tuple))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    width = draw(st.integers(0, 3))
    head = tuple(draw(st.lists(st.text(max_size=10), min_size=width, max_size=width)))
    rows = draw(st.lists(st.lists(spans, min_size=width, max_size=width).map(tuple), max_size=3))
    return Table(head, tuple(rows))


bars = st.builds(progress, st.floats(0, 1), st.text(max_size=5))
documents_ = st.builds(Document, st.lists(paragraphs | lists | tables() | bars, max_size=4).map(tuple))


def post(
    words: str, lane: Lane = Lane.ANSWER, network: str = "chat", room: str = "room", subject: str | None = None
) -> Post:
    return Post(Place(network, room), document(words), lane, reply_to="$event", subject=subject)


async def queue(store: Store, *posts: Post) -> list[str]:
    return await store.write(lambda tx: [outbox.queue(tx, each) for each in posts])


def all_waiting(tx: Tx, network: str) -> list[Queued]:
    """All that waits for a network: lane by lane, and in each lane in order."""
    rows = tx.execute(
        "SELECT id, key, place, lane, document, reply_to, subject FROM outbox WHERE network = ? AND state = 'waiting'"
        " ORDER BY lane, id",
        (network,),
    )
    return [Queued(row, key, Place(network, place), Lane(lane), *more) for row, key, place, lane, *more in rows]


async def waiting(store: Store, network: str = "chat") -> list[Queued]:
    return await store.read(lambda tx: all_waiting(tx, network))


async def words(store: Store, network: str = "chat") -> list[str]:
    return [to_plain(each.post.document) for each in await waiting(store, network)]


async def heads(store: Store, busy: Sequence[str] = (), most: int = MORE_THAN_ENOUGH) -> list[Queued]:
    return await store.read(lambda tx: outbox.heads(tx, "chat", busy, most))


async def send(store: Store, row: int, event: str = "$sent") -> None:
    await store.write(lambda tx: outbox.sent(tx, row, event))


async def fail(store: Store, row: int, error: str = "The room is gone.") -> None:
    await store.write(lambda tx: outbox.failed(tx, row, error))


async def condense(store: Store, lane: Lane = Lane.ANSWER, now: float | None = None) -> int:
    return await store.write(lambda tx: outbox.condense(tx, ROOM, lane, time.time() if now is None else now))


async def states(store: Store) -> list[str]:
    rows = await store.read(lambda tx: tx.execute("SELECT state FROM outbox ORDER BY id").fetchall())
    return [state for (state,) in rows]


@given(saying=documents_)
def test_every_document_comes_back_as_it_was(saying: Document) -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as tx:
        schema.migrate(tx)
        outbox.queue(tx, Post(ROOM, saying, Lane.ANSWER))
        (queued,) = all_waiting(tx, "chat")
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
    assert [each.post for each in await heads(store)] == [posts[2]]


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


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "words",
        Document((Text((Span("\ud800"),)),)),
        Document((Text((Span(5),)),)),  # pyright: ignore[reportArgumentType] - what an untyped plug-in may give
        Document((Text((Span("x", "huge"),)),)),  # pyright: ignore[reportArgumentType]
        Document((Text("spans"),)),  # pyright: ignore[reportArgumentType]
        Document(("block",)),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_what_is_no_document_is_never_queued(store: Store, broken: Document) -> None:
    with pytest.raises(ValueError, match=r"."):
        await queue(store, Post(Place("chat", "room"), broken, Lane.ANSWER))
    assert await waiting(store) == []


# Which place, and what first


async def test_each_place_has_its_most_urgent_post_first_and_the_most_urgent_place_comes_first(store: Store) -> None:
    await queue(
        store,
        post("a late", Lane.PROGRESS, room="a"),
        post("a first", Lane.ANSWER, room="a"),
        post("a second", Lane.ANSWER, room="a"),
        post("b", Lane.ALERT, room="b"),
        post("c", Lane.WITNESS, room="c"),
        post("d", Lane.STOP, room="d"),
        post("elsewhere", network="talk"),
    )
    first = await heads(store)
    assert [to_plain(each.post.document) for each in first] == ["d", "a first", "b", "c"]
    assert [each.place.id for each in await heads(store, most=2)] == ["d", "a"]
    assert [each.place.id for each in await heads(store, busy=["d", "c", "nowhere"])] == ["a", "b"]
    assert await heads(store, busy=["a", "b", "c", "d"]) == []
    await send(store, first[1].row)
    assert [to_plain(each.post.document) for each in await heads(store)] == ["d", "a second", "b", "c"]


async def test_what_waits_at_a_thousand_places_is_found_by_index_alone(store: Store) -> None:
    await queue(store, *(post("x", room=f"r{number}") for number in range(100)))
    assert len(await heads(store)) == 100
    said: list[str] = []
    with contextlib.closing(sqlite3.connect(store.path)) as tx:
        tx.set_trace_callback(said.append)
        outbox.heads(tx, "chat", ["r1"], 4)
        tx.set_trace_callback(None)
        plan = [line for *_, line in tx.execute(f"EXPLAIN QUERY PLAN {said[0]}")]
    assert [line for line in plan if "SCAN outbox" in line or "SCAN mine" in line] == []
    assert [line for line in plan if "SEARCH outbox USING" in line and "INDEX outbox_waiting" in line] != []


# One subject


async def test_an_unsent_post_is_overtaken_by_the_next_on_its_subject(store: Store) -> None:
    keys = await queue(store, post("first"), post("10 %", subject="job"), post("other", subject="else"))
    (new,) = await queue(store, dataclasses.replace(post("20 %", subject="job"), reply_to="$other"))
    assert await words(store) == ["first", "20 %", "other"]
    overtaken = (await waiting(store))[1]
    assert (overtaken.key, overtaken.reply_to, overtaken.subject) == (new, "$other", "job")
    assert new not in keys  # new words never go out under a key that the network may have seen


async def test_the_first_of_a_lane_may_be_on_its_way_and_is_never_touched(store: Store) -> None:
    await queue(store, post("10 %", subject="job"))
    (before,) = await waiting(store)
    await queue(store, post("20 %", subject="job"))
    await queue(store, post("30 %", subject="job"))
    first, second = await waiting(store)
    assert first == before
    assert to_plain(second.post.document) == "30 %"


async def test_a_subject_is_of_one_place(store: Store) -> None:
    await queue(store, *(post("x", room=room) for room in ("a", "b")))
    await queue(store, *(post("10 %", subject="job", room=room) for room in ("a", "b")))
    await queue(store, post("20 %", subject="job", room="b"))
    assert sorted(await words(store)) == ["10 %", "20 %", "x", "x"]


async def test_what_is_overtaken_by_something_more_urgent_never_stands_before_what_is_on_its_way(store: Store) -> None:
    await queue(store, post("a", Lane.PROGRESS), post("10 %", Lane.PROGRESS, subject="job"), post("b", Lane.ANSWER))
    await queue(store, post("done", Lane.ANSWER, subject="job"))
    assert await words(store) == ["b", "done", "a"]


async def test_the_next_post_on_a_subject_edits_what_was_said_last(store: Store) -> None:
    await queue(store, post("10 %", subject="job"))
    (first,) = await heads(store)
    assert first.edits is None
    await queue(store, post("20 %", subject="job"), post("elsewhere", subject="job", room="other"))
    await send(store, first.row, "$shown")
    here, there = await heads(store)
    assert (here.edits, here.post.edits, here.post.subject) == ("$shown", "$shown", "job")
    assert there.edits is None
    await send(store, here.row, "$shown again")
    await queue(store, post("30 %", subject="job"), post("no subject"))
    (head,) = await heads(store, busy=["other"])
    assert head.edits == "$shown again"


async def test_older_words_never_go_out_after_newer_ones_on_their_subject(store: Store) -> None:
    await queue(store, post("50 %", Lane.PROGRESS, subject="job"), post("done", Lane.ANSWER, subject="job"))
    (head,) = await heads(store)
    assert to_plain(head.post.document) == "done"
    await send(store, head.row)
    assert await heads(store) == []
    assert sorted(await states(store)) == ["merged", "sent"]


# Digests


async def test_ten_that_wait_are_let_be(store: Store) -> None:
    await queue(store, *(post(str(number)) for number in range(10)))
    assert await condense(store) == 0
    assert await words(store) == [str(number) for number in range(10)]


async def test_many_that_wait_become_one_digest_and_the_first_and_the_newest_stay(store: Store) -> None:
    keys = await queue(store, *(post(f"message {number}") for number in range(18)))
    before = await waiting(store)
    now = before[0].row and time.time()
    assert await condense(store, now=now) == 12
    first, one, *newest = await waiting(store)
    assert first == before[0]
    assert newest == before[-5:]
    assert one.row == before[1].row
    assert one.key not in keys
    assert one.reply_to is None
    clock = time.strftime("%H:%M UTC", time.gmtime(now))
    told = to_plain(one.post.document)
    assert told.startswith(f"12 messages waited here, the oldest since {clock}:\n\n")
    assert told.count(f"• {clock} message ") == 12
    assert f"• {clock} message 1\n• {clock} message 2\n" in told
    assert (await states(store)).count("merged") == 11
    kept = await store.read(lambda tx: tx.execute("SELECT document FROM outbox WHERE state = 'merged'").fetchall())
    assert set(kept) == {(b"",)}


async def test_a_digest_that_is_condensed_again_keeps_its_lines_and_counts_all(store: Store) -> None:
    await queue(store, *(post(f"message {number}") for number in range(17)))
    assert await condense(store) == 11
    await queue(store, *(post(f"message {number}") for number in range(17, 25)))
    assert await condense(store) == 8
    _, one, *newest = await waiting(store)
    told = to_plain(one.post.document)
    assert told.startswith("19 messages waited here")
    assert [line.rsplit(" ", 1)[1] for line in told.splitlines() if line.startswith("•")] == [
        str(number) for number in range(1, 20)
    ]
    assert len(newest) == 5
    assert await condense(store) == 0


async def test_what_does_not_fit_into_a_digest_is_counted_with_its_time_span(store: Store) -> None:
    await queue(store, *(post(f"message {number}") for number in range(106)))
    noon = 1_700_000_000 - 1_700_000_000 % 86_400 + 43_200
    await store.write(lambda tx: tx.execute("UPDATE outbox SET queued = ? + id * 60", (noon,)))
    assert await condense(store, now=noon + 3 * 3600) == 100
    told = to_plain((await waiting(store))[1].post.document)
    assert told.startswith("100 messages waited here, the oldest since 12:02 UTC:")
    assert told.count("•") == 30
    assert told.endswith("• 13:41 UTC message 100\n\nand 70 before them, 12:02 UTC to 13:11 UTC")
    await queue(store, *(post(f"message {number}") for number in range(106, 110)))
    assert await condense(store, now=noon + 30 * 3600) == 4
    told = to_plain((await waiting(store))[1].post.document)
    assert told.startswith("104 messages waited here, the oldest since 2023-11-14 12:02 UTC:")
    assert told.endswith("and 74 before them, 2023-11-14 12:02 UTC to 2023-11-14 13:15 UTC")


async def test_a_digest_says_how_each_message_begins_in_one_short_line(store: Store) -> None:
    long = "\n".join(["a line of a long message"] * 100)
    bare = Post(ROOM, document(), Lane.ANSWER)
    await queue(store, *(post(long) for _ in range(12)), bare, *(post(long) for _ in range(5)))
    await store.write(lambda tx: tx.execute("UPDATE outbox SET document = x'00' WHERE id = 2"))
    await condense(store)
    lines = [line for line in to_plain((await waiting(store))[1].post.document).splitlines() if line.startswith("•")]
    assert len(lines) == 12
    assert all(len(line) <= 132 for line in lines)
    assert lines[0].endswith(" words that this version cannot read")
    assert lines[1].endswith("a line of a long message a line of a long…")
    assert lines[11].endswith(" no words")


async def test_a_great_crowd_is_condensed_in_bounded_bites(store: Store) -> None:
    await queue(store, *(post(str(number)) for number in range(2500)))
    taken = [await condense(store) for _ in range(4)]
    assert taken == [1000, 999, 495, 0]
    first, one, *newest = await waiting(store)
    assert to_plain(first.post.document) == "0"
    assert to_plain(one.post.document).startswith("2494 messages waited here")
    assert len(newest) == 5


@pytest.mark.parametrize("lane", Lane)
async def test_what_tells_of_a_stop_bears_witness_or_was_said_by_people_is_never_condensed(
    store: Store, lane: Lane
) -> None:
    await queue(store, *(post(str(number), lane) for number in range(20)))
    await queue(store, *(post("elsewhere", lane, room="other") for _ in range(20)))
    taken = await condense(store, lane)
    assert taken == (0 if lane in {Lane.STOP, Lane.WITNESS, Lane.TALK} else 14)
    assert len(await waiting(store)) == (40 if taken == 0 else 27)


async def test_a_digest_is_no_post_on_a_subject(store: Store) -> None:
    await queue(store, post("x"), *(post(str(number), subject=f"job{number}") for number in range(14)))
    await condense(store)
    await queue(store, post("again", subject="job0"))
    _, one, *newest = await waiting(store)
    assert one.subject is None
    assert to_plain(newest[-1].post.document) == "again"


def weight(tx: outbox.Tx, condition: str) -> int:
    """How many messages these rows stand for."""
    rows = tx.execute(f"SELECT digest FROM outbox WHERE {condition}").fetchall()  # noqa: S608 - our own words
    return sum(1 if inner is None else digest.load(inner).count for (inner,) in rows)


def queue_nine_more(tx: outbox.Tx, queued: int) -> int:
    for number in range(queued, queued + 9):
        outbox.queue(tx, post(f"#{number}"))
    return queued + 9


def numbers(queued: Queued) -> list[int]:
    return [int(word[1:]) for word in to_plain(queued.post.document).split() if word.startswith("#")]


@given(doings=st.lists(st.sampled_from(["queue nine", "condense", "send", "fail", "retry"]), max_size=60))
def test_whatever_happens_each_message_is_said_once_or_counted_in_order(doings: list[str]) -> None:
    queued = said = 0
    shown: list[int] = []
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as tx:
        schema.migrate(tx)
        for doing in doings:
            before = outbox.heads(tx, "chat", (), 1)
            match doing:
                case "queue nine":
                    queued = queue_nine_more(tx, queued)
                case "condense":
                    outbox.condense(tx, ROOM, Lane.ANSWER, time.time())
                case "send":
                    for head in before:
                        said += weight(tx, f"id = {head.row}")
                        shown += numbers(head)
                        outbox.sent(tx, head.row, "$event")
                case "fail":
                    for head in before:
                        outbox.failed(tx, head.row, "no")
                case _:
                    outbox.retry(tx, None)
            if doing not in {"send", "fail"} and before:
                assert outbox.heads(tx, "chat", (), 1) == before  # it may be on its way
            assert said + weight(tx, "state IN ('waiting', 'failed')") == queued
    assert len(set(shown)) == len(shown)
    if "fail" not in doings:
        assert shown == sorted(shown)


# What a person looks at, and does


async def test_what_waits_is_counted_by_place_and_lane(store: Store) -> None:
    assert await store.read(outbox.waiting_at) == []
    await queue(store, post("1"), post("2"), post("3", Lane.ALERT), post("4", network="talk"), post("5", Lane.ALERT))
    await store.write(lambda tx: tx.execute("UPDATE outbox SET queued = id"))
    (sent, *_) = await heads(store)
    await send(store, sent.row)
    assert await store.read(outbox.waiting_at) == [
        Waiting(ROOM, Lane.ANSWER, 1, 2.0),
        Waiting(ROOM, Lane.ALERT, 2, 3.0),
        Waiting(Place("talk", "room"), Lane.ANSWER, 1, 4.0),
    ]


async def test_failures_are_shown_newest_first_with_how_they_begin(store: Store) -> None:
    saying = Post(ROOM, document(strong("Not run: "), "the\n\nreason"), Lane.STOP)
    await queue(store, saying, post("second"), post("third"))
    first, second, _ = await waiting(store)
    await fail(store, first.row)
    await fail(store, second.row, "Too large.")
    await store.write(lambda tx: tx.execute("UPDATE outbox SET queued = id"))
    assert await store.read(lambda tx: outbox.failures(tx, 10)) == [
        Failure(second.row, ROOM, Lane.ANSWER, float(second.row), "Too large.", "second"),
        Failure(first.row, ROOM, Lane.STOP, float(first.row), "The room is gone.", "Not run: the reason"),
    ]
    assert len(await store.read(lambda tx: outbox.failures(tx, 1))) == 1


async def test_what_failed_is_said_after_all_under_its_old_key_and_behind_what_waits(store: Store) -> None:
    keys = await queue(store, post("1"), post("2"), post("3"), post("4"))
    for each in (await waiting(store))[:2]:
        await fail(store, each.row)
    assert await store.write(lambda tx: outbox.retry(tx, None)) == 2
    assert await words(store) == ["3", "4", "1", "2"]
    assert [each.key for each in await waiting(store)] == [*keys[2:], *keys[:2]]
    assert await store.write(lambda tx: outbox.retry(tx, None)) == 0


async def test_of_what_may_not_go_any_more_only_what_has_words_and_is_meant_is_looked_at(store: Store) -> None:
    await queue(store, *(dataclasses.replace(TALKED, subject=f"said zulip:{number}") for number in range(4)))
    await fail(store, 2)
    await fail(store, 3)
    await store.write(lambda tx: tx.execute("UPDATE outbox SET document = x'' WHERE id = 3"))
    seen: list[str] = []

    def may_go(subject: str, _: Place) -> bool:
        seen.append(subject)
        return True

    await store.write(lambda tx: talk.drop_where_not(tx, may_go))
    assert seen == ["said zulip:3", "said zulip:1"]
    for number in range(4):
        await store.write(lambda tx, number=number: talk.drop_where_not(tx, may_go, [f"said zulip:{number}"]))
    assert seen[2:] == ["said zulip:1", "said zulip:3"]


async def test_one_failure_is_tried_again_and_the_others_are_let_be(store: Store) -> None:
    await queue(store, post("1"), post("2"))
    first, second = await waiting(store)
    await fail(store, first.row)
    await fail(store, second.row)
    assert await store.write(lambda tx: outbox.retry(tx, second.row)) == 1
    assert await words(store) == ["2"]
    assert await store.write(lambda tx: outbox.retry(tx, 4711)) == 0


async def test_a_failure_whose_words_are_gone_or_overtaken_is_not_tried_again(store: Store) -> None:
    await queue(store, post("gone"), post("50 %", subject="job"))
    gone, overtaken = await waiting(store)
    await fail(store, gone.row)
    await fail(store, overtaken.row)
    await store.write(lambda tx: tx.execute("UPDATE outbox SET document = x'' WHERE id = ?", (gone.row,)))
    await queue(store, post("done", subject="job"))
    assert await store.write(lambda tx: outbox.retry(tx, None)) == 0
    assert await words(store) == ["done"]
    (failure,) = await store.read(lambda tx: outbox.failures(tx, 10))
    assert failure.words == "words gone"


async def test_what_is_discarded_is_gone_but_never_a_stop_nor_what_may_be_on_its_way(store: Store) -> None:
    await queue(
        store,
        *(post(f"answer {number}") for number in range(3)),
        *(post(f"stop {number}", Lane.STOP) for number in range(3)),
        *(post(f"alert {number}", Lane.ALERT) for number in range(3)),
        post("elsewhere", room="other"),
        post("there too", room="other"),
    )
    failing = (await waiting(store))[0]
    assert failing.lane is Lane.STOP
    await fail(store, failing.row)
    assert await store.write(lambda tx: outbox.discard(tx, ROOM)) == 4
    assert await words(store) == ["stop 1", "stop 2", "answer 0", "elsewhere", "there too", "alert 0"]
    assert (await states(store)).count("discarded") == 4
    kept = await store.read(lambda tx: tx.execute("SELECT document FROM outbox WHERE state = 'discarded'").fetchall())
    assert set(kept) == {(b"",)}


async def test_rows_are_discarded_one_by_one(store: Store) -> None:
    await queue(store, post("1"), post("2"), post("3"))
    first, second, third = await waiting(store)
    await fail(store, first.row)
    assert await store.write(lambda tx: outbox.discard(tx, [first.row, second.row, third.row, 4711])) == 2
    assert await words(store) == ["2"]
    assert await store.write(lambda tx: outbox.discard(tx, [first.row])) == 0
    assert await store.write(lambda tx: outbox.discard(tx, [])) == 0


def test_rare_and_plain_documents_are_stored_in_one_form() -> None:
    plain = document(strong("bold", Tone.BAD), "words")
    both = document(*plain.blocks, progress(0.5))
    assert packed.dump(both).startswith(packed.dump(plain)[:-2])


async def test_a_digest_that_cannot_be_read_is_one_line_of_the_next(store: Store) -> None:
    await queue(store, *(post(f"answer {number}") for number in range(14)))
    assert await condense(store)
    await store.write(lambda tx: tx.execute("UPDATE outbox SET digest = x'7B7D' WHERE digest IS NOT NULL"))
    await queue(store, *(post(f"later {number}") for number in range(14)))
    assert await condense(store)
    said = [to_plain(each.post.document) for each in await waiting(store)]
    assert any("words that this version cannot read" in words for words in said)


TALKED = Post(ROOM, document("hello"), Lane.TALK, subject="said zulip:1")


async def test_an_edit_of_what_people_said_stays_in_its_topic_and_under_what_it_answers(store: Store) -> None:
    await queue(store, dataclasses.replace(TALKED, topic="zulip:4/cold", answers="said zulip:0"))
    await queue(store, TALKED, dataclasses.replace(TALKED, place=Place("chat", "other")))
    rows = await store.read(lambda tx: tx.execute("SELECT place, topic, answers FROM outbox ORDER BY id").fetchall())
    assert rows == [("room", "zulip:4/cold", "said zulip:0")] * 2 + [("other", None, None)]


async def test_an_edit_that_says_itself_what_it_answers_does_so(store: Store) -> None:
    await queue(store, dataclasses.replace(TALKED, topic="zulip:4/cold"), dataclasses.replace(TALKED, reply_to="$1"))
    await queue(store, dataclasses.replace(TALKED, lane=Lane.ALERT))
    rows = await store.read(lambda tx: tx.execute("SELECT topic, reply_to FROM outbox ORDER BY id").fetchall())
    assert rows == [("zulip:4/cold", None), (None, "$1")], "what overtakes another takes its place"


async def test_what_is_let_go_is_neither_edited_nor_spoken_of(store: Store) -> None:
    await queue(
        store, dataclasses.replace(TALKED, answers="said zulip:0"), dataclasses.replace(TALKED, subject="other")
    )
    await send(store, 1)
    await store.write(lambda tx: talk.let_go(tx, ROOM, "said zulip:1", "gone"))
    await store.write(lambda tx: talk.let_go(tx, ROOM, "other", "gone too", answers="nothing"))
    assert await store.read(lambda tx: outbox.spoke_of(tx, ROOM, "said zulip:1")) is None
    assert await store.read(lambda tx: outbox.spoke_of(tx, ROOM, "gone")) == "$sent"
    await queue(store, TALKED)
    rows = await store.read(lambda tx: tx.execute("SELECT subject, answers FROM outbox ORDER BY id").fetchall())
    assert rows == [("gone", "said zulip:0"), ("gone too", None), ("said zulip:1", None)]
    await store.write(lambda tx: talk.let_go(tx, Place("chat", "other"), "said zulip:1", "gone"))
    assert await store.read(lambda tx: outbox.spoke_of(tx, ROOM, "said zulip:1")) == ""


async def test_what_may_not_go_any_more_is_dropped_whether_it_waits_or_was_refused(store: Store) -> None:
    await queue(store, *(dataclasses.replace(TALKED, subject=f"said zulip:{number}") for number in range(4)))
    await queue(store, dataclasses.replace(TALKED, subject=None), post("an answer", subject="said zulip:9"))
    await fail(store, 2)
    seen: list[tuple[str, Place]] = []

    def may_go(subject: str, place: Place) -> bool:
        seen.append((subject, place))
        return subject == "said zulip:3"

    assert await store.write(lambda tx: talk.drop_where_not(tx, may_go)) == 2
    assert seen == [(f"said zulip:{number}", ROOM) for number in (2, 3, 1)], "the first may be on its way"
    rows = await store.read(lambda tx: tx.execute("SELECT id, state FROM outbox WHERE lane = 5 ORDER BY id").fetchall())
    assert rows == [(1, "waiting"), (2, "discarded"), (3, "discarded"), (4, "waiting"), (5, "waiting")]
    assert await store.write(lambda tx: outbox.retry(tx, None)) == 0


async def test_a_beginning_that_was_said_is_what_its_thread_begins_with(store: Store) -> None:
    other = Place("chat", "other")
    for place in (ROOM, other):
        await store.write(lambda tx, place=place: threads.begin(tx, place, "zulip:4/cold", document("cold")))
    await queue(store, dataclasses.replace(TALKED, topic="zulip:4/cold"))
    await send(store, 1, "$root")
    assert await store.read(lambda tx: threads.topic_of(tx, ROOM, "$root")) == "zulip:4/cold"
    assert await store.read(lambda tx: threads.topic_of(tx, other, "$root")) is None
    assert {each.place: each.post.thread for each in await heads(store)} == {ROOM: "$root", other: None}
    await send(store, 2, "$other")
    assert await store.read(lambda tx: threads.topic_of(tx, ROOM, "$root")) == "zulip:4/cold"
    assert await store.read(lambda tx: threads.places(tx, "zulip:4/cold")) == [other, ROOM]


async def test_what_takes_the_place_of_an_answer_is_as_urgent_as_an_answer(store: Store) -> None:
    await queue(store, post("another"), post("begun", subject="job 1"), post("waits", Lane.PROGRESS))
    await queue(store, post("half", Lane.PROGRESS, subject="job 1"))
    assert [
        (each.lane, to_plain(each.post.document)) for each in await store.read(lambda tx: all_waiting(tx, "chat"))
    ] == [
        (Lane.ANSWER, "another"),
        (Lane.ANSWER, "half"),
        (Lane.PROGRESS, "waits"),
    ]


@pytest.mark.parametrize(
    ("to", "there"),
    [("4/other", "4/other"), ("5/topic", "4/topic"), ("40/topic", "4/topic"), ("4/topic", "4/topic")],
    ids=["beside", "elsewhere", "where the number begins so", "nowhere"],
)
async def test_an_answer_follows_its_question_from_topic_to_topic_and_nowhere_else(
    store: Store, to: str, there: str
) -> None:
    was, now = Place("chat", "4/topic"), Place("chat", to)
    question = Message(was, Account("chat", "olga"), "$event", "!work", Standing.NAMED, "", 0, 0.0)
    await store.write(lambda tx: inbox.accept(tx, "chat", [question], "c"))
    await queue(store, post("0 %", Lane.PROGRESS, room=was.id, subject="work"))
    await store.write(lambda tx: inbox.accept(tx, "chat", [], "d", moves=[Moved(was, now, ("$event",))]))
    more = [post("done", room=was.id), post("a word", Lane.TALK, room=was.id)]
    await queue(store, *more, dataclasses.replace(more[0], reply_to=None), dataclasses.replace(more[0], reply_to="$2"))
    waiting = [(each.place.id, each.lane) for each in await store.read(lambda tx: all_waiting(tx, "chat"))]
    stays = [(was.id, Lane.ANSWER)] * 2
    assert waiting == [(there, Lane.ANSWER), *stays, (was.id, Lane.PROGRESS), (was.id, Lane.TALK)]


async def test_a_copy_is_known_as_soon_as_its_network_shows_it_by_its_key(store: Store) -> None:
    origin = Said(Place("other", "room"), "$origin")
    said_there = Message(origin.place, Account("other", "olga"), origin.event, "hi", Standing.NAMED, "", 0, 0.0)
    await store.write(lambda tx: inbox.accept(tx, "other", [said_there], "c"))
    keys = await queue(store, post("hi", Lane.TALK, subject=origin.subject), post("an answer"))
    seen = {keys[0]: "$copy", keys[1]: "$answer", "of nobody": "$nothing"}
    await store.write(lambda tx: outbox.recognise(tx, "chat", seen))
    await store.write(lambda tx: outbox.recognise(tx, "elsewhere", seen))
    assert await store.read(lambda tx: [said.copy(tx, "chat", each) for each in seen.values()]) == [
        (Said(ROOM, "$copy"), origin),
        None,
        None,
    ]
