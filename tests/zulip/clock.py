"""The stand-in's time: the machine's, and as far ahead as a test has set it."""

import time


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead
