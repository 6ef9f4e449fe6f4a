"""What a component's birth offers, as something that people type: whoever wrote the birth, and whatever is typed."""

import enum
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.desk.offers import LONGEST_CANONICAL, LONGEST_USAGE, MOST_ROWS, Form, canonical, nearest_command, offers
from bot.desk.schemas import DEEPEST, MOST_SHAPES, shape_of
from bot.desk.shapes import LONGEST_SAID, MOST_JUDGED, TYPES, Shape, patience
from bot.desk.split import Quoted, split
from bot.words.document import Document
from bot.words.errors import UsageError
from bot.words.plain import to_plain
from components.kinds import Between, Longest, OneOf, Shortest
from components.schema import Signature, signature
from wire.birth import Birth, Danger, Offer
from wire.errors import Rejected
from wire.work import LARGEST_ARGUMENTS


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def repair(
    damage: Annotated[float, Between(0, 1)],
    *,
    bots: int = 100_000,
    seeds: Annotated[list[int], Longest(3)] = [1],  # noqa: B006 - nobody calls it
    pattern: Annotated[str, OneOf("uniform", "blob")] = "uniform",
    stop_at: float | None = None,
    note: Annotated[str, Longest(9)] = "",
    tags: list[str] | None = None,
    dry: bool = False,
    fast: bool = True,
) -> None:
    """Repair a lattice."""


SIGNATURE, _ = signature(repair)
REPAIR = Form.of(Offer("Let bots repair", SIGNATURE.schema, job=True))


def form(**schema: Any) -> Form:
    return Form.of(Offer("Something", schema))


def one(schema: Any, *, needed: bool = False) -> Form:
    return form(properties={"it": schema}, required=["it"] if needed else [], additionalProperties=False)


def read(of: Form, line: str) -> dict[str, Any]:
    return of.read(split(line))


