"""What was taken in lately without an id to know it by, so that a broker that gives it again does not say it twice.

It lies in the network's cursor, so it is written in one commit with what it tells of.
"""

import collections
import hashlib
import secrets
from typing import cast

import orjson

from wire.mqtt import Delivery

MOST = 128
"""Twice what a broker of MQTT 5 may leave with us unacknowledged."""


class Receipts:
    """The event of each delivery that a broker may give again, by what it then has in common with the first."""

    def __init__(self) -> None:
        self._events: collections.OrderedDict[str, str] = collections.OrderedDict()

    @classmethod
    def parse(cls, cursor: str | None) -> "Receipts":
        """As a cursor has them. What is none of ours is nothing."""
        receipts = cls()
        try:
            kept: object = orjson.loads(cursor or "[]")
        except orjson.JSONDecodeError:
            return receipts
        for each in cast("list[object]", kept) if isinstance(kept, list) else []:
            match each:
                case [str(key), str(event)]:
                    receipts._events[key] = event
                case _:
                    pass
        return receipts

    def __str__(self) -> str:
        return orjson.dumps(list(self._events.items())).decode()

    def id_for(self, delivery: Delivery) -> str:
        """An id for what has none. Only what the broker marks as given before can have the one of another."""
        seen = hashlib.sha256(f"{delivery.number} {delivery.topic}\n".encode() + delivery.payload).hexdigest()[:16]
        if not (delivery.dup and seen in self._events):
            self._note(seen, f"~{secrets.token_hex(12)}")
        return self._events[seen]

    def is_new(self, event: str) -> bool:
        """Whether something was not taken lately. From now on it was."""
        is_new = event not in self._events
        self._note(event, "")
        return is_new

    def forget(self) -> None:
        """The broker knows of nothing that it has given before: it begins to count its messages anew."""
        self._events.clear()

    def _note(self, key: str, event: str) -> None:
        self._events[key] = event
        self._events.move_to_end(key)
        if len(self._events) > MOST:
            self._events.popitem(last=False)
