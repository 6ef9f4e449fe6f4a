"""What components say on MQTT goes to those whom it concerns; the rest is counted and dropped."""

import pytest
import structlog.testing

from bot.fleet.claims import Claims
from bot.fleet.listener import LOGGED_EVERY_S, MOST_LOGGED, Listener
from bot.system import System
from tests.unit.tower import BOT_KEY
from wire.birth import Birth, Danger, Offer
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Drill, Open, Shown, State, Stop, Target
from wire.mqtt import Delivery

BOT = PrivateKey(b"bot".ljust(32, b".")).public
STATE = State("walker", "5e", "0a", None, Shown.READY, key=BOT.id)
CRANE = Birth("crane", "5e", "A crane", "demo", "1")
BIRTH = Birth("walker", "5e", "A walker", "demo", "1")


async def received(listener: Listener, delivery: Delivery) -> None:
    """What comes of one message, from its arrival to the last answer."""
    receiving = listener.receive(delivery)
    if receiving is not None:
        await receiving
    await listener.hearing.deal()


@pytest.fixture
def listener(system: System) -> Listener:
    return Listener(
        ROOT,
        system.bell,
        system.registry,
        claimed=Claims(system.store, (), queued=lambda: None),
        talk=system.jobs.hear,
        name="tocsin",
    )


def delivery(topic: str, payload: bytes) -> Delivery:
    return Delivery(f"{ROOT}/{topic}", payload, 0, retain=False)


async def test_a_statement_is_answered_and_shown(
    listener: Listener, system: System, walker_key: PrivateKey, published: list[tuple[str, bytes]]
) -> None:
    await received(listener, delivery("state/walker", seal(walker_key, ROOT, "state", STATE.to_bytes())))
    assert [topic for topic, _ in published] == [f"{ROOT}/lease/walker"]
    assert system.registry.sights()[0].shown is Shown.READY
    assert listener.refused == 0


async def test_a_birth_is_shown_until_it_is_taken_away(
    listener: Listener, system: System, walker_key: PrivateKey
) -> None:
    await received(listener, delivery("birth/walker", seal(walker_key, ROOT, "birth", BIRTH.to_bytes())))
    assert system.registry.sights()[0].title == "A walker"
    await received(listener, delivery("birth/walker", b""))
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
        ("birth/walker", BIRTH.to_bytes()),
        ("birth/walker", seal(PrivateKey(b"t" * 32), ROOT, "birth", BIRTH.to_bytes())),
        ("birth/walker", seal(PrivateKey(b"walker".ljust(32, b".")), ROOT, "birth", CRANE.to_bytes())),
        ("stop/all", b"{}"),
        ("stop/all", seal(PrivateKey(b"t" * 32), ROOT, "stop", Stop("1" * 32, Target(), 0).to_bytes())),
        ("birth/stranger", Birth("stranger", "5e", "A stranger", "demo", "1").to_bytes()),
        ("state/stranger", seal(PrivateKey(b"t" * 32), ROOT, "state", STATE.to_bytes())),
        ("state/walker/more", b"{}"),
        ("state", b"{}"),
    ],
)
async def test_what_breaks_the_contract_is_counted_and_dropped(
    listener: Listener, system: System, published: list[tuple[str, bytes]], topic: str, payload: bytes
) -> None:
    await received(listener, delivery(topic, payload))
    assert listener.refused == 1
    assert published == []
    (walker,) = system.registry.sights()
    assert (walker.title, walker.shown) == (None, None)


def state_of(component: str, *names: str) -> bytes:
    """What somebody says who is not enrolled; nobody knows their key."""
    said = State(component, "5e", "0a", None, Shown.STOPPED, tuple(map(Open, names)))
    return seal(PrivateKey(bytes(32)), ROOT, "state", said.to_bytes())


