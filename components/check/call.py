"""What somebody asks the judge for, put together. It starts nothing that it does not end."""

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
from rich.console import Console

from components.check.judge import RULES, judge
from components.check.mosquitto import private_broker
from components.check.rule import CannotJudge, Rule, Verdict
from components.check.show import Screen
from components.check.trial import Place
from wire.broker import Broker
from wire.enrolment import Enrolment

MQTT_PORT = 1883
HIGHEST_PORT = 65535


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """What was asked for."""

    command: tuple[str, ...]
    broker: Broker | None = None
    """None: a private one."""
    rules: tuple[Rule, ...] = RULES
    job: str = ""
    arguments: Mapping[str, Any] | None = None
    at_once: int = 4
    wipes: bool = False


async def carried_out(call: Call, folder: Path, console: Console) -> list[Verdict]:
    """Judge, until it is done or a signal ends it. Raises CannotJudge, or CancelledError after a signal."""
    judging = asyncio.ensure_future(_judged(call, folder, console))
    loop = asyncio.get_running_loop()
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for each in ends:
        loop.add_signal_handler(each, judging.cancel)
    try:
        return await judging
    finally:
        for each in ends:
            loop.remove_signal_handler(each)


async def _judged(call: Call, folder: Path, console: Console) -> list[Verdict]:
    with Screen(console, len(call.rules)) as screen:
        async with _broker(call, folder) as broker:
            place = Place(broker, folder, call.command, call.job, call.arguments, call.wipes)
            return await judge(place, call.rules, call.at_once, screen.told)


@contextlib.asynccontextmanager
async def _broker(call: Call, folder: Path) -> AsyncGenerator[Broker]:
    if call.broker is not None:
        yield call.broker
        return
    async with private_broker(folder) as broker:
        yield broker


def chosen(names: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of these names; all where none is named."""
    known = {rule.name: rule for rule in RULES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CannotJudge(f"There is no rule {unknown[0]!r}. There are: {', '.join(known)}.")
    return tuple(known[name] for name in names) or RULES


def broker_of(address: str, enrolment: Path | None) -> Broker | None:
    """The broker that was named, by its address or by an enrolment file."""
    if enrolment is not None:
        try:
            return Enrolment.load(enrolment).broker
        except OSError as error:
            raise CannotJudge(f"{enrolment} cannot be read: {error.strerror}.") from error
    if not address:
        return None
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(MQTT_PORT))
    if not host or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
        raise CannotJudge(f"{address!r} is no broker. Write --broker HOST:PORT.")
    return Broker(host.strip("[]"), int(port))


def arguments_of(text: str, job: str) -> dict[str, Any] | None:
    """The arguments of the job that was named."""
    if not text:
        return None
    if not job:
        raise CannotJudge("--arguments are those of a job. Name it with --job.")
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CannotJudge(f"--arguments is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CannotJudge("""--arguments must be an object, such as '{"steps": 500}'.""")
    return cast("dict[str, Any]", value)
