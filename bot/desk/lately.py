"""What was remembered lately, so much at most: the oldest goes. It is a help for the memory, never the truth."""

import collections
from collections.abc import Hashable

MOST_REMEMBERED = 1000


class Lately:
    """Names of things, each once."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[Hashable, None] = collections.OrderedDict()

    def __contains__(self, name: Hashable) -> bool:
        return name in self._known

    def add(self, name: Hashable) -> None:
        """Remember it."""
        self._known[name] = None
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def drop(self, name: Hashable) -> None:
        """Forget it."""
        self._known.pop(name, None)
