"""Narrows: which messages somebody asks for."""

from typing import Any, cast

from tests.zulip.realm import Realm
from tests.zulip.refusal import Refusal
from tests.zulip.things import Message, User

Json = dict[str, Any]
Term = tuple[str, Any, bool]
"""An operator, its operand, and whether it is negated."""

CHANNEL, TOPIC, DM = {"channel", "stream"}, {"topic", "subject"}, {"dm", "pm-with"}
_ANYWHERE = {"near", "in", "channels", "streams"}
_KNOWN = CHANNEL | TOPIC | DM | _ANYWHERE | {"sender", "id", "is", "has", "with", "search", "group-pm-with"}
_FLAGS = {"starred": "starred", "alerted": "has_alert_word"}
_IS = {"dm", "private", "mentioned", "unread", "resolved", "followed", *_FLAGS}


def fits(realm: Realm, narrow: list[list[str]], message: Message) -> bool:
    """The narrow of an event queue, made of pairs. One that nobody else could read hides nothing here."""
    for operator, operand in narrow:
        if operator in CHANNEL:
            channel = realm.channel_by_name(operand)
            if channel is None or channel.id != message.channel_id:
                return False
        if operator in TOPIC and (message.is_direct or message.topic.lower() != operand.lower()):
            return False
        if operator == "sender" and realm.users[message.sender_id].email != operand:
            return False
        if operator == "is" and operand in {"dm", "private"} and not message.is_direct:
            return False
    return True


def terms(value: Any) -> list[Term]:
    """The narrow of GET /messages: pairs of strings, or objects."""
    found: list[Term] = []
    for number, each in enumerate(cast("list[Any]", value)):
        if isinstance(each, list):
            pair = cast("list[Any]", each)
            if len(pair) != len(("operator", "operand")) or not all(isinstance(part, str) for part in pair):
                raise Refusal(f"Invalid narrow[{number}]: Value error, element is not a string pair")
            found.append((pair[0], pair[1], False))
        elif isinstance(each, dict):
            term = cast("Json", each)
            for key in ("operator", "operand"):
                if key not in term:
                    raise Refusal(f"Invalid narrow[{number}]: Value error, {key} is missing")
            found.append((term["operator"], term["operand"], bool(term.get("negated"))))
        else:
            raise Refusal(f"Invalid narrow[{number}]: Value error, dict or list required")
    return found


def bad(description: str) -> Refusal:
    return Refusal(f"Invalid narrow operator: {description}", "BAD_NARROW", desc=description)


class Narrow:
    """What a person asks for, with names looked up once."""

    def __init__(self, realm: Realm, user: User, asked: list[Term]) -> None:
        self._realm = realm
        self._user = user
        self._terms = [self._checked(term) for term in asked]
        self.channel_id = next((each[1] for each in self._terms if each[0] == "channel" and not each[2]), None)
        self.reaches_history = any(each[0] == "channels" for each in self._terms)

    def takes(self, message: Message) -> bool:
        return all(self._takes(message, operator, operand) != negated for operator, operand, negated in self._terms)

    def _checked(self, term: Term) -> Term:
        operator, operand, negated = term
        if operator not in _KNOWN:
            raise bad(f"unknown operator {operator}")
        if operator in CHANNEL:
            channel = self._realm.channels.get(operand) if isinstance(operand, int) else None
            channel = channel or self._realm.channel_by_name(str(operand))
            if channel is None:
                raise bad(f"unknown channel {operand}")
            return "channel", channel.id, negated
        if operator == "sender":
            return "sender", self._people(operand)[0], negated
        if operator in DM | {"group-pm-with"}:
            return "dm" if operator in DM else operator, self._people(operand), negated
        if operator in {"id", "with", "near"}:
            if not str(operand).isdigit():
                raise bad("Invalid message ID")
            return operator, int(operand), negated
        if operator == "is" and operand not in _IS:
            raise bad(f"unknown 'is' operand {operand}")
        if operator == "has" and operand not in {"link", "image", "attachment", "reaction"}:
            raise bad(f"unknown 'has' operand {operand}")
        return operator, operand, negated

    def _people(self, operand: Any) -> list[int]:
        asked = cast("list[Any]", operand if isinstance(operand, list) else str(operand).split(","))
        found: list[int] = []
        for each in asked:
            user = self._realm.users.get(each) if isinstance(each, int) else self._realm.user_by_email(str(each))
            if user is None:
                raise bad(f"unknown user {each}")
            found.append(user.id)
        return found

    def _takes(self, message: Message, operator: str, operand: Any) -> bool:
        if operator == "channel":
            return message.channel_id == operand
        if operator in TOPIC:
            return not message.is_direct and message.topic.lower() == str(operand).lower()
        if operator == "sender":
            return message.sender_id == operand
        if operator == "dm":
            return message.is_direct and set(message.people) == {*operand, self._user.id}
        if operator == "group-pm-with":
            return len(message.people) > len((self._user, operand)) and {*operand} <= set(message.people)
        return self._takes_more(message, operator, operand)

    def _takes_more(self, message: Message, operator: str, operand: Any) -> bool:
        if operator == "id":
            return message.id == operand
        if operator == "channels":
            return message.channel_id is not None and not self._realm.channels[message.channel_id].private
        if operator == "has":
            return _has(message, operand)
        if operator == "is":
            return self._is(message, operand)
        return operator != "search"

    def _is(self, message: Message, operand: str) -> bool:
        flags = message.rows.get(self._user.id, ["read"])
        if operand in {"dm", "private"}:
            return message.is_direct
        if operand == "mentioned":
            return any(flag.endswith("mentioned") for flag in flags)
        if operand == "unread":
            return "read" not in flags
        if operand == "resolved":
            return message.topic.startswith("✔ ")
        return _FLAGS.get(operand, operand) in flags


def _has(message: Message, operand: str) -> bool:
    if operand == "reaction":
        return bool(message.reactions)
    if operand == "link":
        return 'href="http' in message.rendered or "href='/user_uploads" in message.rendered
    if operand == "image":
        return "<img" in message.rendered and "message_inline_image" in message.rendered
    return "/user_uploads/" in message.content
