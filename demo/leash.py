"""Becomes another program, which the kernel kills when its parent dies. It imports nothing of ours.

`python leash.py PARENT PROGRAM ARGUMENT ...`. Without Linux there is no leash: the program just runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Puts the leash on and becomes the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        sys.exit("leash: the kernel refuses to tie this process to its parent")
    if os.getppid() != int(parent):
        sys.exit("leash: the parent died first")
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        sys.exit(f"leash: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
