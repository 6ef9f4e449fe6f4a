"""A handler's signature is its command's grammar and its help."""

import datetime as dt
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.desk import grammar
from bot.desk.kinds import Between, ComponentName, Longest, PersonName
from bot.desk.signature import Bound, Signature
from bot.desk.split import LONGEST_LINE
from bot.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Town:
    """The names there are just now."""

    def components(self) -> tuple[str, ...]:
        return ("walker", "swarm-1")

    def groups(self) -> tuple[str, ...]:
        return ("legs",)

    def people(self) -> tuple[str, ...]:
        return ("carol", "Ann Lee", 'the "boss" x', "a=b")


class Call:
    """Who asks. No word fills it."""


class Gait(enum.Enum):
    WALK = "walk"
    SLOW_TROT = 2


TOWN = Town()


async def run_sim(
    call: Call, simulation: ComponentName, /, *, bots: int = 1000, dry: bool = False, **parameters: str
) -> None: ...


async def feed(call: Call, whom: str, what: str = "hay", *, loud: bool = True) -> None: ...


async def say(call: Call, *words: str) -> None: ...


async def tell(call: Call, *words: str, **more: str) -> None: ...


async def by_place(call: Call, name: ComponentName, /) -> None: ...


async def nothing(_: Call) -> None: ...


async def walk(
    call: Call,
    gait: Gait,
    lamp: Literal["red", "green"],
    /,
    really: bool,
    at: dt.time | None = None,
    *legs: int,
    who: PersonName,
    share: Annotated[float, Between(0, 1)] = 0.2,
    pause: Annotated[dt.timedelta, Between(dt.timedelta(seconds=1), dt.timedelta(hours=2))] = dt.timedelta(minutes=90),
    until: dt.datetime | None = None,
    with_others: tuple[ComponentName, ...] = (),
    note: Annotated[str, Longest(20)] = "",
    dry_run: bool | None = None,
) -> None: ...


async def odd(call: Call, a: str = "", /, b: bool = False, c: str = "", *, _d: int = 0, **more: list[str]) -> None: ...


RUN = Signature.of("run-sim", run_sim)
FEED = Signature.of("feed", feed)
SAY = Signature.of("say", say)
WALK = Signature.of("walk", walk)
TELL = Signature.of("tell", tell)
BY_PLACE = Signature.of("by-place", by_place)
ODD = Signature.of("odd", odd)


def bound(signature: Signature, rest: str) -> tuple[tuple[object, ...], dict[str, object]]:
    found = signature.bind(rest, TOWN)
    return found.args, dict(found.kwargs)


def refusal(signature: Signature, rest: str) -> str:
    with pytest.raises(UsageError) as wrong:
        signature.bind(rest, TOWN)
    assert wrong.value.hint == f"Usage: {signature.usage}"
    return wrong.value.what


def test_usage_is_one_short_line() -> None:
    assert RUN.usage == "!run-sim <simulation> [bots=1000] [--dry] [key=value …]"
    assert FEED.usage == "!feed <whom> [what] [--no-loud]"
    assert SAY.usage == "!say [words …]"
    assert Signature.of("nothing", nothing).usage == "!nothing"
    assert WALK.usage == (
        "!walk <gait:walk|slow-trot> <lamp:red|green> <really:yes|no> [at] [legs …] who=<person> [share=0.2] "
        "[pause=1h30m] [until=<date-and-time>] [with-others=<component,…>] [note=<text>] [--dry-run]"
    )


def test_usage_shows_lists_and_no_long_default() -> None:
    async def sort(
        call: Call, names: list[str], *, how: str = "x" * 50, sure: bool, by: str = "the name", gait: Gait = Gait.WALK
    ) -> None: ...

    assert Signature.of("sort", sort).usage == (
        '!sort <names,…> [how=<text>] sure=<yes|no> [by="the name"] [gait=walk]'
    )


