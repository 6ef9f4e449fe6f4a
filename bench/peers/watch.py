"""The stopwatch of all sides, ours too. It imports Python's own modules alone: it runs in everybody's environment.

Its seconds are the processor's, so that a busy machine chooses no winner. It never believes a side that says it called
a command: the commands count themselves.
"""

import json
import sys
from statistics import median
from time import process_time

WINDOWS = 7
WINDOW_S = 0.1


class Watch:
    """Measures rounds in which each command is called once. The first window does not count: it fills caches."""

    def __init__(self, peer: str) -> None:
        self.names = [f"cmd{number}" for number in range(int(sys.argv[1]))]
        """The commands, as many as the command line asks for."""
        self.called = 0
        """Each command adds one."""
        self._peer = peer
        self._rates: list[float] = []
        self._asked = 0
        self._earlier = 0
        self._began = process_time()

    def goes_on(self) -> bool:
        """Asked before each round."""
        if self.called != self._asked:
            raise SystemExit(f"{self._peer} was asked for {self._asked} commands and called {self.called}.")
        passed = process_time() - self._began
        if self._asked and passed >= WINDOW_S:
            self._rates.append((self._asked - self._earlier) / passed)
            self._earlier = self._asked
        if self._earlier == self._asked:
            self._began = process_time()
        self._asked += len(self.names)
        return len(self._rates) <= WINDOWS

    def report(self) -> None:
        """Print one line of JSON: the median of the windows."""
        per_second = round(median(self._rates[1:]), 1)
        print(json.dumps({"peer": self._peer, "commands": len(self.names), "per_second": per_second}))
