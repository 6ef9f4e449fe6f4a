"""The stand-in as a program of its own, which tests may kill and start again on the same file and port."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

HOME = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def started(data: Path, port: int = 0) -> AsyncGenerator[str]:
    """Its address. At the end it is killed, so that nothing is put in order."""
    command = (sys.executable, "-m", "tests.zulip.server", "--data", str(data), "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, cwd=HOME, stdout=asyncio.subprocess.PIPE)
    try:
        if process.stdout is None:
            raise RuntimeError("the stand-in has no standard output")
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()
