"""The commands that come with Tocsin, as people call them."""

import asyncio
import dataclasses
import os
from collections.abc import Callable

import pytest

from bot.bridge import Health
from bot.desk.call import Call
from bot.outgoing import Outgoing
from bot.store import Store, Tx, incidents, outbox, overlay
from bot.system import System
from bot.words.document import document
from bot.words.errors import Unreachable, UsageError
from bot.words.message import Lane, Place, Post, Standing
from bot.words.people import Account, People
from bot.words.plain import to_plain
from commands.help import show_help
from commands.more import more
from commands.outbox import discard, retry, show_outbox
from commands.person import resume, show_people, suspend
from commands.shutdown import shutdown
from commands.status import status
from commands.whoami import whoami
from commands.why import what_if, why
from wire.envelope import PrivateKey, seal, unseal
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Lease

Ask = Callable[[str], Call]
PLACE = Place("chat", "room")


@pytest.mark.parametrize(("who", "sees"), [("vera", False), ("olga", True), ("carol", True)])
async def test_help_shows_what_one_may_do_and_nothing_else(ask: Ask, who: str, sees: bool) -> None:
    shown = to_plain(await show_help.handler(ask(who)))
    assert "!status" in shown
    assert "!help" in shown
    assert ("!shutdown <target>" in shown) is sees
    assert shown.startswith("To stop everything: !shutdown all\n") is sees


@pytest.mark.parametrize("name", ["shutdown", "!shutdown", "/Shutdown", "stop"])
async def test_help_for_one_command(ask: Ask, name: str) -> None:
    shown = to_plain(await show_help.handler(ask("olga"), name))
    assert shown.startswith("!shutdown <target>")
    assert "Takes the role operator, or a higher one." in shown
    assert "!stop !halt" in shown


async def test_help_says_who_tells_more_of_what_one_may_not_run(ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"You may not run !shutdown here\. !why shutdown says why\."):
        await show_help.handler(ask("vera"), "shutdown")


async def test_help_for_what_is_not_there_suggests_only_what_one_may_run(ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"There is no command 'statsu'\. Did you mean !status\?"):
        await show_help.handler(ask("vera"), "statsu")
    with pytest.raises(UsageError, match=r"There is no command 'shutdwn'\. !help lists"):
        await show_help.handler(ask("vera"), "shutdwn")


async def test_whoami_says_how_one_is_known(ask: Ask) -> None:
    shown = to_plain(await whoami.handler(ask("vera")))
    assert "You are vera." in shown
    for word in ("viewer", "PHONE"):
        assert word in shown


async def test_status_shows_silence_as_silence(ask: Ask) -> None:
    shown = to_plain(await status.handler(ask("vera")))
    assert "walker" in shown
    assert "not heard since I started" in shown
    assert "Open incident" not in shown


async def test_status_shows_what_a_component_says_and_what_is_stopped(
    ask: Ask, system: System, walker_key: PrivateKey, published: list[tuple[str, bytes]]
) -> None:
    trusted = Trusted(PrivateKey(b"bot".ljust(32, b".")).public)
    latch = Latch("walker", ("legs",), Kept(), trusted=trusted, write=lambda _: True, random=os.urandom)

    async def speak() -> None:
        said = latch.ask(0.0)
        heard = await system.bell.heard("walker", seal(walker_key, ROOT, "state", said.to_bytes()))
        system.registry.heard(heard.state, heard.spare_s)
        bot_key = PrivateKey(b"bot".ljust(32, b".")).public
        latch.lease(Lease.parse(unseal(published[-1][1], ROOT, "lease", bot_key)), 0.0)

    await speak()
    assert "held" in to_plain(await status.handler(ask("vera")))
    await speak()
    assert "ready" in to_plain(await status.handler(ask("vera")))

    await shutdown.handler(ask("olga"), "legs")
    latch.down = True
    for _ in range(5):  # it is believed after a few rounds
        if system.bell.has_stopped("walker"):
            break
        before = len([topic for topic, _ in published if "/lease/" in topic])
        said = latch.ask(0.0)
        heard = await system.bell.heard("walker", seal(walker_key, ROOT, "state", said.to_bytes()))
        system.registry.heard(heard.state, heard.spare_s)
        leases = [payload for topic, payload in published if "/lease/" in topic]
        assert len(leases) == before + 1
        latch.lease(Lease.parse(unseal(leases[-1], ROOT, "lease", PrivateKey(b"bot".ljust(32, b".")).public)), 0.0)
        latch.down = True
    assert system.bell.has_stopped("walker")
    shown = to_plain(await status.handler(ask("vera")))
    assert shown.startswith("Open incident ")
    assert "stops group legs." in shown
    assert "stopped" in shown


