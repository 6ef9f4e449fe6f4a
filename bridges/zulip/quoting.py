"""An answer in Zulip: a head that links what is answered, a quotation of it, and then what is said."""

import functools
import re

HEAD = re.compile(
    r"@_\*\*[^*\n]{1,300}\*\*[^\[\]\n]{0,60}"  # who said it; nobody is called by that
    r"\[[^\[\]\n]{1,60}\]\((?P<link>[^\s()]{1,2000})\)[^\[\]\n]{0,20}\n"  # "said", in the language of the app
    r"(?P<fence>`{3,}|~{3,})[ ]*quote[ ]*\r?\n"
)


def answered(text: str, site: str) -> tuple[int, str] | None:
    """The message that is answered, and what is said to it; nothing where a text is no answer."""
    head = HEAD.match(text)
    linked = _near(site).fullmatch(head["link"]) if head else None
    if head is None or linked is None:
        return None
    lines = text[head.end() :].split("\n")
    end = next((number for number, line in enumerate(lines) if line.rstrip() == head["fence"]), None)
    said = "" if end is None else "\n".join(lines[end + 1 :]).strip()
    return (int(linked[1]), said) if said else None


@functools.lru_cache(maxsize=8)
def _near(site: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{re.escape(site)}/|/)?#narrow/[^\s()]{{1,1800}}/near/([0-9]{{1,15}})")
