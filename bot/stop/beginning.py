"""What the database knows of incidents when a process begins: nothing is let work before this was read."""

import dataclasses
import os
from collections.abc import Mapping

from bot.stop.course import Change, Course, Ledger, Origin
from bot.stop.keyring import Keyring
from bot.store import Store, Tx, audit, incidents, keychain
from bot.store.incidents import Told, What
from wire.envelope import PrivateKey
from wire.issuer import ALL, Growth, Incident, Issuer
from wire.messages import Target


@dataclasses.dataclass(frozen=True, slots=True)
class Beginning:
    """What was read."""

    issuer: Issuer
    keyring: Keyring
    courses: tuple[Course, ...]
    """What an earlier process had begun and is not over."""
    dormant: Mapping[str, tuple[Origin, ...]]
    """Where those were ordered that are over and stop whoever joins them."""


async def read(
    store: Store,
    key: PrivateKey,
    root: str,
    groups: Mapping[str, frozenset[str]],
    ledger: Ledger,
    now: float,
) -> Beginning:
    """Read all incidents, and what must be written before the first lease. `groups` are those of the configuration."""
    keyring = await Keyring.read(store, key, root)
    rows = await store.read(incidents.all_incidents)
    written = await store.read(incidents.all_affected)
    cleared = await store.read(incidents.all_cleared)
    known = [Incident(row.id, Target.parse(row.target), row.stop) for row in rows]
    over = {incident for incident, component in cleared if component == ALL}
    # A component that is new in the configuration is waited for, also before it has said anything.
    met = [
        (each.id, name)
        for each in known
        if each.id not in over
        for name in groups
        if each.target.meets(name, groups[name])
    ]
    news = set(met) - set(written)
    grown = {incident for incident, _ in news}
    ledger.add(Change(Growth((), tuple(news))))
    # Years of incidents must cost nothing: of what was let go, and has come back, nobody asks whom it had stopped.
    ended = {row.id for row in rows if row.over is not None} & over
    affected = [pair for pair in (*written, *met) if pair[0] not in ended]
    issuer = Issuer(groups, known, affected, cleared, random=os.urandom)
    joined: dict[str, list[Origin]] = {}
    for incident_id, place, event in await store.read(incidents.all_joined):
        joined.setdefault(incident_id, []).append(Origin(place, event))
    courses: dict[str, Course] = {}
    dormant: dict[str, tuple[Origin, ...]] = {}
    for row, incident in zip(rows, known, strict=True):
        first = [Origin(row.place, row.reply_to)] if row.place and row.reply_to else []
        origins = (*first, *joined.get(row.id, ()))
        if row.over is None or not issuer.is_closed(row.id):
            told = Told.NOTHING if row.told is Told.CONFIRMED and row.id in grown else row.told
            course = Course(incident, origins, told, now, opened=row.opened)
            if told is Told.CONFIRMED:
                course.proven |= issuer.affected(row.id)
                course.unheard |= course.proven
            courses[row.id] = course
        elif row.id not in over:
            dormant[row.id] = origins
    for what in (What.ADOPTED, What.TAKEN, What.VERIFIED):
        for incident_id, step in await store.read(lambda tx, what=what: incidents.latest(tx, what)):
            if incident_id in courses:
                courses[incident_id].apply(step)
    return Beginning(issuer, keyring, tuple(courses.values()), dormant)


def note_keys(root: str, keyring: Keyring, components: Mapping[str, str], tx: Tx) -> None:
    """Record which keys are new or gone since the last start."""
    roles = {"bot": {root: str(keyring.public)}, "component": components}
    for role, keys in roles.items():
        new, gone = keychain.note_keys(tx, role, keys)
        for owner in sorted({*new, *gone}):
            audit.record(tx, "key changed", role=role, owner=owner, key=new.get(owner), was=gone.get(owner))
