"""`tocsin stop`: the stop for when no chat works. It asks the running bot first, and else sends it with a stop key.

It never waits more than two seconds for the bot, and says that something has stopped only where that was proven.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot.stop.bykey import KeyStop, Reached
from bot.words.document import Tone, mono, strong
from bot.words.errors import TocsinError, each_of
from bridges.console import stop_known
from bridges.console.stop_known import Known
from bridges.console.stop_screen import Screen, named, result
from wire.errors import WireError
from wire.messages import Target
from wire.stopkey import StopKey

if TYPE_CHECKING:
    from bridges.console.stop_asking import Asking

STOPPED, NOT_CONFIRMED, NOTHING_SENT, INTERRUPTED = 0, 1, 2, 130
BOT_MAY_TAKE_S = 2.0
"""A bot that has not answered by then may hang: the key is used beside it."""
KEY_NEEDS_S = 10.0
"""What is left of the wait for the stop key, where the bot carries it out and then confirms nothing."""
ALL_HAVE_SPOKEN_S = 10.0
"""Where there is no list: within so long everybody who lives has said something."""
LOOKS_AGAIN_S = 1.0
LONGEST_WAIT_S = 3600.0
USUAL_KEY = Path("~/.config/tocsin/stop.key")
USUAL_CONFIG = Path("config.toml")


def stop(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="all, a component, a group, id/NAME or group/NAME.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why. It never travels with the stop itself.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Do not ask the bot first: send it with the stop key.")] = False,
    key: Annotated[
        Path | None,
        typer.Option("--key", envvar="TOCSIN_STOP_KEY", help=f"The file of your stop key. {USUAL_KEY} by itself."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The configuration, to verify who has stopped."),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=1, max=LONGEST_WAIT_S, help="Seconds after which it is not confirmed.")
    ] = 30.0,
) -> None:
    """Stop everything, a group or a component, also without a bot.

    The running bot is asked first. Where it does not answer, your stop key is used: see `tocsin stop-key issue`.

    It ends with 0 where all listed components that are meant say so, signed; 1 where not; 2 where nothing was sent.
    """
    logging.getLogger("wire").addHandler(logging.NullHandler())  # what is wrong with the link is shown by us
    screen = Screen(Console(highlight=False), Console(highlight=False, stderr=True))
    given = config or (USUAL_CONFIG if USUAL_CONFIG.exists() else None)
    code = NOTHING_SENT
    stopping = Stopping(screen, key or USUAL_KEY.expanduser(), " ".join(reason.split()), wait_s=wait)
    try:
        known = Known() if given is None else stop_known.read(given)
        for note in known.notes:
            screen.tell(note)
        code = asyncio.run(stopping.run(stop_known.resolve(target, known), known, ask=not now))
    except* TocsinError as group:
        for error in each_of(group):
            screen.wrong(str(error))
    except* (KeyboardInterrupt, asyncio.CancelledError):
        code = INTERRUPTED
        stopping.interrupted()
    except* Exception as group:  # noqa: BLE001 - who must stop something now is not helped by a trace
        for broken in _leaves(group):
            screen.wrong(f"It broke: {type(broken).__name__}: {broken}")
        code = stopping.interrupted()
    raise typer.Exit(code)


class Stopping:
    """One stop, by one way or by both."""

    def __init__(self, screen: Screen, key_file: Path, reason: str, *, wait_s: float) -> None:
        self._screen = screen
        self._key_file = key_file
        self._reason = reason
        self._wait_s = wait_s
        self._asking: Asking | None = None
        self._by_key: KeyStop | None = None

    async def run(self, target: Target, known: Known, *, ask: bool) -> int:
        """Have it stopped, and say how it ends."""
        end = asyncio.get_running_loop().time() + self._wait_s
        if not ask or known.socket is None or target.group in known.listed:  # the bot would stop the one called so
            return await self._send(target, known, end)
        from bridges.console.stop_asking import Asking, lines_for  # noqa: PLC0415 - half of our start, and not always needed

        name = target.group or target.id or "all"
        self._asking = asking = Asking(known.socket, lines_for(name, self._reason), self._screen.show)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(asking.run())
            try:
                if await self._bot_has_it_confirmed(asking, end):
                    return STOPPED
                return await self._send(target, known, end)
            finally:
                running.cancel()

    async def _bot_has_it_confirmed(self, asking: "Asking", end: float) -> bool:
        """Ask the bot. False where the stop key is needed, beside it or in its place."""
        taken = await _within(asking.taken, asyncio.get_running_loop().time() + BOT_MAY_TAKE_S)
        if taken is None:
            self._screen.tell(f"The bot has not answered within {BOT_MAY_TAKE_S:.0f} s. It may still do it.")
        elif not taken:
            self._screen.tell(strong("The bot does not carry it out.", Tone.WARN), f" {asking.why_not}".rstrip())
        else:
            return await self._confirmed_by_the_bot(asking, end)
        return False

    async def _confirmed_by_the_bot(self, asking: "Asking", end: float) -> bool:
        """Whether the bot says in time that all have stopped. One that went away meanwhile may have sent nothing."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        patience = max(0.0, end - now - min(KEY_NEEDS_S, (end - now) / 2))
        await asyncio.wait([asking.confirmed, asking.gone], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not asking.confirmed.done():
            went = "went away before it confirmed the stop" if asking.gone.done() else "has not confirmed the stop yet"
            self._screen.tell(f"The bot {went}, so the stop key is used beside it.")
            return False
        return asking.confirmed.result()

    async def _send(self, target: Target, known: Known, end: float) -> int:
        """Send it with the stop key, and watch who stops."""
        try:
            key = StopKey.load(self._key_file)
        except (OSError, WireError) as error:
            return await self._without_key(_why_no_key(self._key_file, error), end)
        verifies = key.root == known.root
        if known.config is not None and not verifies:
            self._screen.tell(
                f"{known.config} is of the root {known.root} and the key of {key.root}: it verifies nobody."
            )
        elif known.config is not None and key.key.public.id not in known.stop_keys:
            self._screen.tell(
                strong("This key is not in the configuration", Tone.WARN), ": components may not take it."
            )
        self._screen.tell("Sending a stop for ", strong(named(target)), f" to the broker at {key.broker} …")
        changed = asyncio.Event()
        self._by_key = by_key = KeyStop(key, target, known.listed if verifies else Known().listed, changed=changed.set)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(by_key.run())
            try:
                await self._watch(by_key, changed, end)
            finally:
                sending.cancel()
        if by_key.reached is Reached.NOBODY:
            return await self._without_key(by_key.trouble or "The broker did not answer.", end)
        self._screen.show(result(by_key, key.key.public.id, key.person, self._reason))
        return STOPPED if by_key.confirmed or self._bot_says_confirmed() else NOT_CONFIRMED

    async def _watch(self, by_key: KeyStop, changed: asyncio.Event, end: float) -> None:
        """Show what comes, until nothing more is waited for."""
        loop = asyncio.get_running_loop()
        spoken = loop.time() + ALL_HAVE_SPOKEN_S
        if self._asking is not None:
            self._asking.confirmed.add_done_callback(lambda _: changed.set())
        with self._screen.watching(by_key) as show:
            while (now := loop.time()) < end and not by_key.confirmed and not self._bot_says_confirmed():
                if now >= spoken and not by_key.missing and by_key.sights and all(e.stopped for e in by_key.sights):
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(LOOKS_AGAIN_S, end - now)):
                        await changed.wait()
                changed.clear()
                show()

    async def _without_key(self, why: str, end: float) -> int:
        """Nothing was sent by us. What the bot was asked for may still be done."""
        asking = self._asking
        if asking is not None and asking.may_do_it:
            self._screen.tell(f"{why} So this waits for the bot …")
            if await _within(asking.taken, end) is not False:
                if await _within(asking.confirmed, end) is True:
                    return STOPPED
                done = "has not confirmed it" if asking.taken.done() else "may have heard it, and does not answer"
                self._screen.tell(strong("NOT CONFIRMED", Tone.BAD), f": the bot {done}, and nothing else was sent.")
                return NOT_CONFIRMED
        self._screen.wrong(f"Nothing was sent, so nothing was stopped. {why} Stop it by hand, or cut the power.")
        return NOTHING_SENT

    def _bot_says_confirmed(self) -> bool:
        return self._asking is not None and self._asking.confirmed.done() and self._asking.confirmed.result()

    def interrupted(self) -> int:
        """Say what stands when we end too early. Returns how we would have ended."""
        if self._by_key is not None and self._by_key.reached is not Reached.NOBODY:
            maybe = "" if self._by_key.reached is Reached.BROKER else ", and the broker has not said that it has it"
            self._screen.tell(
                strong("The stop stands", Tone.WARN), f": it was sent{maybe}. Ending this takes nothing back. ",
                "Incident ", mono(self._by_key.incident[:8]), ". Who has stopped is not known.",
            )  # fmt: skip
            return NOT_CONFIRMED
        if self._asking is not None and self._asking.may_do_it:
            self._screen.tell(strong("The stop stands", Tone.WARN), " where the bot has heard it: ask it with !status.")
            return NOT_CONFIRMED
        self._screen.tell("Nothing was sent, so nothing was stopped.")
        return NOTHING_SENT


async def _within(answer: asyncio.Future[bool], end: float) -> bool | None:
    """What it is by then, or nothing. It goes on all the same."""
    await asyncio.wait([answer], timeout=max(0.0, end - asyncio.get_running_loop().time()))
    return answer.result() if answer.done() else None


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _why_no_key(file: Path, error: OSError | WireError) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"There is no stop key at {file}. Name yours with --key FILE; "
            "who runs Tocsin makes one with `tocsin stop-key issue NAME`."
        )
    if isinstance(error, OSError):
        return f"The stop key {file} cannot be read: {error.strerror}."
    return str(error)
