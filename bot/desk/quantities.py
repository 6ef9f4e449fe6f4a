"""Numbers, durations and times as people type them. Each reader raises UsageError and nothing else, for any word."""

import datetime as dt
import re
from typing import TypeVar

from bot.words.errors import UsageError
from bot.words.glyphs import quoted

N = TypeVar("N", int, float)

LARGEST = 10**18
LONGEST_NUMBER = 40
LONGEST_DURATION = dt.timedelta(days=36_500)
YEARS = range(1970, 3000)

_NUMBER = re.compile(r"([+-]?)([0-9]+(?:_[0-9]+)*)?(?:\.([0-9]+))?([kKM%]|[eE][+-]?[0-9]{1,3})?")
_POWERS = {"": 0, "k": 3, "K": 3, "M": 6, "%": -2}
_PLAIN_DIGITS = 18  # so many are never over the bound

_UNITS_MS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_DURATION = re.compile("(?=.)" + "".join(rf"(?:([0-9]{{1,15}}){unit})?" for unit, _ in _UNITS_MS))
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def whole(word: str) -> int:
    """`1000`, `-3`, `1_000`, `100k`, `2M`, `1e6`, `1.5k`.

    Not `1,000`: a comma parts the entries of a list, and half of Europe reads that number as one.
    """
    if word.isdecimal() and word.isascii() and len(word) <= _PLAIN_DIGITS:
        return int(word)
    number = None if word.endswith("%") else _digits(word)
    if number is None:
        raise _no_number(word, "a whole number", "1000, 100k or 1e6")
    digits, power = number
    if power >= 0:
        return _bounded(digits * 10**power, word)
    value, remainder = divmod(digits, 10**-power)
    if remainder:
        raise _no_number(word, "a whole number", "1000, 100k or 1e6")
    return _bounded(value, word)


def fraction(word: str) -> float:
    """`0.5`, `-3`, `20%`, `1e-3`, `1.5k`. Never infinite, never not a number."""
    if len(word) <= _PLAIN_DIGITS and word.isascii() and word.replace(".", "", 1).isdecimal():
        return float(word)
    number = _digits(word)
    if number is None:
        raise _no_number(word, "a number", "0.5, 20% or 1e6")
    digits, power = number
    return _bounded(float(f"{digits}e{power}"), word)  # read in one piece: 7% is 0.07, not 7 * 0.01


def write_fraction(value: float) -> str:
    """The shortest text that reads as this very number."""
    return repr(float(value)).removesuffix(".0")


def duration(word: str) -> dt.timedelta:
    """`90s`, `2h`, `1h30m`, `500ms`, `3d`, `1w`: largest unit first."""
    match = _DURATION.fullmatch(word)
    if match is None:
        if word.isdecimal():
            raise UsageError(f"{quoted(word)} needs a unit, such as {quoted(word[:9] + 's')[1:-1]}, 5m or 1h30m.")
        raise UsageError(f"{quoted(word)} is not a duration, such as 90s, 2h, 1h30m or 500ms.")
    total = sum(int(count) * unit for count, (_, unit) in zip(match.groups("0"), _UNITS_MS, strict=True))
    if total > LONGEST_DURATION // dt.timedelta(milliseconds=1):
        raise UsageError(f"{quoted(word)} is too long: at most {LONGEST_DURATION.days}d.")
    return dt.timedelta(milliseconds=total)


def write_duration(value: dt.timedelta) -> str:
    """The units that are needed, largest first."""
    left, parts = value // dt.timedelta(milliseconds=1), ""
    for unit, size in _UNITS_MS:
        count, left = divmod(left, size)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


def time(word: str) -> dt.time:
    """`14:30`, `14:30:05`. In which zone is the command's to say."""
    match = _TIME.fullmatch(word)
    if match is None:
        raise UsageError(f"{quoted(word)} is not a time of day, such as 14:30 or 14:30:05.")
    return dt.time(int(match[1]), int(match[2]), int(match[3] or 0))


def write_time(value: dt.time) -> str:
    """With seconds where there are some."""
    return value.isoformat("auto" if value.second or value.microsecond else "minutes")


def moment(word: str) -> dt.datetime:
    """`2026-11-21T14:30Z`, `2026-11-21T14:30:05+01:00`. Never without its zone: people and machines are in several."""
    match = _MOMENT.fullmatch(word)
    try:
        value = None if match is None else dt.datetime.fromisoformat(word)
    except ValueError:  # the thirtieth of February
        value = None
    if match is None or value is None:
        raise UsageError(f"{quoted(word)} is not a date and time, such as 2026-11-21T14:30Z.")
    if match[1] is None:
        what = "a zone: add Z or +01:00" if "T" in word or " " in word else "a time and a zone, such as T14:30Z"
        raise UsageError(f"{quoted(word)} needs {what}.")
    if value.year not in YEARS:
        raise UsageError(f"{quoted(word)} is out of range: from {YEARS[0]} to {YEARS[-1]}.")
    return value


def write_moment(value: dt.datetime) -> str:
    """In the zone in which it was given."""
    text = value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _digits(word: str) -> tuple[int, int] | None:
    """A number as an integer and a power of ten, exactly."""
    match = _NUMBER.fullmatch(word) if len(word) <= LONGEST_NUMBER else None
    if match is None:
        return None
    sign, before, behind, unit = match.groups("")
    if not before and not behind:
        return None
    power = int(unit[1:]) if unit[:1] in ("e", "E") else _POWERS[unit]
    return int(sign + before.replace("_", "") + behind), power - len(behind)


def _no_number(word: str, what: str, such_as: str) -> UsageError:
    if "," in word:
        return UsageError(f"{quoted(word)} is not {what}: write it without commas, such as {such_as}.")
    return UsageError(f"{quoted(word)} is not {what}, such as {such_as}.")


def _bounded(value: N, word: str) -> N:
    if not -LARGEST <= value <= LARGEST:
        raise UsageError(f"{quoted(word)} is out of range: " + ("at most 1e18." if value > 0 else "at least -1e18."))
    return value
