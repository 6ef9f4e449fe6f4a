"""What the guides in `docs/` show is run here: their code as it stands there, and their conversations line by line.

What any page names is looked for: a link that leads nowhere, or a test that is not there, is never shown.
"""

import asyncio
import contextlib
import dataclasses
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from pydantic import ValidationError

from bot.bridge import Bridge, Office, Plugin
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command
from bot.desk.desk import Desk
from bot.identities import Identities
from bot.intake import Intake
from bot.outgoing import Outgoing
from bot.store import Store, inbox
from bot.system import System
from bot.words import packed
from bot.words.document import document
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from components.component import Component
from components.gate import Gate
from components.jobs import Jobs
from components.orders import Orders
from wire import work
from wire.envelope import PrivateKey
from wire.errors import Rejected
from wire.latch import Kept, Latch, Trusted
from wire.messages import Lease
from wire.work import Reply

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTSIDE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
"""What stands in a block of code is an example."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:bench|bot|bridges|commands|components|demo|docs|scripts|tests|typings|wire)/[\w./-]*)")
TEST = re.compile(r"`(test_\w+\.py)`")
PATIENCE = 10.0


def blocks(page: str, language: str) -> list[str]:
    return [body for named, body in FENCE.findall((DOCS / page).read_text(encoding="utf-8")) if named == language]


def run(page: str) -> dict[str, Any]:
    """All that the code of a page defines."""
    names: dict[str, Any] = {"__name__": "guide"}
    for body in blocks(page, "python"):
        exec(compile(body, page, "exec"), names)  # noqa: S102 - our own page
    return names


def fits(said: str, shown: str) -> bool:
    """Whether an answer is the one that the page shows; `…` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


@pytest_asyncio.fixture
async def say(store: Store, system: System) -> AsyncIterator[Callable[[str, str], Awaitable[str]]]:
    """Say something to a bot that has the commands of the page."""
    names = run("write-a-command.md")
    mine = tuple(each for each in names.values() if isinstance(each, Command))
    whole = dataclasses.replace(system, catalogue=Catalogue((*system.catalogue.commands, *mine)))
    desk = Desk(whole, queued=lambda: None)
    intake = Intake("chat", store, desk, whole.approvals, whole.plans, queued=lambda: None)
    working = asyncio.create_task(desk.run())
    events = iter(range(1_000))

    async def said(who: str, words: str) -> str:
        for request in await whole.approvals.open():
            words = words.replace("CODE", request.code)
        event = f"$event{next(events)}"
        place, account = Place("chat", "room"), Account("chat", who)
        message = Message(place, account, event, words, Standing.ATTESTED, "PHONE", 1, 0.0)
        await intake.accept([message], cursor="c")
        async with asyncio.timeout(PATIENCE):
            while await store.read(inbox.open_rows):
                await store.write(lambda _: None)
        sql = "SELECT document FROM outbox WHERE reply_to = ? ORDER BY lane, id"
        (answer,) = await store.read(lambda tx: tx.execute(sql, (event,)).fetchone())
        return to_plain(packed.load(answer))

    yield said
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def test_the_conversations_about_commands_go_as_shown(say: Callable[[str, str], Awaitable[str]]) -> None:
    lines = "".join(blocks("write-a-command.md", "chat")).splitlines()
    assert len(lines) >= 10
    for asked, answered in zip(lines[::2], lines[1::2], strict=True):
        who, _, words = asked.partition(": ")
        bot, _, shown = answered.partition(": ")
        assert bot == "tocsin"
        answer = await say(who, words)
        assert fits(answer, shown), f"{asked!r} was answered: {answer}"


async def test_the_bridge_of_the_guide_receives_and_answers_once(store: Store, system: System, tmp_path: Path) -> None:
    names = run("write-a-bridge.md")
    people = People((Person("olga", Role.OPERATOR, frozenset({Account("folder", "olga")})),))
    whole = dataclasses.replace(system, people=people)
    out: list[Outgoing] = []

    def queued() -> None:
        for each in out:
            each.wake()

    desk = Desk(whole, queued=queued)
    intake = Intake("folder", store, desk, whole.approvals, whole.plans, queued=queued)
    plugin: Plugin[Any] = names["plugin"]
    office = Office(tmp_path, people, store, intake, Identities(store, People()), back=lambda _: None)
    bridge = plugin.open(plugin.settings(path=tmp_path), office)
    out.append(Outgoing("folder", bridge, store))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "olga.1.txt").write_text("status", encoding="utf-8")
    (tmp_path / "in" / "mallory.1.txt").write_text("status", encoding="utf-8")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as parts:
        tasks = [parts.create_task(each.run()) for each in (desk, bridge, out[0])]
        while await store.read(
            lambda tx: tx.execute("SELECT count(*) FROM outbox WHERE state = 'sent'").fetchone()
        ) != (1,):
            await store.write(lambda _: None)
        for task in tasks:
            task.cancel()
    (answer,) = (tmp_path / "out").iterdir()
    assert "walker" in answer.read_text(encoding="utf-8")
    assert list((tmp_path / "in").iterdir()) == []
    assert bridge.health().ready


