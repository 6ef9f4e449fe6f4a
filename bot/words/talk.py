"""What people write, as the bot passes it on. Nothing in it is markup any more, but for what stands in fences."""

import re

from bot.words.document import Code, Document, Text, Tone, strong, text
from bot.words.glyphs import cut, one_line

LONGEST = 8_000
LONGEST_NAME = 80
MOST_LINES = 200
FENCE = re.compile(r"^[ ]{0,3}(```+|~~~+)[^`\n]*$")


def passed_on(who: str, network: str, said: str, *, is_proven: bool) -> Document:
    """Who said it, where, and the words. A name that nothing proves is marked so."""
    mark = "" if is_proven else ", unproven"
    head = (strong(cut(one_line(who), LONGEST_NAME), Tone.QUIET), f" ({network}{mark}): ")
    blocks = _blocks(cut(said, LONGEST))
    if blocks and isinstance(blocks[0], Text):
        return Document((text(*head, *blocks[0].spans), *blocks[1:]))
    return Document((text(*head), *blocks))


def _blocks(said: str) -> list[Text | Code]:
    """A paragraph for each line, and code where it stands between fences."""
    blocks: list[Text | Code] = []
    code: list[str] | None = None
    fence = ""
    for line in said.splitlines()[:MOST_LINES]:
        found = FENCE.match(line)
        if code is None and found:
            code, fence = [], found[1][:3]
        elif code is not None and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            blocks.append(Code("\n".join(code)))
            code = None
        elif code is not None:
            code.append(line)
        elif line.strip():
            blocks.append(text(one_line(line)))
    if code is not None:
        blocks.append(Code("\n".join(code)))
    return blocks
