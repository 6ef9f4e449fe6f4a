"""What each kind of argument takes, what it refuses and in which words, and how its value is written again."""

import datetime as dt
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.desk.kinds import Between, ComponentName, Longest, PersonName, kind_of
from bot.words.errors import UsageError


@dataclass(frozen=True, slots=True)
class Town:
    """Names as a fleet and a configuration have them, and worse."""

    def components(self) -> tuple[str, ...]:
        return ("walker", "swarm-1", "swarm-2")

    def groups(self) -> tuple[str, ...]:
        return ("legs",)

    def people(self) -> tuple[str, ...]:
        return ("carol", "Olga", "Ann Lee", "o'brien", 'the "boss" x', "a,b", "ANNA", "Anna", "Groß", "-3")


class Gait(enum.Enum):
    WALK = "walk"
    SLOW_TROT = "slow trot"
    RUN = 3
    SPRINT = 3  # noqa: PIE796 - the same by another name


TOWN = Town()
UTC = dt.UTC
HOURS = (dt.timedelta(minutes=1), dt.timedelta(hours=2))


def read(annotation: Any, word: str) -> object:
    return kind_of(annotation).read(word, TOWN)


def refusal(annotation: Any, word: str) -> str:
    with pytest.raises(UsageError) as wrong:
        read(annotation, word)
    assert not wrong.value.hint  # the usage is added where it is known
    return wrong.value.what


