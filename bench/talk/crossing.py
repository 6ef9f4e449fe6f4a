"""How long words take from Matrix to Zulip through the bot, and back, beside the two networks' own times together.

Who speaks and who reads is the same on both sides, and so is how they do it; round by round, one after the other.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable
from time import perf_counter

from bench.talk.scene import Scene
from bench.talk.zulip import TOPIC, say

ROUNDS = 20
WARM_UP = 3
"""All of them together are fewer than one person may have passed on at once."""
ELSEWHERE = "general"
"""A channel that the bot is not in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What each took, in ms."""

    there: float
    back: float
    on_zulip: float
    from_alice: float
    to_alice: float


async def crossed(scene: Scene) -> list[Round]:
    """All rounds that count."""
    return [await _round(scene, number) for number in range(WARM_UP + ROUNDS)][WARM_UP:]


async def _round(scene: Scene, number: int) -> Round:
    alice, carol, room = scene.world.alice, scene.carol, scene.world.room
    there, back, bare = (f"{what} {number}." for what in ("over there", "back", "bare"))
    return Round(
        there=await _took(alice.say(room, there), scene.reader.until(there)),
        from_alice=await _took(alice.say(scene.room, bare), carol.hears(bare)),
        back=await _took(say(scene.bob, back, topic=TOPIC), _alice_hears(scene, room, back)),
        on_zulip=await _took(say(scene.alice, bare, to=ELSEWHERE), scene.reader.until(bare)),
        to_alice=await _took(carol.say(scene.room, back), _alice_hears(scene, scene.room, back)),
    )


async def _alice_hears(scene: Scene, room: str, words: str) -> None:
    await scene.world.alice.wait_for(lambda heard: heard.room == room and words in heard.body)


async def _took(saying: Awaitable[object], hearing: Awaitable[object]) -> float:
    """In ms. Whoever hears it listens already."""
    heard = asyncio.ensure_future(hearing)
    began = perf_counter()
    await saying
    await heard
    return (perf_counter() - began) * 1000
