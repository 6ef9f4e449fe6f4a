"""The truth of the stand-in: who and what there is, and who may see what. It answers no request itself."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from tests.zulip.clock import Clock
from tests.zulip.keeping import Keeping
from tests.zulip.things import Channel, Emoji, Group, Message, Settings, Upload, User

NOTIFICATION_BOT = 4


class Realm:
    def __init__(self, path: Path | None, clock: Clock) -> None:
        self.clock = clock
        self._keeping = Keeping(path)
        self.users = self._keeping.load(User)
        self.channels = self._keeping.load(Channel)
        self.groups = self._keeping.load(Group)
        self.messages = self._keeping.load(Message)
        self.emoji = self._keeping.load(Emoji)
        self.uploads = self._keeping.load(Upload)
        self.settings = self._keeping.load(Settings).get(0, Settings())

    @property
    def is_new(self) -> bool:
        return not self.users

    def close(self) -> None:
        self._keeping.close()

    def keep(self, *things: User | Channel | Group | Message | Emoji | Upload) -> None:
        for thing in things:
            match thing:
                case User():
                    self.users[thing.id] = thing
                case Channel():
                    self.channels[thing.id] = thing
                case Group():
                    self.groups[thing.id] = thing
                case Message():
                    self.messages[thing.id] = thing
                case Emoji():
                    self.emoji[thing.id] = thing
                case Upload():
                    self.uploads[thing.id] = thing
            self._keeping.save(thing.id, thing)

    def keep_settings(self) -> None:
        self._keeping.save(0, self.settings)

    def next_id(self, kind: type[BaseModel]) -> int:
        return self._keeping.next_id(kind)

    def start_after(self, kind: type[BaseModel], last: int) -> None:
        self._keeping.start_after(kind, last)

    def delete(self, message: Message) -> None:
        del self.messages[message.id]
        self._keeping.drop(message.id, Message)

    def forget_group(self, group: Group) -> None:
        del self.groups[group.id]
        self._keeping.drop(group.id, Group)

    def user_by_email(self, email: str) -> User | None:
        return next((user for user in self.users.values() if user.email.lower() == email.lower()), None)

    def channel_by_name(self, name: str) -> Channel | None:
        found = (each for each in self.channels.values() if each.name.lower() == name.lower() and not each.archived)
        return next(found, None)

    def group_by_name(self, name: str) -> Group | None:
        return next((group for group in self.groups.values() if group.name == name), None)

    def in_topic(self, channel_id: int, topic: str) -> list[Message]:
        return [
            message
            for message in self.messages.values()
            if message.channel_id == channel_id and message.topic.lower() == topic.lower()
        ]

    def members(self, channel_id: int | None) -> list[int]:
        if channel_id is None:
            return []
        return [user_id for user_id in self.channels[channel_id].members if self.users[user_id].is_active]

    def may_read(self, user: User, channel: Channel) -> bool:
        return not channel.archived and (not channel.private or user.id in channel.members)

    def may_see(self, user: User, message: Message) -> bool:
        if message.channel_id is None:
            return user.id in message.people
        channel = self.channels[message.channel_id]
        return user.id in channel.members if channel.private else not channel.archived or user.id in channel.members

    def active(self, people: Iterable[int]) -> list[int]:
        return [user_id for user_id in people if self.users[user_id].is_active]
