"""Whom a message names: what an app shows as a person is written so that others look up who it is, and calls nobody.

In the HTML a person is a link; in the plain words there is a name, a user id, or a link as somebody types one. Where in
the plain words a person stands is known only if both texts have the same words as often. Else they stay as they are.
"""

import dataclasses
import re
from collections.abc import Iterator
from urllib.parse import unquote

from bot.words.glyphs import cut, one_line
from bot.words.hiding import without_hidden
from bot.words.markup import LONGEST_CALLED, without_code

SITE = "matrix.to/#/"
LONGEST_ID = 255
"""Bytes, of any name in Matrix."""
MOST_NAMED = 50
"""People whom one message names. Each has the words looked through once more."""
_ADDRESS = re.compile(r"https://matrix\.to/#/(?P<user>(?:@|%40)[^/?#]+)/?(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"@[^\s*|:]+:[^\s*|]+")
_TYPED = re.compile(r"\[(?P<shown>[^\[\]\n]{1,300})\]\((?P<address>https://matrix\.to/#/[^()\s]{1,1000})\)")
_TARGET = re.compile(r"\]\([^()\s]{1,1000}\)")
_NO_NAME = str.maketrans(dict.fromkeys("*|`", " "))
"""What would end the mention, or begin something else within it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A person in a text: where their name begins and ends, and the user id."""

    start: int
    end: int
    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """The words that HTML shows, and whom they name."""

    text: str = ""
    people: tuple[Named, ...] = ()


def user_of(address: str) -> str:
    """The user to whom an address leads; empty where it leads to none."""
    found = _ADDRESS.fullmatch(address)
    user = unquote(found["user"]) if found else ""
    is_one = _USER.fullmatch(user) and user.isprintable() and len(user.encode()) <= LONGEST_ID
    return user if is_one else ""


def is_name(words: str) -> bool:
    """Whether a link with these words names somebody. What is longer says something, and is not replaced."""
    return 0 < len(words) <= LONGEST_CALLED and len(words.splitlines()) == 1


def mention(shown: str, user: str) -> str:
    """A person as every network's words have one: `@**Olga|@olga:example.org**`."""
    known_as = user if user_of(shown) == user else shown
    name = " ".join(one_line(known_as).translate(_NO_NAME).split()).lstrip("@ ") or user.lstrip("@")
    return f"@**{cut(name, LONGEST_CALLED)}|{user}**"


def with_mentions(said: str, shown: Shown) -> str:
    """Plain words with each person in them written so; empty where they name nobody."""
    if not shown.people and SITE not in said:
        return ""
    said = without_hidden(said)  # before there are more signs in it that could count
    seen = without_code(said)
    pieces: list[str] = []
    at = 0
    for start, end, who in sorted([*_typed(said, seen), *_placed(said, seen, shown)]):
        if start >= at:
            before = said[at:start].removesuffix("@")
            pieces += [before, who]
            at = end
    return "".join([*pieces, said[at:]]) if pieces else ""


def _typed(said: str, seen: str) -> Iterator[tuple[int, int, str]]:
    """Links to a person, as somebody types them."""
    for found in _TYPED.finditer(seen):
        if user := user_of(found["address"]):
            yield *found.span(), mention(said[slice(*found.span("shown"))], user)


def _placed(said: str, seen: str, shown: Shown) -> Iterator[tuple[int, int, str]]:
    """The people of the HTML, by their names or else by their ids."""
    people = dataclasses.replace(shown, people=shown.people[:MOST_NAMED])
    forms = (people, _by_id(people))
    texts = [_without_targets(form.text) for form in forms]
    bare = _without_targets(said)
    for number, one in enumerate(people.people):
        for form, text in zip(forms, texts, strict=True):
            there = form.people[number]
            name = form.text[there.start : there.end]
            start = _same_place(name, text, there.start, bare)
            end = start + len(name)
            if start >= 0 and said[start:end] == seen[start:end] == name:  # in code nobody is named
                yield start, end, mention(shown.text[one.start : one.end], one.user)
                break


def _by_id(shown: Shown) -> Shown:
    """The same with ids in the place of names."""
    pieces: list[str] = []
    people: list[Named] = []
    at = moved = 0
    for one in shown.people:
        pieces += [shown.text[at : one.start], one.user]
        start, at = one.start + moved, one.end
        people.append(Named(start, start + len(one.user), one.user))
        moved += len(one.user) - (one.end - one.start)
    return Shown("".join([*pieces, shown.text[at:]]), tuple(people))


def _same_place(name: str, text: str, at: int, said: str) -> int:
    """Where a name that stands in one text stands in other words, which have it as often; -1 where nobody can tell."""
    if not text.startswith(name, at) or text.count(name) != said.count(name):
        return -1
    before = said.split(name, text.count(name, 0, at) + 1)[:-1]
    return sum(map(len, before)) + len(name) * (len(before) - 1)


def _without_targets(text: str) -> str:
    """As long as it is, with blanks where links lead: an app that knows such links shows that nowhere."""
    return _TARGET.sub(lambda found: f"]{' ' * (len(found[0]) - 1)}", text)
