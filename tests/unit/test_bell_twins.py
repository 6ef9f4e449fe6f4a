"""Two bots with one key cannot both know what is stopped. The first sign of another ends all leases, and is told."""

import os

import pytest

from bot.store import Store
from bot.words.plain import to_plain
from tests.unit.tower import ALARMS, BOT_KEY, Component, Tower, tower
from wire.envelope import PrivateKey, seal
from wire.errors import BadSignature
from wire.messages import ROOT, Lease

STRANGER = PrivateKey(b"stranger".ljust(32, b"."))


def answer_of_another(nonce: str, key: PrivateKey = BOT_KEY) -> bytes:
    """A lease that this bot has not given."""
    return seal(key, ROOT, "lease", Lease(nonce, os.urandom(16).hex(), 0, 10_000).to_bytes())


async def asked(t: Tower, component: Component) -> str:
    """A question that names a lease of ours, and was answered."""
    await t.talk(component)
    state = component.latch.ask(0.0)
    await t.bell.heard(component.name, component.says(state.to_bytes()))
    return state.nonce


async def test_an_answer_of_another_bot_ends_all_leases_and_is_told_once(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane, alarms=(ALARMS,)) as t:
        nonce = await asked(t, walker)
        for _ in range(3):
            t.bell.overheard_lease("walker", answer_of_another(nonce))
        assert t.bell.has_twin
        before = len(t.broker.leases("crane"))
        await t.talk(crane)
        assert len(t.broker.leases("crane")) == before
        assert t.bell.withheld == 3
        (told,) = await t.told(1)
        assert told.place == ALARMS
        assert to_plain(told.document).startswith("ALARM: another bot answers walker under my key.")


async def test_one_that_answers_before_us_is_found_out_as_well(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        state = walker.latch.ask(0.0)
        t.bell.overheard_lease("walker", answer_of_another(state.nonce))
        assert not t.bell.has_twin
        before = len(t.broker.leases("walker"))
        await t.bell.heard("walker", walker.says(state.to_bytes()))
        assert t.bell.has_twin
        assert len(t.broker.leases("walker")) == before


async def test_our_own_answer_is_none_of_another(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await asked(t, walker)
        for envelope in t.broker.to("lease", "walker"):
            t.bell.overheard_lease("walker", envelope)
        assert not t.bell.has_twin


async def test_a_recording_is_none_of_another(store: Store, walker: Component) -> None:
    """An earlier process of ours gave them; who has recorded both question and answer can say both again."""
    async with tower(store, walker) as t:
        await t.talk(walker)
        question = walker.latch.ask(0.0)
        recorded = walker.says(question.to_bytes()), answer_of_another(question.nonce)
    async with tower(store, walker) as t:
        await t.bell.heard("walker", recorded[0])
        t.bell.overheard_lease("walker", recorded[1])
        later = walker.latch.ask(0.0)
        t.bell.overheard_lease("walker", answer_of_another(later.nonce))
        await t.bell.heard("walker", walker.says(later.to_bytes()))  # it names a lease of the earlier process
        assert not t.bell.has_twin


async def test_an_answer_to_a_question_of_long_ago_says_nothing(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        nonce = await asked(t, walker)
        ours = t.broker.to("lease", "walker")[-1]
        t.time[0] += 11
        for envelope in (ours, answer_of_another(nonce), answer_of_another("ab" * 16)):
            t.bell.overheard_lease("walker", envelope)
        assert not t.bell.has_twin


async def test_what_our_key_has_not_signed_is_refused(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        nonce = await asked(t, walker)
        with pytest.raises(BadSignature):
            t.bell.overheard_lease("walker", answer_of_another(nonce, STRANGER))
        t.bell.overheard_lease("nobody", answer_of_another(nonce))
        assert not t.bell.has_twin
