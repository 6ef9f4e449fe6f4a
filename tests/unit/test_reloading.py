"""What a new configuration changes while the bot runs: what is shown, taken and given, and who is asked for it."""

import asyncio
import contextlib
import dataclasses
import os
import re
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from bot import keys, settings
from bot.channels import Channel
from bot.desk import intent, way
from bot.desk.authority import Action, Demand
from bot.desk.call import Work
from bot.desk.plans import Plans
from bot.reloading import Live, LiveStopKeys, Reloader, asking
from bot.reloading.answer import Answer, digest_of
from bot.reloading.changes import LIVE_KEYS, LIVE_SECTIONS, between, first_page
from bot.reloading.holder import holder_of
from bot.reloading.live import LiveAuthority, LiveCatalogue
from bot.reloading.reloader import IN_FLUX, MOST_LOGGED
from bot.reloading.rights import Rights, suspended, suspended_by_file
from bot.settings import Settings, weigh
from bot.stop.bell import Bell
from bot.store import Store, Tx, audit, links, overlay, plans
from bot.store.links import Link
from bot.store.lock import Lock
from bot.store.overlay import Entry
from bot.store.plans import Plan
from bot.system import System
from bot.words import packed
from bot.words.document import document
from bot.words.errors import SettingsError, TocsinError
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from tests.unit.room import Room
from tests.unit.tower import PATIENCE, HangDisk
from wire.envelope import PrivateKey

KEY, OTHER = (str(PrivateKey(name.encode().ljust(32, b".")).public) for name in ("one", "other"))
FILE = f"""\
[bot]
folder = "state"
alarms = ["console:alice"]
run_from = ["console"]
[mqtt]
host = "127.0.0.1"
[console]
socket = "socket"
[people.alice]
role = "commander"
console = ["alice", "ali"]
stop_keys = ["{KEY}"]
[people.bob]
role = "operator"
console = ["bob"]
[commands.status]
role = "operator"
"""
BOB = '[people.bob]\nrole = "operator"\nconsole = ["bob"]\n'
BOBS = Place("console", "bob")
EVE = '[people.eve]\nrole = "viewer"\n'
MATRIX = '[matrix]\nhomeserver = "https://example.org"\nuser = "@tocsin:example.org"\npassword_file = "password"\n'
SECRET = Place("matrix", "!secret:example.org")
LAB = f'[channels.lab]\nplaces = ["{SECRET}", "{BOBS}"]\nshare_encrypted = true\n'
LEAVES = f"From now on what is said here is passed on in clear, to: {BOBS}"
REFUSED = """\
CREATE TRIGGER refused BEFORE INSERT ON known_key WHEN NEW.role = 'what leaves a room'
BEGIN SELECT RAISE(ABORT, 'refused'); END
"""


@dataclasses.dataclass(frozen=True)
class Written:
    """A file that is written again and again."""

    path: Path

    def with_(self, *replaced: tuple[str, str], more: str = "") -> Settings:
        content = FILE
        for old, new in replaced:
            assert content.count(old) == 1, old
            content = content.replace(old, new)
        self.path.write_text(content + more)
        return settings.load(self.path)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "config.toml")


def shown(old: Settings, new: Settings) -> str:
    """What is said of a change, with its tables closed up."""
    changes = between(old, old, suspended_by_file(old), new, suspended_by_file(new), new)
    return "\n".join(" ".join(line.split()) for line in to_plain(changes.document("f")).splitlines())


def rights(of: Settings) -> Rights:
    return Rights.of(of, suspended_by_file(of), ())


def test_what_counts_is_shown_apart_from_what_needs_a_restart(written: Written) -> None:
    old = written.with_()
    new = written.with_(
        ('console = ["alice", "ali"]', 'console = ["alice"]'),
        ('[people.bob]\nrole = "operator"', '[people.bob]\nsuspended = true\nrole = "operator"'),
        ('[commands.status]\nrole = "operator"\n', "[health]\nport = 0\n[commands.drill]\ntwo_persons = false\n"),
        ('host = "127.0.0.1"', 'host = "broker.example.org"'),
    )
    assert shown(old, new).splitlines() == [
        "RELOADED f. From now on this counts:",
        "",
        "what before after",
        "people.alice.console alice, ali alice",
        "people.bob.suspended false true",
        "commands.status.role operator –",
        "",
        "This needs a restart and does not count yet:",
        "",
        "what before after",
        "mqtt.host 127.0.0.1 broker.example.org",
        "health.port – 0",
        "health.host – 127.0.0.1",
    ]


