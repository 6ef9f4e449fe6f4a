"""A person with a Matrix client of today: matrix-js-sdk with its Rust encryption, as a process that a test drives.

It is a judge of the bridge that shares no code with it. All waits have a bound, here and in the process.
"""

import asyncio
import base64
import contextlib
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Self

from demo.broker import ROOT
from demo.process import LEASH
from demo.stage import Stage
from tests.js.told import Emoji, Isolation, JsDevice, JsIdentity, JsMessage, JsUser, JsVerification

FOLDER = ROOT / ".venv" / "js-operator"
INSTALLING_S = 120.0
NO_NODE = 3
"""How scripts/js-operator ends then."""
WITHIN_S = 30.0
MARGIN_S = 5.0
"""The process gives up first, and says what it waited for."""
LONGEST_LINE = 16 * 1024 * 1024
TAIL = 2000


class NoNode(Exception):
    """There is no Node.js here that can run the client."""


class JsError(Exception):
    """The client is not there, refused, or waited in vain."""


def install() -> None:
    """Have the client in .venv; it is fetched once. Raises NoNode where nothing can run it, and says why."""
    with (ROOT / ".venv" / "js-operator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in other processes want it, too
        made = subprocess.run(  # noqa: S603 - ours
            [ROOT / "scripts" / "js-operator"], capture_output=True, text=True, check=False, timeout=INSTALLING_S
        )
    if made.returncode:
        raise (NoNode if made.returncode == NO_NODE else JsError)(made.stderr.strip())


class JsOperator:
    """One person at one new device, which ends with its block."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.user = ""
        self.device = ""
        self.crypto = ""
        """The versions of its encryption."""
        self._process = process
        self._log = log
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def online(cls, homeserver: str, user: str, password: str, log: Path) -> AsyncGenerator[Self]:
        """Logged in, and synced; without an identity until `identity` is called."""
        async with cls._started(log) as operator:
            login = {"homeserver": homeserver, "user": user, "password": password, "device_name": "judge"}
            told = await operator._ask("login", WITHIN_S, **login)
            operator.user, operator.device, operator.crypto = told["user"], told["device"], told["crypto"]
            yield operator

    @classmethod
    @contextlib.asynccontextmanager
    async def _started(cls, log: Path) -> AsyncGenerator[Self]:
        leash = [sys.executable, "-I", "-S", LEASH, str(os.getpid())]
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *leash, ROOT / "scripts" / "node", FOLDER / "operator.mjs",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                limit=LONGEST_LINE, start_new_session=True,
            )  # fmt: skip
        operator = cls(process, log)
        listening = asyncio.create_task(operator._listen(), name="answers of the client")
        try:
            yield operator
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it keeps nothing
            await process.wait()
            await listening

    async def identity(self, recovery_key: str | None = None) -> JsIdentity:
        """Have an identity that signs this device: the one that a recovery key opens, else a new one."""
        return JsIdentity(**await self._ask("identity", WITHIN_S, recovery_key=recovery_key))

    async def isolate(self, mode: Isolation) -> None:
        """Choose whose devices get keys from now on, and are read."""
        await self._ask("isolate", mode=mode)

    async def only_verified(self, *, on: bool = True) -> None:
        """Give keys to verified devices only."""
        await self._ask("only-verified", on=on)

    async def create_room(self, name: str, *invited: str, encrypted: bool = True) -> str:
        """Make a room and return its id."""
        told = await self._ask("create-room", WITHIN_S, name=name, invite=invited, encrypted=encrypted)
        return told["room"]

    async def join(self, room: str) -> None:
        """Go into a room, and wait until its state is here."""
        await self._ask("join", WITHIN_S, room=room)

    async def invite(self, room: str, user: str) -> None:
        """Ask somebody into a room."""
        await self._ask("invite", room=room, user=user)

    async def joined(self, room: str, user: str, *, within: float = WITHIN_S) -> None:
        """Wait until somebody is in a room."""
        await self._ask("member", within, room=room, user=user, membership="join")

    async def say(self, room: str, text: str, **content: Any) -> str:
        """Say something and return its event id. Further content is sent as it is."""
        told = await self._ask("say", room=room, content={"msgtype": "m.text", "body": text, **content})
        return told["event"]

    async def wait_for(self, *, within: float = WITHIN_S, **wanted: Any) -> JsMessage:
        """The first message of others, here already or still to come, whose parts are as wanted.

        `has` is in its body. It can be read, unless `state` names the states that are wanted.
        """
        return JsMessage.parse(await self._ask("wait", within, wanted=wanted))

    async def answer_to(self, event: str, *, within: float = WITHIN_S) -> JsMessage:
        """The first reply to an event that can be read."""
        return await self.wait_for(in_reply_to=event, within=within)

    async def look(self, event: str) -> JsMessage:
        """How a message that came here stands now."""
        return JsMessage.parse(await self._ask("look", event=event))

    async def attachment(self, event: str) -> bytes:
        """The encrypted file that a message brought, in clear."""
        return base64.b64decode((await self._ask("attachment", event=event))["base64"])

    async def knows(self, user: str) -> JsUser:
        """What the client holds of a user."""
        return JsUser(**await self._ask("user", user=user))

    async def verified(self, user: str, *, within: float = WITHIN_S) -> None:
        """Wait until a user is verified: what a verification leads to comes back by way of the homeserver."""
        await self._ask("verified", within, user=user)

    async def signed(self, user: str, device: str, *, within: float = WITHIN_S) -> None:
        """Wait until a device is one that its owner has cross-signed."""
        await self._ask("signed", within, user=user, device=device)

    async def knows_device(self, user: str, device: str) -> JsDevice:
        """What the client holds of a device."""
        return JsDevice(**await self._ask("device", user=user, device=device))

    async def verify(self, user: str, *, device: str | None = None, room: str | None = None) -> JsVerification:
        """Ask for a verification: in a room, or at a device, or where both are left out at all our own devices."""
        return JsVerification(**await self._ask("verify-ask", user=user, device=device, room=room))

    async def offered(self, *, within: float = WITHIN_S) -> JsVerification:
        """The next verification that somebody asks for."""
        return JsVerification(**await self._ask("verify-offered", within))

    async def accept(self, verification: JsVerification) -> JsVerification:
        """Say that we are ready for it."""
        return JsVerification(**await self._ask("verify-accept", id=verification.id))

    async def begin(self, verification: JsVerification) -> JsVerification:
        """Begin with the emoji, once both sides are ready."""
        return JsVerification(**await self._ask("verify-begin", WITHIN_S, id=verification.id))

    async def emoji(self, verification: JsVerification) -> Emoji:
        """The emoji, whoever has begun."""
        told = await self._ask("verify-emoji", WITHIN_S, id=verification.id)
        symbols, names = zip(*told["emoji"], strict=True)
        return Emoji(symbols, names, tuple(told["decimal"]))

    async def confirm(self, verification: JsVerification) -> JsVerification:
        """They are the same."""
        return JsVerification(**await self._ask("verify-confirm", id=verification.id))

    async def mismatch(self, verification: JsVerification) -> JsVerification:
        """They are not the same."""
        return JsVerification(**await self._ask("verify-mismatch", id=verification.id))

    async def cancel(self, verification: JsVerification) -> JsVerification:
        """End it, whatever it has come to."""
        return JsVerification(**await self._ask("verify-cancel", id=verification.id))

    async def end_of(self, verification: JsVerification, *, within: float = WITHIN_S) -> JsVerification:
        """Wait until it is done or cancelled."""
        return JsVerification(**await self._ask("verify-end", within, id=verification.id))

    async def _ask(self, command: str, within: float = WITHIN_S, **how: Any) -> dict[str, Any]:
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            async with asyncio.timeout(within + MARGIN_S):
                await self._send({"number": number, "do": command, "within_ms": int(within * 1000), **how})
                told = await answer
        except ConnectionError:
            raise JsError(f"{command}: the client has ended. {self._tail()}") from None
        except TimeoutError:
            raise JsError(f"{command}: the client did not answer within {within:g} s. {self._tail()}") from None
        finally:
            del self._asked[number]
        if "error" in told:
            raise JsError(f"{self.user or 'the client'} could not {command}: {told['error']}")
        return told["told"]

    async def _send(self, line: Mapping[str, Any]) -> None:
        stdin = self._process.stdin
        if stdin is None or self._process.returncode is not None:
            raise ConnectionError
        stdin.write(json.dumps(line).encode() + b"\n")
        await stdin.drain()

    async def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        async for line in stdout:
            told: dict[str, Any] = json.loads(line)
            asked = self._asked.get(told["number"])
            if asked is not None and not asked.done():
                asked.set_result(told)
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result({"error": f"it has ended. {self._tail()}"})

    def _tail(self) -> str:
        said = self._log.read_text(errors="replace")[-TAIL:].strip()
        return f"It said last:\n{said}" if said else "It said nothing."


@contextlib.asynccontextmanager
async def online(stage: Stage, user: str) -> AsyncGenerator[JsOperator]:
    """Somebody of a stage, with an identity of their own."""
    log = stage.folder / f"{user[1:6]}-js.log"
    async with JsOperator.online(stage.homeserver.url, user, f"secret of {user}", log) as operator:
        assert (await operator.identity()).ready
        yield operator
