"""Many signed notes in one file, a blank line after each. They are only ever added; half a note counts for nothing."""

import itertools

_BLANK = b"\n\n"
_SIGNATURE = "\N{EM DASH} ".encode()


def entry(note: bytes, end: bytes) -> bytes:
    """What is to be added for a note, where the file ends like this. What was torn there is closed off."""
    if not end or end.endswith(_BLANK):
        return note + b"\n"
    gap = b"\n" if end.endswith(b"\n") else _BLANK
    return gap + note + b"\n"


def notes_in(content: bytes) -> list[bytes]:
    """All whole notes, the oldest first. Nobody has looked at their signatures yet."""
    *closed, last = content.split(_BLANK)
    blocks = [block for each in closed if (block := each.strip(b"\n"))]
    if last.endswith(b"\n"):
        blocks.append(last.strip(b"\n"))
    return [
        text + _BLANK + below + b"\n"
        for text, below in itertools.pairwise(blocks)
        if below.startswith(_SIGNATURE) and not text.startswith(_SIGNATURE)
    ]