def test_nothing_is_said_of_what_only_looks_different(written: Written) -> None:
    old = written.with_()
    new = written.with_(('[commands.status]\nrole = "operator"\n', '[commands.status]\nrole = "operator" # so\n'))
    assert shown(old, new) == "Nothing has changed that counts while I run, in f."


def test_no_secret_is_shown(written: Written, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"hunter-{name}")
        (tmp_path / name).chmod(0o600)
    old = written.with_(("[console]", 'username = "tocsin"\npassword_file = "one"\n[console]'))
    new = written.with_(("[console]", 'username = "tocsin"\npassword_file = "two"\n[console]'))
    told = shown(old, new)
    assert "mqtt.password_file file one file two" in told
    assert "hunter" not in told


def test_who_is_in_both_has_what_both_give(written: Written) -> None:
    old = rights(written.with_())
    new = rights(
        written.with_(
            ('role = "commander"\nconsole = ["alice", "ali"]', 'role = "viewer"\nconsole = ["ali", "alison"]'),
            (KEY, OTHER),
            ('[people.bob]\nrole = "operator"', '[people.carol]\nrole = "operator"'),
            ('run_from = ["console"]\n', ""),
        )
    )
    least = old.at_most(new)
    assert least.people == (Person("alice", Role.VIEWER, frozenset({Account("console", "ali")})),)
    assert (least.stop_keys, least.run_from) == ({}, frozenset())
    assert least.commands == old.commands
    assert old.at_most(old) == old


def test_a_stop_key_that_another_person_has_now_counts_for_nobody_until_it_is_recorded(written: Written) -> None:
    old = rights(written.with_())
    new = rights(written.with_((f'stop_keys = ["{KEY}"]\n', ""), more=f'{EVE}stop_keys = ["{KEY}"]\n'))
    assert old.at_most(new).stop_keys == {}


@pytest.mark.parametrize(
    ("then", "left"),
    [
        ("", ""),
        ('[channels.lab]\nplaces = ["console:alice"]\nshare_encrypted = true', "console:alice True"),
        ('[channels.lab]\nplaces = ["console:alice", "console:bob", "console:ali"]', "console:alice console:bob False"),
        ('[channels.other]\nplaces = ["console:bob", "console:alice"]', "console:alice console:bob False"),
        (
            '[channels.a]\nplaces = ["console:alice"]\n[channels.lab]\nplaces = ["console:bob"]',
            "console:bob False",
        ),
        (
            '[channels.lab]\nplaces = ["console:ali"]\n[channels.b]\nplaces = ["console:bob"]\nshare_encrypted = true',
            "console:bob True",
        ),
    ],
)
def test_a_place_that_leaves_a_conversation_has_left_it_before_that_is_recorded(
    written: Written, then: str, left: str
) -> None:
    lab = '[channels.lab]\nplaces = ["console:alice", "console:bob"]\nshare_encrypted = true\n'
    least = rights(written.with_(more=lab)).at_most(rights(written.with_(more=then)))
    assert [" ".join(map(str, (*each.places, each.share_encrypted))) for each in least.channels] == [left] * bool(left)


def test_what_a_place_may_not_say_or_hear_any_more_holds_before_that_is_recorded(written: Written) -> None:
    one, other = Place("console", "alice"), BOBS
    took = Channel("lab", (one, other), only_speak=frozenset({one}), passes={one: ("*fire*", "*smoke*")})
    then = Channel("lab", (one, other), only_hear=frozenset({other}), passes={one: ("*fire*", "*"), other: ("*",)})
    old = rights(written.with_())
    least = dataclasses.replace(old, channels=(took,)).at_most(dataclasses.replace(old, channels=(then,)))
    (lab,) = least.channels
    assert [lab.gives(one, words) for words in ("fire", "smoke", "tea")] == [True, False, False]
    assert not lab.gives(other, "fire")
    assert lab.only_speak == {one}


def test_who_is_gone_suspended_or_without_an_account_may_do_nothing(written: Written) -> None:
    new = rights(written.with_(('console = ["bob"]\n', ""), more=f'{EVE}console = ["eve"]\n'))
    assert new.powerless(["alice", "bob", "gone", "eve"]) == ["bob", "gone"]
    assert dataclasses.replace(new, suspended=frozenset({"eve"})).powerless(["eve"]) == ["eve"]


