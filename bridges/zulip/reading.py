"""What of Zulip's events is a message of a person, and what changes one. The bot's own messages never are messages.

What is said in a channel that the bot is not in came by a mention. Nothing of it may leave that channel, and nothing
is posted there: it counts as said in the direct chat with its writer.
"""

import dataclasses
import re

from bot.words.message import Message, Place, Standing
from bot.words.people import Account
from bridges.zulip import answers
from bridges.zulip.contents import Content, with_files, without_quotation
from bridges.zulip.places import NETWORK, Places, place_in, place_of, spelling_of

MENTION = re.compile(r"\s*@\*\*([^*|]*)(?:\|(\d{1,15}))?\*\*[:,]?(?=\s|$)")
"""A mention at the beginning. A silent one is in every quotation, and calls nobody."""


KEPT_WRITERS = 2000


def event_of(message: answers.Message) -> str:
    """An id that no server gives twice, also one that was restored from a backup, or is another one."""
    return f"{begin_of(message.id)}{int(message.timestamp)}"


def begin_of(message_id: int) -> str:
    """How the event of a message begins, when it was sent not being known."""
    return f"{message_id}."


def id_of(event: str) -> int | None:
    """The message's id in an event; nothing where it has none."""
    number = event.partition(".")[0]
    return int(number) if re.fullmatch(r"\d{1,16}", number, re.ASCII) else None


def standing_in(said: answers.Message) -> Place | None:
    """The topic in which a message is, also in a channel that the bot is not in. Nothing where it is a direct one."""
    return None if said.stream_id is None else place_in(said.stream_id, said.subject)


def words(content: str) -> str:
    """What somebody wrote. Half a surrogate pair is valid JSON and no text: no database takes it."""
    return content.strip().encode(errors="replace").decode()


def account_of(user_id: int) -> Account:
    """Somebody's account: ids never change, as names and e-mails do."""
    return Account(NETWORK, str(user_id))


class Reader:
    """Reads for one account."""

    def __init__(self, me: int, name: str, places: Places, site: str = "") -> None:
        self.me = me
        self.name = name
        self._site = site
        self._places = places
        self.writers: dict[str, str] = {}
        """Who wrote what was said lately, by event."""

    def message(self, said: answers.Message, age_s: float) -> Message | None:
        """What somebody else said, or nothing. What a bot like this one says goes nowhere, so nothing goes round."""
        if said.sender_id == self.me or said.client == answers.OURS:
            return None
        self.writers[event_of(said)] = str(said.sender_id)
        if len(self.writers) > KEPT_WRITERS:
            del self.writers[next(iter(self.writers))]
        content = self.content(said.content)
        is_apart = said.stream_id is not None and not self._places.has(said.stream_id)
        return Message(
            place=self.place(said),
            account=account_of(said.sender_id),
            event=event_of(said),
            text=content.text,
            standing=Standing.NAMED,
            device="",
            sent_ms=int(said.timestamp * 1000),
            age_s=age_s,
            addressed=content.addressed or said.stream_id is None,
            replies_to="" if content.answers is None else str(content.answers),
            files=content.files,
            called=words(said.sender_full_name),
            topic="" if said.stream_id is None or is_apart else words(spelling_of(said.subject)),
            apart=is_apart,
        )

    def content(self, raw: str) -> Content:
        """What stands in a message, without what only says to whom it is said, and to what."""
        text = words(raw)
        rest = self._after_mention(text)
        answered, said = without_quotation(text if rest is None else rest, self._site)
        after = self._after_mention(said) if rest is None else None
        found = with_files(said if after is None else after, self._site, NETWORK)
        return dataclasses.replace(found, answers=answered, addressed=rest is not None or after is not None)

    def place(self, said: answers.Message) -> Place:
        """Where it counts as said."""
        if said.stream_id is None:
            people = [] if isinstance(said.display_recipient, str) else [each.id for each in said.display_recipient]
            return place_of([*people, said.sender_id], self.me)
        if not self._places.has(said.stream_id):
            return place_of([said.sender_id], self.me)
        return place_in(said.stream_id, said.subject)

    def _after_mention(self, text: str) -> str | None:
        """The text after a mention of the bot; nothing where it does not begin with one."""
        found = MENTION.match(text)
        if found is None:
            return None
        name, user_id = found.groups()
        is_me = int(user_id) == self.me if user_id else name.lower() == self.name.lower()
        return text[found.end() :].strip() if is_me else None