def refused(of: Form, line: str) -> tuple[str, str]:
    with pytest.raises(UsageError) as wrong:
        read(of, line)
    return wrong.value.what, wrong.value.hint


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("20%", {"damage": 0.2}),
        ("bots=1e6 damage=20% seeds=1,2,3", {"bots": 1_000_000, "damage": 0.2, "seeds": [1, 2, 3]}),
        ("--bots 10k --damage=.5 seeds=1 --seeds 2", {"bots": 10_000, "damage": 0.5, "seeds": [1, 2]}),
        ("—bots 7 1", {"bots": 7, "damage": 1}),
        ("0 --dry --no-fast", {"damage": 0, "dry": True, "fast": False}),
        ("0 dry=off --fast=YES", {"damage": 0, "dry": False, "fast": True}),
        ("0 --dry -- ", {"damage": 0, "dry": True}),
        ("-- 1", {"damage": 1}),
        ("0 stop-at=null tags=null", {"damage": 0, "stop_at": None, "tags": None}),
        ("0 --stop_at 99%", {"damage": 0, "stop_at": 0.99}),
        ("0 --stop-at -3", {"damage": 0, "stop_at": -3}),
        ("0 pattern=BLOB note='don''t'", {"damage": 0, "pattern": "blob", "note": "don''t"}),
        ("0 note=1e6 tags='a b, c'", {"damage": 0, "note": "1e6", "tags": ["a b", "c"]}),
        ("0 tags='[\"a,b\"]' seeds=[]", {"damage": 0, "tags": ["a,b"], "seeds": []}),
        ("0 note=a=b", {"damage": 0, "note": "a=b"}),
    ],
)
def test_what_people_type_becomes_what_the_component_takes(line: str, args: dict[str, Any]) -> None:
    assert read(REPAIR, line) == args
    SIGNATURE.read(args)


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("", "Missing: damage, a number from 0 to 1.", "It takes: <damage>"),
        ("20x", "damage must be a number from 0 to 1, not '20x'.", "A number is typed as 0.5, 20%"),
        ("3", "damage must be a number from 0 to 1, not '3'.", "A number"),
        ("0 1", "'1' is one word too many.", "It takes: <damage>"),
        ("0 damage=1", "damage is given twice: '0' stands in its place.", "It takes"),
        ("0 bots=1 bots=2", "bots is given twice.", "It takes"),
        ("0 bots=1,000", "bots must be a whole number, not '1,000'.", "without commas"),
        ("0 bots=200%", "bots must be a whole number, not '200%'.", "A number"),
        ("0 bot=3", "'bot' is no argument. Did you mean bots=…?", "It takes"),
        ("0 --stopat 3", "'stopat' is no argument. Did you mean --stop_at?", "It takes"),
        ("0 zzzz=3", "'zzzz=3' is no argument: put quotes around it if it is a word.", "It takes"),
        ("0 --bots", "'--bots' needs a value, such as --bots=….", "It takes"),
        ("0 --bots --dry", "'--bots' needs a value, such as --bots=….", "It takes"),
        ("0 --no-dry=yes", "'--no-dry=yes' takes no value: leave out what begins with =.", "It takes"),
        ("0 --no-bots", "'no-bots' is no argument. Did you mean --bots?", "It takes"),
        ("0 pattern=unifrm", "pattern must be one of 'uniform', 'blob', not 'unifrm'.", "Did you mean 'uniform'?"),
        ("0 dry=maybe", "dry must be true or false, not 'maybe'.", "Type yes or no."),
        ("0 seeds=1,x", "entry 2 of seeds must be a whole number, not 'x'.", "A number"),
        ("0 seeds=[1,null]", "entry 2 of seeds must be a whole number, not null.", "A number"),
        ("0 seeds=1,,2", "seeds: '1,,2' has an empty entry.", "A list is typed with commas"),
        ("0 seeds=1,2 seeds=3,4", "seeds must be a list of up to 3 entries, each a whole number, not '1,2'.", "A list"),
        ("0 tags=a,'b", "tags: 'a,'b' has a quotation in it.", "The quotes stand around the whole"),
        ("0 note=0123456789", "note must be a text of up to 9 characters, not '0123456789'.", "It takes"),
        ("0 stop-at=x", "stop_at must be a number, or null, not 'x'.", "A number"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_and_with_a_hint(line: str, what: str, hint: str) -> None:
    said, hinted = refused(REPAIR, line)
    assert said == what
    assert hint in hinted


def test_all_that_is_missing_is_said_at_once() -> None:
    of = form(properties={"a": {"type": "integer"}, "b": True, "c": {"type": "string"}}, required=["c", "a", "d"])
    assert of.usage("") == "<a> <c> <d> [b=<value>]"
    assert refused(of, "7")[0] == "Missing: c, a text; d, any value."
    assert read(of, "7 x y b=z") == {"a": 7, "c": "x", "d": "y", "b": "z"}


def test_the_usage_is_one_short_line() -> None:
    assert REPAIR.usage("run swarm-1 repair") == (
        "run swarm-1 repair <damage> [bots=100000] [seeds=1] [pattern=uniform] [stop_at=<number>] [note=<text>] "
        "[tags=<text,…>] [--dry] [--no-fast]"
    )
    assert one({"enum": ["a", "b c", 3]}, needed=True).usage("x") == 'x <it:a|"b c"|3>'
    assert one({"type": "array", "items": {"type": "object"}}, needed=True).usage("x") == "x <it,…>"
    assert one({"type": "string", "default": "y" * 50}).usage("x") == "x [it=<text>]"
    assert form().usage("x") == "x [key=value …]"
    assert form(additionalProperties=False).usage("x") == "x"
    assert form(properties={f"argument-{n}": {} for n in range(90)}).usage("x").endswith(" …")


def test_the_help_says_what_each_argument_takes() -> None:
    of = form(
        properties={
            "share": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 0.5,
                "title": "Part",
                "description": "Of it",
            },
            "size": {"type": "integer", "minimum": 2, "multipleOf": 2, "default": 4},
            "box": {"type": "object", "properties": {"w": {"type": "integer"}}},
        },
        required=["share"],
    )
    assert to_plain(of.help()).splitlines() == [
        "Something",
        "",
        "argument  takes                                default  what it is",
        "share     a number above 0 to 0.5              needed   Part: Of it",
        "size      a whole number from 2 in steps of 2  4        –",
        "box       an object with w                     –        –",
        "",
        "Other arguments are passed on as key=value.",
    ]


