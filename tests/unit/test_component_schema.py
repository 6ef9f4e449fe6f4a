"""What a command of a component takes: the schema that others see and the judge of its arguments never disagree."""

import enum
import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.component import Component
from components.jobs import Job
from components.kinds import LONGEST_LIST, Between, Longest, OneOf, Shortest, kind
from components.schema import Signature, signature
from wire.birth import Birth
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.envelope import PublicKey
from wire.errors import Rejected


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Strange(enum.Enum):
    PAIR = (1, 2)


class Empty(enum.Enum):
    pass


PLAIN = st.one_of(
    st.sampled_from(
        [
            int,
            float,
            bool,
            str,
            Colour,
            Level,
            Literal["a", "b"],
            Literal[1, 2, "three"],
            Literal[True, "x"],
            Annotated[str, OneOf("north", "south")],
            Annotated[int, OneOf(3, 5)],
        ]
    ),
    st.tuples(st.integers(-50, 50), st.integers(0, 50)).map(lambda b: Annotated[int, Between(b[0], b[0] + b[1])]),
    st.tuples(st.floats(-5, 5), st.floats(0, 5)).map(lambda b: Annotated[float, Between(b[0], b[0] + b[1])]),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda b: Annotated[str, Shortest(b[0]), Longest(b[0] + b[1])]),
)
ANNOTATIONS = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),
        inner.map(lambda each: each | None),
        st.tuples(inner, st.integers(0, 3)).map(lambda pair: Annotated[list[pair[0]], Longest(pair[1])]),
    ),
    max_leaves=3,
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-60, 60),
        st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 1.0, 2.0, 2.5, -0.0, 1e300]),
        st.floats(-10, 10, allow_nan=False),
        st.text(max_size=7),
        st.sampled_from(["red", "blue", "a", "b", "north", "three", "x"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=4,
)


def takes(schema: dict[str, Any], value: object) -> bool:
    """What others say, who have the schema only."""
    judge: Any = jsonschema.Draft202012Validator(schema)
    return bool(judge.is_valid(value))


def read_by(of: Signature, value: object) -> tuple[object, str]:
    """What the judge makes of a value, and why it refuses it."""
    try:
        return of.read({"it": value})["it"], ""
    except Rejected as reason:
        return None, str(reason)


@given(annotation=ANNOTATIONS, value=VALUES)
@settings(max_examples=400, deadline=None)
def test_the_schema_takes_what_the_judge_takes_and_nothing_else(annotation: Any, value: object) -> None:
    of = Signature({"it": _argument(annotation)})
    jsonschema.Draft202012Validator.check_schema(of.schema)
    read, refused = read_by(of, value)
    assert takes(of.schema, {"it": value}) == (not refused), refused
    assert not refused or refused.startswith("it must be ")
    if not refused:
        assert kind(annotation).write(read) == value


@given(annotation=ANNOTATIONS)
@settings(deadline=None)
def test_a_schema_is_json(annotation: Any) -> None:
    schema = kind(annotation).schema
    assert json.loads(json.dumps(schema)) == schema


@given(value=VALUES)
@settings(deadline=None)
def test_a_refusal_is_short_and_commands_no_terminal(value: object) -> None:
    of = Signature({"it": _argument(Literal["never"])})
    assume(value != "never")
    with pytest.raises(Rejected) as refused:
        of.read({"it": value})
    assert len(str(refused.value)) < 150
    assert str(refused.value).isprintable()


def _argument(annotation: Any) -> Any:
    def function(it: Any) -> None: ...

    function.__annotations__["it"] = annotation
    taken, _ = signature(function)
    return taken.arguments["it"]


def test_what_a_function_is_called_with_has_its_own_types() -> None:
    def function(
        level: float,
        colour: Colour,
        *,
        count: Annotated[int, Between(1, 5)] = 2,
        names: list[str] | None = None,
        loud: bool = False,
    ) -> None: ...

    taken, _ = signature(function)
    read = taken.read({"level": 3, "colour": "red", "count": 4.0})
    assert read == {"level": 3.0, "colour": Colour.RED, "count": 4}
    assert (type(read["level"]), type(read["count"])) == (float, int)
    assert inspect.signature(function).bind(**read)
    assert taken.schema["required"] == ["level", "colour"]
    assert taken.schema["properties"]["names"] == {
        "anyOf": [{"type": "array", "items": {"type": "string", "maxLength": 1024}, "maxItems": LONGEST_LIST},
                  {"type": "null"}],
        "default": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "value"), [(Literal[0, 1], True), (Literal[True], 1), (Literal[True], 1.0), (Level, True)]
)
def test_yes_and_no_are_no_numbers(annotation: Any, value: object) -> None:
    of = Signature({"it": _argument(annotation)})
    assert read_by(of, value)[1].startswith("it must be one of ")
    assert not takes(of.schema, {"it": value})


