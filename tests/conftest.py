"""What all tests share: hypothesis judges what the code does, and never how fast a busy machine is."""

import gc
from collections.abc import Generator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import installed, starts

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
starts.install()
installed.remember()

# A painted trace would cost half a second each time that something is logged with one.
plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
gc.disable()


@pytest.fixture(scope="module")
def starts_are_cheap() -> Generator[None]:
    """What is looked at is what programs do, and not how Python starts them."""
    with starts.split_off():
        yield


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: nobody looks through it for garbage again and again."""
    gc.freeze()
    gc.enable()