def test_objects_are_typed_as_json() -> None:
    box = {"type": "object", "properties": {"w": {"type": "integer"}}, "required": ["w"], "additionalProperties": False}
    assert read(one(box), "it='{\"w\": 3}'") == {"it": {"w": 3}}
    assert refused(one(box), 'it=\'{"w": "x"}\'')[0] == "it.w must be a whole number, not 'x'."
    assert refused(one(box), "it={}")[0] == "it.w is missing: a whole number."
    assert refused(one(box), 'it={"w":1,"v":2}')[0] == "it.v must be left out, not 2."
    assert "JSON" in refused(one(box), "it=3")[1]
    boxes = {"type": "array", "items": box}
    assert read(one(boxes), 'it={"w":1} it={"w":2}') == {"it": [{"w": 1}, {"w": 2}]}


def test_a_text_in_quotes_stays_one_where_it_may_be() -> None:
    of = one({"type": ["string", "null", "integer"]})
    assert read(of, "it=null") == {"it": None}
    assert read(of, "it=3") == {"it": 3}
    assert read(of, '--it "null"') == {"it": "null"}
    assert read(of, '--it "3"') == {"it": "3"}


NOT_UNDERSTOOD: list[Any] = [
    {"$ref": "#/properties/it"},
    {"$ref": "#/$defs/it", "type": "integer"},
    {"pattern": "(a+)+$"},
    {"type": "any"},
    {"allOf": [{"type": "integer"}]},
    {"not": {}},
    {"enum": [["a"]]},
    {"enum": [f"{n}" for n in range(2_000)]},
    {"prefixItems": [{}]},
    {"minimum": "three"},
    {"anyOf": [{"type": "null"}] * 20},
    5,
    True,
]


