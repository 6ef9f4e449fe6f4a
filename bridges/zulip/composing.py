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
    front = f"{head}\n" if head else ""
    bound = pages.Bound(longest, longest - len(front), to_zulip)
    contents: list[str] = []
    rest: Document | None = document
    while rest is not None:
        page, rest = pages.split(rest, bound)
        contents.append(to_zulip(page))
    contents[0] = front + contents[0]
    for line in links:
        longer = f"{contents[-1]}\n{line}".lstrip("\n")
        if len(longer) <= longest:
            contents[-1] = longer
        else:
            contents.append(line)
    return [each for each in contents if each.strip()] or [NOTHING]


def compose_one(document: Document, head: str, longest: int, links: Sequence[str] = ()) -> str:
    """One message that takes the place of another. What does not fit is said not to."""
    whole = compose(document, head, longest, links)
    if len(whole) == 1:
        return whole[0]
    told = "\n".join([to_zulip(NO_ROOM), *links])
    if len(told) > longest // 2:
        told = to_zulip(NO_ROOM)
    return f"{compose(document, head, longest - len(told) - 2)[0]}\n\n{told}"


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
