"""What tests of the Matrix bridge stand on: a real homeserver, which serves all of them, and people on it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from bridges.matrix import seeds
from demo.homeserver import Homeserver
from demo.stage import Stage
from tests.system.js_operator import NoNode, install


@pytest.fixture(scope="module", autouse=True)
def all_starts_are_cheap(starts_are_cheap: None) -> None:
    """For all tests here."""


@pytest.fixture(autouse=True)
def seeds_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login of these tests keeps an identity. What it takes to guess the password is looked at elsewhere."""
    monkeypatch.setitem(seeds.COST, "n", 2**10)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Homeserver]:
    async with Homeserver(tmp_path_factory.mktemp("homeserver")) as running:
        yield running


@pytest.fixture
async def stage(homeserver: Homeserver, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with Stage.built(homeserver, tmp_path) as stage:
        yield stage


@pytest.fixture(scope="session")
def js_client() -> None:
    """The Matrix client that others use today, where it can run."""
    try:
        install()
    except NoNode as reason:
        pytest.skip(f"no Matrix client of today can run here: {reason}")