@pytest.fixture
def folder_bridge(store: Store, system: System, tmp_path: Path) -> Bridge:
    """The bridge of the guide, with nobody to say anything."""
    plugin: Plugin[Any] = run("write-a-bridge.md")["plugin"]
    intake = Intake(
        "folder", store, Desk(system, queued=lambda: None), system.approvals, system.plans, queued=lambda: None
    )
    return plugin.open(
        plugin.settings(path=tmp_path),
        Office(tmp_path, People(), store, intake, Identities(store, People()), back=lambda _: None),
    )


async def test_the_bridge_of_the_guide_edits_what_it_said(folder_bridge: Bridge, tmp_path: Path) -> None:
    post = Post(Place("folder", "olga"), document("Half of it is done."), Lane.PROGRESS)
    said = await folder_bridge.send(post, key="first")
    assert said == await folder_bridge.send(post, key="first")
    later = dataclasses.replace(post, document=document("All of it is done."), edits=said)
    assert await folder_bridge.send(later, key="second") == said
    (file,) = (tmp_path / "out").iterdir()
    assert file.read_text(encoding="utf-8") == "All of it is done."


def test_the_bridge_of_the_guide_refuses_a_key_that_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="pth"):
        run("write-a-bridge.md")["plugin"].settings.model_validate({"path": "/srv/tocsin", "pth": "/srv"})


class Ear:
    """Hears what a component of a page says to commands."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()

    def reply(self, to: str, reply: Reply) -> None:
        """An answer, as the page shows it."""
        assert to == "tester"
        result = orjson.dumps(dict(reply.result)).decode() if reply.result else ""
        self.said.put_nowait(f"{reply.status} {reply.error or result}".strip())

    def progress(self, job: work.Job) -> None:
        """Not shown."""

    def ended(self, job: work.Job, pictures: Mapping[str, bytes]) -> None:
        """The end of a job, as the page shows it."""
        shown = "".join(f" [{each.alt}]" for each in job.pictures if each.is_of(pictures[each.sha256]))
        self.said.put_nowait(f"job {job.state} {orjson.dumps(dict(job.result)).decode()}{shown}")

    def failed(self, what: str, error: BaseException) -> None:
        """Not shown."""


async def test_the_component_of_the_guide_answers_as_shown() -> None:
    (component,) = {each for each in run("write-a-component.md").values() if isinstance(each, Component)}
    bot = PrivateKey(bytes(32)).public
    latch = Latch("oven", (), Kept(), trusted=Trusted(bot), write=lambda _: True, random=os.urandom)
    latch.lease(Lease(latch.ask(0.0).nonce, "ab", 0, 10_000), 0.0)
    ear = Ear()
    gate = Gate(latch, lambda: 0.0, always=False)
    jobs = Jobs(gate, ear, at_once=1)
    lines = "".join(blocks("write-a-component.md", "exchange")).splitlines()
    assert len(lines) >= 10
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        orders = Orders(component, "oven", gate, ear, jobs, tasks.create_task)
        working = tasks.create_task(jobs.run())
        for line in lines:
            if line.startswith("> "):
                name, _, args = line[2:].partition(" ")
                given = orjson.loads(args or b"{}")
                order = work.Command(os.urandom(16).hex(), name, given, (), "tester", 1, "alice")
                try:
                    orders.carry_out(order, latch.session)
                except Rejected as reason:
                    ear.reply("tester", Reply(order.id, "oven", work.Status.REJECTED, error=str(reason)))
            else:
                assert line == f"< {await ear.said.get()}"
        working.cancel()
    assert ear.said.empty()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = OUTSIDE.sub("", page.read_text(encoding="utf-8"))
    links = {link for link in LINK.findall(text) if "://" not in link}
    missing = {link for link in links if not _leads_somewhere(page, link)}
    missing |= {path for path in PATH.findall(text) if not (ROOT / path).exists()}
    missing |= {test for test in TEST.findall(text) if not [*(ROOT / "tests").rglob(test)]}
    assert not missing


def test_the_readme_has_all_commands() -> None:
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [each.name for each in Catalogue.installed().commands if f"`!{each.name}" not in told]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, part = link.partition("#")
    there = page.parent / path if path else page
    if not there.exists():
        return False
    heads = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE) if part else []
    return not part or part in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
