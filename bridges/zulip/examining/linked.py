"""The places of channels in Zulip: whether the bot is in each. Elsewhere it neither hears nor posts anything.

What is said to people directly needs no channel, and is not looked at.
"""

import collections

from bot.bridge import Patient
from bot.findings import Findings, bad, good, hint
from bot.words.message import Place
from bridges.zulip.examining.account import Examined
from bridges.zulip.examining.alarms import AGAIN, WHO_MAY_POST, is_open
from bridges.zulip.places import NETWORK, channel_of


async def linked(patient: Patient, own: Examined) -> Findings:
    """A finding for each channel with which something is wrong, or one for all of them."""
    here: collections.defaultdict[int, list[Place]] = collections.defaultdict(list)
    for place in patient.linked:
        if place.network == NETWORK and (number := channel_of(place)) is not None:
            here[number].append(place)
    if not here:
        return
    inside = await own.inside()
    sound = 0
    for number, places in here.items():
        named = " and ".join(map(str, places))
        if (channel := inside.get(number)) is None:
            what = f"The bot is not in the channel of {named}, or that one is archived, or there is none of this id"
            do = f"Subscribe it there, or mend the place in [channels], {AGAIN}."
            yield bad("places", f"{what}: nothing is heard there, and nothing brought there.", do)
        elif not is_open(channel):
            what = f"Not everybody may post in the channel of {named}, and whether the bot may does not show."
            yield hint("places", what, WHO_MAY_POST)
        else:
            sound += 1
    if sound == len(here):
        yield good("places", f"The bot is in the channel of each place in [channels]: {sound}.")
