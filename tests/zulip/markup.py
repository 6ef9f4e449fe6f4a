"""Zulip's markup, as far as a bridge looks at it: paragraphs, fences, quotes, emphasis, links, mentions, emoji, times.

Lists, headings and tables are shown as plain paragraphs.
"""

import re
from dataclasses import dataclass, field

from tests.zulip import inline
from tests.zulip.realm import Realm

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})[ ]*(?P<word>[\w+-]*)[ ]*(?P<rest>[^`]*)$")


@dataclass
class Rendered:
    """The HTML, and whom the text calls."""

    html: str = ""
    people: set[int] = field(default_factory=set[int])
    everybody: bool = False
    everybody_in_topic: bool = False


def render(realm: Realm, url: str, text: str) -> Rendered:
    found = Rendered()
    found.html = _blocks(realm, url, text.expandtabs(4).split("\n"), found, silent=False)
    return found


def _blocks(realm: Realm, url: str, lines: list[str], found: Rendered, *, silent: bool) -> str:
    blocks: list[str] = []
    paragraph: list[str] = []

    def end_paragraph() -> None:
        if paragraph:
            reader = inline.Reader(realm, url, found.people, silent=silent)
            lines_as_html = [reader.read(line) for line in paragraph]
            blocks.append("<p>" + "<br>\n".join(lines_as_html) + "</p>" + "".join(reader.previews))
            found.everybody |= reader.everybody
            found.everybody_in_topic |= reader.everybody_in_topic
            paragraph.clear()

    rest = list(lines)
    while rest:
        line = rest.pop(0)
        fence = _FENCE.match(line)
        if fence:
            end_paragraph()
            inside = _until(rest, fence["fence"])
            blocks.append(_fenced(realm, url, fence, inside, found, silent=silent))
        elif line.startswith(">"):
            end_paragraph()
            quoted = [line, *_while_quoted(rest)]
            inner = [re.sub(r"^> ?", "", each) for each in quoted]
            blocks.append(f"<blockquote>\n{_blocks(realm, url, inner, found, silent=True)}\n</blockquote>")
        elif line.startswith("    ") and not paragraph:
            inside = [line[4:], *_while_indented(rest)]
            blocks.append(_code(inside))
        elif re.fullmatch(r"-{3,}", line):
            end_paragraph()
            blocks.append("<hr>")
        elif line.strip():
            paragraph.append(line.rstrip() if paragraph else line.strip())
        else:
            end_paragraph()
    end_paragraph()
    return "\n".join(blocks)


def _until(rest: list[str], fence: str) -> list[str]:
    inside: list[str] = []
    while rest:
        line = rest.pop(0)
        if line.rstrip() == fence:
            break
        inside.append(line)
    return inside


def _while_quoted(rest: list[str]) -> list[str]:
    quoted: list[str] = []
    while rest and rest[0].strip() and not _FENCE.match(rest[0]):
        quoted.append(rest.pop(0))
    return quoted


def _while_indented(rest: list[str]) -> list[str]:
    inside: list[str] = []
    while rest and rest[0].startswith("    "):
        inside.append(rest.pop(0)[4:])
    return inside


def _code(lines: list[str], language: str = "") -> str:
    known = f' data-code-language="{language.capitalize()}"' if language else ""
    text = inline.escaped("\n".join(lines))
    return f'<div class="codehilite"{known}><pre><span></span><code>{text}\n</code></pre></div>'


def _fenced(realm: Realm, url: str, fence: re.Match[str], inside: list[str], found: Rendered, *, silent: bool) -> str:
    if fence["word"] == "quote":
        return f"<blockquote>\n{_blocks(realm, url, inside, found, silent=True)}\n</blockquote>"
    if fence["word"] == "spoiler":
        head = _blocks(realm, url, [fence["rest"]], found, silent=silent)
        hidden = _blocks(realm, url, inside, found, silent=silent)
        header = f'<div class="spoiler-header">\n{head}\n</div>' if head else '<div class="spoiler-header">\n</div>'
        content = f'<div class="spoiler-content" aria-hidden="true">\n{hidden}\n</div>'
        return f'<div class="spoiler-block">{header}{content}</div>'
    if fence["word"] == "math":
        return f'<p><span class="tex-error">{inline.escaped(chr(10).join(inside))}</span></p>'
    return _code(inside, fence["word"])
