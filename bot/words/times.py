"""Spans of time and moments, in words. A span is rounded down; a moment is in UTC, and says so."""

import datetime as dt

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_FINE = 10
"""From so many days, hours or minutes on the smaller unit says nothing any more."""


def span(seconds: float) -> str:
    """How long something takes, as exactly as it matters: `59 s`, `1 min 30 s`, `12 min`, `2 h 1 min`."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def clock(at: float, now: float) -> str:
    """The time of day, and the day where it is not today. Both moments are in seconds since 1970."""
    then, today = (dt.datetime.fromtimestamp(each, dt.UTC) for each in (at, now))
    return then.strftime("%H:%M UTC" if then.date() == today.date() else "%Y-%m-%d %H:%M UTC")


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(seconds, large)
    if whole >= _FINE or rest < small:
        return f"{whole} {large_name}"
    return f"{whole} {large_name} {rest // small} {small_name}"