@pytest.mark.parametrize(
    ("line", "on_disk", "now", "by_file", "expected"),
    [
        ("", True, {"bob"}, set[str](), {"bob"}),
        ("", False, {"bob"}, set[str](), {"bob"}),  # it was said a moment ago
        ("", False, {"bob"}, {"bob"}, set[str]()),  # the file before had said it, and this one does not
        ("suspended = false", True, {"bob"}, set[str](), set[str]()),  # the file wins, as at a start
        ("suspended = true", False, set[str](), set[str](), {"bob"}),
        ("", True, set[str](), set[str](), {"bob"}),  # who was not listed for a while
    ],
)
def test_who_was_suspended_from_chat_stays_so_unless_the_file_says_otherwise(
    written: Written, line: str, on_disk: bool, now: set[str], by_file: set[str], expected: set[str]
) -> None:
    new = written.with_(("[people.bob]", f"[people.bob]\n{line}"))
    entries = [Entry("people.bob.suspended", value=True, by="alice", at=0.0)] if on_disk else []
    assert suspended(new, weigh(entries, new), now, by_file) == expected


def test_all_parts_have_what_is_taken_at_once(written: Written) -> None:
    old = written.with_()
    live = Live(old, LiveStopKeys.of(old, ()))
    live.stop_keys.revoke(live.stop_keys.listed[0].id)
    heard: list[bool] = []
    live.people.watch(lambda: heard.append(live.people.holder_of(Account("console", "ali")) is None))
    new = written.with_(
        ('console = ["alice", "ali"]', 'console = ["alice"]'),
        ('alarms = ["console:alice"]', 'alarms = ["console:bob"]'),
        ('[commands.status]\nrole = "operator"\n', '[commands.drill]\nrole = "commander"\n'),
        (f'["{KEY}"]', f'["{KEY}", "{OTHER}"]'),
    )
    live.take(rights(new))
    assert heard == [True]
    assert [str(place) for place in live.settings.bot.alarms] == ["console:bob"]
    roles = {name: found.role for name in ("status", "drill") if (found := live.catalogue.called(name))}
    assert roles == {"status": Role.VIEWER, "drill": Role.COMMANDER}
    assert live.stop_keys.counting() == {OTHER: "alice"}
    assert live.rights.people == new.people.listed


def test_a_person_is_judged_by_the_role_of_now(people: People) -> None:
    authority = LiveAuthority(people, frozenset())
    olga, demand = people["olga"], Demand(Action.RUN, Role.OPERATOR)
    assert authority.judge(olga, Standing.ATTESTED, "chat", demand).allowed
    people.replace((dataclasses.replace(olga, role=Role.VIEWER),), ())
    assert not authority.judge(olga, Standing.ATTESTED, "chat", demand).allowed


@pytest_asyncio.fixture
async def room(store: Store, system: System, people: People) -> AsyncGenerator[Room]:
    system = dataclasses.replace(
        system, catalogue=LiveCatalogue.installed(), authority=LiveAuthority(people, frozenset())
    )
    room = Room(store, system)
    running = asyncio.create_task(room.desk.run())
    yield room
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize(
    ("name", "role", "account", "why"),
    [
        ("olga", Role.VIEWER, "olga", "olga is a viewer"),
        ("olga", Role.COMMANDER, "another", "olga was suspended just now"),
        ("otto", Role.COMMANDER, "olga", "olga was suspended just now"),
    ],
)
async def test_who_loses_a_right_while_the_record_is_written_does_nothing_any_more(
    room: Room, people: People, monkeypatch: pytest.MonkeyPatch, name: str, role: Role, account: str, why: str
) -> None:
    original = intent.before

    async def meanwhile(store: Store, work: Work) -> None:
        await original(store, work)
        people.replace((Person(name, role, frozenset({Account("chat", account)})),), ())

    monkeypatch.setattr(intent, "before", meanwhile)
    assert why in await room.said("!maintenance walker for 1h", "olga")
    assert not room.system.maintenance.going_on()


