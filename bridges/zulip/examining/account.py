"""The bot's own account: whether its key is taken, who owns it, and in which channels it is."""

from collections.abc import Mapping

from bot.findings import Findings, good, hint, warn
from bot.words.glyphs import quoted
from bot.words.message import Lane
from bridges.zulip.answers import Channel, Profile
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.rules import Rules

MOST_NAMED = 10


class Examined:
    """What was found out about the account so far."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.profile: Profile | None = None
        """Nothing where the key is not taken."""
        self._inside: dict[int, Channel] | None = None
        self._rules: Rules | None = None

    async def login(self) -> Findings:
        """Whether the server takes the key, and whose it is."""
        profile = await self._api.profile()
        self.profile = profile
        shown = f"{quoted(profile.full_name)} ({profile.user_id})"
        if not profile.is_bot:
            what = f"The key is of {shown}, and that is a person's account: whoever signs in there speaks as the bot."
            yield warn("key", what, "Make a bot in Zulip, under Settings, Bots, and name its e-mail and its key.")
        elif profile.has_rights:
            what = f"The bot {shown} has many rights in Zulip: whoever has its key has them, too."
            yield warn("key", what, "Make it a plain member.")
        else:
            yield good("key", f"The server takes it: it is of {shown}.")

    async def owner(self, profile: Profile) -> Findings:
        """A bot may post into every private channel of its owner."""
        if not profile.is_bot:
            return
        number = profile.bot_owner_id
        try:
            owner = None if number is None else await self._api.person(number)
        except Declined:
            owner = None
        if owner is None:
            what = "Who owns the bot cannot be seen. It can post wherever its owner can."
            yield hint("owner", what, "Look in Zulip, under the organization's bots, that it is one who can do little.")
            return
        shown = f"{quoted(owner.full_name)} ({number})"
        if owner.has_rights:
            what = f"{shown} owns the bot and has many rights: the bot can post wherever its owner can."
            yield warn("owner", what, "Make a bot of an account that can do little, and is in few channels.")
        else:
            yield good("owner", f"{shown} owns the bot, and has no rights of a moderator.")

    async def inside(self) -> Mapping[int, Channel]:
        """The channels that the bot is in, by their ids. It is asked once."""
        if self._inside is None:
            self._inside = {each.stream_id: each for each in await self._api.subscriptions()}
        return self._inside

    async def rules(self) -> Rules:
        """What the organization lets it do. It is asked once."""
        if self._rules is None:
            self._rules = await self._api.rules(Lane.PROGRESS)
        return self._rules

    async def channels(self) -> Findings:
        """In which it is: it hears and says nothing in others."""
        inside = await self.inside()
        if not inside:
            yield hint("channels", "The bot is in no channel.", "Subscribe it where it is to be. Direct messages work.")
            return
        named = [f"{quoted(each.name)} ({number})" for number, each in sorted(inside.items())]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        yield good("channels", f"The bot is in {len(named)}: {', '.join(named[:MOST_NAMED])}{more}.")
