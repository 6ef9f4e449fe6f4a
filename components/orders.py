"""What becomes of a command: refused with a reason, answered at once, or a job. None is carried out that is not let."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from components.component import Command as Offered
from components.component import Component
from components.gate import Gate
from components.jobs import Job, Jobs, Name
from components.trouble import checked_result, isolated, root_of, told
from wire.errors import Rejected
from wire.work import CANCEL, Command, Reply, Status

MOST_AT_ONCE = 16
MAY_TAKE_S = 10.0
"""What takes longer should be a job, which can be held and cancelled."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]
log = logging.getLogger(__name__)


class Answers(Protocol):
    """Where commands are answered."""

    def reply(self, to: str, reply: Reply) -> None:
        """Answer one."""
        ...

    def failed(self, what: str, error: BaseException) -> None:
        """Somebody should know."""
        ...


class Orders:
    """Carries out commands that were verified and that the latch has let through."""

    def __init__(self, component: Component, me: str, gate: Gate, answers: Answers, jobs: Jobs, spawn: Spawn) -> None:
        self._component = component
        self._me = me
        self._gate = gate
        self._answers = answers
        self._jobs = jobs
        self._spawn = spawn
        self._at_once = 0

    def carry_out(self, command: Command, session: str) -> None:
        """Begin it, and say so. Raises Rejected where it is none that could be carried out."""
        offers_jobs = any(each.job is not None for each in self._component.commands.values())
        if command.command == CANCEL and offers_jobs:
            self._cancel(command)
            return
        offered = self._component.commands.get(command.command)
        if offered is None:
            there = ", ".join([*self._component.commands, *([CANCEL] if offers_jobs else [])])
            raise Rejected(f"there is no command {command.command}. There are: {there or 'none'}.")
        arguments = offered.signature.read(command.args)
        log.info("%s, ordered by %s", command.command, "".join(each for each in command.actor if each.isprintable()))

        def call(job: Job | None = None) -> Coroutine[Any, Any, Any]:
            return offered.call(arguments, job)

        if offered.job is not None:
            self._jobs.begin(Name(self._me, session, command.id, offered.name), call)
            self._answer(command, Status.ACCEPTED)
        elif self._at_once >= MOST_AT_ONCE:
            raise Rejected(f"{MOST_AT_ONCE} commands are being carried out. Try again.")
        else:
            self._at_once += 1
            self._spawn(self._at_once_and_answer(command, offered, call))

    async def _at_once_and_answer(
        self, command: Command, offered: Offered, call: Callable[[], Coroutine[Any, Any, Any]]
    ) -> None:
        may_begin = False

        async def within_time() -> Any:
            nonlocal may_begin
            may_begin = self._gate.may_work()  # a stop may have come since it was let
            if not may_begin:
                return None
            async with asyncio.timeout(MAY_TAKE_S):
                return await call()

        try:
            with self._gate.at_work():
                task = await isolated(within_time())
        finally:
            self._at_once -= 1
        if not may_begin:
            self._answer(command, Status.REJECTED, "the component was stopped or held meanwhile")
            return
        try:
            result = checked_result(task.result())
        except BaseException as raised:  # noqa: BLE001 - its task is over: whatever it raised is told
            error = root_of(raised)
            if isinstance(error, Rejected):  # it was looked at and refused: nothing is wrong with the component
                self._answer(command, Status.REJECTED, str(error))
                return
            self._answer(command, Status.ERROR, told(error))
            self._answers.failed(f"The command {offered.name} failed", error)
        else:
            self._answers.reply(command.reply_to, Reply(command.id, self._me, Status.DONE, result))

    def _cancel(self, command: Command) -> None:
        job = command.args.get("job")
        if not isinstance(job, str):
            raise Rejected("job must be the id of a job.")
        self._jobs.cancel(job)
        self._answer(command, Status.DONE)

    def _answer(self, command: Command, status: Status, error: str = "") -> None:
        self._answers.reply(command.reply_to, Reply(command.id, self._me, status, error=error))
