"""A command's signature is its grammar and its help."""

import dataclasses

import pytest

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Hit, Stakes, command
from bot.desk.grammar import Line
from bot.words.document import Document, document
from bot.words.errors import SettingsError, UsageError
from bot.words.people import Role


@command("feed", role=Role.OPERATOR, summary="Feed somebody", aliases=("give",))
async def feed(call: Call, whom: str, what: str = "hay") -> Document:
    return document(call.id, whom, what)


@command("nothing", role=Role.VIEWER, summary="Do nothing")
async def nothing(_: Call) -> Document:
    return document()


@command("feed well", role=Role.VIEWER, summary="Feed somebody well")
async def feed_well(_: Call, whom: str) -> Document:
    return document(whom)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a configuration asks of a command."""

    role: Role | None = None
    two_persons: bool = False


def found(catalogue: Catalogue, name: str, rest: str = "") -> tuple[str, str] | None:
    hit = catalogue.find(Line(name, rest))
    return None if hit is None else (hit[0].name, hit[1])


def test_usage_shows_what_is_needed_and_what_may_be_left_out() -> None:
    assert feed.usage.startswith("!feed <whom> [what")
    assert nothing.usage == "!nothing"


def test_a_command_reads_unless_it_says_otherwise() -> None:
    assert feed.action is Action.READ


def test_a_command_is_found_by_name_and_by_alias() -> None:
    catalogue = Catalogue((nothing, feed))
    assert [each.name for each in catalogue.commands] == ["feed", "nothing"]
    assert found(catalogue, "feed", "me") == found(catalogue, "give", "me") == ("feed", "me")
    assert found(catalogue, "Feed") is None
    assert set(catalogue.names()) == {"feed", "give", "nothing"}
    assert set(Catalogue((feed_well,)).names()) == {"feed", "feed well"}


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("well horse", ("feed well", "horse")),
        ("  Well   horse", ("feed well", "horse")),
        ("well\thorse  and\nhay", ("feed well", "horse  and\nhay")),
        ("well", ("feed well", "")),
        ("wellhorse", ("feed", "wellhorse")),
        ("horse well", ("feed", "horse well")),
    ],
)
def test_a_name_of_two_words_goes_before_one_of_one(rest: str, expected: tuple[str, str]) -> None:
    assert found(Catalogue((feed, feed_well)), "feed", rest) == expected


def test_the_commands_of_a_family_are_known_by_their_first_word() -> None:
    catalogue = Catalogue((nothing, feed_well))
    assert found(catalogue, "feed", "badly") is None
    assert [each.name for each in catalogue.family("feed")] == ["feed well"]
    assert catalogue.family("nothing") == ()


@pytest.mark.parametrize(("name", "aliases"), [("feed", ()), ("give", ()), ("new", ("feed",)), ("new", ("new",))])
def test_no_plug_in_takes_the_name_of_another_command(name: str, aliases: tuple[str, ...]) -> None:
    thief = dataclasses.replace(nothing, name=name, aliases=aliases)
    with pytest.raises(SettingsError, match="Two commands are called"):
        Catalogue((feed, thief))


def test_a_configuration_asks_for_more() -> None:
    catalogue = Catalogue((feed, nothing), {"feed": Wish(Role.COMMANDER, two_persons=True)})
    asked = catalogue.called("give")
    assert asked is not None
    assert (asked.role, asked.demand.two_persons) == (Role.COMMANDER, True)
    assert nothing.role is Role.VIEWER


def test_a_configuration_never_asks_for_less() -> None:
    with pytest.raises(SettingsError, match=r"commands\.feed\.role: a viewer is too little; it takes an operator"):
        Catalogue((feed,), {"feed": Wish(Role.VIEWER)})


def test_a_command_may_let_a_configuration_ask_for_less_than_it_does() -> None:
    stop = command("stop", role=Role.OPERATOR, floor=Role.VIEWER, action=Action.STOP, summary="Stop")(nothing.handler)
    lowered = Catalogue((stop,), {"stop": Wish(Role.VIEWER)}).called("stop")
    assert lowered is not None
    assert lowered.role is Role.VIEWER


def test_no_stop_ever_waits_for_a_second_person() -> None:
    stop = command("stop", role=Role.OPERATOR, action=Action.STOP, summary="Stop")(nothing.handler)
    with pytest.raises(SettingsError, match="stop never waits for a second person"):
        Catalogue((stop,), {"stop": Wish(two_persons=True)})


def test_all_that_a_configuration_asks_for_and_that_cannot_be_is_told_at_once() -> None:
    stop = command("stop", role=Role.OPERATOR, action=Action.STOP, summary="Stop")(nothing.handler)
    wishes = {"feed wel": Wish(), "stop": Wish(Role.VIEWER, two_persons=True), "nothing": Wish(Role.COMMANDER)}
    unmet = Catalogue((stop, feed_well, nothing)).unmet(wishes)
    assert [each.path for each in unmet] == [("feed wel",), ("stop", "role"), ("stop", "two_persons")]
    assert unmet[0].what.endswith('did you mean "feed well"?')


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("xyzzy", "There is no command 'xyzzy'. !help lists what there is."),
        ("!noting", "There is no command 'noting'. Did you mean !nothing?"),
        ("!fed well x", "There is no command 'fed'. Did you mean !feed well?"),
        ("feed", "'feed' alone says too little. There is: !feed well <whom>"),
        ("fed", "There is no command 'fed'. Did you mean !feed?"),
        ("/feed badly", "'feed' alone says too little. There is: !feed well <whom>"),
    ],
)
def test_who_asks_about_no_command_is_told_what_may_be_meant(typed: str, told: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Catalogue((nothing, feed_well)).meant(typed.split())
    assert str(wrong.value) == told


@pytest.mark.parametrize("typed", ["feed well", "!Feed Well x", "/feed well"])
def test_a_command_is_asked_about_as_it_is_typed(typed: str) -> None:
    assert Catalogue((nothing, feed_well)).meant(typed.split()) is feed_well


def test_what_one_may_not_give_is_not_what_one_is_told_to_mean() -> None:
    with pytest.raises(UsageError, match="!help lists") as wrong:
        Catalogue((nothing, feed_well)).meant(("fed", "well"), lambda each: each is nothing)
    assert "feed" not in wrong.value.hint


def test_a_stop_that_is_mistyped_means_the_stop_and_nothing_of_its_family() -> None:
    stop = command("stop", role=Role.VIEWER, action=Action.STOP, summary="Stop")(nothing.handler)
    bell = command("stop alarm", role=Role.VIEWER, summary="Quiet")(nothing.handler)
    assert Catalogue((stop, bell)).near(Line("stp", "alrm")) == "stop"


@pytest.mark.parametrize("name", ["Feed", "füttern", "1feed", "feed_all", "a b c", "feed  well", "", "-", "x" * 64])
def test_a_name_that_nobody_can_type_is_the_authors_mistake(name: str) -> None:
    with pytest.raises(TypeError, match="Nobody can type"):
        command(name, role=Role.VIEWER, summary="Feed")(nothing.handler)
    with pytest.raises(TypeError, match="Nobody can type"):
        command("feed", role=Role.VIEWER, summary="Feed", aliases=(name,))(nothing.handler)


def test_a_stop_by_two_is_the_authors_mistake() -> None:
    async def at_stake(_: Call) -> Stakes:
        return Stakes(())

    asked = command("stop", role=Role.VIEWER, action=Action.STOP, two_persons=True, preview=at_stake, summary="Stop")
    with pytest.raises(TypeError, match="never waits for a second person"):
        asked(nothing.handler)


def test_a_configuration_for_no_command_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"commands\.fead: there is no such command; did you mean feed\?"):
        Catalogue((feed,), {"fead": Wish(Role.COMMANDER)})


def test_what_takes_two_persons_says_what_is_at_stake() -> None:
    with pytest.raises(TypeError, match="say with `preview` what is at stake"):
        command("burn", role=Role.OPERATOR, two_persons=True, summary="Burn")

    async def at_stake(_: Call) -> Stakes:
        return Stakes((Hit("house", "stands"),))

    burn = command("burn", role=Role.OPERATOR, two_persons=True, preview=at_stake, summary="Burn")(nothing.handler)
    assert burn.demand.two_persons
