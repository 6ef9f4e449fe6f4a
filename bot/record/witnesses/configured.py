"""The witnesses that the configuration names."""

from collections.abc import Callable

from bot.record.witnesses.file import FileWitness
from bot.record.witnesses.mqtt import MqttWitness
from bot.record.witnesses.place import PlaceWitness
from bot.record.witnesses.witness import Witness
from bot.settings import Settings
from bot.store import Store
from wire.mqtt import Link


def configured(settings: Settings, store: Store, link: Link, *, queued: Callable[[], None]) -> list[Witness]:
    """All of them, the quick ones first."""
    audit = settings.audit
    found: list[Witness] = [FileWitness(path) for path in audit.witness_files]
    if audit.witness_mqtt:
        found.append(MqttWitness(link, f"{settings.mqtt.root}/audit/{settings.bot.name}"))
    return [*found, *(PlaceWitness(store, place, queued=queued) for place in audit.witness_places)]
