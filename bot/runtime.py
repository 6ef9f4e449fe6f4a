"""Puts the parts together and runs them: the incidents are read first, and no lease is given before that.

When it ends, nobody is left without an answer that was ready: commands end first, then what waits is said, then the
bridges go, and the link and the bell last. Leases end with the bell. What a bridge still receives meanwhile waits in
the inbox for the next run.
"""

import asyncio
import contextlib
import dataclasses
import faulthandler
import functools
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import structlog

from bot import __version__, keys
from bot.bridge import Attentive, Bridge, Explaining, Linked, Office, Verifying
from bot.bringing import Bringer
from bot.channels import Channels, Linking
from bot.desk.approvals import Approvals
from bot.desk.desk import Desk
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.alerted import Sink
from bot.fleet.alerts import Alerts
from bot.fleet.claims import Claims
from bot.fleet.going_on import GoingOn
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.listener import Listener
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Registry
from bot.housekeeping import Housekeeping
from bot.identities import Identities
from bot.intake import Intake
from bot.outgoing import Outgoing
from bot.record.opening import opened
from bot.record.parts import parts_of_the_record
from bot.record.publishing import Publisher
from bot.reloading import Live, LiveStopKeys, Reloader
from bot.settings import Effect, Settings, noting, weigh
from bot.stop.bell import Bell
from bot.store import Store, Tx, audit, outbox, overlay
from bot.supervisor import A_MOMENT_S, Part, Supervisor
from bot.system import System
from bot.unreadable import Alarms
from bot.words.document import Tone, document, strong, text
from bot.words.errors import OutOfService, SettingsError, StoreError
from bot.words.message import Lane, Message, Place, Post
from wire.envelope import PrivateKey
from wire.mqtt import Delivery, Link

log = structlog.get_logger(__name__)

DESK_MAY_TAKE_S = 5.0
WAYS_OUT_MAY_TAKE_S = 2.0
BRIDGE_MAY_TAKE_S = 1.0
END_WITHIN_S = 5.0
"""What the process has for its end once its parts have stopped. Then it is ended, whatever hangs."""
THREADS_END_WITHIN_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Alive:
    """What runs in this process and keeps it from ending."""

    tasks: frozenset["asyncio.Task[Any]"]
    threads: frozenset[str]

    @classmethod
    def now(cls) -> "_Alive":
        threads = (thread.name for thread in threading.enumerate() if not thread.daemon)
        return cls(frozenset(asyncio.all_tasks()), frozenset(threads))


async def run(settings: Settings) -> None:
    """Be the bot until cancelled. It is the whole life of its event loop: threads cannot be used after it."""
    reload = _heard_at_sighup()
    folder = settings.bot.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    key = keys.load_or_make(folder / keys.KEY)
    before = _Alive.now()
    try:
        async with opened(folder, settings.mqtt.root) as store:
            try:
                broke_off = await store.write(functools.partial(_record_the_start, settings))
                key = await keys.settled(folder, key, store)
                live = Live(settings, await _apply_what_was_changed_from_chat(settings, store))
                await _run_parts(store, key, live, reload, after_a_crash=broke_off)
            finally:
                # A part that does not stop, or a thread that hangs in the disk, would keep the process for ever.
                faulthandler.dump_traceback_later(END_WITHIN_S, exit=True, file=sys.__stderr__ or sys.stderr)
                await _record_the_end(store)
    finally:
        if hanging := await _what_hangs(before):
            log.error("something hangs; the process ends without it", what=hanging, seconds=END_WITHIN_S)
        else:
            faulthandler.cancel_dump_traceback_later()


def _heard_at_sighup() -> asyncio.Event:
    """Set whenever somebody wants the configuration taken anew. The signal ends nothing any more."""
    heard = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heard.set)
    return heard


async def _apply_what_was_changed_from_chat(settings: Settings, store: Store) -> LiveStopKeys:
    """What people changed since the file was written holds on, where the file does not say otherwise."""
    changes = weigh(await store.read(overlay.entries), settings)
    for change in changes:
        entry = change.entry
        if change.effect is not Effect.APPLIED:
            log.warning("a change from chat has no effect", key=entry.key, by=entry.by, why=change.effect.value)
        elif change.stop_key:
            log.info("a stop key is revoked from chat", key=change.stop_key, by=entry.by)
        elif entry.value:
            settings.people.suspend(change.person)
            log.info("suspended from chat", person=change.person, by=entry.by)
    return LiveStopKeys.of(settings, changes)


