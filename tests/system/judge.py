"""The judge of components as it is, for those of ours that it starts again and again: see `tests/starts.py`."""

import runpy

from tests import starts

if __name__ == "__main__":
    starts.install()
    with starts.split_off():
        runpy.run_module("components.check", run_name="__main__", alter_sys=True)
