"""One field for the tests of a module, made anew behind a test that left something broken."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from demo.broker import mosquitto
from tests.faults.field import Field, running


class Fields:
    """The field that is there, if one is."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = AsyncExitStack()
        self._field: Field | None = None

    async def whole(self) -> Field:
        """One with everybody at work and nothing stopped."""
        if self._field is None or not self._field.is_whole():
            await self.close()
            self._field = await self._stack.enter_async_context(running(self._factory.mktemp("field")))
        return self._field

    async def close(self) -> None:
        self._field = None
        await self._stack.aclose()


@pytest.fixture(scope="module", autouse=True)
def all_starts_are_cheap(starts_are_cheap: None) -> None:
    """For all tests here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fields(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Fields]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    made = Fields(tmp_path_factory)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def field(fields: Fields) -> Field:
    return await fields.whole()
