"""What edits and deletions change of all that was ever said to the bot.

New words count where the message is now, or nowhere: whoever moves a message takes it out of the conversation in which
it was said, and what is written into it then is meant for those who are there. That it was edited counts all the same.
"""

import dataclasses

from bot.words.message import Change, Place, Standing
from bridges.zulip.batch import Altered, Taken
from bridges.zulip.contents import NOTHING, Content
from bridges.zulip.places import Places, channel_of, place_of
from bridges.zulip.reading import Reader, account_of
from bridges.zulip.tracking import Tracked


class Alterations:
    """Tells what was altered, and where that is now."""

    def __init__(self, reader: Reader, places: Places) -> None:
        self._reader = reader
        self._places = places

    def changes(self, taken: Taken, tracked: Tracked) -> list[Change]:
        """Those of messages that were heard. Of several edits only the last has words: it has those that stand now."""
        last = {each.id: each for each in taken.altered if not each.removed}
        found: list[Change] = []
        for each in taken.altered:
            for spot in sorted(tracked.spots.get(each.id, ()), key=str):
                if not spot.is_own:
                    new = self._content(each, spot.place, tracked) if last.get(each.id) is each else NOTHING
                    made = Change(spot.place, spot.event, account_of(each.by), each.removed, standing=Standing.NAMED)
                    found.append(dataclasses.replace(made, text=new.text, files=new.files))
        return found

    def _content(self, altered: Altered, place: Place, tracked: Tracked) -> Content:
        """The new words, where they stand in this place."""
        channel, here = altered.channel, channel_of(place)
        if here is None:
            was_said_directly = channel is None
            was_a_mention = channel is not None and not self._places.has(channel)
            is_its_writers = was_a_mention and place == place_of([altered.by], self._reader.me)
            return altered.content if was_said_directly or is_its_writers else NOTHING
        if not self._places.has(here):
            return NOTHING
        if altered.id in tracked.asked:
            message = tracked.asked[altered.id]
            return NOTHING if message is None else self._reader.content(message.content)
        return altered.content if channel == here else NOTHING
