"""Compares an answer of the stand-in with the recorded one: everything but what must differ, such as ids and times."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.zulip.things import Json, is_list, is_object

VARYING = {
    "timestamp", "edit_timestamp", "last_edit_timestamp", "recipient_id", "avatar_url", "avatar_version", "color",
    "date_joined", "date_created", "client", "server_generation", "queue_id", "retry-after", "server_timestamp",
    "realm_icon", "authentication_methods", "external_authentication_methods", "realm_description", "profile_data",
    "source_url", "cross_realm_bots", "realm_user_groups",
}  # fmt: skip
"""Compared by type alone: times, addresses, and what is the realm's own affair."""
HTML = {"content", "rendered_content", "orig_rendered_content"}
MESSAGE_ID = {
    "message_id", "max_id", "first_message_id", "max_message_id", "first_message_id_allowed_to_move", "anchor",
}  # fmt: skip
MESSAGE_IDS = {"message_ids", "messages"}
WITHOUT_ORDER = {"subscribers", "user_ids", "members"}
CLIENTS_LOOK_AT = ("content-type", "www-authenticate", "content-disposition")
MAY_BE_THERE = ("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "location")
_NEAR = re.compile(r"(?<=/near/)\d+")
_UNSTEADY = re.compile(r'[0-9a-f]{7}!DEACTIVATED|data-user-group-id="\d+"|src="/user_avatars/[^"]+"|/user_avatars/\S+')
LONGEST_SHOWN = 400


class Likeness:
    """Ids and strings of the recording stand for the stand-in's from their first use on."""

    def __init__(self) -> None:
        self.with_html = True
        self.messages: dict[int, int] = {}
        self.strings: dict[str, str] = {}

    def own(self, text: str) -> str:
        """A recorded string as it must be on the stand-in."""
        for recorded, own in self.strings.items():
            text = text.replace(recorded, own)
        return _NEAR.sub(lambda found: str(self.messages.get(int(found[0]), found[0])), text)

    def differences(self, recorded: Any, own: Any, place: str = "") -> list[str]:
        key = place.rsplit(".", 1)[-1]
        if key in VARYING:
            alike = recorded is None or own is None or isinstance(own, type(recorded))
            return [] if alike else [_told(place, recorded, own)]
        if is_object(recorded) and is_object(own):
            return self._objects(recorded, own, place)
        if is_list(recorded) and is_list(own):
            return self._lists(recorded, own, place)
        if key in MESSAGE_ID and isinstance(recorded, int) and isinstance(own, int):
            return self._same_message(recorded, own, place)
        return [] if self._same(key, recorded, own) else [_told(place, recorded, own)]

    def _same(self, key: str, recorded: Any, own: Any) -> bool:
        if isinstance(recorded, str) and isinstance(own, str):
            shown_otherwise = key in HTML and not self.with_html and own.startswith("<")
            return shown_otherwise or _UNSTEADY.sub("", self.own(recorded)) == _UNSTEADY.sub("", own)
        return isinstance(own, type(recorded)) and recorded == own

    def _same_message(self, recorded: int, own: int, place: str) -> list[str]:
        expected = self.messages.setdefault(recorded, own) if recorded >= 0 else recorded
        return [] if expected == own else [_told(place, f"{expected} ({recorded} there)", own)]

    def _objects(self, recorded: Json, own: Json, place: str) -> list[str]:
        """A recorded object with a key that begins with `@` was cut: of it only what is there is compared."""
        in_part = any(key.startswith("@") for key in recorded)
        found: list[str] = []
        for key in sorted(recorded.keys() | own.keys()):
            inner = f"{place}.{key}"
            if key not in own or key not in recorded:
                if not in_part:
                    found.append(f"{inner}: {'missing' if key not in own else 'not in the recording'}")
            elif key == "id" and "sender_id" in recorded:
                found += self._same_message(recorded[key], own[key], inner)
            elif not (key == "id" and isinstance(recorded[key], int)):
                found += self.differences(recorded[key], own[key], inner)
        return found

    def _lists(self, recorded: list[Any], own: list[Any], place: str) -> list[str]:
        key = place.rsplit(".", 1)[-1]
        if key in MESSAGE_IDS and all(isinstance(each, int) for each in recorded):
            expected = sorted(self.messages.get(each, -1) for each in recorded)
            return [] if expected == sorted(own) else [_told(place, expected, sorted(own))]
        if key in WITHOUT_ORDER and all(isinstance(each, int) for each in recorded):
            return [] if sorted(recorded) == sorted(own) else [_told(place, recorded, own)]
        if len(recorded) != len(own):
            return [_told(place, recorded, own)]
        pairs = zip(_in_order(recorded), _in_order(own), strict=True)
        return [each for number, pair in enumerate(pairs) for each in self.differences(*pair, f"{place}[{number}]")]

    def headers(self, recorded: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
        unlike = [name for name in CLIENTS_LOOK_AT if recorded.get(name) != own.get(name)]
        unlike += [name for name in MAY_BE_THERE if (name in recorded) != (name in own)]
        return [_told(name, recorded.get(name), own.get(name)) for name in unlike]


def _in_order(entries: list[Any]) -> list[Any]:
    """Lists of channels and of people come in any order."""
    for name in ("stream_id", "user_id"):
        if all(is_object(each) and name in each and not {"type", "emoji_name"} & set(each) for each in entries):
            return sorted(entries, key=lambda each: each[name])
    return entries


def _told(place: str, recorded: Any, own: Any) -> str:
    return f"{place}: {_short(recorded)} in the recording, {_short(own)} here"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) < LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}… ({len(text)})"