def test_a_default_is_written_as_others_would_give_it() -> None:
    def function(colour: Colour = Colour.BLUE, many: list[Level] = [Level.LOW]) -> None: ...  # noqa: B006 - as given

    taken, _ = signature(function)
    assert taken.schema["properties"]["colour"] == {"enum": ["red", "blue"], "default": "blue"}
    assert taken.schema["properties"]["many"]["default"] == [1]


@pytest.mark.parametrize(
    ("given_arguments", "said"),
    [
        ({}, "to is missing. It must be a number from 20 to 90."),
        ({"to": None}, "to must be a number from 20 to 90, not null."),
        ({"to": True}, "to must be a number from 20 to 90, not true."),
        ({"to": 20, "how": "quickly"}, 'how must be one of "slow", "fast", or null, not "quickly".'),
        ({"to": 20, "at": ["x" * 100]}, "at must be a list of 1 to 3 entries, each a whole number from 0 to 9, not"),
        ({"to": 20, "\x1b[2J": 1}, '"\\u001b[2J" is no argument. There are: to, how, at.'),
    ],
)
def test_a_refusal_names_the_argument_and_what_it_must_be(given_arguments: dict[str, Any], said: str) -> None:
    def function(
        to: Annotated[float, Between(20, 90)],
        how: Literal["slow", "fast"] | None = None,
        at: Annotated[list[Annotated[int, Between(0, 9)]], Shortest(1), Longest(3)] = [1],  # noqa: B006 - as given
    ) -> None: ...

    taken, _ = signature(function)
    with pytest.raises(Rejected) as refused:
        taken.read(given_arguments)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "annotation",
    [
        dict,
        dict[str, int],
        tuple[int, int],
        int | str,
        Optional[int | str],  # noqa: UP045 - the longer union inside is the example
        object,
        Any,
        bytes,
        Strange,
        Empty,
        list,
        list[bytes],
        Annotated[bool, Between(0, 1)],
        Annotated[str, Between(0, 1)],
        Annotated[int, Longest(3)],
        Annotated[int, Between(3, 1)],
        Annotated[str, Shortest(3), Longest(1)],
        Annotated[int, OneOf("a")],
        Annotated[int, OneOf(True)],
        Annotated[float, OneOf(1)],
    ],
)
def test_what_json_cannot_fill_is_refused_before_the_component_starts(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"function: it "):
        _argument(annotation)


def _starred(*them: int) -> None: ...


def _positional(it: int, /) -> None: ...


def _bad_default(it: Annotated[int, Between(1, 3)] = 9) -> None: ...


def _worse_default(it: Colour = "red") -> None: ...  # type: ignore[assignment] - that is the mistake