async def _run_parts(store: Store, key: PrivateKey, live: Live, reload: asyncio.Event, *, after_a_crash: bool) -> None:
    settings = live.settings
    supervisor = Supervisor()
    ways_out: dict[str, Outgoing] = {}

    def queued() -> None:
        for each in ways_out.values():
            each.wake()

    def receive(delivery: Delivery) -> Awaitable[None] | None:
        return listener.receive(delivery)

    root = settings.mqtt.root
    link = Link(settings.mqtt.broker(), f"bot-{settings.bot.name}", receive=receive)
    registry = Registry(settings.listed)
    maintenance = Maintenance(store, registry.groups_of)
    await maintenance.read()
    bell = Bell(
        store,
        key,
        root,
        settings.enrolled,
        publish=link.publish,
        queued=queued,
        stop_keys=live.stop_keys.counting(),
        alarms=settings.bot.alarms,
        remark=maintenance.remark,
    )
    helm = Helm(store, settings.people, queued=queued)
    await helm.read()
    jobs = Jobs(
        store,
        bell,
        registry,
        root,
        settings.bot.name,
        publish=functools.partial(link.publish, qos=1),
        forget=functools.partial(link.publish, qos=1, retain=True),
        goes_on=GoingOn(registry, settings.people, helm, maintenance.remark),
        queued=queued,
    )
    await jobs.read()
    plans = Plans(store, settings.people, queued=queued)
    claims = Claims(store, settings.bot.alarms, queued=queued)
    alerts = Alerts(
        store,
        lambda: [Sink(each.spoken_at, each.alerts) for each in live.channels.all if each.alerts is not None],
        root,
        knows=bell.knows,
        connected=lambda: link.connected and f"{root}/alert-active/+/+" not in link.refused,
        connection=lambda: link.counts.reconnects,
        say_again=lambda: link.subscribe(f"{root}/alert-active/+/+", qos=1),
        queued=queued,
    )
    await alerts.read()
    listener = Listener(
        root, bell, registry, claimed=claims, talk=jobs.hear, name=settings.bot.name, alerted=alerts.hear
    )
    await listener.subscribe(link)
    publisher, of_the_record = parts_of_the_record(settings, store, link, queued=queued)
    approvals = Approvals(store, queued=queued)
    reloader = Reloader(live, store, bell, (approvals, plans), asked=reload, queued=queued)
    linking = Linking(live.channels, live.settings.place_mistake)
    await linking.read(store)
    system = System(
        catalogue=live.catalogue,
        registry=registry,
        bell=bell,
        maintenance=maintenance,
        jobs=jobs,
        helm=helm,
        plans=plans,
        store=store,
        people=settings.people,
        identities=Identities(store, settings.people, settings.bot.alarms, queued=queued),
        authority=live.authority,
        approvals=approvals,
        rest=Rest(),
        ways_out=ways_out,
        file_sets=reloader.sets,
        alarms=settings.bot.alarms,
        channels=lambda: live.channels.all,
        linking=linking,
        connected=lambda: link.connected,
        attending=lambda message: _attending(bridges, message),
        verifying=lambda: {network: each for network, each in bridges.items() if isinstance(each, Verifying)},
        explaining=lambda: {network: each for network, each in bridges.items() if isinstance(each, Explaining)},
        witnessed=publisher.notes,
        stop_keys=live.stop_keys,
    )
    desk = Desk(system, queued=queued, after_a_crash=after_a_crash)
    plans.attach(desk, ways_out.keys())
    await store.write(live.channels.announce)
    bridges = _bridges(settings, system, desk, live.channels, queued)
    live.channels.changed = functools.partial(_tell_of_other_places, bridges)
    ways_out.update(
        {network: Outgoing(network, Bringer(bridge, bridges), store) for network, bridge in bridges.items()}
    )
    housekeeping = Housekeeping(store, settings.bot.alarms, queued=queued)

    def goes_on() -> bool:
        """What nobody can stop must not go on working: where no network with people is left, components hold."""
        return any(settings.people.accounts_on(each) for each in bridges.keys() - supervisor.out_of_service.keys())

    running = functools.partial(
        log.info, "running", version=__version__, bridges=sorted(bridges), components=len(settings.enrolled)
    )
    await supervisor.run(
        [
            [Part("bell", bell.run, ready=bell.ready, vital=True)],
            [
                Part("broker", link.run),
                Part("hearing", listener.hearing.run, vital=True),
            ],  # without it nobody has a lease
            [Part("desk", desk.run, vital=True)],  # without it no stop is heard
            [
                Part("housekeeping", housekeeping.run),
                Part("jobs", jobs.run),
                Part("alerts", alerts.run),
                Part("reload", reloader.run),
                *of_the_record,
                *_health(settings, system, desk, link, listener, supervisor, bridges, publisher, live.channels),
            ],
            [_way_in(network, bridge, system, queued, goes_on) for network, bridge in bridges.items()],
            [Part("plans", plans.run)],  # behind the bridges: what was taken back meanwhile is known first
            [_way_out(network, way_out) for network, way_out in ways_out.items()],
            # The first to stop: nothing but stops begins any more, and those begin until the bridges are gone.
            [Part("commands", _for_ever, finish=desk.finish, grace_s=DESK_MAY_TAKE_S)],
        ],
        running=running,
    )


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def _bridges(
    settings: Settings, system: System, desk: Desk, channels: Channels, queued: Callable[[], None]
) -> dict[str, Bridge]:
    """All that are configured, each with a folder of its own."""
    bridges: dict[str, Bridge] = {}
    alarms = Alarms(
        settings.people,
        frozenset(settings.bridges),
        settings.bot.alarms,
        has_stop_keys=lambda: bool(system.stop_keys.counting()),
    )
    for network, (plugin, section) in settings.bridges.items():
        own = settings.bot.folder / network
        own.mkdir(mode=0o700, exist_ok=True)
        back = functools.partial(_back, system, network)
        intake = Intake(
            network,
            system.store,
            desk,
            system.approvals,
            system.plans,
            queued=queued,
            alarms=alarms,
            channels=channels,
        )
        places = functools.partial(channels.places_on, network)
        office = Office(own, settings.people, system.store, intake, system.identities, back, settings.bot.name, places)
        bridges[network] = plugin.open(section, office)
    return bridges


