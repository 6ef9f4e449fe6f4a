"""What a homeserver answers, as JSON that nothing in it can break.

A stranger's message comes with it as it was sent, and would come again for ever: so what is nested too deeply for any
parser is left out, and a number that no message needs becomes the largest that one may be.
"""

import json
import math
import re
from typing import Any

DEEPEST = 64
LARGEST = 2**53
LONGEST = 20
OPENING, CLOSING = (b"[", b"{"), (b"]", b"}")
_BRACKET_OR_WORDS = re.compile(rb'[][{}]|(?:"(?:[^"\\]++|\\.)*+"?[^][{}"]*+)++', re.DOTALL)
"""Each byte is looked at once, whatever comes: a string that does not end is one, too."""


def parsed(raw: bytes) -> Any:
    """The answer. Raises ValueError for what is no JSON."""
    return json.loads(_without_depths(raw), parse_int=_integer, parse_float=_number, parse_constant=lambda _: None)


def _without_depths(raw: bytes) -> bytes:
    """The same, with null for all that lies too deep."""
    kept: list[bytes] = []
    depth = begin = 0
    for found in _BRACKET_OR_WORDS.finditer(raw):
        if found[0] in OPENING:
            depth += 1
            if depth == DEEPEST + 1:
                kept += [raw[begin : found.start()], b"null"]
        elif found[0] in CLOSING:
            if depth == DEEPEST + 1:
                begin = found.end()
            depth -= 1
    if not kept:
        return raw
    return b"".join([*kept, raw[begin:]])


def _integer(digits: str) -> int:
    if len(digits) > LONGEST:
        return -LARGEST if digits.startswith("-") else LARGEST
    return max(-LARGEST, min(LARGEST, int(digits)))


def _number(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else math.copysign(LARGEST, number)
