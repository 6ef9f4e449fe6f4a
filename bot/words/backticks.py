"""Code within a line: a run of backticks begins it, and the next run of as many ends it. It is found in one pass."""

import re

_RUN = re.compile("`+")


def without_code(line: str) -> str:
    """The line, as long as it is, with nothing but backticks where code stands."""
    runs = [found.span() for found in _RUN.finditer(line)]
    ends = _ends(runs)
    pieces: list[str] = []
    number = at = 0
    while number < len(runs):
        end = ends[number]
        if end is not None:
            start, stop = runs[number][0], runs[end][1]
            pieces += [line[at:start], "`" * (stop - start)]
            at, number = stop, end
        number += 1
    return "".join([*pieces, line[at:]])


def _ends(runs: list[tuple[int, int]]) -> list[int | None]:
    """Which run ends the code that each would begin."""
    ends: list[int | None] = []
    later: dict[int, int] = {}
    for number, (start, stop) in reversed([*enumerate(runs)]):
        ends.append(later.get(stop - start))
        later[stop - start] = number
    return ends[::-1]
