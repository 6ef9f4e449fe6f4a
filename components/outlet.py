"""Lets a component's code say things from any thread. What it says reaches the event loop in its order."""

import asyncio
import threading
from collections.abc import Callable

from components.voice import Voice
from wire.work import Severity


class FromAnywhere:
    """A voice for the code of the component."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def value(self, stream: str, value: float) -> None:
        """A value of now."""
        self._say(lambda: self._voice.value(stream, value))

    def alert(self, severity: Severity, message: str, key: str) -> None:
        """Have people know."""
        self._say(lambda: self._voice.alert(severity, message, key))

    def clear(self, key: str) -> None:
        """It is over."""
        self._say(lambda: self._voice.clear(key))

    def _say(self, say: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            say()
        else:
            self._loop.call_soon_threadsafe(say)
