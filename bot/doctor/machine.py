"""What the bot needs of its machine: a folder of its own, its database, room on the disk, and the broker."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from bot import keys
from bot.findings import Finding, Findings, bad, good, warn
from bot.settings import Settings
from bot.store.looking import NEWEST, Look, look_into
from bot.words.errors import StoreError
from wire.mqtt import Link

MB = 1_000_000
GB = 1000 * MB
LITTLE_ROOM = 500 * MB
NO_ROOM = 50 * MB
BROKER_ANSWERS_WITHIN_S = 12.0
A_MOMENT_S = 0.05
LOOK_AT_THE_BROKER = "Look whether it runs, and at [mqtt]. Until it answers, components hold."


def folder(path: Path) -> Finding:
    """Whether the folder is there, and the bot's alone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return warn("folder", f"{path} is not there: the bot never ran here.", "Start it: it makes the folder.")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        return bad("folder", f"{path} is no folder.", "Name another `folder` in [bot], or move that file away.")
    if found.st_uid != os.geteuid():
        what = f"{path} belongs to the user {found.st_uid}, and you are {os.geteuid()}."
        return bad("folder", what, "Ask as the user that the bot runs as. If you do: give that user the folder, whole.")
    if mode & 0o022:
        return bad("folder", f"Others may write in {path} (mode {mode:04o}).", f"Run `chmod 700 {path}`.")
    if mode & 0o077:
        return warn("folder", f"Others may look into {path} (mode {mode:04o}).", f"Run `chmod 700 {path}`.")
    return good("folder", f"{path} is the bot's alone.")


def key(path: Path) -> Finding:
    """Whether the bot's own key is there, by which components know it, and nobody else's."""
    file = path / keys.KEY
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        if not (path / keys.DATABASE).exists():
            return warn("bot's key", f"{file} is not there: the bot never ran here.", "Start it: it makes the key.")
        remedy = "Put it back from a backup. Without it every component must be enrolled again."
        return bad("bot's key", f"{file} is missing beside its database: it was lost.", remedy)
    if mode & 0o077:
        what = f"Others may read {file} (mode {mode:04o}): the next start refuses it."
        return bad("bot's key", what, f"Run `chmod 600 {file}`. Who may have read it can pass for the bot.")
    return good("bot's key", f"{file} is there, and nobody else may read it.")


async def look(path: Path) -> Look | StoreError | None:
    """What is in the database, what is wrong with it, or nothing where there is none."""
    try:
        return await asyncio.to_thread(look_into, path)
    except StoreError as error:
        return error


def database(path: Path, seen: Look | StoreError | None) -> Finding:
    """Whether the database can be used."""
    if seen is None:
        return warn("database", f"{path} is not there: the bot never ran here.", "Start it: it makes the database.")
    if isinstance(seen, StoreError):
        return bad("database", seen.what, seen.hint)
    if seen.version > NEWEST:
        what = f"It is of version {seen.version}, written by a newer Tocsin; this one knows up to {NEWEST}."
        return bad("database", what, "Run the newer Tocsin, or put back a database from before it.")
    if seen.version < NEWEST:
        what = f"It is of version {seen.version}; this Tocsin writes {NEWEST}."
        return warn("database", what, "Back it up and start the bot: that brings it up to date.")
    return good("database", f"It can be read, and is of version {seen.version}.")


def disk(path: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Finding:
    """Whether there is room. Where the folder is not there yet, on the disk where it will be."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    room = free(there)
    what = f"{room / MB:,.0f} MB are free." if room < GB else f"{room / GB:,.1f} GB are free."
    remedy = f"Make room on the disk of {there}: when it is full the bot runs nothing but stops."
    if room < NO_ROOM:
        return bad("disk", what, remedy)
    return warn("disk", what, remedy) if room < LITTLE_ROOM else good("disk", what)


async def broker(settings: Settings) -> Findings:
    """Whether the broker takes the bot's name and password. Under the bot's own client id it would throw it out."""
    address = settings.mqtt.broker()
    link = Link(address, f"doctor-{settings.bot.name}-{os.urandom(4).hex()}", receive=lambda _: None)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(BROKER_ANSWERS_WITHIN_S):
            while not (answers := link.connected) and not link.trouble:  # noqa: ASYNC110 - no trouble wakes anybody
                await asyncio.sleep(A_MOMENT_S)
        trouble = link.trouble
    except TimeoutError:
        answers, trouble = False, f"The broker at {address} does not answer"
    finally:
        running.cancel()
        await asyncio.wait([running])
    if answers:
        yield good("broker", f"{address} answers.{'' if address.tls is None else ' It has proved who it is.'}")
    else:
        yield bad("broker", f"{trouble.removesuffix('.')}.", LOOK_AT_THE_BROKER)
