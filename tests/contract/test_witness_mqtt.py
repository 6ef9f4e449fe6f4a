"""The broker as a witness: whoever comes later reads the newest checkpoint there, and can believe it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.audit.note import Checkpoint, Signer, open_note
from bot.record.publishing import Publisher
from bot.record.witnesses.mqtt import MqttWitness
from bot.record.witnesses.witness import NotWitnessed
from bot.store import Store, audit, tree
from demo.broker import LocalBroker, mosquitto
from wire.envelope import PrivateKey
from wire.mqtt import LARGEST, Broker, Delivery, Link

pytestmark = pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed")

SIGNER = Signer("example.org/log", PrivateKey(bytes(range(32))))
TOPIC = "tocsin/v1/audit/tocsin"
PATIENCE = 10.0


class Reader:
    """Somebody who comes later, and reads what is retained."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Delivery] = asyncio.Queue()

    def __call__(self, delivery: Delivery) -> None:
        self.heard.put_nowait(delivery)

    async def next(self) -> Delivery:
        """What comes next."""
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker") as local:
        yield local


@pytest_asyncio.fixture
async def sealed(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        store.seal_with(tree.Seal(SIGNER))
        yield store


@contextlib.asynccontextmanager
async def running(link: Link) -> AsyncGenerator[Link]:
    run = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        run.cancel()
        await asyncio.wait([run])


async def read_later(where: Broker) -> Delivery:
    reader = Reader()
    link = Link(where, "reader", receive=reader)
    await link.subscribe(TOPIC, 1)
    async with running(link):
        return await reader.next()


async def note(store: Store) -> bytes:
    await store.write(lambda tx: audit.record(tx, "intent", id="1"))
    found = await store.read(tree.newest_note)
    assert found is not None
    return found


def bot(where: Broker) -> Link:
    return Link(where, "bot", receive=lambda _: None, draw=lambda: 0.1)


async def test_who_comes_later_reads_the_newest_checkpoint_and_verifies_it(broker: LocalBroker, sealed: Store) -> None:
    async with running(bot(broker.address)) as link:
        for _ in range(2):
            await MqttWitness(link, TOPIC).publish(await note(sealed), 0)
    delivery = await read_later(broker.address)
    assert (delivery.topic, delivery.retain) == (TOPIC, True)
    text, signers = open_note(delivery.payload, SIGNER.verifier)
    checkpoint, kept = Checkpoint.parse(text), await sealed.read(tree.of)
    assert kept is not None
    assert signers == (SIGNER.verifier,)
    assert (checkpoint.size, checkpoint.root) == (2, kept.frontier.root())


async def test_the_publisher_brings_it_when_the_broker_is_back_and_restarted_it_still_has_it(
    broker: LocalBroker, sealed: Store
) -> None:
    await broker.stop()
    async with running(bot(broker.address)) as link:
        witness = MqttWitness(link, TOPIC)
        publisher = Publisher(sealed, [witness], [SIGNER.verifier], (), queued=lambda: None)
        sealed.watch(publisher.changed)
        await note(sealed)
        publishing = asyncio.create_task(publisher.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await publisher.ready.wait()
            await broker.start()
            delivery = await read_later(broker.address)
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])
    assert Checkpoint.parse(open_note(delivery.payload, SIGNER.verifier)[0]).size == 1
    await broker.stop()
    await broker.start()
    assert (await read_later(broker.address)).payload == delivery.payload


async def test_what_the_broker_does_not_take_is_told(broker: LocalBroker) -> None:
    async with running(bot(broker.address)) as link:
        witness = MqttWitness(link, TOPIC)
        with pytest.raises(NotWitnessed, match="bytes"):
            await witness.publish(bytes(LARGEST + 1), 1)
        assert await witness.latest() is None


async def test_a_connection_that_is_lost_meanwhile_is_told(broker: LocalBroker) -> None:
    async with running(bot(broker.address)) as link:
        await link.ready()
        os.kill(broker.process.pid, signal.SIGSTOP)
        publishing = asyncio.ensure_future(MqttWitness(link, TOPIC).publish(b"note", 1))
        await asyncio.wait([publishing], timeout=0)
        await broker.kill()
        with pytest.raises(NotWitnessed):
            await publishing
