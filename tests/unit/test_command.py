"""A command's signature is its grammar and its help."""

import pytest

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command, command
from bot.words.document import Document, document
from bot.words.errors import SettingsError, UsageError
from bot.words.people import Role


@command("feed", role=Role.OPERATOR, summary="Feed somebody", aliases=("give",))
async def feed(call: Call, whom: str, what: str = "hay") -> Document:
    return document(call.id, whom, what)


@command("nothing", role=Role.VIEWER, summary="Do nothing")
async def nothing(_: Call) -> Document:
    return document()


def test_usage_shows_what_is_needed_and_what_may_be_left_out() -> None:
    assert feed.usage == "!feed <whom> [what]"
    assert nothing.usage == "!nothing"


def test_words_go_where_they_belong() -> None:
    assert feed.bind(["horse"]) == {"whom": "horse"}
    assert feed.bind(["horse", "oats"]) == {"whom": "horse", "what": "oats"}
    assert nothing.bind([]) == {}


def test_a_missing_word_is_named() -> None:
    with pytest.raises(UsageError, match="'whom' is missing") as wrong:
        feed.bind([])
    assert wrong.value.hint == "Usage: !feed <whom> [what]"


def test_a_word_too_many_is_named_and_cut_short() -> None:
    with pytest.raises(UsageError, match="'now' is one word too many"):
        feed.bind(["horse", "oats", "now"])
    with pytest.raises(UsageError) as wrong:
        nothing.bind(["x" * 100_000])
    assert len(str(wrong.value)) < 200


def test_a_command_reads_unless_it_says_otherwise() -> None:
    assert feed.action is Action.READ


def test_a_command_is_found_by_name_and_by_alias() -> None:
    catalogue = Catalogue((nothing, feed))
    assert [each.name for each in catalogue.commands] == ["feed", "nothing"]
    assert catalogue.find("feed") is catalogue.find("give") is feed
    assert catalogue.find("Feed") is None
    assert set(catalogue.names()) == {"feed", "give", "nothing"}


@pytest.mark.parametrize(("name", "aliases"), [("feed", ()), ("give", ()), ("new", ("feed",)), ("new", ("new",))])
def test_no_plug_in_takes_the_name_of_another_command(name: str, aliases: tuple[str, ...]) -> None:
    thief = Command(name, nothing.handler, Role.VIEWER, Action.READ, "Steal", aliases)
    with pytest.raises(SettingsError, match="Two commands are called"):
        Catalogue((feed, thief))
