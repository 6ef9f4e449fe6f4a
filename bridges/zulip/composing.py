"""A post as Zulip's Markdown, in as many messages as it takes. Nothing of it is ever left to the server to cut."""

from collections.abc import Sequence
from urllib.parse import quote

from bot.words import pages
from bot.words.document import Document, Span, Text
from bot.words.zulip import to_zulip
from bridges.zulip.places import Topic

NO_ROOM = Document((Text((Span("The rest does not fit into one message."),)),))
NOTHING = "(nothing)"


def compose(document: Document, head: str, longest: int, links: Sequence[str] = ()) -> list[str]:
    """The messages: `head` stands before the first one, links behind the last."""
    front = _front(head)
    bound = _bound(front, longest)
    contents: list[str] = []
    rest: Document | None = document
    while rest is not None:
        page, rest = pages.split(rest, bound)
        contents.append(to_zulip(page))
    contents[0] = front + contents[0]
    contents[-1:] = _followed(contents[-1], links, longest)
    return [each for each in contents if each.strip()] or [NOTHING]


def compose_one(document: Document, head: str, longest: int, links: Sequence[str] = ()) -> str:
    """One message alone. What does not fit is said not to."""
    front = _front(head)
    page, rest = pages.split(document, _bound(front, longest))
    whole = _followed(front + to_zulip(page), links, longest)
    if rest is None and len(whole) == 1:
        return whole[0] if whole[0].strip() else NOTHING
    told = "\n".join([to_zulip(NO_ROOM), *links])
    if len(told) > longest // 2:
        told = to_zulip(NO_ROOM)
    page, _ = pages.split(document, _bound(front, longest - len(told) - 2))
    return f"{front}{to_zulip(page)}\n\n{told}".lstrip("\n")


def _front(head: str) -> str:
    return f"{head}\n" if head else ""


def _bound(front: str, longest: int) -> pages.Bound:
    return pages.Bound(longest, longest - len(front), to_zulip)


def _followed(content: str, links: Sequence[str], longest: int) -> list[str]:
    """A message with the links below it, and those for which it has no room as messages of their own."""
    contents = [content]
    for line in links:
        longer = f"{contents[-1]}\n{line}".lstrip("\n")
        if len(longer) <= longest:
            contents[-1] = longer
        else:
            contents.append(line)
    return contents


def answering(writer: str, target: Topic, message_id: int) -> str:
    """To whom this is the answer. It calls nobody: a mention would ring at every answer."""
    return (
        f"@_**|{writer}** [said]({link(target, message_id)}):" if writer else f"[To this]({link(target, message_id)}):"
    )


def going_on(target: Topic | None, message_id: int | None) -> str:
    """That this takes the place of a message that cannot be edited any more."""
    told = "This takes the place of an earlier message"
    return f"{told}:" if target is None or message_id is None else f"[{told}]({link(target, message_id)}):"


def link(target: Topic, message_id: int) -> str:
    """Where a message is, for people of this server."""
    topic = quote(target.name, safe="").replace(".", "%2E").replace("%", ".")
    return f"#narrow/stream/{target.channel}/topic/{topic}/near/{message_id}"
