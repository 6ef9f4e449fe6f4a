"""What the frame costs before it does anything: the time to import it, and its memory when it runs idle.

It measures whole processes, never a function: what a machine pays for is the process. The frame is the bot without
bridges. It is held against three libraries, each imported alone and not used, and against all that it stands on, each
used once: the second shows what our own code costs. Beside the three in one process it is shown, and not held.

Memory is what is resident, also of the libraries' files. The kernel can drop those pages, and shares them with whoever
runs beside; to count them is strict, and comes out the same whatever else runs.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Row, in_turn

RUNS = 9
LIBRARIES = ("pydantic", "structlog", "prometheus_client")
MOST_TIME = 1.5
MOST_MEMORY = 1.3
MOST_MEMORY_OF_ALL = 1.15

AS_INSTALLED = """\
import sys
sys.modules["twisted"] = None
"""
"""Before everything. structlog imports Twisted where it finds it. The demo's homeserver brings it; a bot has none."""

CONFIG = """\
[bot]
folder = "state"

[mqtt]
host = "127.0.0.1"
port = 1
"""
"""Nobody listens on port 1, so the frame is all there is."""

FRAME = """\
import asyncio, sys
from pathlib import Path
from bot import logs, runtime, settings
logs.set_up()
asyncio.run(runtime.run(settings.load(Path(sys.argv[1]))))
"""
FRAME_IS_IDLE = ('"running"', "No connection to the broker")
"""It has started everything, and the link rests after its first try."""

NOTHING_MORE = """
import sys
print("imported", file=sys.stderr, flush=True)
sys.stdin.read()
"""

ALL_LIBRARIES_USED = """\
import asyncio, importlib.metadata, sqlite3, sys
import orjson, rfc8785, structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt import client
from pydantic import BaseModel

class Section(BaseModel):
    port: int

Section.model_validate({"port": 1})
importlib.metadata.entry_points(group="tocsin.commands")
key = Ed25519PrivateKey.from_private_bytes(bytes(32))
key.public_key().verify(key.sign(b""), b"")
database = sqlite3.connect(":memory:")
database.execute("CREATE TABLE t (x)")
client.Client(client.CallbackAPIVersion.VERSION2)
asyncio.run(asyncio.to_thread(orjson.dumps, {}))
print("used", file=sys.stderr, flush=True)
sys.stdin.read()
"""


def run() -> list[Row]:
    """Compare the frame with its libraries."""
    time = in_turn(
        lambda: _import_ms("bot.runtime"),
        lambda: sum(_import_ms(library) for library in LIBRARIES),
        runs=RUNS,
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(CONFIG)
        memory = in_turn(
            lambda: _resident_mb(FRAME, str(config), idle=FRAME_IS_IDLE) - _imported_mb(),
            lambda: sum(_imported_mb(library) - _imported_mb() for library in LIBRARIES),
            runs=RUNS,
        )
        together = in_turn(
            lambda: _resident_mb(FRAME, str(config), idle=FRAME_IS_IDLE),
            lambda: _imported_mb(*LIBRARIES),
            runs=RUNS,
        )
        beside_all = in_turn(
            lambda: _resident_mb(FRAME, str(config), idle=FRAME_IS_IDLE),
            lambda: _resident_mb(ALL_LIBRARIES_USED, idle=("used",)),
            runs=RUNS,
        )
    return [
        Row(
            name="import bot.runtime",
            ours=time.ours,
            reference=time.reference,
            what="ms of the processor, beyond Python's start; reference: the sum for pydantic, structlog and"
            " prometheus-client",
            ratio=time.ratio,
            goal=f"at most {MOST_TIME} times",
            holds=time.ratio <= MOST_TIME,
        ),
        Row(
            name="frame, idle",
            ours=memory.ours,
            reference=memory.reference,
            what="MB beyond Python's start; reference: the sum for pydantic, structlog and prometheus-client",
            ratio=memory.ratio,
            goal=f"at most {MOST_MEMORY} times",
            holds=memory.ratio <= MOST_MEMORY,
        ),
        Row(
            name="frame, idle, whole",
            ours=together.ours,
            reference=together.reference,
            what="MB resident; reference: one process that has imported the three and used none",
            ratio=together.ratio,
            goal="none",
            holds=True,
        ),
        Row(
            name="frame, idle, all",
            ours=beside_all.ours,
            reference=beside_all.reference,
            what="MB resident; reference: a process that has used every library of the frame once",
            ratio=beside_all.ratio,
            goal=f"at most {MOST_MEMORY_OF_ALL} times",
            holds=beside_all.ratio <= MOST_MEMORY_OF_ALL,
        ),
    ]


def _import_ms(module: str) -> float:
    return _milliseconds(f"import {module}") - _milliseconds("pass")


def _milliseconds(code: str) -> float:
    """The processor's time of a whole process: a machine that is busy with something else chooses no winner."""
    process = subprocess.Popen([sys.executable, "-c", AS_INSTALLED + code])  # noqa: S603 - the code is ours
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"This does not run:\n{code}")
    return (used.ru_utime + used.ru_stime) * 1000


def _imported_mb(*modules: str) -> float:
    """What a process holds that has imported these and done nothing."""
    return _resident_mb("".join(f"import {module}\n" for module in modules) + NOTHING_MORE, idle=("imported",))


def _resident_mb(code: str, *words: str, idle: Sequence[str]) -> float:
    """What a process holds in memory once its log has said all of these, and ends."""
    command = [sys.executable, "-c", AS_INSTALLED + code, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - see above
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        missing, said = set(idle), ""
        for line in process.stderr:
            said += line
            missing -= {each for each in missing if each in line}
            if not missing:
                break
        else:
            raise SystemExit(f"It ended before it was idle:\n{said}")
        resident = _vm_rss_kb(process.pid)
        process.terminate()
        process.stderr.read()
    return resident / 1024


def _vm_rss_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        raise SystemExit("Memory can be measured on Linux only: it is read from /proc.")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None  # noqa: S101 - the kernel writes it for every living process
    return int(found[1])