@pytest.mark.parametrize("schema", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_let_through_as_it_is_typed(schema: Any) -> None:
    assert read(one(schema), "it=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!") == {"it": "a" * 36 + "!"}


def test_what_is_of_no_type_is_a_text_unless_it_is_json_in_brackets() -> None:
    assert read(one({}), "it=3") == {"it": "3"}
    assert read(one({}), "it=null") == {"it": "null"}
    assert read(one({}), "it=[3,null]") == {"it": [3, None]}
    assert read(one({"minimum": 3}), "it=4") == {"it": 4}
    assert refused(one({"minLength": 3}), "it=ab")[0] == "it must be a text of at least 3 characters, not 'ab'."


def test_numbers_are_held_against_their_steps_as_they_are_written() -> None:
    tenths, pairs = one({"type": "number", "multipleOf": 0.1}), one({"type": "integer", "multipleOf": 2})
    assert read(tenths, "it=0.3") == {"it": 0.3}
    assert read(tenths, "it=-1e300") == {"it": -1e300}
    assert refused(tenths, "it=0.25")[0] == "it must be a number in steps of 0.1, not '0.25'."
    assert refused(pairs, "it=3")[0] == "it must be a whole number in steps of 2, not '3'."


def test_what_lies_too_deep_and_names_by_a_pattern_are_let_through() -> None:
    inner: dict[str, Any] = {"type": "integer"}
    for _ in range(DEEPEST + 1):
        inner = {"type": "array", "items": inner}
    assert read(one(inner), 'it=[[[[[["x"]]]]]]') == {"it": [[[[[["x"]]]]]]}
    assert read(form(patternProperties={"(i+)+$": {}}, additionalProperties=False), "it=x") == {"it": "x"}


def test_names_that_differ_by_a_dash_only_are_typed_exactly() -> None:
    of = form(properties={"a-b": {}, "a_b": {}, "c.d": {}}, additionalProperties={"type": "integer"})
    assert read(of, "a-b=1 --a_b 2 c.d=x else=7") == {"a-b": "1", "a_b": "2", "c.d": "x", "else": 7}
    assert refused(form(properties={"a-b_c": {}, "a_b-c": {}}), "a-b-c=1")[0] == (
        "'a-b-c' may be a-b_c or a_b-c: type it exactly."
    )
    assert refused(of, "else=x")[0] == "else must be a whole number, not 'x'."


def test_what_is_too_long_or_too_deep_for_an_order_is_refused() -> None:
    assert "too long" in refused(one({}), f"it={'x' * (LARGEST_ARGUMENTS + 1)}")[0]
    assert "too long" in refused(form(), " ".join(f"a{n}={'x' * 999}" for n in range(20)))[0]
    assert "too deeply" in refused(one({}), f"it={'[' * 300}{']' * 300}")[0]
    with pytest.raises(UsageError, match="half a character"):
        one({}).read(["it=\ud800"])


def birth(commands: Mapping[str, Offer]) -> Birth:
    return Birth("swarm-1", "ab", "The swarm", "simulation", "1", commands=commands)


def test_all_commands_of_a_component_stand_in_one_table() -> None:
    one_job = Offer("Let bots repair", SIGNATURE.schema, job=True)
    commands = {
        "repair": one_job,
        "kill": Offer("Lose \x1b[2J all", {"additionalProperties": False}, danger=Danger.HIGH),
    }
    shown = to_plain(offers(birth(commands))).splitlines()
    assert shown[0].split() == ["command", "what", "it", "does", "danger", "job"]
    assert shown[1].startswith("repair <damage> [bots=100000]")
    assert shown[1].split()[-3:] == ["none", "a", "job"]
    assert shown[2].split() == ["kill", "Lose", "�[2J", "all", "high", "–"]
    assert to_plain(offers(birth({}))) == "It takes no commands."
    many = {f"c{n}": one_job for n in range(MOST_ROWS + 5)}
    assert to_plain(offers(birth(many))).endswith("And 5 more.")


def test_the_nearest_command_is_found() -> None:
    of = birth({"repair": Offer("", {}), "stop-all": Offer("", {})})
    assert nearest_command(of, "repiar") == "repair"
    assert nearest_command(of, "Stop_All") == "stop-all"
    assert nearest_command(of, "zzz") is None


def test_the_canonical_line_has_one_order_and_hides_nothing() -> None:
    assert (
        canonical({"seeds": [1, 2], "bots": 5, "box": {"b": 1, "a": None}}) == 'bots=5 box={"a":null,"b":1} seeds=[1,2]'
    )
    assert canonical({"name": "ann\u202e\u200b"}) == r'name="ann\u202e\u200b"'
    assert canonical({"name": "Grün"}) == 'name="Grün"'
    long = canonical({"text": "x" * 5_000})
    assert len(long) < LONGEST_CANONICAL + 120
    assert long != canonical({"text": "x" * 4_999 + "y"})


# What follows is drawn at random.

PLAIN = st.one_of(
    st.sampled_from(
        [
            int,
            float,
            bool,
            str,
            Colour,
            Literal["a", "B"],
            Literal[1, 2, "three"],
            Literal[True, "yes"],
            Annotated[str, OneOf("", "north")],
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
SINGLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-60, 60),
    st.integers(-40, 40).map(lambda quarters: quarters / 4),
    st.text(max_size=5),
    st.sampled_from(["red", "a", "B", "b", "north", "three", "null", "yes", "3", "[1]", "{}", 2**53, 2**53 + 1]),
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=5,
)
ANY_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.text(max_size=8).map(Quoted),
        st.text(max_size=8).map(lambda text: f"it={text}"),
        st.text(max_size=8).map(lambda text: f"--{text}"),
        VALUES.map(lambda value: f"it={json.dumps(value)}"),
        st.sampled_from(["--", "--it", "--no-it", "—it", "it", "it=1,2,3", "it=50%", "it=1e6", "it=a,b"]),
    ),
    max_size=5,
)


