"""Who hears of what, and how it looks on each queue. The leaks of a real server are here on purpose."""

from collections.abc import Collection, Mapping
from typing import Any

from tests.zulip import wire
from tests.zulip.narrow import fits
from tests.zulip.queues import Queue, Queues
from tests.zulip.realm import Realm
from tests.zulip.things import Message, Reaction, User

Json = dict[str, Any]


class Teller:
    """`disorder` holds each second message back until the next one is told, as two writers do on a real server."""

    def __init__(self, realm: Realm, queues: Queues) -> None:
        self._realm = realm
        self._queues = queues
        self.disorder = False
        self._held: tuple[Message, str, str] | None = None

    def message(self, message: Message, queue_id: str = "", local_id: str = "") -> None:
        if self.disorder and self._held is None:
            self._held = (message, queue_id, local_id)
            return
        self._tell_message(message, queue_id, local_id)
        self.let_go()

    def let_go(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._tell_message(*held)

    def _tell_message(self, message: Message, queue_id: str, local_id: str) -> None:
        for queue in self._queues.each():
            if not queue.wants("message") or not fits(self._realm, queue.narrow, message):
                continue
            if queue.user_id not in message.rows and not self._overhears(queue, message):
                continue
            event: Json = {
                "type": "message",
                "message": wire.message(
                    self._realm, message, rendered=queue.apply_markdown, with_picture=not queue.client_gravatar
                ),
                "flags": wire.flags(message, queue.user_id) if queue.user_id in message.rows else [],
            }
            if local_id and queue.id == queue_id:
                event["local_message_id"] = local_id
            queue.add(event)

    def _overhears(self, queue: Queue, message: Message) -> bool:
        return (
            queue.all_public and message.channel_id is not None and not self._realm.channels[message.channel_id].private
        )

    def hearers(self, message: Message) -> set[int]:
        """Who was given the message, by a mention too, and who is in its channel now."""
        return set(message.rows) | set(self._realm.members(message.channel_id))

    def update(self, event: Json, people: Collection[int], rows: Mapping[int, list[str]]) -> None:
        self._queues.tell(
            "update_message",
            people,
            lambda queue: [event | {"flags": [*rows.get(queue.user_id, ["read"])]}],
        )

    def reaction(self, op: str, message: Message, reaction: Reaction) -> None:
        user = self._realm.users[reaction.user_id]
        event: Json = {
            "type": "reaction",
            "op": op,
            "user_id": user.id,
            "user": {"user_id": user.id, "email": user.email, "full_name": user.full_name},
            "message_id": message.id,
            "emoji_name": reaction.name,
            "emoji_code": reaction.code,
            "reaction_type": reaction.kind,
        }
        self._queues.tell_all_alike(event, self.hearers(message))

    def gone(self, messages: list[Message], people: Collection[int]) -> None:
        """A deletion: one event for all on a queue that can take it so, and one for each on others."""
        place: Json = {"message_type": "private"}
        if messages[0].channel_id is not None:
            place = {"stream_id": messages[0].channel_id, "topic": messages[0].topic, "message_type": "stream"}
        ids = [message.id for message in messages]

        def make(queue: Queue) -> list[Json]:
            if queue.capabilities.get("bulk_message_deletion"):
                return [{"type": "delete_message", "message_ids": ids, **place}]
            return [{"type": "delete_message", **place, "message_id": each} for each in ids]

        self._queues.tell("delete_message", people, make)

    def deleted(self, messages: list[Message]) -> None:
        """The people of a channel hear of a deletion, and the sender. Who was only mentioned does not."""
        first = messages[0]
        senders = {message.sender_id for message in messages}
        people = set(first.people) if first.is_direct else {*self._realm.members(first.channel_id), *senders}
        self.gone(messages, people)

    def typing(self, event: Json, people: Collection[int]) -> None:
        in_a_channel = event["message_type"] == "stream"

        def make(queue: Queue) -> list[Json]:
            blind = in_a_channel and not queue.capabilities.get("stream_typing_notifications")
            return [] if blind else [event]

        self._queues.tell("typing", people, make)

    def everybody(self, event: Json) -> None:
        self._queues.tell_all_alike(event, list(self._realm.users))

    def some(self, event: Json, people: Collection[int]) -> None:
        self._queues.tell_all_alike(event, people)

    def person(self, user: User, **news: object) -> None:
        self.everybody({"type": "realm_user", "op": "update", "person": {"user_id": user.id, **news}})
