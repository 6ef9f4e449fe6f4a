"""The clock for durations. It must never stand still while the machine sleeps: what is old would look fresh."""

import time


def boot_clock() -> float:
    """Seconds that also count while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
