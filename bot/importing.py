"""Importing without a search for garbage: nothing that is imported is any, and the search is a quarter of a start."""

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def importing() -> Generator[None]:
    """What is imported in the block stays to the end, and is never looked through again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
