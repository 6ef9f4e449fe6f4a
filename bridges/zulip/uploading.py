"""Pictures and files of a post: put on the server, and linked behind the words. One that is refused keeps none back."""

import hashlib
import re
from urllib.parse import unquote

import structlog

from bot.words.document import Block, Brought, Document, Picture, text
from bot.words.glyphs import cut, one_line
from bot.words.message import Lane, Post
from bot.words.zulip import to_zulip
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined, OddAnswer

LONGEST_NAME = 80
KEPT = 500
_BRACKETS = str.maketrans("[]()", "\u27e6\u27e7\u207d\u207e")
"""A bracket in the name of a link would end it."""
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x1f\x7f\"\\]")

log = structlog.get_logger(__name__)


class Uploads:
    """What one account has put there lately. The same file is not put there again where its words are edited."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, str] = {}

    async def ready(self, post: Post, *, with_pictures: bool) -> tuple[Document, list[str]]:
        """What there is to say in words, and the links that belong behind it."""
        blocks: list[Block] = []
        links: list[str] = []
        pictures = 0
        for block in post.document.blocks:
            link: str | None = None
            match block:
                case Picture():
                    pictures += 1
                    if with_pictures:
                        name = f"picture-{pictures}.{block.media_type.removeprefix('image/')}"
                        link = await self._put(f"picture {pictures}", name, block.data, post.lane)
                    blocks.append(block)
                case Brought(file, content):
                    link = await self._put_once(file.name, content, post.lane)
                    blocks += [] if link else [text(f"(The file {file.name} is not taken here.)")]
                case _:
                    blocks.append(block)
            links += [link] if link else []
        return Document(tuple(blocks)), links

    async def _put_once(self, name: str, content: bytes, lane: Lane) -> str | None:
        known_by = f"{hashlib.sha256(content).hexdigest()} {name}"
        link = self._known.get(known_by) or await self._put(name, name, content, lane)
        if link is not None:
            self._known[known_by] = link
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return link

    async def _put(self, shown: str, name: str, content: bytes, lane: Lane) -> str | None:
        try:
            address = await self._api.upload(_NOT_IN_A_HEADER.sub("-", one_line(name)) or "file", content, lane)
        except (Declined, OddAnswer) as error:
            log.warning("a file stays behind", bytes=len(content), error=error.what)
            return None
        return f"[{link_text(shown)}]({address})"


def link_text(name: str) -> str:
    """A name that ends no link, calls nobody, and is no other markup."""
    plain = cut(one_line(unquote(name)).translate(_BRACKETS), LONGEST_NAME).strip() or "file"
    return to_zulip(Document((text(plain),)))