def _tell_of_other_places(bridges: Mapping[str, Bridge]) -> None:
    for each in bridges.values():
        if isinstance(each, Linked):
            each.places_changed()


def _attending(bridges: Mapping[str, Bridge], message: Message) -> AbstractContextManager[None]:
    bridge = bridges.get(message.place.network)
    is_said = not message.planned_by  # else there is no message that could be marked as read
    return bridge.attending(message) if is_said and isinstance(bridge, Attentive) else contextlib.nullcontext()


def _back(system: System, network: str, place: Place) -> None:
    """A bridge says so while it runs, and the ways out are made after the bridges."""
    system.ways_out[network].back(place)


def _way_in(
    network: str, bridge: Bridge, system: System, queued: Callable[[], None], goes_on: Callable[[], bool]
) -> Part:
    """A network that falls out for good costs itself alone, where there is another one. Who is there hears of it."""

    async def left_out(fault: OutOfService) -> bool:
        if not goes_on():
            return False
        try:
            await system.store.write(lambda tx: _tell_of_one_that_is_out(tx, network, fault, system.alarms))
        except StoreError as error:
            log.error("nobody could be told that a network is out of service", network=network, error=error.what)
        queued()
        return True

    return Part(network, bridge.run, grace_s=BRIDGE_MAY_TAKE_S, left_out=left_out)


def _tell_of_one_that_is_out(tx: Tx, network: str, fault: OutOfService, alarms: Sequence[Place]) -> None:
    audit.record(tx, "alarm", why="a network is out of service", network=network, fault=fault.what)
    told = document(
        text(strong("ALARM", Tone.BAD), f": {network} is out of service. {fault.what} {fault.hint}".rstrip()),
        text("All else goes on: who is on another network, or at the console, can give orders there."),
    )
    for place in alarms:
        outbox.queue(tx, Post(place, told, Lane.ALERT))


def _way_out(network: str, way_out: Outgoing) -> Part:
    """What waits is said before it is stopped. Its bridge must run for that, and is stopped after it."""

    async def finish() -> None:
        await way_out.drain(WAYS_OUT_MAY_TAKE_S)

    return Part(f"{network} out", way_out.run, finish=finish, grace_s=WAYS_OUT_MAY_TAKE_S + A_MOMENT_S)


def _health(
    settings: Settings,
    system: System,
    desk: Desk,
    link: Link,
    listener: Listener,
    supervisor: Supervisor,
    bridges: Mapping[str, Bridge],
    publisher: Publisher,
    channels: Channels,
) -> list[Part]:
    if settings.health is None:
        return []
    from bot.health import HealthServer  # noqa: PLC0415 - what is not configured is not imported
    from bot.metrics import Parts  # noqa: PLC0415 - see above

    parts = Parts(system, desk, link, listener, supervisor, bridges, publisher, channels.counts)
    return [Part("health", HealthServer(settings.health.host, settings.health.port, parts).run)]


def _record_the_start(settings: Settings, tx: Tx) -> bool:
    """Whether the run before has ended without a word."""
    broke_off = not audit.ends_with_a_word(tx)
    audit.record(tx, "started", version=__version__)
    noting.note(tx, settings)
    return broke_off


async def _record_the_end(store: Store) -> None:
    if not await asyncio.shield(store.settled()):
        log.error("something that was told is not recorded; the next run counts this one as broken off")
        return
    try:
        await asyncio.shield(store.write(lambda tx: audit.record(tx, "stopped")))
    except StoreError as error:
        log.error("the end is not recorded", error=str(error))


async def _what_hangs(before: _Alive) -> list[str]:
    """Let the threads go that asyncio has made for us, and name what is still there and will keep the process."""
    ending = asyncio.create_task(asyncio.get_running_loop().shutdown_default_executor())
    await asyncio.wait([ending], timeout=THREADS_END_WITHIN_S)
    now = _Alive.now()
    hanging = [*(task.get_name() for task in now.tasks - before.tasks - {ending}), *now.threads - before.threads]
    return sorted(hanging)
