"""`python -m bench.wire.crowd many|fleet ours|bare PORT COUNT`: a thousand components in one process.

Each has a connection of its own. All that they say is made and signed before the clock starts: real ones do that on
machines of their own, all at the same time. They check no signature, for the same reason.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

from bench.fleet.components import BOT, key, name
from bench.wire.client import Client
from bench.wire.scene import COMMAND, CUE, DONE, OFFER, REPLIES, bare_reply, command_topic, draw
from wire.birth import Birth
from wire.envelope import seal
from wire.messages import ROOT, Shown, State

AT_ONCE = 50
"""Who connects at the same time: a broker has a line of a hundred for those who come, and no more."""


class Player:
    """One component."""

    def __init__(self, component: str, port: int, *, signs: bool) -> None:
        self.id = component
        self.reply = b""
        self._port = port
        self._signs = signs
        session = draw()
        birth = Birth(component, session, "A walker", "benchmark", "1", commands={COMMAND: OFFER})
        state = State(component, session, draw(), None, Shown.HELD, key=BOT.public.id)
        self._birth = self._said("birth", birth.to_bytes())
        self._state = self._said("state", state.to_bytes())
        self._client: Client

    async def connect(self, stack: contextlib.AsyncExitStack) -> None:
        """It has a connection until the stack ends."""
        connecting = Client.connected(self._port, f"component-{self.id}", self._receive)
        self._client = await stack.enter_async_context(connecting)

    async def listen(self) -> None:
        """As the kit does; the reference hears commands and nothing else."""
        commands = command_topic(self.id)
        mine = (f"stop/id/{self.id}", "stop/all", f"lease/{self.id}", f"key/{self.id}", f"roster/{self.id}")
        await self._client.subscribe_all([*(f"{ROOT}/{each}" for each in mine if self._signs), commands])

    async def introduce(self) -> None:
        """Say who it is, which the broker keeps, and how it is. The reference says only one of them."""
        await self._client.publish_surely(f"{ROOT}/birth/{self.id}", self._birth)
        if self._signs:
            self._client.publish(f"{ROOT}/state/{self.id}", self._state)

    def get_ready(self, command: str) -> None:
        """Have the answer to this one."""
        self.reply = self._said("reply", bare_reply(command, self.id))

    def _said(self, kind: str, payload: bytes) -> bytes:
        return seal(key(self.id), ROOT, kind, payload) if self._signs else payload

    def _receive(self, topic: str, _: bytes) -> None:
        if topic.endswith(f"/cmd/{self.id}"):
            self._client.send(REPLIES, self.reply)


async def main(what: str, port: int, count: int, *, signs: bool) -> None:
    """Answer what is asked, or appear when it is time, until killed."""
    players = [Player(name(number), port, signs=signs) for number in range(count)]
    cues: asyncio.Queue[str] = asyncio.Queue()
    async with contextlib.AsyncExitStack() as stack:
        if what == "many":
            await _each(players, lambda each: _join(each, stack))
        cued = Client.connected(port, "crowd", lambda _, payload: cues.put_nowait(payload.decode()))
        control = await stack.enter_async_context(cued)
        await control.subscribe_all([CUE])
        print("connected", flush=True)
        while True:
            cue = await cues.get()
            if what == "many":
                for each in players:
                    each.get_ready(cue)
                control.send(DONE, b"")
            else:
                await _each(players, lambda each: _appear(each, stack))


async def _join(player: Player, stack: contextlib.AsyncExitStack) -> None:
    await player.connect(stack)
    await player.listen()


async def _appear(player: Player, stack: contextlib.AsyncExitStack) -> None:
    await _join(player, stack)
    await player.introduce()


async def _each(players: list[Player], do: Callable[[Player], Awaitable[None]]) -> None:
    line = asyncio.Semaphore(AT_ONCE)

    async def one(player: Player) -> None:
        async with line:
            await do(player)

    async with asyncio.TaskGroup() as group:
        for each in players:
            group.create_task(one(each))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]), signs=sys.argv[2] == "ours"))