async def test_shutdown_opens_one_incident_under_the_id_of_the_call(ask: Ask, store: Store) -> None:
    call = ask("olga")
    shown = to_plain(await shutdown.handler(call, "walker"))
    assert shown.startswith("STOPPING walker: 1 component.")
    (row,) = await store.read(incidents.all_incidents)
    assert (row.id, row.target, row.place, row.reply_to) == (
        call.id,
        "id/walker",
        Place("chat", "room"),
        call.message.event,
    )


async def test_shutdown_of_what_is_stopped_joins_it(ask: Ask, store: Store) -> None:
    first, second = ask("olga"), ask("carol")
    await shutdown.handler(first, "all")
    shown = to_plain(await shutdown.handler(second, "ALL"))
    assert shown.startswith("ALREADY STOPPING")  # nobody has said that it stands still
    assert f"by incident {first.id[:8]}" in shown
    assert "walker" in shown
    assert len(await store.read(incidents.all_incidents)) == 1


async def test_the_same_shutdown_again_is_the_same(ask: Ask, store: Store) -> None:
    call = ask("olga")
    assert await shutdown.handler(call, "all") == await shutdown.handler(call, "all")
    assert len(await store.read(incidents.all_incidents)) == 1


async def test_a_mistyped_target_stops_nothing(ask: Ask, store: Store, published: list[tuple[str, bytes]]) -> None:
    with pytest.raises(UsageError, match="Nothing was stopped: no component and no group is called 'wolker'") as wrong:
        await shutdown.handler(ask("olga"), "wolker")
    assert "!shutdown walker" in wrong.value.hint
    assert published == []
    assert await store.read(incidents.all_incidents) == []


async def test_why_explains_the_verdict_here(ask: Ask) -> None:
    assert "Yes: !shutdown." in to_plain(await why.handler(ask("olga"), "shutdown"))
    refused = to_plain(await why.handler(ask("vera"), "!shutdown", "all"))
    assert refused.startswith("No: !shutdown.")
    assert "vera is a viewer" in refused
    weak = ask("olga")
    weak = dataclasses.replace(weak, message=dataclasses.replace(weak.message, standing=Standing.UNPROVEN))
    assert "Nothing proves that this came from you" in to_plain(await why.handler(weak, "status"))


async def test_why_says_where_a_second_person_must_agree(ask: Ask) -> None:
    assert "A second person must agree, a commander" in to_plain(await why.handler(ask("carol"), "person", "resume"))


async def test_why_of_nothing_and_of_what_is_not_there_is_answered(ask: Ask) -> None:
    with pytest.raises(UsageError, match="'command' is missing"):
        why.signature.bind("", ask("olga").system.names)
    with pytest.raises(UsageError, match="There is no command 'shutdwn'") as wrong:
        await why.handler(ask("olga"), "shutdwn")
    assert "!shutdown" in wrong.value.hint


async def test_what_if_shows_every_kind_of_place(ask: Ask) -> None:
    head, table, reason = to_plain(await what_if.handler(ask("carol"), "olga", "shutdown")).split("\n\n")
    assert head.startswith("olga, an operator: !shutdown")
    assert len(table.splitlines()) == 1 + len(set(Standing) - {Standing.KEY})
    assert "yes, with an alarm" in table
    assert "stop key" not in table
    assert "operator" not in table
    assert reason == "Where no reason stands: olga is an operator, and this takes an operator."


async def test_what_if_of_a_suspended_person_is_nothing(ask: Ask, people: People) -> None:
    people.suspend("olga")
    assert "from nowhere: olga is suspended" in to_plain(await what_if.handler(ask("carol"), "olga", "shutdown"))


def written(tx: Tx, call: Call) -> None:
    for work in call.written_along:
        work(tx)


async def test_who_is_suspended_counts_for_nothing_at_once_and_after_a_restart(
    ask: Ask, people: People, store: Store
) -> None:
    call = ask("carol")
    assert "Suspended: olga." in to_plain(await suspend.handler(call, "olga"))
    assert people.holder_of(Account("chat", "olga")) is None
    assert Account("chat", "olga") not in people.accounts_on("chat")
    await store.write(lambda tx: written(tx, call))
    (entry,) = await store.read(overlay.entries)
    assert (entry.key, entry.by) == ("people.olga.suspended", "carol")
    assert "Suspended: olga." in to_plain(await suspend.handler(ask("carol"), "olga"))  # as after a crash


async def test_who_is_suspended_comes_back_by_two_persons_only(ask: Ask, people: People, store: Store) -> None:
    assert resume.demand.two_persons
    await store.write(lambda tx: overlay.put(tx, "people.olga.suspended", value=True, by="carol"))
    people.suspend("olga")
    assert "Back: olga" in to_plain(await resume.handler(ask("carol"), "olga"))
    assert people.holder_of(Account("chat", "olga")) is not None
    assert await store.read(overlay.entries) == []


