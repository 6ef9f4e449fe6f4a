"""What components say on MQTT goes to those whom it concerns; the rest is counted and dropped."""

import pytest

from bot.fleet.listener import Listener
from bot.system import System
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Birth, Shown, State
from wire.mqtt import Delivery

STATE = State("walker", "5e", "0a", None, Shown.READY)
BIRTH = Birth("walker", "5e", "A walker", "demo", "1")


@pytest.fixture
def listener(system: System) -> Listener:
    return Listener(ROOT, system.bell, system.registry)


def delivery(topic: str, payload: bytes) -> Delivery:
    return Delivery(f"{ROOT}/{topic}", payload, 0, retain=False)


async def test_a_statement_is_answered_and_shown(
    listener: Listener, system: System, walker_key: PrivateKey, published: list[tuple[str, bytes]]
) -> None:
    await listener.receive(delivery("state/walker", seal(walker_key, ROOT, "state", STATE.to_bytes())))
    assert [topic for topic, _ in published] == [f"{ROOT}/lease/walker"]
    assert system.registry.sights()[0].shown is Shown.READY
    assert listener.refused == 0


async def test_a_birth_is_shown_until_it_is_taken_away(listener: Listener, system: System) -> None:
    await listener.receive(delivery("birth/walker", BIRTH.to_bytes()))
    assert system.registry.sights()[0].title == "A walker"
    await listener.receive(delivery("birth/walker", b""))
    assert system.registry.sights()[0].title is None


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("state/walker", b""),
        ("state/walker", b"{}"),
        ("state/walker", STATE.to_bytes()),
        ("state/walker", seal(PrivateKey(b"t" * 32), ROOT, "state", STATE.to_bytes())),
        ("birth/walker", b"\xff"),
        ("birth/walker", b"[]"),
        ("birth/walker", Birth("crane", "5e", "A crane", "demo", "1").to_bytes()),
        ("birth/stranger", Birth("stranger", "5e", "A stranger", "demo", "1").to_bytes()),
        ("state/stranger", seal(PrivateKey(b"t" * 32), ROOT, "state", STATE.to_bytes())),
        ("state/walker/more", b"{}"),
        ("state", b"{}"),
    ],
)
async def test_what_breaks_the_contract_is_counted_and_dropped(
    listener: Listener, system: System, published: list[tuple[str, bytes]], topic: str, payload: bytes
) -> None:
    await listener.receive(delivery(topic, payload))
    assert listener.refused == 1
    assert published == []
    (walker,) = system.registry.sights()
    assert (walker.title, walker.shown) == (None, None)
