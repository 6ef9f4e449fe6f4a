"""Characters as a screen takes them: made harmless, measured in cells, folded to a width.

Every renderer sends each word through `one_line` or `lines` first. None may show a word that did not go through them.
"""

import functools
import re
import unicodedata

_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_SPACE = re.compile("\r\n|[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]")
_FOUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]")
"""Control characters command a terminal, overrides turn the words around them, halves of a pair break the encoder."""
_UNSEEN = re.compile("[\xad\u061c\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f\ufeff\U000e0000-\U000e007f]")
"""What nobody sees: two ids that differ in it look the same. Joiners stay, because scripts and emoji need them."""
_SHOWN = "\ufffd"
_JOINER = "\u200d"
_ELLIPSIS = "…"
LONGEST_SIGN = 16
"""A letter with its marks, or one emoji out of several. What is longer is not kept whole."""
LONGEST_QUOTED = 64
"""So much of somebody's word is repeated in an answer."""
TAB = 4


_FILLING = re.compile("[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters and marks by their class, and nothing to the eye."""


def hides_something(text: str) -> bool:
    """Whether it holds what nobody sees: joiners and fillers too, which may stand where words are only shown."""
    return any(unicodedata.category(each)[0] == "C" for each in text) or _FILLING.search(text) is not None


def one_line(text: str) -> str:
    """The words on one line. What would command, turn or hide something is gone, or shown as a mark."""
    if text.isprintable():  # most words are, and none of what is looked for below is
        return text
    return _UNSEEN.sub("", _FOUL.sub(_SHOWN, _SPACE.sub(" ", text)))


def lines(text: str) -> list[str]:
    """The same for words whose lines and tabs count."""
    whole = _LINE_END.sub("\n", text)
    return [_UNSEEN.sub("", _FOUL.sub(_SHOWN, line.expandtabs(TAB))) for line in whole.split("\n")]


def cut(text: str, most: int) -> str:
    """At most so many characters, the mark for what is gone among them. Cut after a word where that can be."""
    if len(text) <= most:
        return text
    fit = max(0, most - len(_ELLIPSIS))
    blank = text.rfind(" ", fit // 2, fit + 1)
    return text[: seam(text, fit if blank < 0 else blank)].rstrip() + _ELLIPSIS


def quoted(text: str) -> str:
    """Somebody's words as an answer repeats them: on one line, harmless, short, in quotes."""
    return f"'{cut(' '.join(one_line(text).split()), LONGEST_QUOTED)}'"


def seam(text: str, wished: int) -> int:
    """Where to cut so that no sign is torn: at so many characters or a few before. As wished where all is one sign."""
    for at in range(wished, max(0, wished - LONGEST_SIGN), -1):
        if not is_torn(text, at):
            return at
    return wished


def is_torn(text: str, at: int) -> bool:
    """Whether a cut before this character would part a sign: a letter from its mark, or one emoji out of several."""
    return 0 < at < len(text) and (width(text[at]) == 0 or text[at - 1] == _JOINER)


def width(text: str) -> int:
    """How many cells of a terminal it takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def pad(text: str, cells: int) -> str:
    """Filled up with blanks to so many cells."""
    return text + " " * (cells - width(text))


def fold(text: str, cells: int) -> list[str]:
    """Lines of at most so many cells, cut between words where they can be. A line holds one character at least."""
    folded: list[str] = []
    line, free = "", cells
    for piece in re.findall(r" +|[^ ]+", text):
        taken = width(piece)
        if taken <= free:
            line, free = line + piece, free - taken
            continue
        if line.strip(" "):
            folded.append(line.rstrip(" "))
        if piece[0] == " ":
            line, free = "", cells
            continue
        *full, line = _chop(piece, cells)
        folded += full
        free = cells - width(line)
    return [*folded, line.rstrip(" ")] if line.strip(" ") or not folded else folded


def _chop(word: str, cells: int) -> list[str]:
    """A word cut into pieces of at most so many cells; a mark stays with the letter that it is written on."""
    pieces = [""]
    free = cells
    for character in word:
        taken = _cells(character)
        if taken > free and pieces[-1]:
            pieces.append("")
            free = cells
        pieces[-1] += character
        free -= taken
    return pieces


@functools.lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
