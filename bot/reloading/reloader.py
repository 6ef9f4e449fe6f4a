"""Takes the configuration anew when it is asked to. It is on record before it counts, but for what takes rights away.

Whoever loses a right has lost it before anything is awaited: a disk that hangs must not keep it for them. What gives
rights waits for the record, and where that cannot be written nothing is given. Rooms hear in that same commit what will
leave them in clear, so no word does before they are told.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from bot import settings
from bot.channels import Channels
from bot.reloading.answer import Answer, digest_of
from bot.reloading.barred import Barred
from bot.reloading.changes import Changes, between, first_page, is_of, refused
from bot.reloading.holder import holder_of
from bot.reloading.live import Live
from bot.reloading.reach import within_reach
from bot.reloading.rights import Rights, suspended, suspended_by_file
from bot.settings import Settings, noting, weigh
from bot.settings.mistakes import Mistake, Mistakes, key
from bot.stopkeys import Teller
from bot.store import Store, Tx, audit, outbox, overlay
from bot.store.overlay import Entry
from bot.words.document import Document, document
from bot.words.errors import Refused, SettingsError, StoreError, TocsinError
from bot.words.message import Lane, Place, Post

log = structlog.get_logger(__name__)

MOST_LOGGED = noting.MOST_NAMED
IN_FLUX = "it was changed while it was read"
"""In the place of a digest: nobody knows which of the two was read."""
LOOK_MAY_TAKE_S = 30.0
"""At the start the whole record is looked at once, before anything builds on it."""


class Pending(Protocol):
    """What people have asked for, and is not done yet."""

    def void_all_of(self, tx: Tx, person: str) -> None:
        """Nothing of theirs is done any more."""
        ...


class Reloader:
    """One for each run of the bot."""

    def __init__(
        self,
        live: Live,
        store: Store,
        bell: Teller,
        pending: Iterable[Pending],
        *,
        asked: asyncio.Event,
        queued: Callable[[], None],
    ) -> None:
        self._started = self._current = started = live.started
        self._by_file = suspended_by_file(started)
        """Who is suspended by a file that was taken, so not from chat."""
        self._live = live
        self._store = store
        self._bell = bell
        self._pending = tuple(pending)
        self._asked = asked
        self._queued = queued
        self._barred = Barred()
        self._gone: dict[str, None] = {}
        """Who may do nothing any more since something was recorded last."""
        self._file = str(started.file.path.absolute())
        self._number = 0
        self._digest = ""
        """Of the file as it was read last."""

    def sets(self, dotted: str) -> bool:
        """Whether the file has this key, as it was taken last."""
        return self._current.sets(dotted)

    async def run(self) -> None:
        """Take the configuration anew whenever that is asked, until cancelled."""
        await self._answer(document())
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._number += 1
            try:
                new = await asyncio.to_thread(self._load)
                self._refuse_what_this_run_cannot_do(new)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, it never ends the bot
                await self._refuse(error)
            else:
                await self._reload(new)

    def _load(self) -> Settings:
        path = self._started.file.path
        self._digest = digest_of(path)
        try:
            return settings.load(path)
        finally:
            if self._digest != digest_of(path):
                self._digest = IN_FLUX

    async def _reload(self, whole: Settings) -> None:
        before = self._live.rights
        new = within_reach(whole, self._started.bridges, before.alarms)
        self._barred.note(self._live.people, self._by_file)
        least = self._rights(new, ())
        self._gone |= dict.fromkeys(least.powerless(before.able))
        self._live.take(before.at_most(least))
        self._by_file |= suspended_by_file(new)
        await self._live.stop_keys.tell(self._bell)
        changes = self._changes(before, new, self._rights(new, ()), whole)
        try:
            entries = await self._store.read(overlay.entries)
            after = self._rights(new, entries)
            changes = self._changes(before, new, after, whole)
            if changes.live or self._gone or new.file.content != self._current.file.content:
                await self._until_it_can_be_recorded()
                entries = await self._store.write(functools.partial(self._write, new, before, after, changes))
            elif after.channels != before.channels:  # one that was not recorded has taken places, and here they are
                await self._store.write(functools.partial(self._tell_rooms, after))
        except Exception as error:  # noqa: BLE001 - whatever breaks, it never ends the bot
            why = self._ours(error)
            log.error("not reloaded, but for what takes rights away", file=self._file, error=str(why))
            told = changes.not_recorded(self._file, why)
            await self._answer(told, good=False)
            await self._say(before.alarms, told)
            return
        self._live.take(self._rights(new, entries))  # chat may have said something since
        await self._drop_what_may_not_go()
        self._current, self._by_file = new, suspended_by_file(new)
        self._gone.clear()
        await self._live.stop_keys.tell(self._bell)
        self._queued()
        named = [key(each.key) for each in changes.live], [key(each.key) for each in changes.waiting]
        log.info(
            "reloaded",
            file=self._file,
            changed=named[0][:MOST_LOGGED],
            needs_a_restart=named[1][:MOST_LOGGED],
            count=len(named[0]) + len(named[1]),
        )
        await self._answer(changes.document(self._file))

    async def _drop_what_may_not_go(self) -> None:
        """What was taken in, or linked, between the commit and this."""
        try:
            await self._store.write(self._live.channels.announce)
        except StoreError as error:  # it is tried again at the next start
            log.error("what may not go any more is not dropped", error=str(error))

    def _rights(self, new: Settings, entries: Sequence[Entry]) -> Rights:
        """What is to count, with what was said in chat up to now."""
        from_chat = weigh(entries, new)
        now = self._live.rights.suspended
        renamed = self._barred.renamed(new, self._live.people)
        return Rights.of(new, suspended(new, from_chat, now, self._by_file) | renamed.keys(), from_chat)

    def _changes(self, before: Rights, new: Settings, after: Rights, whole: Settings) -> Changes:
        return between(self._started, self._current, before.suspended, new, after.suspended, whole)

    def _write(self, new: Settings, before: Rights, after: Rights, changes: Changes, tx: Tx) -> list[Entry]:
        """Record it, void what nobody may have any more, and tell the rooms. Returns what chat has said by now."""
        waiting = sorted({key(is_of(each.key)) for each in changes.waiting})
        renamed = self._barred.renamed(new, self._live.people)
        still = [audit.about(name, still_suspended=name) for name in renamed][: noting.MOST_NAMED]
        audit.record(tx, "reloaded", *still, needs_a_restart=waiting[: noting.MOST_NAMED])
        noting.note(tx, new)
        self._barred.keep(tx, renamed)
        for name in self._gone | dict.fromkeys(after.powerless(each.name for each in before.people)):
            for each in self._pending:
                each.void_all_of(tx, name)
        _queue(tx, (*before.alarms, *after.alarms), changes.document(self._file))
        self._tell_rooms(after, tx)
        return overlay.entries(tx)

    def _tell_rooms(self, after: Rights, tx: Tx) -> None:
        """Have rooms know what will leave them in clear, with what is linked from chat, before a word does."""
        then = Channels(after.channels, self._live.people, is_encrypted=self._started.is_encrypted)
        then.recall(tx)
        then.announce(tx)

    async def _until_it_can_be_recorded(self) -> None:
        try:
            async with asyncio.timeout(LOOK_MAY_TAKE_S):
                await self._store.examined.wait()
        except TimeoutError:
            raise Refused("The record is still being looked at.", hint="Ask again in a moment.") from None
        if self._store.distrusted:
            raise Refused(f"The record cannot be trusted: {self._store.distrusted}.", hint="Run: tocsin audit verify")

    def _refuse_what_this_run_cannot_do(self, new: Settings) -> None:
        """A restart would take it: these commands are not loaded, or this component is not away yet."""
        found = [(("commands", *each.path), each.what) for each in self._live.catalogue.unmet(new.commands)]
        components = {str(each.key): name for name, each in self._started.enrolled.items()}
        found += [
            (("people", person, "stop_keys"), f"{each} is the component {components[each]}'s until the next start")
            for each, person in new.stop_keys.items()
            if each in components
        ]
        if found:
            raise Mistakes(self._file, [Mistake(path, what, line=new.file.line_of(path)) for path, what in found])

    async def _refuse(self, error: Exception) -> None:
        why = self._ours(error)
        told = refused(self._file, why)
        said = [f"line {each.line}: {each}" for each in why.mistakes] if isinstance(why, Mistakes) else [str(why)]
        log.error("not reloaded, all goes on as it was", file=self._file, mistakes=said[:MOST_LOGGED])
        await self._answer(told, good=False)
        await self._say(self._live.alarms, told)

    def _ours(self, error: Exception) -> TocsinError:
        if isinstance(error, TocsinError):
            return error
        log.error("taking the configuration anew broke", file=self._file, exc_info=error)
        return SettingsError(f"It broke: {type(error).__name__}.", hint="My log has more.")

    async def _say(self, places: Sequence[Place], told: Document) -> None:
        try:
            await self._store.write(lambda tx: _queue(tx, places, told))
        except StoreError as error:
            log.error("the alarm rooms could not be told", error=error.what)
        self._queued()

    async def _answer(self, told: Document, *, good: bool = True) -> None:
        """For `tocsin reload`. Where it cannot be written, the log and the rooms have it all the same."""
        folder = self._started.bot.folder
        try:
            holder = await asyncio.to_thread(holder_of, folder)
            words = holder.words if holder else ""
            answer = Answer(words, self._file, self._number, self._digest, good=good, shown=told)
            await asyncio.to_thread(answer.write, folder)
        except (OSError, StoreError) as error:
            log.warning("`tocsin reload` will not hear of this", error=str(error))


def _queue(tx: Tx, places: Iterable[Place], told: Document) -> None:
    for place in dict.fromkeys(places):
        outbox.queue(tx, Post(place, first_page(told), Lane.ALERT))
