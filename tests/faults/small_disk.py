"""A disk of its own, and ways to fill it or to have it take nothing. Only root can, and only on Linux."""

import contextlib
import os
import shutil
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
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tocsin-test", folder)
    try:
        yield folder
    finally:
        _run("umount", "--lazy", folder)


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


@contextlib.contextmanager
def write_protected(*files: Path) -> Generator[None]:
    """These files take nothing until the block ends, not from root either, nor from whoever has them open."""
    _run("chattr", "+i", *files)
    try:
        yield
    finally:
        _run("chattr", "-i", *files)


class Ext4:
    """A disk with the file system of most machines. At the first fault it turns read-only under whoever writes."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._image = image
        self._folder = folder
        with image.open("wb") as file:
            file.truncate(64 * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-e", "remount-ro", image)
        folder.mkdir(parents=True)

    def mount(self) -> None:
        """It is there."""
        _run("mount", "-o", "loop", self._image, self._folder)

    def break_down(self) -> None:
        """It finds a fault, and takes nothing more."""
        _run("mount", "-o", "remount,abort", self._folder)

    def unmount(self) -> None:
        """It is not there any more. Nobody may have a file of it open."""
        _run("umount", self._folder)

    def mend(self) -> None:
        """What the fault has left is put right, as the machine does at its start."""
        subprocess.run(["e2fsck", "-fy", str(self._image)], check=False, capture_output=True)  # noqa: S603, S607 - ours


def no_ext4() -> str:
    """Why none can be had here, where none can."""
    if reason := impossible():
        return reason
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is not installed"
    return "" if Path("/dev/loop-control").exists() else "no file can be mounted here"


def _run(*command: str | Path) -> None:
    subprocess.run([str(each) for each in command], check=True)  # noqa: S603 - our own words
