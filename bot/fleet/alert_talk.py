"""What components say of alerts, put by until there is room to tell it: of each the newest word, within bounds."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence

from bot.fleet.alerted import RANK
from bot.store.alerts import Raised
from wire.errors import BadMessage
from wire.fields import ID
from wire.work import Alert

MOST_OF_ONE = 64
"""How many alerts of one component wait."""
MOST_WAITING = 512
OLDEST_S = 30 * 86_400.0
"""What says that it was raised before is not believed in that."""

Slot = tuple[str, str, str]
"""What the newest word counts of: the component with the key, or with the id where it has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """What was said last of one alert."""

    raised: Raised | None
    """Nothing where all that is known is that it is over."""
    over: bool = False
    anew: bool = False
    """What stood there before it was over in between."""
    seen: bool = True
    """Somebody said that it is over, and it is not only missing."""


class Waiting:
    """What was heard and is not told yet."""

    def __init__(self, *, stands: Callable[[Slot], bool], beyond: Callable[[Raised], None]) -> None:
        self._stands = stands
        """Whether people have been told that it lasts."""
        self._beyond = beyond
        """To be told of what nobody will be told by itself."""
        self._news: dict[Slot, News] = {}

    def __contains__(self, slot: Slot) -> bool:
        return slot in self._news

    def gravest_first(self) -> list[tuple[Slot, News]]:
        """All of it: what is over, and then what is grave before what is not."""
        return sorted(self._news.items(), key=lambda item: _urgency(item[1]))

    def is_raised(self, raised: Raised) -> None:
        """It is so now, or it has happened. Where too much waits, the least grave goes, and of those the newest."""
        slot = slot_of(raised)
        before = self._news.get(slot, News(None))
        if before.over and before.raised is not None and (before.anew or not self._stands(slot)):
            self._beyond(before.raised)  # before there was room to tell it
        self._news[slot] = News(raised, anew=before.over or before.anew)
        mine = [each for each in self._news if each[0] == raised.component]
        if len(mine) > MOST_OF_ONE:
            self._drop_one(mine)
        elif len(self._news) > MOST_WAITING:
            self._drop_one(list(self._news))

    def is_over(self, slot: Slot, *, seen: bool = True) -> None:
        """It was taken back."""
        before = self._news.get(slot)
        if before is not None and before.raised is not None:
            self._news[slot] = dataclasses.replace(before, over=True)
        elif self._stands(slot):
            self._news[slot] = News(None, over=True, seen=seen)

    def told(self, slot: Slot, news: News) -> None:
        """That is told. What was said since is not."""
        if self._news.get(slot) is news:
            del self._news[slot]

    def _drop_one(self, slots: Sequence[Slot]) -> None:
        untold = [(slot, self._news[slot].raised) for slot in reversed(slots) if not self._stands(slot)]
        ranked = [(RANK[raised.severity], slot, raised) for slot, raised in untold if raised is not None]
        if ranked:
            _, slot, raised = min(ranked, key=lambda each: each[0])
            del self._news[slot]
            self._beyond(raised)


def topic_of(kind: str, rest: str) -> Slot:
    """The component and the key that a topic names. Raises BadMessage."""
    component, _, key = rest.partition("/")
    if (kind == "alert-active") != bool(key) or (key and not ID.fullmatch(key)):
        raise BadMessage("There are no alerts on this topic.")
    return component, key, ""


def read(topic: Slot, payload: bytes, root: str, now: float) -> Raised:
    """What was raised there. Raises BadMessage where it does not fit the topic."""
    component, key, _ = topic
    alert = Alert.parse(payload)
    if alert.source != f"{root}/{component}" or not alert.id:
        raise BadMessage("An alert has an id, and comes from the component of its topic.")
    if key and alert.key != key:
        raise BadMessage("An alert that lasts has the key of its topic.")
    return Raised(component, key, alert.id, alert.severity, alert.message, _moment(alert.time, now))


def slot_of(each: Raised) -> Slot:
    """Where its newest word counts."""
    return each.component, each.key, "" if each.key else each.id


def _moment(said: str, now: float) -> float:
    """When it was raised, as it says. Now, where that cannot be."""
    try:
        at = dt.datetime.fromisoformat(said)
    except ValueError:
        return now
    moment = at.timestamp() if at.tzinfo is not None else now
    return moment if now - OLDEST_S < moment < now else now


def _urgency(news: News) -> int:
    return -len(RANK) if news.raised is None else -RANK[news.raised.severity]
