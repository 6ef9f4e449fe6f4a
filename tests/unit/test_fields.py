"""JSON from strangers: what comes out has the type and the bound that was asked for, or it is refused."""

import base64
import enum
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.errors import BadMessage
from wire.fields import HEX, ID, LARGEST_NUMBER, LONGEST_LIST, LONGEST_TEXT, Fields

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too, which JSON can name
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
NOT_JSON = {
    "nothing": b"",
    "not UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "not a number": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "a number with 5,000 digits": b'{"a": ' + b"1" * 5_000 + b"}",
    "nested 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "lists nested 10,000 deep": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a lone surrogate": b'{"a": "\\ud800"}',
    "more behind its end": b"{} {}",
    "cut off": b'{"a": 1',
}


class Colour(enum.Enum):
    """Words to choose from."""

    RED = "red"
    BLUE = "blue"


READ: dict[str, Callable[[Fields], object]] = {
    "text": lambda fields: fields.text("a"),
    "text of a form": lambda fields: fields.text("a", ID),
    "optional text": lambda fields: fields.optional_text("a", HEX),
    "optional bytes": lambda fields: fields.optional_bytes("a", most=4),
    "number": lambda fields: fields.number("a"),
    "list": lambda fields: fields.list_of("a"),
    "needed list": lambda fields: fields.list_of("a", needed=True),
    "texts": lambda fields: fields.texts("a", ID),
    "inner": lambda fields: fields.inner("a").text("b"),
    "fraction": lambda fields: fields.fraction("a"),
    "one of": lambda fields: fields.one_of("a", Colour),
    "flag": lambda fields: fields.flag("a"),
    "named": lambda fields: fields.named("a", ID),
}


def fields(value: object) -> Fields:
    return Fields.parse(json.dumps({"a": value}).encode(), "thing")


@given(payload=st.binary())
@settings(deadline=None)
def test_bytes_are_an_object_or_refused(payload: bytes) -> None:
    try:
        Fields.parse(payload, "thing")
    except BadMessage:
        return
    assert isinstance(json.loads(payload), dict)


@pytest.mark.parametrize("payload", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_refused(payload: bytes) -> None:
    with pytest.raises(BadMessage, match="A thing is not JSON"):
        Fields.parse(payload, "thing")


@pytest.mark.parametrize("payload", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_json_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(BadMessage, match="A thing is an object"):
        Fields.parse(payload, "thing")


@pytest.mark.parametrize("read", READ.values(), ids=READ.keys())
@given(value=ANY_JSON)
@settings(deadline=None)
def test_a_field_with_anything_in_it_is_read_or_refused(read: Callable[[Fields], object], value: object) -> None:
    try:
        read(fields(value))
    except BadMessage:
        return


@given(text=st.text())
@settings(deadline=None)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    assert fields(text).text("a") == text


def test_a_text_is_bounded() -> None:
    longest = "x" * LONGEST_TEXT
    assert fields(longest).text("a") == longest
    with pytest.raises(BadMessage, match="'a' must be a text of up to 1024"):
        fields(longest + "x").text("a")


@pytest.mark.parametrize("bad", ["", "A", "-a", "a b", "a\n", "ä", "a" * 64, "a/b", "a#", "+"])
def test_an_id_has_the_form_of_an_id(bad: str) -> None:
    with pytest.raises(BadMessage):
        fields(bad).text("a", ID)
    with pytest.raises(BadMessage):
        fields([bad]).texts("a", ID)


@pytest.mark.parametrize("bad", [True, 1.0, "1", None, -1, 11, [1], 10**30])
def test_a_number_is_whole_and_within_its_bounds(bad: object) -> None:
    with pytest.raises(BadMessage, match="a whole number from 0 to 10"):
        fields(bad).number("a", most=10)


def test_both_bounds_of_a_number_are_within() -> None:
    assert [fields(each).number("a") for each in (0, LARGEST_NUMBER)] == [0, LARGEST_NUMBER]


@given(raw=st.binary(max_size=8))
@settings(deadline=None)
def test_bytes_are_bounded(raw: bytes) -> None:
    read = fields(base64.b64encode(raw).decode())
    if len(raw) <= 4:
        assert read.optional_bytes("a", most=4) == raw
    else:
        with pytest.raises(BadMessage, match="up to 4 bytes"):
            read.optional_bytes("a", most=4)


@pytest.mark.parametrize("value", [0, 1, 0.5, 0.0, 1.0])
def test_a_fraction_is_from_0_to_1(value: float) -> None:
    assert fields(value).fraction("a") == value


@pytest.mark.parametrize("bad", [-0.001, 1.001, True, "0.5", [], 10**30])
def test_what_is_no_fraction_is_refused(bad: object) -> None:
    with pytest.raises(BadMessage, match="a number from 0 to 1"):
        fields(bad).fraction("a")


def test_a_word_is_one_of_those_that_there_are() -> None:
    assert fields("red").one_of("a", Colour) is Colour.RED
    for bad in ("green", "", "RED", 1, ["red"], {"red": 1}):
        with pytest.raises(BadMessage, match="one of red, blue"):
            fields(bad).one_of("a", Colour, default=Colour.BLUE)


@pytest.mark.parametrize("bad", [0, 1, "true", None, []])
def test_a_flag_is_true_or_false(bad: object) -> None:
    assert fields(True).flag("a") is True
    with pytest.raises(BadMessage, match="true or false"):
        fields(bad).flag("a")


def test_objects_by_name_are_bounded_and_their_names_have_a_form() -> None:
    named = fields({"x": {"b": "1"}, "y": {}}).named("a", ID)
    assert named["x"].text("b") == "1"
    assert set(named) == {"x", "y"}
    with pytest.raises(BadMessage, match=r"A thing\.a\.y's 'b' must be"):
        named["y"].text("b")
    full: dict[str, object] = {f"n{number}": {} for number in range(LONGEST_LIST)}
    assert len(fields(full).named("a", ID)) == LONGEST_LIST
    wrong: list[object] = [full | {"x": {}}, {"X": {}}, {"": {}}, [], "x", {"x": 1}]
    for bad in wrong:
        with pytest.raises(BadMessage):
            fields(bad).named("a", ID)


def test_a_list_is_bounded() -> None:
    longest = ["a"] * LONGEST_LIST
    assert fields(longest).texts("a", ID) == tuple(longest)
    with pytest.raises(BadMessage):
        fields([*longest, "a"]).list_of("a")


def test_what_is_missing_is_empty_where_it_may_be() -> None:
    nothing = Fields.parse(b"{}", "thing")
    assert nothing.optional_text("a") is None
    assert nothing.optional_bytes("a", most=4) is None
    assert nothing.list_of("a") == []
    assert nothing.text("a", default="b") == "b"
    assert nothing.number("a", default=7) == 7
    assert nothing.fraction("a") is None
    assert nothing.one_of("a", Colour, default=Colour.BLUE) is Colour.BLUE
    assert nothing.flag("a") is False
    assert nothing.named("a", ID) == {}
    assert nothing.raw("a") is None


@pytest.mark.parametrize("read", ["text", "text of a form", "number", "needed list", "inner", "one of"])
def test_what_is_needed_and_missing_is_refused(read: str) -> None:
    with pytest.raises(BadMessage):
        READ[read](Fields.parse(b"{}", "thing"))


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    assert Fields.parse(b'{"a": "x", "a": "y"}', "thing").text("a") == "y"


def test_a_mistake_inside_names_its_place() -> None:
    with pytest.raises(BadMessage, match=r"A thing\.a's 'b' must be"):
        fields({"b": 1}).inner("a").text("b")
