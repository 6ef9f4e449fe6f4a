"""A scripted conversation that shows what Tocsin does, and fails where it does not."""

import contextlib
import re
import sqlite3

from rich.table import Table

from bot.store import audit
from bot.words.message import Standing
from demo.operator import Heard, Operator
from demo.screen import from_html, heading, note, said
from demo.world import COMPONENT, World
from wire.messages import Shown

SHOWN_ENTRIES = 14


class TourFailed(Exception):
    """The bot did not do what the tour shows."""


async def tour(world: World) -> None:
    """Walk through it all."""
    alice, bob = world.alice, world.bob

    heading("Alice is an operator, Bob a viewer, the room is encrypted")
    await _ask(world, alice, "!help", "!shutdown")
    await _ask(world, alice, "!whoami", "alice", alice.device)
    await world.spectator.until(lambda state: state.shown is Shown.BUSY)
    await _ask(world, bob, "!status", rf"{COMPONENT} +busy ")

    heading("Who may not, is told why; who mistypes, is told what there is")
    await _ask(world, bob, "!shutdown all", "this takes an operator")
    await _ask(world, bob, "!why shutdown", "^No: !shutdown", "an operator")
    await _ask(world, alice, "!shutdwon all", "Nothing was stopped", "!shutdown all")
    await _ask(world, alice, "!staus", "Did you mean !status")
    async with world.unsigned_alice() as stranger:
        note("Somebody has Alice's password, and a device that she has not signed:")
        attempt = await _say(world, stranger, "!status")
        _expect(_show(await alice.answer_to(attempt)), "nothing proves that this came from you")

    heading("One person stops everything, and sees what has really stopped")
    order = await _say(world, alice, "!shutdown all")
    first = _show(await alice.answer_to(order))
    _expect(first, "^STOPP(ING|ED) everything")  # where all stand at once, that is the first word
    outcome = await alice.wait_for(lambda heard: heard.in_reply_to == order and heard.body.startswith("STOPPED"))
    _expect(_show(outcome), "1 of 1", rf"{COMPONENT} +stopped ")

    heading("A stop survives a power cut of the component …")
    await world.component.kill()
    note(f"{COMPONENT} was killed.")
    await world.component.start()
    note(f"{COMPONENT} was started again.")
    await world.spectator.until(lambda state: state.shown is Shown.STOPPED and state.re is not None)
    await _ask(world, bob, "!status", rf"{COMPONENT} +stopped +\d", "Open incident")

    heading("… and a crash of the bot; what was asked meanwhile is answered")
    await world.bot.kill()
    note("The bot was killed.")
    question = await _say(world, alice, "!status")
    await world.bot.start()
    note("The bot was started again.")
    _expect(_show(await alice.answer_to(question)), "Open incident", COMPONENT)
    echo = (await world.spectator.until(lambda state: state.re is not None)).re
    await world.spectator.until(lambda state: state.re not in (None, echo))
    await _ask(world, alice, "!shutdown all", "ALREADY STOPPED everything")

    heading("Everything is on record")
    _show_record(world)


async def _ask(world: World, who: Operator, text: str, *expected: str) -> None:
    """Say something and show the answer, which must hold what is expected."""
    question = await _say(world, who, text)
    _expect(_show(await who.answer_to(question)), *expected)


async def _say(world: World, who: Operator, text: str) -> str:
    said(_name(who.user), text)
    return await who.say(world.room, text)


def _show(heard: Heard) -> Heard:
    said(_name(heard.sender), from_html(heard.html))
    return heard


def _expect(heard: Heard, *expected: str) -> None:
    for words in expected:
        if not re.search(words, heard.body):
            raise TourFailed(f"The answer should say {words!r}, but it is:\n{heard.body}")
    if not (heard.decrypted and heard.verified):
        raise TourFailed("The answer was not encrypted, or the bot's device is not cross-signed.")


def _show_record(world: World) -> None:
    """The newest entries, read from the database beside the running bot."""
    with contextlib.closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as database:
        newest = audit.last(database, SHOWN_ENTRIES)
    table = Table("entry", "at", "kind", "who", "what", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for entry in newest:
        fields = entry.all
        what = " ".join(str(fields[key]) for key in ("command", "target", "result") if fields.get(key))
        if isinstance(stopped := fields.get("stopped"), list):
            what += ", ".join(stopped)
        if fields.get("standing") == Standing.UNPROVEN:
            what += ", unproven"
        table.add_row(str(entry.seq), str(fields["at"])[11:19], entry.kind, str(fields.get("person") or "–"), what)
    said("", table)
    results = [entry.fields.get("result") for entry in newest]
    if "refused" not in results or "done" not in results:
        raise TourFailed("The record does not hold what was done and what was refused.")


def _name(user: str) -> str:
    return user.removeprefix("@").partition(":")[0]
