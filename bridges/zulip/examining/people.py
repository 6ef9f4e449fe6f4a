"""The people on the list, as the server knows their accounts."""

from bot.findings import Finding, Findings, bad, good, hint, warn
from bot.words.glyphs import quoted
from bot.words.message import Lane
from bot.words.people import People
from bridges.zulip.answers import Profile
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.places import NETWORK

MOST_PEOPLE = 40
"""So many are looked at, with a question for each: the bot needs what the server takes in a minute for itself."""
LONGEST_ID = 15


async def people(api: Api, listed: People, me: Profile) -> Findings:
    """A finding for each account that counts. Who is suspended counts for nothing, and is not asked for."""
    accounts = sorted(listed.accounts_on(NETWORK), key=lambda each: (len(each.id), each.id))
    if not accounts:
        what = "Nobody on the list has a Zulip account that counts."
        yield warn("people", what, 'Write `zulip = ["12"]` into [people.NAME], and run `tocsin reload`.')
    for account in accounts[:MOST_PEOPLE]:
        person = listed.owner_of(account)
        assert person is not None  # noqa: S101 - the account is of the list
        yield await _person(api, person.name, account.id, me)
    if len(accounts) > MOST_PEOPLE:
        what = f"{len(accounts)} accounts are listed; the first {MOST_PEOPLE} were looked at."
        yield hint("people", what, "Look at the others in Zulip's own list of people.")


async def _person(api: Api, name: str, number: str, me: Profile) -> Finding:
    mend = f"Write the id that {name}'s profile in Zulip shows into `zulip` of [people.{name}]."
    if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_ID):
        return bad(name, f"{quoted(number)} is no id of a Zulip account.", mend)
    if int(number) == me.user_id:
        return bad(name, f"{number} is the bot's own account: nothing that it says is ever a command.", mend)
    try:
        person = await api.person(int(number), Lane.PROGRESS)
    except Declined:
        return bad(name, f"Zulip knows no account {number}.", mend)
    shown = f"{quoted(person.full_name)} ({number})"
    if not person.is_active:
        what = f"{shown} is deactivated: nothing can be said there, and nobody hears from it."
        return warn(name, what, f"Activate it in Zulip, or take it out of [people.{name}].")
    if person.is_bot:
        what = f"{shown} is a bot: whoever has its key, or owns it, speaks as {name}."
        return warn(name, what, mend)
    return good(name, f"{shown} is there and active.")
