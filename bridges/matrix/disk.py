"""What the disk does not take. It is never mistaken for something that a stranger sent, and never passed over."""

import contextlib
import sqlite3
from collections.abc import Generator

from peewee import PeeweeException

from bot.words.errors import StoreError

FAULTS = (sqlite3.Error, PeeweeException)
"""How the two databases of a device say so: ours, and the Matrix library's."""


@contextlib.contextmanager
def on_disk() -> Generator[None]:
    """Have a fault of the disk raised as StoreError."""
    try:
        yield
    except FAULTS as error:
        raise StoreError(
            f"The keys of the Matrix device cannot be kept: {error}.",
            hint="Look at the disk: is it full, or read-only?",
        ) from error
