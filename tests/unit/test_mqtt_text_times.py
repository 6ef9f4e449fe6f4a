"""When something on MQTT was said: as its payload tells, where that can be, and no payload is lost for its time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.allowance import LATE_OF_ONE_AT_ONCE, OF_ONE_AT_ONCE
from bot.channels.channel import Channel
from bot.channels.channels import TOO_LATE_S
from bot.store import Store, Tx
from bridges.mqtt.payloads import EARLIEST_MS, read
from demo.inlet import Batch
from tests.unit.ears import PLACE, Inbox, listening, published
from tests.unit.talk import MATRIX, Talk

NOW_MS = 1_700_000_000_000
"""On a day that is not today."""
DAY_MS = 86_400_000
ODD: tuple[object, ...] = (None, True, False, -1, 0, 7, -NOW_MS, NOW_MS // 1000, NOW_MS - 1.5, str(NOW_MS - 1), [1], {})
NOT_YET = (NOW_MS + 1, NOW_MS + DAY_MS, 2**63 - 1, 2**63, 2**64 - 1)


def now_ns() -> int:
    return NOW_MS * 1_000_000


class Passing(Inbox):
    """An inbox from which a channel passes on."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.talk = Talk(store, lab=Channel("lab", (MATRIX, PLACE)))

    def keep_more(self, tx: Tx, batch: Batch) -> None:
        self.talk.channels.take_in(tx, "mqtt", batch.messages, batch.changes)


@pytest.mark.parametrize("ago_ms", [0, 1, 60_000, DAY_MS, 7 * DAY_MS, NOW_MS - EARLIEST_MS])
async def test_what_was_said_before_was_said_then(store: Store, ago_ms: int) -> None:
    async with listening(store, now_ns=now_ns) as there:
        await there.hears(published({"text": "on", "sent_ms": NOW_MS - ago_ms}))
        (message,) = there.inbox.messages
        assert (message.sent_ms, message.age_s) == (NOW_MS - ago_ms, ago_ms / 1000)


@pytest.mark.parametrize("odd", [*ODD, *NOT_YET])
async def test_an_odd_time_is_now_and_loses_no_words(store: Store, odd: object) -> None:
    async with listening(store, now_ns=now_ns) as there:
        await there.hears(published({"text": "on", "sent_ms": odd}))
        (message,) = there.inbox.messages
        assert (message.text, message.sent_ms, message.age_s) == ("on", NOW_MS, 0.0)


@pytest.mark.parametrize(
    "payload", ["on", f"sent_ms: {NOW_MS - 1}", '{"text": "on"}', f'{{"text": "on", "sent_ms": {10**30}}}']
)
async def test_what_says_no_time_is_said_now(store: Store, payload: str) -> None:
    async with listening(store, now_ns=now_ns) as there:
        await there.hears(published(payload))
        (message,) = there.inbox.messages
        assert (message.sent_ms, message.age_s) == (NOW_MS, 0.0)


@given(st.integers())
def test_any_number_is_a_time_or_none(value: int) -> None:
    heard = read(f'{{"text": "on", "sent_ms": {value}}}'.encode())
    assert heard.text == "on"
    assert heard.sent_ms in (0, value)


async def test_late_words_have_their_time_and_old_news_stay(store: Store) -> None:
    said: dict[str, dict[str, Any]] = {
        "just now": {"sent_ms": NOW_MS - 1},
        "a while ago": {"sent_ms": NOW_MS - 3_600_000},
        "a day ago": {"sent_ms": NOW_MS - int(TOO_LATE_S * 1000)},
        "old news": {"sent_ms": NOW_MS - int(TOO_LATE_S * 1000) - 1},
        "whenever": {},
    }
    into = Passing(store)
    async with listening(store, into, now_ns=now_ns) as there:
        await there.hears(*[published({"from": "lamp", "text": text, **more}) for text, more in said.items()])
    assert there.texts() == [*said], "all of it is in the inbox"
    assert await into.talk.heard(MATRIX) == [
        "lamp (mqtt, unproven): just now",
        "lamp (mqtt, unproven, 2023-11-14 21:13 UTC): a while ago",
        "lamp (mqtt, unproven, 2023-11-13 22:13 UTC): a day ago",
        "lamp (mqtt, unproven): whenever",
    ]
    assert into.talk.channels.counts["old"] == 1


@pytest.mark.parametrize(("ago_ms", "passed_on"), [(60_000, LATE_OF_ONE_AT_ONCE), (0, OF_ONE_AT_ONCE)])
async def test_what_the_broker_kept_while_the_bot_was_away_is_no_flood(
    store: Store, ago_ms: int, passed_on: int
) -> None:
    into = Passing(store)
    more = {"sent_ms": NOW_MS - ago_ms}
    async with listening(store, into, now_ns=now_ns) as there:
        await there.hears(*[published({"id": f"{n}", "text": f"{n}", **more}) for n in range(LATE_OF_ONE_AT_ONCE + 5)])
    assert into.talk.channels.counts["passed_on"] == passed_on
