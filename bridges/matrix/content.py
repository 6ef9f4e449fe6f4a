"""What a post is on the wire: words with their HTML, files, and how it relates to what was said."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bot.words.document import MEDIA_TYPES, Block, Brought, Document, Picture
from bot.words.html import to_html
from bot.words.message import Post
from bot.words.plain import to_plain
from bridges.matrix.reading import ORIGIN, THREAD

ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}

Content = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What a post answers."""

    event: str | None
    """Nothing where it stands in a thread and answers nobody there."""
    thread: str | None
    """The event that the thread begins with."""


def words(document: Document) -> Content:
    """A document as text and as HTML. It calls nobody by name, whatever stands in it."""
    return {
        "msgtype": "m.notice",
        "body": to_plain(document),
        "format": "org.matrix.custom.html",
        "formatted_body": to_html(document),
        "m.mentions": {},
    }


def image(picture: Picture, there: Content) -> Content:
    """A picture that lies on the homeserver. The words for it are its caption."""
    return {
        "msgtype": "m.image",
        "body": picture.alt,
        "filename": f"picture.{ENDINGS[picture.media_type]}",
        "info": {
            "mimetype": picture.media_type,
            "w": picture.width,
            "h": picture.height,
            "size": len(picture.data),
        },
        **there,
        "m.mentions": {},
    }


def sent_along(brought: Brought, there: Content) -> Content:
    """Somebody's file that lies on the homeserver. It is shown as a picture only where it is one that runs nothing."""
    file = brought.file
    return {
        "msgtype": "m.image" if file.type in MEDIA_TYPES else "m.file",
        "body": file.name,
        "filename": file.name,
        "info": {"mimetype": file.type, "size": len(brought.content)},
        **there,
        **ORIGIN,
        "m.mentions": {},
    }


def edited(content: Content, event: str) -> Content:
    """The same in the place of what was said before. Clients that know no edits show it with a star."""
    return {
        **content,
        "body": f"* {content['body']}",
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    }


def answering(content: Content, question: Question) -> Content:
    """The same as an answer, or in a thread. Apps that know no threads show what stands in one as an answer."""
    reply: dict[str, Any] = {"m.in_reply_to": {"event_id": question.event or question.thread}}
    if question.thread is not None:
        reply |= {"rel_type": THREAD, "event_id": question.thread, "is_falling_back": question.event is None}
    return {**content, "m.relates_to": reply}


def split(post: Post) -> tuple[tuple[Block, ...], tuple[Picture | Brought, ...]]:
    """The words of a post, and the files that are sent beside them."""
    blocks = post.document.blocks
    files = tuple(block for block in blocks if isinstance(block, Picture | Brought))
    return tuple(block for block in blocks if not isinstance(block, Picture | Brought)), files
