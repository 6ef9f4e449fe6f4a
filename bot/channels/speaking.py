"""What somebody has said, as the bot says it elsewhere: who, how sure that is, and when where it was not just now."""

import dataclasses
import functools
import time
from collections.abc import Hashable, Iterable

from bot.words.document import Document
from bot.words.glyphs import one_line
from bot.words.message import Change, Message, Standing
from bot.words.people import Account, People
from bot.words.talk import NO_MARKS, Speaker, passed_on
from bot.words.times import clock as time_of_day

TOLD_LATE_S = 60.0
"""From when on people see when it was said."""
PROVEN = frozenset({Standing.ATTESTED, Standing.NAMED, Standing.LOCAL})


def words_of(message: Message, people: People, topic: str = "") -> Document:
    """Under the name that is listed, or else under their account."""
    person = people.holder_of(message.account)
    account = message.account.id
    name = person.name if person else message.called or account
    is_plain = name == account and people.named(one_line(name).strip()) is None
    speaker = Speaker(
        name.translate(NO_MARKS) if message.standing is Standing.RELAYED else name,
        message.place.network,
        account="" if person or is_plain else account,
        is_proven=message.standing in PROVEN,
        topic=topic,
        at=time_of_day(message.sent_ms / 1000, time.time()) if message.age_s > TOLD_LATE_S else "",
    )
    return passed_on(speaker, message.words, functools.partial(_name_of, people, message.place.network))


def counted_as(message: Message) -> Hashable:
    """Who counts as its writer. Where everybody writes under any name, those of a place are one."""
    return message.place if message.standing is Standing.RELAYED else message.account


def may_take_back(message: Message | None, change: Change) -> bool:
    """Whether it may be taken back so. Where no network looks who may do that, it is the one of the same name."""
    return change.standing is not Standing.RELAYED or (message is not None and message.account == change.account)


def last_of(message: Message, changes: Iterable[Change]) -> Change | None:
    """What has become of it: nobody edits what another has written, and what was taken back stays so."""
    last: Change | None = None
    for change in changes:
        if change.removed and may_take_back(message, change):
            return change
        if change.account == message.account and change.text:
            last = change
    return last


def edited(message: Message, change: Change) -> Message:
    """As it stands there now. It is proven where both the message and its edit are."""
    standing = message.standing if change.standing in PROVEN else change.standing
    return dataclasses.replace(message, text=change.text, caption="", files=change.files, standing=standing)


def _name_of(people: People, network: str, account: str) -> str:
    person = people.holder_of(Account(network, account))
    return person.name if person else ""