@pytest.mark.parametrize("function", [_starred, _positional, _bad_default, _worse_default])
def test_a_function_that_cannot_be_called_with_json_is_refused(function: Callable[..., None]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        signature(function)


def test_a_function_without_types_is_refused() -> None:
    names: dict[str, Any] = {}
    exec("def untyped(it): ...", names)  # noqa: S102 - our own text
    with pytest.raises(TypeError, match="untyped: it needs a type"):
        signature(names["untyped"])


def test_the_job_is_no_argument() -> None:
    async def function(it: int, job: Job) -> None: ...

    taken, job = signature(function, without=Job)
    assert (list(taken.arguments), job) == (["it"], "job")


def test_a_component_refuses_what_nobody_could_call() -> None:
    component = Component(title="A test", kind="test", version="1")

    async def good() -> None: ...

    def plain() -> None: ...

    component.command()(good)
    with pytest.raises(ValueError, match="two of the name 'good'"):
        component.command()(good)
    with pytest.raises(ValueError, match="'Good' is no name"):
        component.command(name="Good")(good)
    with pytest.raises(ValueError, match="'cancel' is there already"):
        component.command(name="cancel")(good)
    with pytest.raises(TypeError, match="plain must be an async function"):
        component.command()(plain)  # type: ignore[type-var] - that is the mistake
    with pytest.raises(TypeError):
        component.always(plain)  # type: ignore[type-var] - that is the mistake
    component.stream("heat", title="Heat")
    with pytest.raises(ValueError, match="two of the name 'heat'"):
        component.stream("heat", title="Heat")
    with pytest.raises(ValueError, match="no key of an alert"):
        component.alert(None, "x", key="No key")  # type: ignore[arg-type] - it is not looked at
    component.on_stop(plain)
    with pytest.raises(TypeError, match="one function"):
        component.on_stop(plain)
    with pytest.raises(ValueError, match="from 1 to 64"):
        Component(title="A test", kind="test", version="1", jobs_at_once=0)
    for never in (-1.0, float("nan"), 3601.0):
        with pytest.raises(ValueError, match="stops_within_s is from 0 to 3600"):
            Component(title="A test", kind="test", version="1", stops_within_s=never)

    async def two(one: Job, other: Job) -> None: ...

    with pytest.raises(TypeError, match="one and other are both Job"):
        component.command()(two)


async def work(job: Job) -> None: ...


def born(*others: Callable[..., Any], by: str) -> Birth:
    """Of a component with a job that goes on by one of these."""
    enrolment = Enrolment("tocsin/v1", "oven", (), Broker("localhost", 1883), PublicKey(bytes(32)), (), bytes(32))
    component = Component(title="A test", kind="test", version="1")
    component.command(goes_on_by=by)(work)
    for each in others:
        component.command()(each)
    return component.birth(enrolment, "5e")


def test_what_is_to_go_on_with_a_job_is_there_and_takes_its_id_before_the_component_starts() -> None:
    async def quick(of: str) -> None: ...

    async def blind(job: Job) -> None: ...

    async def greedy(job: Job, of: str, more: int) -> None: ...

    async def on(job: Job, of: str) -> None: ...

    for others, by in (((on,), "of"), ((on,), "cancel")):
        with pytest.raises(ValueError, match="there is no command of this name"):
            born(*others, by=by)
    for other in (None, quick, blind, greedy):
        with pytest.raises(ValueError, match="must be a job that takes `of`, and needs no more"):
            born(*filter(None, [other]), by=other.__name__ if other else "work")
    with pytest.raises(ValueError, match="quick is no job, so nothing of it can go on"):
        Component(title="A test", kind="test", version="1").command(goes_on_by="on")(quick)


def test_what_goes_on_with_a_job_stands_in_the_birth() -> None:
    async def on(job: Job, of: str) -> None: ...

    async def at_will(job: Job, of: str = "", more: int = 1) -> None: ...

    for by, other in (("on", on), ("at-will", at_will)):
        commands = Birth.parse(born(other, by=by).to_bytes()).commands
        assert {name: each.goes_on_by for name, each in commands.items()} == {"work": by, by: "", "cancel": ""}
    assert Birth.parse(born(by="").to_bytes()).commands["work"].goes_on_by == ""