async def test_who_is_not_enrolled_is_shown_and_believed_in_nothing(
    listener: Listener, system: System, published: list[tuple[str, bytes]]
) -> None:
    await received(listener, delivery("state/ghost", state_of("ghost", "a" * 32)))
    ((name, (names, _)),) = system.registry.strangers().items()
    assert (name, names) == ("ghost", {"a" * 32})
    assert (published, system.bell.incidents(), listener.refused) == ([], (), 1)
    assert [sight.id for sight in system.registry.sights()] == ["walker"]


@pytest.mark.parametrize("topic", ["state/Ghost", "state/ghost/more", "state/" + "g" * 64, "state/", "birth/ghost"])
async def test_who_has_no_name_that_one_could_have_is_not_even_shown(
    listener: Listener, system: System, topic: str
) -> None:
    await received(listener, delivery(topic, state_of("ghost")))
    assert (system.registry.strangers(), listener.refused) == ({}, 1)


async def test_our_own_drills_come_back_and_are_no_offence(
    listener: Listener, system: System, published: list[tuple[str, bytes]]
) -> None:
    drill = seal(BOT_KEY, ROOT, "drill", Drill("0a", Target(), 1).to_bytes())
    await received(listener, delivery("stop/all", drill))
    await received(listener, delivery("stop/all", b""))  # a retained stop was taken away
    assert (listener.refused, system.bell.incidents(), published) == (0, (), [])


async def test_a_drill_that_somebody_forged_is_refused(listener: Listener) -> None:
    forged = seal(PrivateKey(bytes(32)), ROOT, "drill", Drill("0a", Target(), 1).to_bytes())
    await received(listener, delivery("stop/all", forged))
    assert listener.refused == 1


async def test_a_stop_on_the_wire_is_taken_whatever_topic_it_came_on(listener: Listener, system: System) -> None:
    stop = seal(BOT_KEY, ROOT, "stop", Stop("a" * 32, Target(id="walker"), 1).to_bytes())
    await received(listener, delivery("stop/group/nobody", stop))
    assert [str(each.target) for each in system.bell.incidents()] == ["id/walker"]


async def test_what_a_birth_claims_is_passed_on_and_a_forged_one_claims_nothing(
    system: System, walker_key: PrivateKey
) -> None:
    claims: list[tuple[str, tuple[str, ...]]] = []

    async def claimed(component: str, what: tuple[str, ...]) -> None:
        claims.append((component, what))

    listener = Listener(ROOT, system.bell, system.registry, claimed=claimed, talk=system.jobs.hear, name="tocsin")
    offers = {"walk": Offer("Walk", {}, danger=Danger.HIGH)}
    birth = Birth("walker", "5e", "A walker", "demo", "1", ("arms",), offers)
    await received(listener, delivery("birth/walker", seal(walker_key, ROOT, "birth", birth.to_bytes())))
    assert claims == [("walker", ("group arms", "group legs", "walk: danger high"))]
    await received(listener, delivery("birth/walker", seal(PrivateKey(bytes(32)), ROOT, "birth", BIRTH.to_bytes())))
    await received(listener, delivery("birth/walker", b""))
    assert (len(claims), listener.refused) == (1, 1)


async def test_a_flood_of_refusals_is_counted_and_fills_no_log(system: System) -> None:
    now = [0.0]
    claims = Claims(system.store, (), queued=lambda: None)
    listener = Listener(
        ROOT, system.bell, system.registry, claimed=claims, talk=system.jobs.hear, name="tocsin", clock=lambda: now[0]
    )

    async def flood(*topics: str) -> int:
        """How many lines of the log these make."""
        with structlog.testing.capture_logs() as logs:
            for topic in topics:
                await received(listener, delivery(topic, b"{}"))
        return len(logs)

    assert await flood(*["state/walker"] * 100) == 1
    assert await flood(*(f"state/ghost-{number}" for number in range(MOST_LOGGED * 3))) == MOST_LOGGED - 1
    assert await flood("state/ghost-0", "state/another") == 0
    assert listener.refused == 100 + MOST_LOGGED * 3 + 2
    now[0] += LOGGED_EVERY_S
    assert await flood("state/walker", "state/walker", "state/another") == 2
