"""What Prometheus is told: plain numbers, read from the parts when it asks. No part knows of it; none is changed."""

import collections
import dataclasses
import re
import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from bot import __version__
from bot.bridge import Bridge, Health
from bot.desk.desk import Desk
from bot.fleet.listener import Listener
from bot.fleet.registry import Sight
from bot.record.publishing import Publisher
from bot.stop.bell import Bell
from bot.store import Tx, inbox, outbox
from bot.store.inbox import MOST_COUNTED, Open
from bot.store.outbox import Waiting
from bot.supervisor import Supervisor
from bot.system import System
from wire.latch import TTL_S
from wire.messages import Shown
from wire.mqtt import Link

COUNT = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What a bridge may call a count."""
STATES = ("unheard", "silent", *(str(each) for each in Shown), "stopped_unconfirmed")


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at."""

    system: System
    desk: Desk
    link: Link
    listener: Listener
    supervisor: Supervisor
    bridges: Mapping[str, Bridge]
    """By network."""
    publisher: Publisher | None = None
    channels: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """What became of what was said in channels."""

    def bridge_health(self) -> dict[str, Health]:
        """How each bridge is. One that breaks when it is asked is not ready."""
        return {network: _health(bridge) for network, bridge in sorted(self.bridges.items())}


@dataclasses.dataclass(frozen=True, slots=True)
class Depths:
    """What the database and its disk say, at one moment."""

    outbox: tuple[Waiting, ...]
    inbox: tuple[Open, ...]
    full: float

    @classmethod
    def read(cls, tx: Tx, full: float) -> "Depths":
        """Look at all of it, beside how full the disk is: to ask that here could keep everybody from reading."""
        return cls(tuple(outbox.waiting_at(tx)), tuple(inbox.count_open(tx)), full)


@dataclasses.dataclass(frozen=True, slots=True)
class Pulse:
    """How the process itself is."""

    uptime_s: float
    lag_s: float
    """The longest that the event loop kept a timer waiting in the last minute."""


def exposition(parts: Parts, pulse: Pulse, depths: Depths | None) -> bytes:
    """All metrics as text. Without depths, what only the database knows is left out, and that is said."""
    registry = CollectorRegistry()
    registry.register(_Once(families(parts, pulse, depths)))
    return generate_latest(registry)


def families(parts: Parts, pulse: Pulse, depths: Depths | None) -> Iterator[Metric]:
    """All metrics."""
    yield InfoMetricFamily("tocsin", "What runs here.", {"version": __version__})
    yield _gauge("uptime_seconds", "How long the process runs.", pulse.uptime_s)
    yield _gauge(
        "event_loop_lag_seconds", "The longest that the event loop kept a timer waiting in a minute.", pulse.lag_s
    )
    yield _counters("part_restarts", "How often a part broke and was started again.", "part", parts.supervisor.restarts)
    yield from _of_the_bell(parts)
    yield from _of_the_wire(parts)
    yield _counters("commands", "Commands by what became of them.", "result", parts.desk.counts)
    yield from _of_the_bridges(parts)
    said = "What was said in channels, by what became of it: for each place where one can tell."
    yield _counters("channel_messages", said, "result", parts.channels)
    said = "Whether the record cannot be trusted: nothing privileged is run then."
    yield _gauge("record_distrusted", said, bool(parts.system.store.distrusted))
    if parts.publisher is not None:
        yield from of_the_witnesses(parts.publisher)
    yield from _of_the_store(parts, depths)


def _of_the_bell(parts: Parts) -> Iterator[Metric]:
    ready = parts.system.bell.ready.is_set()
    yield _gauge("bell_ready", "Whether the incidents were read, so that leases are given.", ready)
    yield _counter(
        "leases_withheld",
        "Leases not given, for what a component or a witness says.",
        parts.system.bell.withheld,
    )
    if ready:
        yield _gauge("incidents_open", "Incidents that are not over.", len(parts.system.bell.incidents()))
        shown = collections.Counter(dict.fromkeys(STATES, 0))
        sights = parts.system.registry.sights()
        shown.update(_state(sight, parts.system.bell) for sight in sights)
        yield _gauges("components", "Enrolled components by what they show.", ("state",), _keyed(shown))
        held = sum(sight.held for sight in sights)
        yield _counter("components_held", "How often a component came to be held while it worked.", held)
        spares = [sight.spare_s for sight in sights if sight.spare_s is not None]
        if spares:
            yield _gauge("lease_spare_seconds", "The least that was left of a lease when it was renewed.", min(spares))


def _of_the_wire(parts: Parts) -> Iterator[Metric]:
    yield _gauge("mqtt_connected", "Whether there is a connection to the broker.", parts.link.connected)
    for field in dataclasses.fields(parts.link.counts):
        count: int = getattr(parts.link.counts, field.name)
        yield _counter(f"mqtt_{field.name}", f"Of the link to the broker: {_words(field.name)}.", count)
    yield _counter("mqtt_refused_messages", "Messages that broke the contract.", parts.listener.refused)
    overrun = parts.listener.hearing.overrun
    yield _counter("statements_dropped", "Statements that were dropped because too much waited.", overrun)