@pytest.mark.parametrize(
    ("annotation", "word", "value"),
    [
        (str, "a=b", "a=b"),
        (int, "1000", 1000),
        (int, "-3", -3),
        (int, "+3", 3),
        (int, "007", 7),
        (int, "1_000", 1000),
        (int, "100k", 100_000),
        (int, "2M", 2_000_000),
        (int, "1e6", 1_000_000),
        (int, "1.5k", 1500),
        (int, ".5K", 500),
        (int, "1.50e1", 15),
        (int, "1e18", 10**18),
        (int, "-1000000000000000000", -(10**18)),
        (float, "0.5", 0.5),
        (float, "1", 1.0),
        (float, "-1.5", -1.5),
        (float, "20%", 0.2),
        (float, "7%", 0.07),
        (float, "2.3k", 2300.0),
        (float, "1e-3", 0.001),
        (float, "1_000.5", 1000.5),
        (bool, "yes", True),
        (bool, "ON", True),
        (bool, "1", True),
        (bool, "False", False),
        (bool, "off", False),
        (dt.timedelta, "90s", dt.timedelta(seconds=90)),
        (dt.timedelta, "2h", dt.timedelta(hours=2)),
        (dt.timedelta, "1h30m", dt.timedelta(minutes=90)),
        (dt.timedelta, "500ms", dt.timedelta(milliseconds=500)),
        (dt.timedelta, "3d", dt.timedelta(days=3)),
        (dt.timedelta, "1w1d1h1m1s1ms", dt.timedelta(8, 3661, milliseconds=1)),
        (dt.timedelta, "0s", dt.timedelta()),
        (dt.time, "14:30", dt.time(14, 30)),
        (dt.time, "9:05:07", dt.time(9, 5, 7)),
        (dt.datetime, "2026-11-21T14:30Z", dt.datetime(2026, 11, 21, 14, 30, tzinfo=UTC)),
        (dt.datetime, "2026-11-21 14:30:05+01:00", dt.datetime(2026, 11, 21, 13, 30, 5, tzinfo=UTC)),
        (dt.datetime, "2026-11-21T14:30:05.25-0530", dt.datetime(2026, 11, 21, 20, 0, 5, 250_000, tzinfo=UTC)),
        (Gait, "walk", Gait.WALK),
        (Gait, "Slow-Trot", Gait.SLOW_TROT),
        (Gait, "SLOW_TROT", Gait.SLOW_TROT),
        (Gait, "slow trot", Gait.SLOW_TROT),
        (Gait, "3", Gait.RUN),
        (Gait, "sprint", Gait.RUN),
        (Literal["red", "green"], "RED", "red"),
        (Literal["a", "A"], "A", "A"),
        (list[int], "1,2k,3", [1, 2000, 3]),
        (tuple[str, ...], "a, b c ,d", ("a", "b c", "d")),
        (list[ComponentName], "Walker,swarm-1", ["walker", "swarm-1"]),
        (int | None, "3", 3),
        (Optional[int], "3", 3),  # noqa: UP045 - some write it so
        (ComponentName, "swarm-1", "swarm-1"),
        (ComponentName, "SWARM-1", "swarm-1"),
        (PersonName, "olga", "Olga"),
        (PersonName, "ann lee", "Ann Lee"),
        (PersonName, "Anna", "Anna"),
        (PersonName, "gross", "Groß"),
        (Annotated[int, Between(1, 100)], "100", 100),
        (Annotated[float, Between(0, 1)], "100%", 1.0),
        (Annotated[dt.timedelta, Between(*HOURS)], "120m", dt.timedelta(hours=2)),
        (Annotated[str, Longest(3)], "abc", "abc"),
        (Annotated[int | None, Between(1, 2)], "2", 2),
        (list[Annotated[int, Between(1, 2)]] | None, "1,2", [1, 2]),
    ],
)
def test_a_word_is_read_as_its_kind(annotation: Any, word: str, value: object) -> None:
    found = read(annotation, word)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "word", "what"),
    [
        (str, "x" * 4001, f"'{'x' * 63}…' is too long: at most 4000 characters."),
        (int, "1.5", "'1.5' is not a whole number, such as 1000, 100k or 1e6."),
        (int, "1,000", "'1,000' is not a whole number: write it without commas, such as 1000, 100k or 1e6."),
        (int, "20%", "'20%' is not a whole number, such as 1000, 100k or 1e6."),
        (int, "1e19", "'1e19' is out of range: at most 1e18."),
        (int, "-1e19", "'-1e19' is out of range: at least -1e18."),
        (int, "9" * 39, f"'{'9' * 39}' is out of range: at most 1e18."),
        (float, "1e400", "'1e400' is out of range: at most 1e18."),
        (float, "nan", "'nan' is not a number, such as 0.5, 20% or 1e6."),
        (float, "inf", "'inf' is not a number, such as 0.5, 20% or 1e6."),
        (float, "0,5", "'0,5' is not a number: write it without commas, such as 0.5, 20% or 1e6."),
        (bool, "maybe", "'maybe' is neither yes nor no."),
        (dt.timedelta, "90", "'90' needs a unit, such as 90s, 5m or 1h30m."),
        (dt.timedelta, "soon", "'soon' is not a duration, such as 90s, 2h, 1h30m or 500ms."),
        (dt.timedelta, "99999w", "'99999w' is too long: at most 36500d."),
        (dt.time, "24:00", "'24:00' is not a time of day, such as 14:30 or 14:30:05."),
        (dt.datetime, "2026-11-21T14:30", "'2026-11-21T14:30' needs a zone: add Z or +01:00."),
        (dt.datetime, "2026-11-21", "'2026-11-21' needs a time and a zone, such as T14:30Z."),
        (dt.datetime, "2026-02-30T14:30Z", "'2026-02-30T14:30Z' is not a date and time, such as 2026-11-21T14:30Z."),
        (dt.datetime, "0001-01-01T00:00+14:00", "'0001-01-01T00:00+14:00' is out of range: from 1970 to 2999."),
        (Gait, "wlak", "'wlak' is not walk, slow-trot or run. Did you mean 'walk'?"),
        (Literal["a", "A", "b"], "c", "'c' is not a, A or b."),
        (list[int], "1,,2", "'1,,2' has an empty entry: put one comma between two entries, such as a,b,c."),
        (list[int], "", "'' has an empty entry: put one comma between two entries, such as a,b,c."),
        (list[int], "1,x", "'x' is not a whole number, such as 1000, 100k or 1e6."),
        (list[str], 'a b","c', '\'"c\' opens a quotation: put the quotes around the whole list, as "a,b c".'),
        (ComponentName, "swrm-1", "'swrm-1' is no component. Did you mean 'swarm-1'?"),
        (ComponentName, "olga", "'olga' is no component."),
        (PersonName, "anna", "'anna' may be ANNA or Anna: type it exactly."),
        (PersonName, "", "'' is no person."),
        (Annotated[int, Between(1, 100)], "1k", "'1k' is out of range: from 1 to 100."),
        (Annotated[float, Between(0, 0.5)], "-1", "'-1' is out of range: from 0 to 0.5."),
        (Annotated[dt.timedelta, Between(*HOURS)], "3h", "'3h' is out of range: from 1m to 2h."),
        (Annotated[str, Longest(3)], "abcd", "'abcd' is too long: at most 3 characters."),
    ],
)
def test_a_word_that_does_not_fit_is_refused_in_few_words(annotation: Any, word: str, what: str) -> None:
    assert refusal(annotation, word) == what


@pytest.mark.parametrize(
    "word", ["", "+", ".", "k", "e5", "1e", "1_", "_1", "1__0", "0x10", "\u0661", "²", "1 0", "--3", "–3"]
)
def test_what_only_looks_like_a_number_is_none(word: str) -> None:
    refusal(int, word)
    refusal(float, word)


@pytest.mark.parametrize("word", ["", "h", "30m1h", "1h1h", "-5m", "1.5h", "5 m", "1M", "٣s", "1h30"])
def test_what_only_looks_like_a_duration_is_none(word: str) -> None:
    refusal(dt.timedelta, word)


def test_a_whole_number_is_exact_however_it_is_typed() -> None:
    assert read(int, "1.00000000000000000000000000000000000k") == 1000
    refusal(int, "1.00000000000000000000000000000000001k")
    assert read(int, "999999999999999999") == 10**18 - 1


def test_a_list_is_bounded() -> None:
    assert read(list[int], ",".join("1" * 1000)) == [1] * 1000
    assert "has 1001 entries: at most 1000" in refusal(list[int], ",".join("1" * 1001))