def typed(value: object) -> list[str]:
    """A value as somebody types it who wants this very one."""
    if isinstance(value, str):
        return ["--it", Quoted(value)]
    return [f"it={json.dumps(value, ensure_ascii=False)}"]


def signature_of(annotation: Any) -> Signature:
    def function(it: Any) -> None: ...

    function.__annotations__["it"] = annotation
    return signature(function)[0]


def takes(of: Signature, args: dict[str, Any]) -> bool:
    try:
        of.read(args)
    except Rejected:
        return False
    return True


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of our own takes."""
    least, most = schema.get("minimum"), schema.get("maximum")
    match schema:
        case {"anyOf": options}:
            return st.one_of(*map(fitting, options))
        case {"enum": choices}:
            return st.sampled_from(choices)
        case {"type": "string"}:
            return st.text(min_size=schema.get("minLength", 0), max_size=min(9, schema["maxLength"]))
        case {"type": "array"}:
            return st.lists(fitting(schema["items"]), max_size=min(3, schema["maxItems"]))
        case {"type": "number"}:
            return st.floats(least, most, allow_nan=False, allow_infinity=False)
        case _:
            return {"null": st.none(), "boolean": st.booleans(), "integer": st.integers(least, most)}[schema["type"]]


@given(annotation=ANNOTATIONS, data=st.data())
@settings(max_examples=500, deadline=None)
def test_what_our_own_components_take_can_be_typed(annotation: Any, data: st.DataObject) -> None:
    of = signature_of(annotation)
    value = data.draw(fitting(of.schema["properties"]["it"]))
    args = Form.of(Offer("", of.schema)).read(typed(value))
    assert of.read(args) == of.read({"it": value})
    assert isinstance(args["it"], bool) == isinstance(value, bool)


@given(annotation=ANNOTATIONS, words=st.one_of(WORDS, VALUES.map(typed)))
@settings(max_examples=500, deadline=None)
def test_what_is_read_our_own_components_take(annotation: Any, words: list[str]) -> None:
    of = signature_of(annotation)
    try:
        args = Form.of(Offer("", of.schema)).read(words)
    except UsageError:
        return
    assert takes(of, args), args


def _understood(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    size, number = st.integers(0, 4), st.one_of(st.integers(-9, 9), st.integers(-9, 9).map(lambda n: n / 4))
    names = st.lists(st.sampled_from("abc"), max_size=2, unique=True)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, unique=True)),
            "enum": st.lists(SINGLE, min_size=1, max_size=5),
            "minimum": number,
            "maximum": number,
            "exclusiveMinimum": number,
            "exclusiveMaximum": number,
            "multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.25, 2.0]),
            "minLength": size,
            "maxLength": size,
            "minItems": size,
            "maxItems": size,
            "items": inner,
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": names,
            "additionalProperties": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "title": st.text(max_size=5),
            "default": VALUES,
        },
    )


UNDERSTOOD = st.recursive(
    st.one_of(st.booleans(), SINGLE.map(lambda value: {"const": value})), _understood, max_leaves=6
)


@given(schema=UNDERSTOOD, value=VALUES)
@settings(max_examples=600, deadline=None)
def test_the_judge_agrees_with_the_specification(schema: Any, value: Any) -> None:
    judge: Any = jsonschema.Draft202012Validator(schema)
    assert (shape_of(schema).fault(value, "it", patience()) is None) == judge.is_valid(value)


ANY_JSON = st.recursive(
    st.one_of(SINGLE, ANY_NUMBER, st.integers(), st.just(10**400)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)),
    max_leaves=12,
)
KEYWORDS = (
    *("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength"),
    *("maxLength", "items", "minItems", "maxItems", "properties", "required", "default", "additionalProperties"),
    *("anyOf", "title", "description", "$ref", "pattern", "patternProperties", "prefixItems", "allOf", "it"),
)
NEARLY_SCHEMAS = st.recursive(
    st.one_of(ANY_JSON, UNDERSTOOD),
    lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(inner, st.lists(inner, max_size=3)), max_size=6),
    max_leaves=12,
)


def check_harmless(of: Form, words: list[str]) -> None:
    """Whatever the form is of: what it says is short and on one line, and reading raises one error at most."""
    check_line(of.usage(""), LONGEST_USAGE)
    check_document(of.help())
    try:
        args = of.read(words)
    except UsageError as wrong:
        check_line(f"{wrong}", 13 * (LONGEST_SAID + 80))
    else:
        assert len(orjson.dumps(args)) <= LARGEST_ARGUMENTS
        check_line(canonical(args), LONGEST_CANONICAL + 120)


def check_line(line: str, longest: int) -> None:
    assert len(line) <= longest
    assert "\n" not in line
    assert "\x1b" not in line


def check_document(shown: Document) -> None:
    lines = to_plain(shown).splitlines()
    assert len(lines) <= MOST_ROWS + 8
    assert all(len(line) < 600 and "\x1b" not in line for line in lines)


@given(schema=st.one_of(NEARLY_SCHEMAS, st.dictionaries(st.text(max_size=9), NEARLY_SCHEMAS)), words=WORDS)
@settings(max_examples=400, deadline=None)
def test_no_json_at_all_makes_a_form_raise(schema: Any, words: list[str]) -> None:
    check_harmless(Form.of(Offer("", schema)), words)
    check_harmless(one(schema), words)
    check_harmless(form(properties=schema, required=schema), words)


@given(first=st.dictionaries(st.text(max_size=4), VALUES), second=st.dictionaries(st.text(max_size=4), VALUES))
@settings(deadline=None)
def test_arguments_that_differ_never_look_the_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    for one_, other in ((first, second), ({"it": first}, {"it": second})):
        exact = [orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in (one_, other)]
        assert (canonical(one_) == canonical(other)) == (exact[0] == exact[1])
    assert canonical(first).isprintable()


def _nested(depth: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(depth):
        schema = {"anyOf": [schema, {"items": schema}], "items": schema, "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        _nested(200),
        {"type": ["string"] * 20_000},
        {"enum": list(range(20_000))},
        {"enum": ["x" * 40_000]},
        {"const": 10**4_000},
        {"minimum": 10**400, "multipleOf": 5e-324},
        {"required": [f"n{n}" for n in range(9_000)]},
        {"properties": {f"n{n}": {"type": "integer"} for n in range(9_000)}},
        {"properties": {"a\x1b[2J\n\u202e" * 500: {}}, "title": "\x1b[2J" * 5_000},
        {"anyOf": [{"type": "string"}] * 9_000},
    ],
)
def test_a_hostile_schema_costs_a_bounded_amount(schema: Any) -> None:
    def count(shape: Shape) -> int:
        inner = [*shape.options, *shape.properties.values(), *(each for each in (shape.items, shape.others) if each)]
        return 1 + sum(map(count, inner))

    assert count(shape_of(schema)) <= 4 * MOST_SHAPES
    check_harmless(Form.of(Offer("", schema)), ["it=1", "it=[[1,[2]],3]"])
    check_harmless(one(schema), ["it=[[1,[2]],3]"])


def test_nobody_is_kept_waiting_by_the_judge() -> None:
    many = shape_of({"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
    assert many.fault(["x", 1], "it", patience()) is not None
    assert many.fault(["x"] * MOST_JUDGED + [1], "it", patience()) is None
    with pytest.raises(UsageError, match="too long"):
        form().read(["x=1"] * LARGEST_ARGUMENTS)