async def test_the_stakes_of_bringing_back_are_the_person_as_they_stand(ask: Ask, people: People) -> None:
    assert resume.preview is not None
    with pytest.raises(UsageError, match="olga is not suspended"):
        await resume.preview(ask("carol"), "olga")
    people.suspend("olga")
    stakes = await resume.preview(ask("carol"), "olga")
    assert [(hit.target, hit.now) for hit in stakes.hits] == [("olga", "suspended")]
    assert "olga will be an operator again" in stakes.note
    assert "chat:olga" in stakes.note


async def test_people_are_shown_with_all_their_accounts(ask: Ask, people: People) -> None:
    people.suspend("vera")
    shown = to_plain(await show_people.handler(ask("olga")))
    assert "chat:carol, chat:carol-at-home" in shown
    assert "suspended" in shown


async def test_more_shows_what_was_left_over_once_and_to_nobody_else(ask: Ask, system: System) -> None:
    olga = ask("olga")
    system.rest.keep("olga", olga.message.place, document("the rest"))
    with pytest.raises(UsageError, match="nothing more"):
        await more.handler(ask("carol"))
    assert to_plain(await more.handler(olga)) == "the rest"
    with pytest.raises(UsageError, match="nothing more"):
        await more.handler(olga)


async def test_the_outbox_shows_what_waits_and_what_was_refused(ask: Ask, store: Store) -> None:
    assert "Nothing waits" in to_plain(await show_outbox.handler(ask("olga")))
    with pytest.raises(UsageError, match="Nothing was refused that can be sent again"):
        await retry.handler(ask("olga"))
    for words in ("first words", "second words"):
        await store.write(lambda tx, words=words: outbox.queue(tx, Post(PLACE, document(words), Lane.ANSWER)))
    (first, *_) = await store.read(lambda tx: outbox.heads(tx, "chat", [], 5))
    await store.write(lambda tx: outbox.failed(tx, first.row, "no such room"))
    shown = to_plain(await show_outbox.handler(ask("olga")))
    assert "chat:room" in shown
    assert "first words" in shown
    assert "no such room" in shown

    with pytest.raises(UsageError, match="999 cannot be sent again"):
        await retry.handler(ask("olga"), 999)
    assert "Queued again: 1 message." in to_plain(await retry.handler(ask("olga"), first.row))
    assert await store.read(lambda tx: outbox.failures(tx, 5)) == []
    (waiting,) = await store.read(outbox.waiting_at)
    assert waiting.count == 2


async def test_a_refused_message_is_dropped_by_its_number(ask: Ask, store: Store) -> None:
    await store.write(lambda tx: outbox.queue(tx, Post(PLACE, document("words"), Lane.ANSWER)))
    (queued,) = await store.read(lambda tx: outbox.heads(tx, "chat", [], 5))
    await store.write(lambda tx: outbox.failed(tx, queued.row, "no such room"))
    assert "Dropped: 1 message." in to_plain(await discard.handler(ask("olga"), str(queued.row)))
    assert await store.read(lambda tx: outbox.failures(tx, 5)) == []
    with pytest.raises(UsageError, match=f"Nothing was dropped of '{queued.row}'"):
        await discard.handler(ask("olga"), str(queued.row))


@pytest.mark.parametrize("word", ["somewhere", "nowhere:room", "0", "9" * 19, "9" * 4000, ""])
async def test_what_is_no_number_and_no_place_drops_nothing(ask: Ask, word: str) -> None:
    with pytest.raises(UsageError, match="neither the number of a message nor a place"):
        await discard.handler(ask("olga"), word)


@pytest.mark.parametrize("word", ["0", "9" * 19])
async def test_no_number_is_larger_than_the_database_counts(ask: Ask, word: str) -> None:
    with pytest.raises(UsageError, match="out of range"):
        retry.signature.bind(word, ask("olga").system.names)


async def test_a_place_that_is_away_is_told_below_the_table_in_few_words(
    ask: Ask, system: System, store: Store
) -> None:
    gone = asyncio.Event()

    class Gone:
        """A network that takes nothing, and says why at length."""

        def health(self) -> Health:
            return Health(ready=False)

        async def run(self) -> None: ...

        async def send(self, post: Post, *, key: str) -> str:
            raise Unreachable(f"{post.place} is away {key}\n" + "because " * 100)

    def draw() -> float:
        """How long to wait for the next try: it is away now."""
        gone.set()
        return 0.5

    out = Outgoing("chat", Gone(), store, draw=draw)
    await store.write(lambda tx: outbox.queue(tx, Post(PLACE, document("words"), Lane.ANSWER)))
    sending = asyncio.create_task(out.run())
    async with asyncio.timeout(10):
        await gone.wait()
    call = ask("olga")
    call = dataclasses.replace(call, system=dataclasses.replace(system, ways_out={"chat": out}))
    table, head, away = to_plain(await show_outbox.handler(call)).split("\n\n")
    sending.cancel()
    await asyncio.wait([sending])
    assert max(map(len, table.splitlines())) < 60
    assert head == "Away"
    assert away.startswith("• chat:room again in ")
    assert away.endswith(" because…")
    assert len(away) < 180