def test_an_error_shows_nothing_of_a_word_that_could_deceive() -> None:
    assert refusal(bool, "\u202e1\x1b[2J\n" + "9" * 200) == f"'\ufffd1\ufffd[2J {'9' * 56}…' is neither yes nor no."


def _zone(minutes: int) -> dt.tzinfo:
    return dt.timezone(dt.timedelta(minutes=minutes))


KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text(max_size=100)),
    (int, st.integers(-(10**18), 10**18)),
    (float, st.floats(-1e18, 1e18).map(lambda value: value + 0.0)),
    (bool, st.booleans()),
    (dt.timedelta, st.integers(0, 10**12).map(lambda ms: dt.timedelta(milliseconds=ms))),
    (dt.time, st.times().map(lambda time: time.replace(microsecond=0))),
    (
        dt.datetime,
        st.datetimes(
            dt.datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn too
            dt.datetime(2999, 12, 30),  # noqa: DTZ001 - the zone is drawn too
            timezones=st.integers(-1439, 1439).map(_zone),
        ),
    ),
    (Gait, st.sampled_from(Gait)),
    (Literal["red", "Red", "green"], st.sampled_from(["red", "Red", "green"])),
    (ComponentName, st.sampled_from(TOWN.components())),
    (PersonName, st.sampled_from(TOWN.people())),
    (list[int], st.lists(st.integers(-(10**18), 10**18), min_size=1)),
    (tuple[Gait, ...], st.lists(st.sampled_from(Gait), min_size=1).map(tuple)),
]


@pytest.mark.parametrize(("annotation", "values"), KINDS, ids=[str(annotation) for annotation, _ in KINDS])
def test_what_is_written_reads_as_the_same_value(annotation: Any, values: st.SearchStrategy[Any]) -> None:
    kind = kind_of(annotation)

    @given(values)
    def holds(value: Any) -> None:
        found = kind.read(kind.write(value), TOWN)
        assert found == value
        assert type(found) is type(value)
        assert kind.write(found) == kind.write(value)

    holds()


ALL = [annotation for annotation, _ in KINDS] + [list[str], Annotated[float, Between(0, 1)]]
likely = st.text("0123456789.,_-+%ekMhmswd:TZ abredONno\u0661²\u00a0", max_size=30)


@pytest.mark.parametrize("annotation", ALL, ids=str)
def test_no_word_raises_anything_but_a_usage_error(annotation: Any) -> None:
    kind = kind_of(annotation)

    @given(st.text() | likely)
    @example("9" * 5000)
    @example("1e" + "9" * 5000)
    @example("9" * 5000 + "h")
    @example("," * 5000)
    @example("2026-11-21T14:30+24:00")
    @example("9999-12-31T23:59-23:59")
    @example("\ud800\x00")
    def holds(word: str) -> None:
        try:
            value = kind.read(word, TOWN)
        except UsageError as error:
            what = error.what
        else:
            what = ""
            assert kind.read(kind.write(value), TOWN) == value
        assert len(what) < 300

    holds()


@pytest.mark.parametrize(
    ("annotation", "label"),
    [
        (str, "text"),
        (int, "number"),
        (bool, "yes|no"),
        (dt.timedelta, "duration"),
        (Gait, "walk|slow-trot|run"),
        (Literal["red", "green"], "red|green"),
        (enum.Enum("Many", [f"member{n}" for n in range(50)]), "choice"),
        (list[ComponentName], "component,…"),
        (Annotated[int, Between(1, 100)], "1–100"),
        (Annotated[dt.timedelta, Between(*HOURS)], "1m–2h"),
    ],
)
def test_a_kind_has_a_short_label(annotation: Any, label: str) -> None:
    assert kind_of(annotation).label == label


def _make(**members: object) -> Callable[[], Any]:
    return lambda: enum.Enum("Made", members)


@pytest.mark.parametrize(
    "make",
    [
        lambda: object,
        lambda: Any,
        lambda: None,
        lambda: bytes,
        lambda: dict[str, int],
        lambda: set[int],
        lambda: list,
        lambda: tuple[int, int],
        lambda: list[list[int]],
        lambda: list[bytes],
        lambda: int | str,
        lambda: Literal[1],
        lambda: Literal["two words"],
        lambda: Literal["a,b"],
        lambda: Literal["-x"],
        lambda: Annotated[str, Between(1, 2)],
        lambda: Annotated[bool, Between(0, 1)],
        lambda: Annotated[int, Between(2, 1)],
        lambda: Annotated[int, Between(0.5, 1)],
        lambda: Annotated[int, Between(*HOURS)],
        lambda: Annotated[dt.timedelta, Between(1, 2)],
        lambda: Annotated[int, Longest(2)],
        lambda: Annotated[str, Longest(0)],
        lambda: Annotated[str, Longest(4001)],
        lambda: Annotated[str, "a note"],
        lambda: enum.Enum("Empty", []),
        _make(RED="green", GREEN="red"),
        _make(a=1, A=2),
        _make(a_b=1, other="a-b"),
    ],
)
def test_an_annotation_that_no_word_can_fill_is_the_author_s_error(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        kind_of(make())