@pytest.mark.parametrize(
    ("signature", "rest", "args", "kwargs"),
    [
        (RUN, "swarm-1", ("swarm-1",), {}),
        (RUN, "swarm-1 bots=1e6", ("swarm-1",), {"bots": 1_000_000}),
        (RUN, "--bots 1e6 swarm-1", ("swarm-1",), {"bots": 1_000_000}),
        (RUN, "--bots=1e6 swarm-1", ("swarm-1",), {"bots": 1_000_000}),
        (RUN, "--bots -3 swarm-1", ("swarm-1",), {"bots": -3}),
        (RUN, "swarm-1 --dry", ("swarm-1",), {"dry": True}),
        (RUN, "swarm-1 –dry", ("swarm-1",), {"dry": True}),
        (RUN, "swarm-1 —no-dry", ("swarm-1",), {"dry": False}),
        (RUN, "--dry swarm-1", ("swarm-1",), {"dry": True}),
        (RUN, "swarm-1 dry=off", ("swarm-1",), {"dry": False}),
        (RUN, "swarm-1 --dry=yes", ("swarm-1",), {"dry": True}),
        (
            RUN,
            "swarm-1 speed=“very fast” max-speed=3 --mood good",
            ("swarm-1",),
            {"speed": "very fast", "max_speed": "3", "mood": "good"},
        ),
        (RUN, "swarm-1 simulation=x call=y self=z", ("swarm-1",), {"simulation": "x", "call": "y", "self": "z"}),
        (RUN, "swarm-1 a==b=c", ("swarm-1",), {"a": "=b=c"}),
        (RUN, "swarm-1 --a '--b'", ("swarm-1",), {"a": "--b"}),
        (RUN, "-- swarm-1", ("swarm-1",), {}),
        (FEED, "horse", ("horse",), {}),
        (FEED, "horse oats", ("horse", "oats"), {}),
        (FEED, "what=oats horse", ("horse", "oats"), {}),
        (FEED, "what=oats whom=horse --no-loud", ("horse", "oats"), {"loud": False}),
        (FEED, "what= horse", ("horse", ""), {}),
        (FEED, "'what=oats' -3", ("what=oats", "-3"), {}),
        (FEED, "-- what=oats --no-loud", ("what=oats", "--no-loud"), {}),
        (FEED, "1=2 http://x/?a=b", ("1=2", "http://x/?a=b"), {}),
        (FEED, "— –3", ("—", "–3"), {}),
        (SAY, "don't 'stop me' -- now -- or", ("don't", "stop me", "now", "--", "or"), {}),
        (SAY, "", (), {}),
        (
            SAY,
            "why run-sim swarm a=b --dry —x --3 -- --",
            ("why", "run-sim", "swarm", "a=b", "--dry", "—x", "--3", "--"),
            {},
        ),
        (ODD, "c=x", (), {"c": "x"}),
        (ODD, "--b", (), {"b": True}),
        (ODD, "x c=y", ("x",), {"c": "y"}),
        (ODD, "x --c y b=no", ("x", False, "y"), {}),
        (ODD, "-d=1", ("-d=1",), {}),
        (ODD, "--_d 1 e=1,2", (), {"_d": 1, "e": ["1", "2"]}),
        (
            WALK,
            "slow-trot RED yes 9:05 1 2k -3 who='ann lee' pause=90s with-others=Walker,swarm-1 --no-dry-run",
            (Gait.SLOW_TROT, "red", True, dt.time(9, 5), 1, 2000, -3),
            {
                "who": "Ann Lee",
                "pause": dt.timedelta(seconds=90),
                "with_others": ("walker", "swarm-1"),
                "dry_run": False,
            },
        ),
    ],
)
def test_words_go_where_they_belong(
    signature: Signature, rest: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    assert bound(signature, rest) == (args, kwargs)


@pytest.mark.parametrize(
    ("signature", "rest", "what"),
    [
        (FEED, "", "'whom' is missing."),
        (FEED, "what=oats", "'whom' is missing."),
        (FEED, "horse oats now", "'now' is one word too many."),
        (FEED, "horse oats what=hay", "'what' is given twice: 'oats' stands in its place."),
        (FEED, "whom=horse oats", "'whom' is given twice: 'oats' stands in its place."),
        (FEED, "horse what=a what=b", "'what' is given twice."),
        (FEED, "horse --loud --no-loud", "'no-loud' is given twice."),
        (FEED, "horse wat=oats", "'wat=oats' is not known here. Did you mean what=…?"),
        (FEED, "horse What=oats", "'What=oats' is not known here. Did you mean what=…?"),
        (FEED, "horse --lodu", "'--lodu' is not known here. Did you mean --loud?"),
        (FEED, "horse --no-lodu", "'--no-lodu' is not known here. Did you mean --no-loud?"),
        (FEED, "horse hue=red", "'hue=red' is not known here: put quotes around it if it is a word."),
        (FEED, "horse --no-loud=yes", "'--no-loud=yes' takes no value: leave out what begins with =."),
        (FEED, "horse no-loud=yes", "'no-loud=yes' is not known here. Did you mean loud=…?"),
        (FEED, "horse --loud=very", "loud: 'very' is neither yes nor no."),
        (FEED, "--what", "'--what' needs a value, such as --what=…."),
        (FEED, "--what --loud", "'--what' needs a value, such as --what=…."),
        (FEED, "--what —loud", "'--what' needs a value, such as --what=…."),
        (FEED, "horse --3", "'--3' is no option: put quotes around it if it is a word."),
        (
            FEED,
            "horse 'oats",
            "''oats' opens a quotation that does not end: close it at the end of a word, or leave the mark out.",
        ),
        (RUN, "simulation=swarm-1", "'simulation' is missing: type it without a key."),
        (RUN, "swrm-1", "simulation: 'swrm-1' is no component. Did you mean 'swarm-1'?"),
        (RUN, "walker bots=x", "bots: 'x' is not a whole number, such as 1000, 100k or 1e6."),
        (RUN, "walker a-b=1 a_b=2", "'a_b' is given twice."),
        (RUN, f"walker {'k' * 65}=1", f"'{'k' * 63}…' is too long for a key: at most 64 characters."),
        (
            SAY,
            "'open",
            "''open' opens a quotation that does not end: close it at the end of a word, or leave the mark out.",
        ),
        (BY_PLACE, "name=walker", "'name=walker': name has its place, and is typed without a key."),
        (WALK, "gait=walk", "'gait=walk': gait has its place, and is typed without a key."),
        (WALK, "walk red yes", "'who' is missing: add who=…."),
        (WALK, "walk red yes noon who=carol", "at: 'noon' is not a time of day, such as 14:30 or 14:30:05."),
        (WALK, "walk red yes 9:00 x who=carol", "legs: 'x' is not a whole number, such as 1000, 100k or 1e6."),
        (TELL, "call=1", "'call' cannot be a key here."),
        (ODD, "e=,", "e: ',' has an empty entry: put one comma between two entries, such as a,b,c."),
        (ODD, "-d 1 2 3", "'3' is one word too many."),
    ],
)
def test_what_does_not_fit_is_told_with_the_usage(signature: Signature, rest: str, what: str) -> None:
    assert refusal(signature, rest) == what


@pytest.mark.parametrize(
    ("signature", "rest", "text"),
    [
        (RUN, "  --no-dry bots=1k SWARM-1 b=2 a='x y' ", 'swarm-1 bots=1000 --no-dry a="x y" b=2'),
        (FEED, "what=oats horse", "horse what=oats"),
        (FEED, "horse oats", "horse what=oats"),
        (FEED, "-- a=b --c", '"a=b" what=--c'),
        (ODD, "x yes", "x --b"),
        (SAY, "a  'b c' “--d”", 'a "b c" "--d"'),
        (
            WALK,
            "slow_trot GREEN on --at 9:05 who=carol share=50% pause=60m until='2026-11-21 14:30+00:00' --dry-run",
            "slow-trot green yes at=09:05 who=carol share=0.5 pause=1h until=2026-11-21T14:30Z --dry-run",
        ),
        (WALK, "walk red no 9:05 7 who=a=b", "walk red no 09:05 7 who=a=b"),
    ],
)
def test_the_same_arguments_give_the_same_line(signature: Signature, rest: str, text: str) -> None:
    assert signature.bind(rest, TOWN).text == text
    assert signature.bind(text, TOWN) == signature.bind(rest, TOWN)


def test_what_was_left_out_is_left_to_the_handler() -> None:
    assert RUN.bind("walker", TOWN) == Bound(("walker",), {}, "walker", "walker")


@pytest.mark.parametrize(
    ("signature", "handler", "rest"),
    [
        (RUN, run_sim, "walker call=a simulation=b x=1"),
        (FEED, feed, "horse --loud"),
        (TELL, tell, "a b words=c more=d"),
        (ODD, odd, "c=x e=1"),
        (WALK, walk, "walk red yes 9:05 1 2 who=carol"),
    ],
)
async def test_a_handler_can_be_called_with_what_is_bound(
    signature: Signature, handler: Callable[..., Awaitable[None]], rest: str
) -> None:
    found = signature.bind(rest, TOWN)
    await handler(Call(), *found.args, **found.kwargs)


def test_what_would_not_fit_when_it_is_written_out_is_refused() -> None:
    async def add(call: Call, *numbers: list[int]) -> None: ...

    many = " ".join([",".join(["1e18"] * 100)] * 100)
    assert len(many) < LONGEST_LINE
    assert "too long: written out" in refusal(Signature.of("add", add), many)


def test_names_are_those_of_the_moment() -> None:
    class Grown(Town):
        def components(self) -> tuple[str, ...]:
            return ("newcomer",)

    assert RUN.bind("newcomer", Grown()).args == ("newcomer",)
    assert refusal(RUN, "newcomer").startswith("simulation: 'newcomer' is no component.")


async def no_call() -> None: ...
async def call_by_key(*, call: Call) -> None: ...
async def call_among_words(*call: str) -> None: ...
async def unknown(call: Call, x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the mistake
async def no_kind(call: Call, x: bytes) -> None: ...
async def no_kind_of_rest(call: Call, *x: bytes) -> None: ...
async def wrong_default(call: Call, x: int = "1") -> None: ...  # type: ignore[assignment] - the mistake
async def two_meanings(call: Call, *, dry: bool, no_dry: bool) -> None: ...
async def no_key(call: Call, *, été: int) -> None: ...  # noqa: PLC2401 - the mistake
async def fine_key(call: Call, *, größe: int) -> None: ...  # noqa: PLC2401 - others may have it


def unannotated() -> Callable[..., object]:
    async def made(call: Call, x: int) -> None: ...

    del made.__annotations__["x"]
    return made


WRONG: list[tuple[Any, str]] = [
    (no_call, "'x' has a handler without a usable signature"),
    (call_by_key, "first parameter does not take the call"),
    (call_among_words, "first parameter does not take the call"),
    (unannotated(), "cannot fill its parameter 'x': it has no annotation"),
    (unknown, "'x' has a handler without a usable signature: name 'Nowhere' is not defined"),
    (no_kind, "cannot fill its parameter 'x': no word can fill <class 'bytes'>"),
    (no_kind_of_rest, "cannot fill its parameter 'x': no word can fill <class 'bytes'>"),
    (wrong_default, "its default '1' is of another type"),
    (two_meanings, "'no_dry' twice"),
    (no_key, "'été': nobody can type that name as a key"),
    (print, "'x' has a handler"),
    (None, "'x' has a handler"),
]


@pytest.mark.parametrize(("handler", "what"), WRONG)
def test_a_handler_that_no_line_can_fill_is_the_author_s_error(handler: Any, what: str) -> None:
    with pytest.raises(TypeError, match="The command 'x'") as wrong:
        Signature.of("x", handler)
    assert what in str(wrong.value)


def test_a_key_may_have_letters_of_any_language_behind_its_first() -> None:
    assert Signature.of("x", fine_key).bind("größe=3", TOWN).kwargs == {"größe": 3}


GOOD = {
    RUN: ("walker", "SWARM-1", "bots=1e6", "--bots -3", "—dry", "--no-dry", "a='x y'", "a_b==", "--c “'”", "--", "''"),
    FEED: ("horse", "'a=b'", "what=-3", "whom=“it’s”", "--loud", "--no-loud", "—", "-", "\\", "don't", "--", '""'),
    SAY: ("a", "'b c'", "a=b", "--d", "—e", "--3", "“f=g”", "h=“i j”", "--", "''", "-", "k='\" '"),
    TELL: ("a", "'b c'", "“--d”", '"\' "', "e=f", "g=“h i”", "g-h='“'", "–j ‘k”l’", "--", "''", "no_x=", "-3", "1=2"),
    WALK: (
        "walk red yes who=carol",
        "9:05",
        "-3",
        "1.5k",
        "at=14:30:05",
        "share=5%",
        "pause=61m",
        "note=“it’s”",
        "until='2026-11-21 14:30+01:00'",
        "with-others=walker,SWARM-1",
        "--dry-run",
        "--no-dry-run",
        "really=no",
    ),
    ODD: ("x", "'x y'", "yes", "--b", "b=no", "c=z", "--_d=1", "e=1,2", "f='a b,c d'", "g-h=“',”", "--", "''"),
}  # fmt: skip - one line a command
SIGNATURES = pytest.mark.parametrize(
    ("signature", "good"), list(GOOD.items()), ids=[each.usage.split()[0] for each in GOOD]
)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0"])
messy = st.text() | st.text("ab=-–—\"'“”„‘’\\, 13kd\n\u00a0", max_size=40)


@SIGNATURES
def test_any_text_binds_or_is_refused_and_what_binds_binds_again(signature: Signature, good: tuple[str, ...]) -> None:
    some = st.lists(st.sampled_from(good), max_size=6, unique=True)
    likely = st.builds(str.join, SPACES, some)

    @given(likely | messy | st.builds("{} {}".format, likely, messy))
    @example(good[0])
    @example("x " * 5_000)
    @example("walker " + "'" * 60_000)
    @example("a" * 60_000)
    @example("k" * 30_000 + "=" + "v" * 30_000)
    @example("--" + "k" * 60_000)
    @example("\ud800 \x00 \u202e")
    def holds(rest: str) -> None:
        try:
            found = signature.bind(rest, TOWN)
        except UsageError as error:
            refused = error
        else:
            again = signature.bind(found.text, TOWN)
            assert again == found
            assert types(again) == types(found)
            assert not any(isinstance(value, str) and type(value) is not str for value in found.args)
            line = grammar.parse(f"!x {found.text}", addressed=False)
            assert line is not None
            assert signature.bind(line.rest, TOWN) == found
            return
        assert refused.hint == f"Usage: {signature.usage}"
        assert len(refused.what) < 400

    holds()


def types(found: Bound) -> list[type]:
    return [type(value) for value in (*found.args, *found.kwargs.values())]


sayable = st.text(st.characters(exclude_characters="“”", exclude_categories=("Cs",)), max_size=30)


@given(st.lists(sayable, max_size=5), sayable)
@example(["-3", "--dry", "a=b", "—x", "it’s", "'", "\" '", " ", ""], "‘d’ e –f")
def test_a_value_comes_through_its_quotes_as_it_was_said(words: list[str], value: str) -> None:
    found = TELL.bind(" ".join([*(f"“{word}”" for word in words), f"a=“{value}”"]), TOWN)
    assert (found.args, found.kwargs) == (tuple(words), {"a": value})
    assert TELL.bind(found.text, TOWN) == found
