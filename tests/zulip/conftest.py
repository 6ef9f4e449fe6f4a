"""The stand-in in the test's own process, and people who talk to it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.zulip.client import Person, person
from tests.zulip.lab import ALICE, BOB, TOCSIN
from tests.zulip.server import running
from tests.zulip.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as started:
        yield started


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def tocsin(world: World, session: aiohttp.ClientSession) -> Person:
    return person(world, session, TOCSIN)


@pytest.fixture
def alice(world: World, session: aiohttp.ClientSession) -> Person:
    return person(world, session, ALICE)


@pytest.fixture
def bob(world: World, session: aiohttp.ClientSession) -> Person:
    return person(world, session, BOB)
