"""The places where the bot raises alarms: whether it can, and whether each hears them once."""

import collections
from urllib.parse import unquote

from bot.bridge import Patient
from bot.findings import Finding, Findings, bad, good, hint, warn
from bot.words.errors import NetworkError
from bot.words.message import Lane, Place
from bridges.zulip.answers import Channel
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.examining.account import Examined
from bridges.zulip.names import Names
from bridges.zulip.places import DIRECT, NETWORK, same

AGAIN = "and run `tocsin reload`"
EVERYBODY = 1
WHO_MAY_POST = "Look at who may post there, in the channel's settings."
MOST_PEOPLE = 20

Target = tuple[object, ...]
"""What two names of one place have in common."""


async def alarms(api: Api, site: str, patient: Patient, own: Examined) -> Findings:
    """A finding for each place with which something is wrong, or one for all of them."""
    here = [each for each in patient.alarms if each.network == NETWORK]
    if not here:
        return
    names = Names(patient.folder, site)
    await names.load()
    longest = (await own.rules()).max_topic_length
    called: collections.defaultdict[Target, list[Place]] = collections.defaultdict(list)
    sound = 0
    for place in here:
        direct = DIRECT.fullmatch(place.id)
        if direct is not None:
            people = sorted({int(each) for each in direct[1].split(",")})
            target, wrong = tuple[object, ...](people), await _among(api, place, people)
        else:
            target, wrong = await _in_channel(place, names, own, longest)
        if target:
            called[target].append(place)
        sound += wrong is None
        if wrong is not None:
            yield wrong
    for alike in called.values():
        if len(alike) > 1:
            sound -= 1
            what = f"{' and '.join(map(str, alike))} are one place: each alarm is said there {len(alike)} times."
            yield warn("alarms", what, f"Leave one of them in `alarms` of [bot], {AGAIN}.")
    if sound == len(here):
        yield good("alarms", f"The bot can speak in each place where it raises them: {len(here)}.")


async def _in_channel(place: Place, names: Names, own: Examined, longest: int) -> tuple[Target, Finding | None]:
    """Which topic is meant, and what is wrong with it. It is no topic where nobody can tell."""
    inside = await own.inside()
    try:
        number, rest, _ = names.meant(place, {each: channel.name for each, channel in inside.items()})
    except NetworkError as error:
        return (), bad("alarms", f"No alarm gets to {place}: {error.what}", f"{error.hint} Then try again.")
    topic = unquote(rest)
    target = "topic", number, same(topic)
    if (channel := inside.get(number)) is None:
        what = f"The bot is not in the channel of {place}, or that one is archived: no alarm gets there."
        return target, bad("alarms", what, "Subscribe it there, or write the id of another channel.")
    if len(topic) > longest:
        what = f"The topic of {place} is longer than the server takes ({longest} characters): its end is cut off."
        return target, warn("alarms", what, f"Write a shorter one into `alarms` of [bot], {AGAIN}.")
    if not is_open(channel):
        what = f"Not everybody may post in the channel of {place}, and whether the bot may does not show."
        return target, hint("alarms", what, WHO_MAY_POST)
    return target, None


def is_open(channel: Channel) -> bool:
    """Whether everybody may post in a channel, as far as the server tells."""
    return not isinstance(channel.stream_post_policy, int) or channel.stream_post_policy == EVERYBODY


async def _among(api: Api, place: Place, people: list[int]) -> Finding | None:
    for each in people[:MOST_PEOPLE]:
        try:
            is_there = (await api.person(each, Lane.PROGRESS)).is_active
        except Declined:
            is_there = False
        if not is_there:
            what = f"Zulip knows no active account {each}: no alarm gets to {place}."
            return bad("alarms", what, f"Mend `alarms` in [bot], {AGAIN}. A person's profile shows the id.")
    return None
