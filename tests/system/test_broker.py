"""The broker of tests and demo: it comes up, is our own, keeps what it should, and does not outlive us."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo import broker as module
from demo.broker import Kind, LocalBroker, mosquitto
from demo.process import ProcessError
from wire import mqtt
from wire.mqtt import Broker, Delivery, Link

PATIENCE = 10.0
KINDS: tuple[Kind, ...] = ("mosquitto", "amqtt")
PARENT = """
import asyncio, sys
from pathlib import Path
from demo.broker import LocalBroker

async def main() -> None:
    async with LocalBroker(Path(sys.argv[1]), kind=sys.argv[2]) as broker:
        print(broker.process.pid, flush=True)
        await broker.process.wait()

asyncio.run(main())
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    if request.param == "mosquitto" and mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    monkeypatch.setattr(mqtt, "GLANCE", 0.1)  # amqtt never answers MQTT 5; on the loopback that shows at once
    return request.param


@pytest_asyncio.fixture
async def broker(kind: Kind, tmp_path: Path) -> AsyncIterator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind=kind) as local:
        yield local


async def test_it_is_on_the_loopback_interface_and_of_the_kind_that_was_asked_for(
    broker: LocalBroker, kind: Kind
) -> None:
    assert (broker.kind, broker.address.host) == (kind, "127.0.0.1")
    await broker.ready()


async def test_without_mosquitto_it_is_amqtt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "mosquitto", lambda: None)
    assert LocalBroker(tmp_path).kind == "amqtt"


async def test_a_port_of_somebody_else_is_not_taken_for_its_own(broker: LocalBroker, tmp_path: Path) -> None:
    other = LocalBroker(tmp_path / "other", kind=broker.kind)
    other.address = Broker("127.0.0.1", broker.address.port)
    with pytest.raises(ProcessError) as caught:
        await other.start()
    assert caught.value.address_in_use
    assert not other.process.alive


async def test_it_comes_back_on_the_same_port_after_a_stop_and_after_a_kill(broker: LocalBroker) -> None:
    address = broker.address
    await broker.stop()
    assert not broker.process.alive
    await broker.start()
    await broker.kill()
    await broker.start()
    assert broker.address == address


async def test_mosquitto_keeps_what_is_retained_over_a_stop(tmp_path: Path) -> None:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with LocalBroker(tmp_path, kind="mosquitto") as broker, asyncio.TaskGroup() as group:
        link = Link(broker.address, "keeper", receive=arrived.put_nowait, draw=lambda: 0.1)
        run = group.create_task(link.run())
        async with asyncio.timeout(PATIENCE):
            await link.ready()
            await link.publish("kept", b"this", qos=1, retain=True)
            await broker.stop()
            await link.subscribe("kept", 1)
            await broker.start()
            assert await arrived.get() == Delivery("kept", b"this", 1, retain=True)
        run.cancel()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the leash")
async def test_it_dies_when_its_parent_is_killed(kind: Kind, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path),
        kind,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(module.ROOT)},
    )
    assert parent.stdout is not None
    over = asyncio.Event()
    async with asyncio.timeout(PATIENCE):
        pidfd = os.pidfd_open(int(await parent.stdout.readline()))
        asyncio.get_running_loop().add_reader(pidfd, over.set)
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        await over.wait()
    asyncio.get_running_loop().remove_reader(pidfd)
    os.close(pidfd)
