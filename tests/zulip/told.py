"""What the queues of a recording were told, held against what the stand-in has in its own, event by event."""

from tests.zulip.left_out import is_shown_otherwise
from tests.zulip.likeness import Likeness
from tests.zulip.openapi import Schemas
from tests.zulip.recording import Exchange
from tests.zulip.things import Json, is_object

TO_A_HUMAN = {"message", "update_message", "delete_message", "reaction", "realm"}
TO_A_BOT = TO_A_HUMAN | {"subscription", "stream", "typing", "restart", "realm_user"}


class Told:
    """Only the kinds of events that a bridge listens to count; a human's client in the recordings hears much more."""

    def __init__(self, likeness: Likeness, schemas: Schemas) -> None:
        self._likeness = likeness
        self._schemas = schemas
        self._who: dict[str, str] = {}
        self._events: dict[str, list[tuple[str, Json]]] = {}

    def hear(self, exchange: Exchange) -> None:
        queue = exchange.asked["params"]["queue_id"]
        self._who[queue] = exchange.who
        if is_object(exchange.body):
            heard = self._events.setdefault(queue, [])
            heard += [(exchange.step, each) for each in exchange.body.get("events", []) if self._counts(queue, each)]

    def queues(self) -> list[tuple[str, str]]:
        """The humans' first: they see more messages, and so the stand-in's ids for them."""
        return sorted(self._who.items(), key=lambda item: item[1])

    def differences(self, queue: str, here: list[Json]) -> list[str]:
        there = self._in_order(self._events.get(queue, []))
        own = [event for _, event in _deletions_sorted([("", each) for each in here if self._counts(queue, each)])]
        who = self._who[queue]
        found: list[str] = []
        for (step, event), mine in zip(there, own, strict=False):
            self._likeness.with_html = not is_shown_otherwise(step)
            unlike = self._likeness.differences(event, mine)
            if not self._schemas.faults_of_event(event):
                unlike += self._schemas.faults_of_event(mine)
            found += [f"{step}, told to {who}: {each}" for each in unlike]
            if event["type"] != mine["type"]:
                return found
        missing = [f"{step}, not told to {who}: {str(event)[:300]}" for step, event in there[len(own) :]]
        return found + missing + [f"told to {who} beyond the recording: {each}" for each in own[len(there) :]]

    def _counts(self, queue: str, event: Json) -> bool:
        return event["type"] in (TO_A_BOT if self._who[queue].startswith("tocsin") else TO_A_HUMAN)

    def _in_order(self, events: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        """With the stand-in's ids for the deleted messages, by which they are sorted."""
        known = self._likeness.messages
        return _deletions_sorted(events, known)


def _deletions_sorted(events: list[tuple[str, Json]], known: dict[int, int] | None = None) -> list[tuple[str, Json]]:
    """Many messages that are deleted at once are told of in any order."""
    ordered: list[tuple[str, Json]] = []
    run: list[tuple[str, Json]] = []

    def number(pair: tuple[str, Json]) -> int:
        message_id: int = pair[1].get("message_id", -1)
        return message_id if known is None else known.get(message_id, -1)

    for pair in events:
        if pair[1]["type"] == "delete_message":
            run.append(pair)
            continue
        ordered += [*sorted(run, key=number), pair]
        run = []
    return ordered + sorted(run, key=number)