async def test_who_loses_all_rights_while_others_are_served_reads_nothing_any_more(room: Room, people: People) -> None:
    slots = room.desk._way._slots["vera"]  # pyright: ignore[reportPrivateUsage] - all of them are taken
    for _ in range(way.MOST_OF_ONE):
        await slots.acquire()
    message = room.message("!status", "vera")
    await room.intake.accept([message], cursor="c")
    while not slots._waiters:  # noqa: ASYNC110  # pyright: ignore[reportPrivateUsage] - there is no event for it
        await asyncio.sleep(0)
    people.replace(tuple(each for each in people.listed if each.name != "vera"), ())
    slots.release()
    await room.settled()
    assert "vera was suspended just now" in await room.told(message)


async def test_who_is_new_is_served(room: Room, people: People) -> None:
    ned = Person("ned", Role.OPERATOR, frozenset({Account("chat", "ned")}))
    people.replace((*people.listed, ned), ())
    assert "walker" in await room.said("!status", "ned")


async def test_what_by_now_takes_two_persons_is_not_run_by_one(
    room: Room, monkeypatch: pytest.MonkeyPatch, written: Written
) -> None:
    catalogue = room.system.catalogue
    assert isinstance(catalogue, LiveCatalogue)
    wishes = written.with_(('[commands.status]\nrole = "operator"\n', "[commands.jobs]\ntwo_persons = true\n")).commands
    original = intent.before

    async def meanwhile(store: Store, work: Work) -> None:
        await original(store, work)
        catalogue.wish({"maintenance": wishes["jobs"]})

    monkeypatch.setattr(intent, "before", meanwhile)
    assert "by now two persons must agree" in await room.said("!maintenance walker for 1h", "olga")


def test_only_a_bot_that_says_so_is_signalled(written: Written) -> None:
    """It is this process that holds the folder: SIGHUP would end it."""
    loaded = written.with_()
    folder = loaded.bot.folder
    with pytest.raises(TocsinError, match="No bot runs in"):
        asking.ask(loaded)
    lock = Lock(folder / f"{keys.DATABASE}.lock")
    lock.take()
    with contextlib.closing(contextlib.ExitStack()) as ending:
        ending.callback(lock.free)
        holder = holder_of(folder)
        assert holder is not None
        assert holder.process == os.getpid()
        with pytest.raises(TocsinError, match="takes no reload: process"):
            asking.ask(loaded)
        Answer("process 1 on another, since then", str(written.path)).write(folder)
        with pytest.raises(TocsinError, match="takes no reload: process"):
            asking.ask(loaded)
        Answer(holder.words, str(written.path.with_name("other.toml"))).write(folder)
        with pytest.raises(SettingsError, match=r"goes by .*other\.toml"):
            asking.ask(loaded)
    assert holder_of(folder) is None


