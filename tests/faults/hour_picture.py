"""`!picture`: keeps a processor busy and posts what came of it. A command as a plug-in brings one, for tests alone.

python hour_picture.py SIDE    the picture goes to standard output
"""

import asyncio
import struct
import sys
import zlib
from typing import Annotated, Literal

from tocsin import Between, Call, Document, Role, command, document, picture, strong, text

MAY_TAKE_S = 60.0
MOST_TURNS = 250
FURTHEST = 4.0
WHERE = complex(-0.8, 0.156)
WIDE = 3.0


@command("picture", role=Role.VIEWER, may_take_s=MAY_TAKE_S, summary="Render a picture")
async def render(
    call: Call, how: Literal["thread", "process"] = "thread", side: Annotated[int, Between(16, 512)] = 320
) -> Document:
    """Render it beside the event loop: in a thread, which shares the interpreter with it, or in a process."""
    data = await (asyncio.to_thread(rendered, side) if how == "thread" else _in_a_process(side))
    words = text(strong("RENDERED"), f" in a {how}, for {call.person.name}: {len(data)} bytes.")
    return document(words, picture("a Julia set", "image/png", data, width=side, height=side))


async def _in_a_process(side: int) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(side), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        data, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return data


def rendered(side: int) -> bytes:
    """A square PNG, computed point by point."""
    lines = b"".join(b"\0" + bytes(_shade(x, y, side) for x in range(side)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pieces = _piece(b"IHDR", head) + _piece(b"IDAT", zlib.compress(lines)) + _piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def _shade(x: int, y: int, side: int) -> int:
    point = complex(x - side / 2, y - side / 2) * WIDE / side
    for turn in range(MOST_TURNS):
        if abs(point) > FURTHEST:
            return turn * 255 // MOST_TURNS
        point = point * point + WHERE
    return 255


def _piece(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    sys.stdout.buffer.write(rendered(int(sys.argv[1])))
