"""A program that tells how it was started: what it has been given, and what it finds. Then it does as it is told."""

import gc
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path


def seen() -> dict[str, object]:
    """What must not depend on how it came to be."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return {
        "name": __name__,
        "file": __file__,
        "arguments": sys.argv,
        "main": sys.modules["__main__"].__dict__["__file__"],
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path,
        "leads": (os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()),
        "parent": os.getppid(),
        "signals": {each: str(signal.getsignal(each)) for each in sorted(signal.valid_signals())},
        "masks": [line for line in status.splitlines() if line.startswith(("Umask", "SigBlk", "SigIgn", "SigCgt"))],
        "files": sorted(int(each.name) for each in Path("/proc/self/fd").iterdir())[:-1],
        "threads": (threading.active_count(), len(list(Path("/proc/self/task").iterdir()))),
        "garbage": (gc.isenabled(), gc.get_threshold()),
        "bytecode": sys.dont_write_bytecode,
        "ours": sorted(each for each in sys.modules if each.split(".")[0] in ("bot", "bridges", "wire", "demo")),
        "streams": [(each.encoding, each.errors, each.line_buffering) for each in (sys.stdin, sys.stdout, sys.stderr)],
        "heard": sys.stdin.read(),
    }


if __name__ == "__main__":
    is_split_off = "orjson" in sys.modules
    told = [seen(), is_split_off, random.random(), os.urandom(8).hex(), os.getpid()]
    print(json.dumps(told), flush=True)  # noqa: T201 - it tells
    if sys.argv[1:] == ["waits"]:
        signal.pause()
    if sys.argv[1:] == ["raises"]:
        raise ValueError("as it was told")
    sys.exit(3)
