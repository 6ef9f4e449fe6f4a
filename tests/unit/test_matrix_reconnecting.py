"""What a homeserver says oddly ends the bridge at its very first start, and never after it has worked."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncGenerator, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from bot.bridge import Office
from bot.identities import Identities
from bot.private import write_private
from bot.store import Store
from bot.words.errors import StoreError
from bot.words.people import People
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.connection import Denied
from bridges.matrix.cross_signing import CrossSigning, keep
from bridges.matrix.replay import ReplayIndex
from bridges.matrix.settings import MatrixSettings
from demo.odd import BOT, Answer, Odd, batch, said, signed_by_its_owner
from demo.stage import SOON_S, Inbox

PASSWORD = "secret"  # noqa: S105 - of an account that is none
ASKED = "/keys/query"
REFUSAL: Answer = {"errcode": "M_FORBIDDEN", "error": "not today"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        yield store


@pytest.fixture
def inbox(store: Store) -> Inbox:
    return Inbox(store)


@pytest.fixture
async def bridge(odd: Odd, store: Store, inbox: Inbox, tmp_path: Path) -> MatrixBridge:
    """A bot that has its device and its identity, which the homeserver knows."""
    folder, keys = tmp_path / "bot", CrossSigning.fresh()
    async with odd.device(BOT, "TOCSIN", folder) as connection:
        odd.answers[ASKED] = signed_by_its_owner(connection, keys)
        write_private(folder / "login.json", json.dumps(dataclasses.asdict(connection.login)).encode())
    await asyncio.to_thread(keep, keys, folder, BOT, PASSWORD)
    write_private(tmp_path / "password", PASSWORD.encode())
    settings = MatrixSettings(homeserver=odd.url, user=BOT, password_file=tmp_path / "password")
    people = People()
    return MatrixBridge(settings, Office(folder, people, store, inbox, Identities(store, people), lambda _: None))


async def test_an_odd_answer_at_the_first_start_ends_the_bridge(odd: Odd, bridge: MatrixBridge) -> None:
    odd.answers[ASKED], odd.statuses[ASKED] = REFUSAL, HTTPStatus.FORBIDDEN
    async with asyncio.timeout(SOON_S):
        with pytest.raises(Denied, match="not today"):
            await bridge.run()


async def test_an_odd_answer_after_it_has_worked_does_not_end_the_bridge(
    odd: Odd, bridge: MatrixBridge, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, keep_on_disk = odd.answers[ASKED], ReplayIndex.keep
    faults: Iterator[StoreError] = iter([StoreError("The disk is full.")])

    def failing_once(index: ReplayIndex) -> None:
        for fault in faults:
            raise fault
        keep_on_disk(index)

    def refuse() -> None:
        odd.answers[ASKED], odd.statuses[ASKED] = REFUSAL, HTTPStatus.FORBIDDEN
        odd.meanwhile[ASKED] = mend

    def mend() -> None:
        odd.answers[ASKED] = good
        del odd.statuses[ASKED]
        odd.batches.put_nowait(batch("two", said("$2")))

    odd.batches.put_nowait(batch("one", said("$1")))
    async with running(bridge):
        assert (await inbox.next()).event == "$1"
        monkeypatch.setattr(ReplayIndex, "keep", failing_once)
        odd.meanwhile[ASKED] = refuse
        odd.batches.put_nowait(batch("two", said("$2")))
        assert (await inbox.next()).event == "$2"
        assert odd.meanwhile == {}


@contextlib.asynccontextmanager
async def running(bridge: MatrixBridge) -> AsyncGenerator[None]:
    """The bridge at work. Where it ends by itself, so does the block."""
    async with asyncio.TaskGroup() as beside:
        run = beside.create_task(bridge.run())
        yield
        run.cancel()