def _of_the_bridges(parts: Parts) -> Iterator[Metric]:
    health = parts.bridge_health()
    ready = {(network,): each.ready for network, each in health.items()}
    yield _gauges("bridge_ready", "Whether a bridge does its work.", ("network",), ready)
    counted = {network: each.counts for network, each in health.items()}
    yield from _named_counters("bridge", "Of the bridge", counted)
    yield from _named_counters(
        "posts", "Posts", {name: each.counts for name, each in sorted(parts.system.ways_out.items())}
    )


def of_the_witnesses(publisher: Publisher) -> Iterator[Metric]:
    """How each witness of the record stands."""
    said = "Whether a witness has seen another record, or more of it: then an old one was restored, or it was changed."
    yield _gauge("record_contradicted", said, bool(publisher.behind))
    sights = publisher.sights()
    lacks_s = {(each.name,): each.lacks_s for each in sights}
    lacks = {(each.name,): each.lacks for each in sights}
    said = "How long a witness has been without the newest checkpoint of the record; 0 while it has it."
    yield _gauges("witness_lacks_seconds", said, ("witness",), lacks_s)
    said = "Entries of the record that are in no checkpoint which a witness is known to hold."
    yield _gauges("witness_lacks_entries", said, ("witness",), lacks)


def _of_the_store(parts: Parts, depths: Depths | None) -> Iterator[Metric]:
    for field in dataclasses.fields(parts.system.store.counts):
        count: int = getattr(parts.system.store.counts, field.name)
        yield _counter(f"store_{field.name}", f"Of the database's writer: {_words(field.name)}.", count)
    said = "Whether the database answered in time; where it did not, inbox, outbox and disk are left out."
    yield _gauge("store_answers", said, depths is not None)
    if depths is None:
        return
    now = time.time()
    lanes = {(each.place.network, each.lane.name.lower()): [0, now] for each in depths.outbox}
    for each in depths.outbox:
        lane = lanes[each.place.network, each.lane.name.lower()]
        lane[0] += each.count
        lane[1] = min(lane[1], each.oldest)
    labels = ("network", "lane")
    counts = {key: count for key, (count, _) in lanes.items()}
    ages = {key: now - oldest for key, (_, oldest) in lanes.items()}
    yield _gauges("outbox_posts", "Posts that wait for their network.", labels, counts)
    yield _gauges("outbox_oldest_seconds", "How long the oldest of them waits.", labels, ages)
    messages = {each.network: each.count for each in depths.inbox}
    ages = {each.network: max(0.0, now - each.oldest) for each in depths.inbox}
    said = f"Messages that are not dealt with, counted up to {MOST_COUNTED}."
    yield _gauges("inbox_messages", said, ("network",), _keyed(messages))
    yield _gauges("inbox_oldest_seconds", "How long the oldest of them waits.", ("network",), _keyed(ages))
    yield _gauge("disk_used_ratio", "How full the disk of the database is.", depths.full)


class _Once(Collector):
    """Families that are made already."""

    def __init__(self, made: Iterable[Metric]) -> None:
        self._made = made

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._made


def _state(sight: Sight, bell: Bell) -> str:
    """Only what is known: who has not spoken for a while shows nothing."""
    if sight.shown is None or sight.heard_ago_s is None:
        return "unheard"
    if sight.heard_ago_s > TTL_S and sight.shown is not Shown.LOST:
        return "silent"
    if sight.shown is Shown.STOPPED and not bell.has_stopped(sight.id):
        return "stopped_unconfirmed"
    return str(sight.shown)


def _health(bridge: Bridge) -> Health:
    try:
        return bridge.health()
    except Exception as error:  # noqa: BLE001 - a plug-in may break in any way, and one that does is not well
        return Health(ready=False, what=f"cannot say how it is ({type(error).__name__})")


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tocsin_{name}", said, value=value)


def _gauges(name: str, said: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(f"tocsin_{name}", said, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _counter(name: str, said: str, value: int) -> Metric:
    return CounterMetricFamily(f"tocsin_{name}", said, value=value)


def _counters(name: str, said: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"tocsin_{name}", said, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)
    return family


def _named_counters(prefix: str, said: str, counts: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    """One metric for each name that any network counts under."""
    for name in sorted({name for each in counts.values() for name in each if COUNT.fullmatch(name)}):
        values = {network: each[name] for network, each in counts.items() if name in each}
        yield _counters(f"{prefix}_{name}", f"{said}: {_words(name)}.", "network", values)


def _keyed(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(key,): value for key, value in values.items()}


def _words(name: str) -> str:
    return name.replace("_", " ")
