"""What runs for the record beside the bot, from its configuration."""

from collections.abc import Callable

from bot.record.guarding import Guard
from bot.record.held_keys import beside_the_record
from bot.record.opening import PUBLIC
from bot.record.publishing import Publisher
from bot.record.witnesses.configured import configured
from bot.settings import Settings
from bot.store import Store
from bot.supervisor import Part
from wire.mqtt import Link


def parts_of_the_record(
    settings: Settings, store: Store, link: Link, *, queued: Callable[[], None]
) -> tuple[Publisher, list[Part]]:
    """Who looks whether the record is what was signed, and who has it witnessed."""
    publisher = Publisher(
        store,
        configured(settings, store, link, queued=queued),
        beside_the_record(settings.bot.folder / PUBLIC),
        settings.bot.alarms,
        queued=queued,
    )
    store.watch(publisher.changed)
    store.examined.clear()
    store.compared.clear()
    guard = Guard(store, settings.bot.alarms, queued=queued)
    return publisher, [Part("record", guard.run), Part("witnesses", publisher.run)]
