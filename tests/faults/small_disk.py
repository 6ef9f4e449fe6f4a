"""A disk of its own that is soon full, and a way to fill it. Only root can mount it, and only Linux has this one."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

PIECE = 4096


def impossible() -> str:
    """Why no small disk can be had here, where none can."""
    return "" if sys.platform == "linux" and os.geteuid() == 0 else "only root on Linux can mount a small disk"


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Generator[Path]:
    """The folder lies on a small disk until the block ends."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tocsin-test", str(folder)]
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - the same


@contextlib.contextmanager
def full(folder: Path) -> Generator[None]:
    """Nothing more fits on the disk of this folder until the block ends."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * PIECE)
    try:
        yield
    finally:
        filler.unlink()
