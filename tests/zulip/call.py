"""One request: who asks, and the parameters, read with the same errors as on a real server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tests.zulip.realm import Realm
from tests.zulip.refusal import Refusal, missing, no_such_channel, no_such_message
from tests.zulip.things import Channel, Message, User
from tests.zulip.world import World

Json = dict[str, Any]


@dataclass(frozen=True)
class File:
    name: str
    content_type: str
    data: bytes


@dataclass
class Call:
    """`asked` are the parameters that somebody has looked at: a real server names the others as ignored."""

    world: World
    method: str
    path: str
    params: dict[str, str]
    files: list[File]
    headers: Mapping[str, str]
    somebody: User | None = None
    asked: set[str] = field(default_factory=set[str])
    waited: bool = False

    @property
    def user(self) -> User:
        if self.somebody is None:
            raise TypeError("this endpoint is open to strangers")
        return self.somebody

    @property
    def realm(self) -> Realm:
        return self.world.realm

    @property
    def client(self) -> str:
        return self.headers.get("User-Agent", "Unspecified").split("/")[0]

    def ignored(self) -> list[str]:
        return sorted(set(self.params) - self.asked)

    def takes_anything(self) -> None:
        """Some endpoints do not tell which parameters they ignore."""
        self.asked |= set(self.params)

    def maybe(self, name: str) -> str | None:
        self.asked.add(name)
        return self.params.get(name)

    def need(self, name: str) -> str:
        value = self.maybe(name)
        if value is None:
            raise missing(name)
        return value

    def data(self, name: str, *, told_as: str = 'Argument "{}" is not valid JSON.') -> Any:
        """A parameter in JSON; None where it is absent."""
        text = self.maybe(name)
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise Refusal(told_as.format(name)) from None

    def strings(self, name: str) -> list[str] | None:
        value = self.data(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise Refusal(f"{name} is not a list")
        for number, each in enumerate(cast("list[Any]", value)):
            if not isinstance(each, str):
                raise Refusal(f"{name}[{number}] is not a string")
        return cast("list[str]", value)

    def yes(self, name: str, *, default: bool = False) -> bool:
        value = self.data(name)
        return default if value is None else bool(value)

    def number(self, name: str, least: int = 0) -> int:
        self.need(name)
        value = self.data(name, told_as="{} is not valid JSON")
        if not isinstance(value, int):
            raise Refusal(f"{name} is not an integer")
        if value < least:
            raise Refusal(f"{name} is too small")
        return value

    def message(self, message_id: str) -> Message:
        found = self.realm.messages.get(int(message_id))
        if found is None or not self.realm.may_see(self.user, found):
            raise no_such_message()
        return found

    def channel(self, channel_id: int | str) -> Channel:
        found = self.realm.channels.get(int(channel_id))
        if found is None or not self.realm.may_read(self.user, found):
            raise no_such_channel()
        return found

    def only_admins(self) -> None:
        if not self.user.is_admin:
            raise Refusal("Must be an organization administrator", "UNAUTHORIZED_PRINCIPAL")

    def no_bots(self) -> None:
        if self.user.is_bot:
            raise Refusal("This endpoint does not accept bot requests.")
