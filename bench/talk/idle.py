"""What a bot takes of the processor while nobody says anything, as the kernel counts it for the whole process."""

import asyncio
import os
from pathlib import Path
from time import perf_counter

FOR_S = 30.0


async def idle(pid: int) -> float:
    """In % of a core."""
    began, used = perf_counter(), _used_s(pid)
    await asyncio.sleep(FOR_S)
    return (_used_s(pid) - used) / (perf_counter() - began) * 100


def _used_s(pid: int) -> float:
    behind_the_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    user, system = behind_the_name[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