def test_the_answer_to_somebody_else_is_not_taken_for_ones_own(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said, is said by this process: nobody is signalled."""
    broken = written.with_(('role = "operator"\nconsole', 'role = "viewer"\nconsole'))
    theirs, folder = digest_of(written.path), broken.bot.folder
    loaded = written.with_()
    mine, file = digest_of(written.path), str(written.path)
    monkeypatch.setattr(asking, "_signal", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    lock = Lock(folder / f"{keys.DATABASE}.lock")
    lock.take()
    with contextlib.closing(contextlib.ExitStack()) as ending:
        ending.callback(lock.free)
        holder = holder_of(folder)
        assert holder is not None
        for good, digest in ((True, mine), (False, mine), (False, "")):
            said = iter(
                [
                    Answer(holder.words, file, 4, theirs, good=False),
                    Answer(holder.words, file, 5, theirs),
                    Answer(holder.words, file, 6, IN_FLUX),
                    Answer(holder.words, file, 7, digest, good=good),
                ]
            )
            Answer(holder.words, file, 3, mine).write(folder)
            assert asking.ask(loaded, pause=lambda _, said=said: next(said).write(folder)).number == 7


def test_who_would_start_a_second_bot_is_told_what_that_does(written: Written) -> None:
    with pytest.raises(TocsinError, match=r"another bot\.folder, stop that one first"):
        asking.ask(written.with_(('folder = "state"', 'folder = "other"')))


def test_what_a_dead_process_has_left_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{keys.DATABASE}.lock").write_text("process 1 on here, since 2026-01-01 00:00:00 UTC\n")
    assert holder_of(tmp_path) is None


def test_an_answer_comes_back_as_it_was_and_what_is_none_is_none(tmp_path: Path) -> None:
    assert Answer.read(tmp_path) is None
    answer = Answer("h", "f", 3, "d", good=False, shown=document("Not so."))
    answer.write(tmp_path)
    assert Answer.read(tmp_path) == answer
    for other in ("{", "[]", "{}", '{"shown": 1}'):
        (tmp_path / "reload.json").write_text(other)
        assert Answer.read(tmp_path) is None


def test_what_is_too_long_for_a_room_says_where_all_of_it_is(written: Written) -> None:
    many = "".join(f'[people.p{each}]\nrole = "viewer"\nconsole = ["p{each}"]\n' for each in range(100))
    old, new = written.with_(), written.with_(more=many)
    whole = between(old, old, set(), new, set(), new).document("f")
    assert "tocsin reload" in to_plain(first_page(whole))
    assert len(to_plain(first_page(whole))) < len(to_plain(whole))


@dataclasses.dataclass
class Reloading:
    """A reload beside a real store and bell."""

    store: Store
    live: Live
    reloader: Reloader

    async def told(self) -> dict[str, str]:
        """What waits to be said, by place."""
        rows = await self.store.read(lambda tx: tx.execute("SELECT place, document FROM outbox").fetchall())
        return {place: to_plain(packed.load(said)) for place, said in rows}

    async def reload(self, new: Settings) -> None:
        """What a signal leads to."""
        await self.reloader._reload(new)  # pyright: ignore[reportPrivateUsage] - the file is read by then

    async def said_in(self, place: Place) -> list[str]:
        """What waits to be said there."""
        asked = "SELECT document FROM outbox WHERE place = ? ORDER BY id", (place.id,)
        rows = await self.store.read(lambda tx: tx.execute(*asked).fetchall())
        return [to_plain(packed.load(said)) for (said,) in rows]

    def watch(self, database: Path) -> list[tuple[bool, str]]:
        """Whenever other places count: whether words leave the room, and what it was told last, as it is on disk."""
        seen: list[tuple[bool, str]] = []

        def look() -> None:
            asked = "SELECT document FROM outbox WHERE place = ? ORDER BY id", (SECRET.id,)
            with contextlib.closing(sqlite3.connect(database)) as disk:
                told = [to_plain(packed.load(each)) for (each,) in disk.execute(*asked)]
            leaves = any(channel.takes(SECRET, BOBS) for channel in self.live.channels.all)
            seen.append((leaves, told[-1] if told else ""))

        self.live.channels.changed = look
        return seen

    async def plan_of_bob(self) -> None:
        """He has planned a stop."""
        asked = Message(BOBS, Account("console", "bob"), "$plan", "!shutdown all", Standing.LOCAL, "", 1, 0.0)
        plan = Plan("a" * 32, "bob", asked, 1e9, 9e9, None, is_stop=True)
        await self.store.write(lambda tx: plans.add(tx, plan))

    async def suspend_bob(self) -> None:
        """As `!person suspend` does."""
        self.live.people.suspend("bob")
        await self.store.write(lambda tx: overlay.put(tx, "people.bob.suspended", value=True, by="alice"))

    def suspended(self) -> list[str]:
        people = self.live.people
        return [each.name for each in people.listed if people.is_suspended(each.name)]

    async def kinds(self) -> list[str]:
        return [each.kind for each in await self.store.read(audit.everything)]


@pytest.fixture
def reloading(store: Store, bell: Bell, written: Written) -> Reloading:
    old = written.with_()
    old.bot.folder.mkdir()
    live = Live(old, LiveStopKeys.of(old, ()))
    planned = Plans(store, live.people, queued=lambda: None)
    return Reloading(store, live, Reloader(live, store, bell, (planned,), asked=asyncio.Event(), queued=lambda: None))


async def test_the_rooms_of_before_hear_of_it_and_those_of_then(reloading: Reloading, written: Written) -> None:
    new = written.with_(('alarms = ["console:alice"]', 'alarms = ["console:bob"]'))
    await reloading.reload(new)
    told = await reloading.told()
    assert told.keys() == {"alice", "bob"}
    assert all("bot.alarms" in said for said in told.values())
    assert await reloading.kinds() == ["stop keys changed", "reloaded", "configuration changed"]


async def test_where_the_record_cannot_be_trusted_nothing_is_given(reloading: Reloading, written: Written) -> None:
    reloading.store.distrusted = "entry 3 is another one"
    new = written.with_(('console = ["bob"]\n', ""), ('["alice", "ali"]', '["alice", "alison"]'))
    await reloading.reload(new)
    accounts = {str(each) for each in reloading.live.people.accounts_on("console")}
    assert accounts == {"console:alice"}
    assert "tocsin audit verify" in (await reloading.told())["alice"]
    assert "reloaded" not in await reloading.kinds()
    reloading.store.distrusted = ""
    await reloading.reload(new)
    assert {str(each) for each in reloading.live.people.accounts_on("console")} == {"console:alice", "console:alison"}


async def test_while_the_disk_hangs_nothing_is_given_and_what_is_taken_is_taken(
    reloading: Reloading, written: Written, hang_disk: HangDisk
) -> None:
    new, changed = written.with_((BOB, ""), more=f'{EVE}console = ["eve"]\n'), asyncio.Event()
    reloading.live.people.watch(changed.set)
    async with hang_disk(reloading.store) as go_on, asyncio.timeout(PATIENCE):
        under_way = asyncio.create_task(reloading.reload(new))
        await changed.wait()
        assert [each.name for each in reloading.live.people.listed] == ["alice"]
        assert not under_way.done()
        go_on.set()
        await under_way
    assert [each.name for each in reloading.live.people.listed] == ["alice", "eve"]


@pytest.mark.parametrize("listed_again", [False, True])
async def test_what_was_pending_is_void_though_it_was_not_recorded_that_somebody_is_gone(
    reloading: Reloading, written: Written, listed_again: bool
) -> None:
    began = written.with_()
    gone = written.with_((BOB, ""))
    await reloading.plan_of_bob()
    reloading.store.distrusted = "entry 3 is another one"
    await reloading.reload(gone)
    assert await reloading.store.read(plans.all_plans)
    reloading.store.distrusted = ""
    await reloading.reload(began if listed_again else gone)
    assert await reloading.store.read(plans.all_plans) == []
    assert "plan void" in await reloading.kinds()
    assert "reloaded" in await reloading.kinds()
    await reloading.plan_of_bob()
    await reloading.reload(began)
    assert len(await reloading.store.read(plans.all_plans)) == 1, "who is there again may plan again"


async def test_where_nothing_has_changed_nothing_is_recorded_though_somebody_is_suspended(
    reloading: Reloading, written: Written
) -> None:
    await reloading.suspend_bob()
    await reloading.reload(written.with_())
    assert "reloaded" not in await reloading.kinds()


@pytest.mark.parametrize("recorded", [True, False])
async def test_who_was_suspended_from_chat_has_nothing_back_by_another_name(
    reloading: Reloading, written: Written, recorded: bool
) -> None:
    await reloading.suspend_bob()
    new = written.with_(("[people.bob]", "[people.robert]"))
    if not recorded:
        reloading.store.distrusted = "entry 3 is another one"
        await reloading.reload(new)
        reloading.store.distrusted = ""
    await reloading.reload(new)
    assert reloading.suspended() == ["robert"]
    assert re.search(r"people\.robert\.suspended +– +true", (await reloading.told())["alice"])
    (record,) = [each for each in await reloading.store.read(audit.everything) if each.kind == "reloaded"]
    assert record.all["still_suspended"] == "robert"
    applied = weigh(await reloading.store.read(overlay.entries), new)
    assert [(each.person, each.entry.by) for each in applied if each.person] == [("robert", "alice")], "at a start, too"
    reloading.live.people.resume("robert")
    await reloading.store.write(lambda tx: overlay.drop(tx, "people.robert.suspended"))
    await reloading.reload(written.with_(("[people.bob]", "[people.rob]")))
    assert reloading.suspended() == [], "they were let go under the name that they had by then"


@pytest.mark.parametrize(
    "change",
    [
        (("[people.bob]", "[people.robert]\nsuspended = false"),),
        ((BOB, ""), ('["alice", "ali"]', '["alice", "bob"]')),
    ],
    ids=["the file says that they are not", "an account of somebody who is known"],
)
async def test_whom_the_file_names_with_an_account_that_was_suspended_may_use_it(
    reloading: Reloading, written: Written, change: tuple[tuple[str, str], ...]
) -> None:
    await reloading.suspend_bob()
    await reloading.reload(written.with_(*change))
    assert reloading.suspended() == []
    assert reloading.live.people.holder_of(Account("console", "bob")) is not None


async def test_whom_a_file_had_suspended_another_file_lets_go_by_any_name(
    reloading: Reloading, written: Written
) -> None:
    await reloading.reload(written.with_(("[people.bob]", "[people.bob]\nsuspended = true")))
    assert reloading.suspended() == ["bob"]
    await reloading.reload(written.with_(("[people.bob]", "[people.robert]")))
    assert reloading.suspended() == []


async def test_no_alarm_goes_to_a_network_that_is_not_there_before_the_next_start(
    reloading: Reloading, written: Written, tmp_path: Path
) -> None:
    (tmp_path / "zulip-key").write_text("k" * 32)
    (tmp_path / "zulip-key").chmod(0o600)
    zulip = '[zulip]\nsite = "https://chat.example.org"\nemail = "b@example.org"\nkey_file = "zulip-key"\n'
    lab = '[channels.lab]\nplaces = ["console:alice", "zulip:4/lab"]\n[channels.ops]\nplaces = ["zulip:4/ops"]\n'
    alone = written.with_(('"console:alice"', '"zulip:4/ops"'), more=zulip + lab)
    await reloading.reload(alone)
    assert [str(place) for place in reloading.live.alarms] == ["console:alice"], "somebody must hear of it"
    assert [str(place) for each in reloading.live.channels.all for place in each.places] == ["console:alice"]
    now, waiting = rows((await reloading.told())["alice"])
    assert now == ["channels.lab.places – console:alice"]
    assert "bot.alarms console:alice zulip:4/ops" in waiting
    assert "channels.lab.places console:alice console:alice, zulip:4/lab" in waiting
    assert "channels.ops.places – zulip:4/ops" in waiting
    both = written.with_(('"console:alice"', '"console:bob", "zulip:4/ops"'), more=zulip + lab)
    await reloading.reload(both)
    assert [str(place) for place in reloading.live.alarms] == ["console:bob"]
    now, waiting = rows((await reloading.told())["bob"])
    assert now == ["bot.alarms console:alice console:bob"]
    assert "bot.alarms console:bob console:bob, zulip:4/ops" in waiting
    assert any(row.startswith("zulip.site – ") for row in waiting)


def rows(told: str) -> tuple[list[str], list[str]]:
    """What is said to count now, and what is not."""
    now, _, waiting = told.partition("This needs a restart")
    closed = [[" ".join(line.split()) for line in each.splitlines()[3:]] for each in (now, waiting)]
    return [line for line in closed[0] if line != "what before after" and line], closed[1]


async def test_what_breaks_where_it_is_recorded_gives_nothing_and_ends_nothing(
    store: Store, bell: Bell, written: Written
) -> None:
    class Broken:
        def void_all_of(self, tx: Tx, person: str) -> None:
            raise KeyError(tx, person)

    old = written.with_()
    old.bot.folder.mkdir()
    live = Live(old, LiveStopKeys.of(old, ()))
    reloader = Reloader(live, store, bell, (Broken(),), asked=asyncio.Event(), queued=lambda: None)
    broken = Reloading(store, live, reloader)
    await broken.reload(written.with_((BOB, ""), more=f'{EVE}console = ["eve"]\n'))
    assert "NOT RELOADED" in (await broken.told())["alice"]
    assert [each.name for each in live.people.listed] == ["alice"]


@pytest.fixture
def sharing(store: Store, bell: Bell, written: Written, tmp_path: Path) -> Reloading:
    """A reload of a bot that is on an encrypted network, too."""
    (tmp_path / "password").write_text("open")
    (tmp_path / "password").chmod(0o600)
    old = written.with_(more=MATRIX)
    old.bot.folder.mkdir()
    live = Live(old, LiveStopKeys.of(old, ()))
    return Reloading(store, live, Reloader(live, store, bell, (), asked=asyncio.Event(), queued=lambda: None))


@pytest.mark.parametrize("linked", [False, True], ids=["by the file", "by what was linked from chat into its channel"])
async def test_a_room_is_told_what_leaves_it_in_clear_before_a_word_does(
    sharing: Reloading, written: Written, tmp_path: Path, linked: bool
) -> None:
    if linked:
        await sharing.store.write(lambda tx: links.put(tx, Link("lab", BOBS, "alice")))
        sharing.live.channels.link(await sharing.store.read(links.everything))
    seen = sharing.watch(tmp_path / "tocsin.db")
    await sharing.reload(written.with_(more=MATRIX + (LAB.replace(f', "{BOBS}"', "") if linked else LAB)))
    assert seen == [(False, ""), (True, LEAVES)]
    assert await sharing.said_in(SECRET) == [LEAVES], "once"


async def test_a_room_is_told_too_where_places_come_back_that_were_taken_by_what_was_not_recorded(
    sharing: Reloading, written: Written, tmp_path: Path
) -> None:
    await sharing.reload(written.with_(more=MATRIX + LAB))
    sharing.store.distrusted = "entry 3 is another one"
    await sharing.reload(written.with_(more=MATRIX))
    sharing.store.distrusted = ""
    await sharing.store.write(sharing.live.channels.announce)  # as `!link` does
    seen = sharing.watch(tmp_path / "tocsin.db")
    await sharing.reload(written.with_(more=MATRIX + LAB))
    assert seen == [(False, "What is said here is not passed on in clear any more."), (True, LEAVES)]


async def test_where_a_room_cannot_be_told_nothing_is_taken_and_no_word_leaves_it(
    sharing: Reloading, written: Written, tmp_path: Path
) -> None:
    new = written.with_(more=MATRIX + LAB)
    words = Message(SECRET, Account("matrix", "@eve:example.org"), "$1", "hello", Standing.ATTESTED, "", 1, 0.0)
    with contextlib.closing(sqlite3.connect(tmp_path / "tocsin.db", isolation_level=None)) as disk:
        disk.execute(REFUSED)
        await sharing.reload(new)
        assert sharing.live.channels.all == ()
        told = (await sharing.told())["alice"]
        assert told.startswith("NOT RELOADED")
        assert "it cannot be recorded" in told
        assert "reloaded" not in await sharing.kinds()
        await sharing.store.write(lambda tx: sharing.live.channels.take_in(tx, "matrix", [words]))
        assert await sharing.said_in(SECRET) == await sharing.said_in(BOBS) == []
        disk.execute("DROP TRIGGER refused")
    await sharing.reload(new)
    assert await sharing.said_in(SECRET) == [LEAVES]
    assert [channel.name for channel in sharing.live.channels.all] == ["lab"]


async def test_a_file_of_very_many_makes_no_line_of_very_many(reloading: Reloading, written: Written) -> None:
    many = "".join(f'[people.p{each}]\nrole = "viewer"\n' for each in range(MOST_LOGGED + 1))
    with capture_logs() as lines:
        await reloading.reload(written.with_(more=many))
    (line,) = [each for each in lines if each["event"] == "reloaded"]
    assert (len(line["changed"]), line["count"]) == (MOST_LOGGED, MOST_LOGGED + 1)


async def test_what_breaks_inside_is_told_and_ends_nothing(reloading: Reloading) -> None:
    await reloading.reloader._refuse(KeyError("x"))  # pyright: ignore[reportPrivateUsage] - what a plug-in may do
    assert "It broke: KeyError. My log has more." in (await reloading.told())["alice"]


async def test_an_answer_says_what_was_read_and_nothing_where_that_is_not_sure(
    reloading: Reloading, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> Answer:
        return Answer.read(new.bot.folder) or Answer("", "")

    new, asked = written.with_(), reloading.reloader._asked  # pyright: ignore[reportPrivateUsage] - as a signal does

    async def reloaded(number: int) -> str:
        asked.set()
        async with asyncio.timeout(PATIENCE):
            while answer().number < number:
                await reloading.store.write(lambda _: None)
        return answer().digest

    running = asyncio.create_task(reloading.reloader.run())
    assert await reloaded(1) == digest_of(written.path)
    load = settings.load

    def meanwhile(path: Path) -> Settings:
        loaded = load(path)
        written.path.write_text(FILE.replace(BOB, ""))
        return loaded

    monkeypatch.setattr(settings, "load", meanwhile)
    assert await reloaded(2) == IN_FLUX
    running.cancel()
    await asyncio.wait([running])


def test_the_page_names_all_that_counts_at_once() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    named = {
        word for line in page.splitlines() if line.endswith("| at once |") for word in re.findall(r"`(\S+)`", line)
    }
    assert named >= {f"[{section}.*]" for section in LIVE_SECTIONS} | {".".join(each) for each in LIVE_KEYS}


async def test_a_command_that_this_run_has_not_loaded_waits_for_a_restart(
    reloading: Reloading, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = written.with_()
    monkeypatch.setitem(new.commands, "lamp", new.commands["status"])
    with pytest.raises(SettingsError, match=r"commands\.lamp  there is no such command"):
        reloading.reloader._refuse_what_this_run_cannot_do(new)  # pyright: ignore[reportPrivateUsage] - see above
