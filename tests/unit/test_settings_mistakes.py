"""How mistakes in the configuration are told: in plain words, on their line, with a guess, and without any secret."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from bot import settings
from bot.settings import Settings
from bot.settings.mistakes import MOST_TOLD, WORDS, Mistake, Mistakes, from_pydantic
from bot.words.errors import SettingsError
from bot.words.message import Place

MQTT = '[mqtt]\nhost = "localhost"\n'
Told = Callable[[str | bytes], str]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """What is said of a bad file, without its name."""

    def say(content: str | bytes) -> str:
        path = tmp_path / "config.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(SettingsError) as wrong:
            settings.load(path)
        assert not path.with_name("state").exists()
        return str(wrong.value).replace(f"{path} ", "")

    return say


def test_each_mistake_stands_on_a_line_of_its_own_in_the_order_of_the_file(told: Told) -> None:
    assert told('[bot]\nname = 3\n[people.alice]\nrole = "queen"\n\n[mqtt]\nprot = 1\n').splitlines() == [
        "cannot be used: 4 mistakes.",
        "line 2  bot.name           must be text in quotes; found 3",
        'line 4  people.alice.role  must be viewer, operator or commander; found "queen"',
        "line 6  mqtt.host          is missing",
        "line 7  mqtt.prot          there is no such key; did you mean port?",
    ]


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        ("[mqqt]", "mqtt"),
        ("[pepole.alice]", "people"),
        ("[Matrix]", "matrix"),
        ("[bot]\nfoldr = 'x'", "folder"),
        ("[bot]\nalarm = []", "alarms"),
        ("[people.alice]\nrol = 'viewer'", "role"),
        ("[people.alice]\nmatrx = []", "matrix"),
        ("[people.alice]\nsuspend = true", "suspended"),
        ("[components.walker]\ngroup = []", "groups"),
        ("[commands.run]\ntwo_person = true", "two_persons"),
        ("[health]\nprot = 3", "port"),
        ("[matrix]\nhome_server = 'x'", "homeserver"),
    ],
)
def test_a_misspelt_name_is_told_with_the_one_that_was_meant(told: Told, written: str, guess: str) -> None:
    assert f"did you mean {guess}?" in told(written)


def test_a_name_like_no_other_is_told_with_those_that_there_are(told: Told) -> None:
    words = told(f"{MQTT}[people.alice]\nrole = 'viewer'\nirc = []")
    known = "console, matrix, role, stop_keys, suspended, zulip"
    assert f"people.alice.irc  there is no such key; there is {known}" in words


def test_a_command_of_two_words_without_quotes_is_told_how_to_write_it(told: Told) -> None:
    words = told(f"{MQTT}[commands.person.suspend]\ntwo_persons = true")
    assert 'line 3  commands.person  write [commands."person suspend"]' in words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[bot", "is not TOML: at its end: the name of a section ends with ]."),
        ("[bot]\nname = tocsin", "is not TOML: line 2, column 8: a value is expected here; text stands in quotes."),
        ("[bot]\n\n[bot]", "is not TOML: line 3, column 5: this section is there already."),
        ("name", "is not TOML: at its end: a key is followed by = and a value."),
        ("a = 1 b", "is not TOML: line 1, column 7: something is left over after the value."),
        ("a = 'x", 'is not TOML: at its end: Expected "\'".'),
        (b"a = 1\n\xff\xfe", "is not TOML: line 2 is not text in UTF-8."),
        ("a = " + "[" * 10_000, "is not TOML that can be read: it is nested too deeply."),
        ("a = " + "9" * 10_000, "is not TOML that can be read: a number in it is too large."),
        ("#" * 2_000_000, "is larger than 1024 KiB. Is it the configuration file?"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(told: Told, content: str | bytes, words: str) -> None:
    assert told(content) == words


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('[bot]\nname = """\nfolder = 3\n"""\nfolder = 3', "bot.folder"),  # a line of a text looks like a key
        ('[bot]\nname = """\nfolder = 3\n"""\n"folde\\u0072" = 3', "bot.folder"),  # and is the only one that does
        ('health = {host = 3}\n[mqtt]\nusername = [\n["health"]\n]\nhost = 3', "health.host"),  # a list, like a header
        ("[[components]]\nhost = 3\n[mqtt]\nport = 0", "mqtt.host"),
    ],
)
def test_a_line_is_never_that_of_another_key(told: Told, content: str, key: str) -> None:
    (said,) = [line for line in told(content).splitlines() if key in line]
    lines = content.splitlines()
    number = re.match(r"line (\d+)", said)
    assert number is None or lines[int(number[1]) - 1] == f"[{key.partition('.')[0]}]"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("[ mqtt ]  # here\n'port'=0", 2),
        ("mqtt.port = 0", 1),
        ("\r\n[mqtt]\r\nport = 0\r\n", 3),
        ("mqtt = { port = 0 }", 1),
        ("[mqtt]\n# port = 1\nhost = 'port = 2'\n\tport\t= 0", 4),
    ],
)
def test_a_line_is_found_however_the_key_is_written(told: Told, written: str, line: int) -> None:
    (said,) = [each for each in told(written).splitlines() if "mqtt.port" in each]
    assert said.startswith(f"line {line} ")


def test_a_value_is_told_short_and_without_what_commands_a_terminal(told: Told) -> None:
    words = told(f'{MQTT}[bot]\nname = "\\u001b[31m{"x" * 5000}"\n["\\u202ekey"]')
    assert "\x1b" not in words
    assert "\u202e" not in words
    assert max(map(len, words.splitlines())) < 250


def test_a_very_large_number_is_told_as_one(told: Told) -> None:
    assert "found a very large number" in told(f"[mqtt]\nport = 0x{'f' * 10_000}")


def test_what_is_no_text_is_told_by_its_kind_alone(told: Told) -> None:
    words = told('[mqtt]\nhost = {password = "sesame"}\nusername = ["sesame"]')
    assert "mqtt.host      must be text in quotes; found a section" in words
    assert "found a list" in words
    assert "sesame" not in words


def test_an_identity_that_is_pinned_to_nobody_is_told_with_its_line(told: Told) -> None:
    pins = f'[matrix]\npins = {{ "@alcie:example.org" = "{"A" * 43}" }}\n'
    alice = '[people.alice]\nrole = "{}"\nmatrix = ["@alice:example.org"]'
    assert "@alcie:example.org is nobody's account" in told(pins + alice.format("viewer"))
    assert "is nobody's account" not in told(pins + alice.format("viewre"))


def test_what_no_command_takes_is_told_with_all_else(told: Told) -> None:
    words = told(
        '[mqtt]\nport = 0\n[commands.shutdwon]\n[commands."person suspend"]\nrole = "viewer"\n'
        "[commands.shutdown]\ntwo_persons = true"
    )
    assert "mqtt.port" in words
    rows = [re.split(" {2,}", line) for line in words.splitlines()]
    assert ["line 3", "commands.shutdwon", "there is no such command; did you mean shutdown?"] in rows
    why = "a viewer is too little; it takes a commander at least"
    assert ["line 5", 'commands."person suspend".role', why] in rows
    why = "!shutdown never waits for a second person; leave this out"
    assert ["line 7", "commands.shutdown.two_persons", why] in rows


@pytest.mark.parametrize(
    "written",
    [
        '[mqtt]\npassword = "sesame"',
        '[mqtt]\npassword_env = "open sesame"',
        '[mqtt]\npassword_env = ["sesame"]',
        '[mqtt]\npassword_file = ["sesame"]',
        '[matrix]\npassword = "sesame"',
        '[matrix]\naccess_token = "sesame"',
        '[mqtt]\nhost = "mqtt://tocsin:sesame@example.org"',
        '[mqtt]\nhost = "tocsin:sesame/s@ms@example.org"',
        '[matrix]\nhomeserver = "https://tocsin:sesame@example.org"',
        'password = "sesame"',
        '[secrets]\nmqtt = "sesame"',
    ],
)
def test_a_secret_in_the_wrong_place_is_told_without_its_value(told: Told, written: str) -> None:
    assert "sesame" not in told(written)


def test_a_password_in_the_file_is_told_where_it_belongs(told: Told) -> None:
    assert "no secret stands in this file; there is password_env, password_file" in told('[mqtt]\npassword = "x"')


def test_the_mistakes_told_have_a_bound() -> None:
    many = Mistakes("config.toml", [Mistake(("bot", f"key-{i}"), "is missing") for i in range(MOST_TOLD + 5)])
    assert "105 mistakes" in str(many)
    assert str(many).count("is missing") == MOST_TOLD
    assert str(many).endswith("And 5 more.")


class Plugged(BaseModel, extra="forbid"):
    """Whatever the section of a plug-in may ask for, which we do not write."""

    text: Annotated[str, Field(min_length=2, max_length=3, pattern="^a")] = "aa"
    number: Annotated[int, Field(gt=1, lt=9, multiple_of=2)] = 2
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    flag: bool = True
    names: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    pair: tuple[str, ...] = ()
    group: set[str] = set()
    table: dict[str, int] = {}
    path: Path = Path()
    inner: "Plugged | None" = None
    day: dt.date = dt.date(2026, 1, 1)


VALUES: list[object] = [
    "x", "abcd", "", "b1", 0, 1, 3, 99, -1, 1.5, float("nan"), float("inf"), 2**200, True, [], ["a", "b", "c"], [1],
    {}, {"x": "y"}, {"surprise": 1}, dt.date(2026, 1, 2), dt.time(1), dt.datetime(2026, 1, 1, 1, tzinfo=dt.UTC),
]  # fmt: skip


@pytest.mark.parametrize("field", [*Plugged.model_fields, "surprise"])
def test_no_jargon_is_told_of_any_kind_of_value(field: str) -> None:
    for value in VALUES:
        try:
            Plugged.model_validate({field: value})
        except ValidationError as error:
            for each in error.errors():
                words = str(from_pydantic(each, ("plugged",)))
                assert words.startswith(f"plugged.{field}")
                assert "Input" not in words
                assert "{" not in words


def test_a_kind_of_mistake_that_nobody_foresaw_is_told_too() -> None:
    unforeseen = {"type": "new_kind", "loc": ("a", "b"), "msg": "Input should be a blue thing", "input": "red"}
    assert "new_kind" not in WORDS
    assert str(from_pydantic(unforeseen, ("s",))) == 's.a.b: must be a blue thing; found "red"'
    secret = {"type": "new_kind", "loc": ("token",), "msg": "Bad value: sesame", "input": "sesame"}
    assert str(from_pydantic(secret, ("s",))) == "s.token: cannot be used"


def tried_as_a_file(folder: Path, content: bytes) -> None:
    path = folder / "config.toml"
    path.write_bytes(content)
    try:
        assert isinstance(settings.load(path), Settings)
    except SettingsError as error:
        _ = str(error)


@tried(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_settings_or_a_clear_error(tmp_path: Path, content: bytes) -> None:
    tried_as_a_file(tmp_path, content)


NAMES = st.sampled_from(
    [
        *("bot", "mqtt", "health", "people", "components", "commands", "matrix", "console", "alice", "name", "x", ""),
        *("host", "port", "role", "root", "folder", "alarms", "run_from", "key", "groups", "password_file", "socket"),
        *(
            "suspended",
            "two_persons",
            "password_env",
            "user",
            "person suspend",
            "é",
            "\0",
            "\n",
            '"',
            "accounts",
            "[key]",
        ),
    ]
)
LEAVES = (
    st.sampled_from(["localhost", "viewer", "matrix:x", "tocsin", "config.toml", "\0", "/", ".", "..", "PATH", "a:b@c"])
    | st.text(max_size=20)
    | st.integers()
    | st.booleans()
    | st.floats()
)
VALUES_OF_TOML: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def as_toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(f"\\U{ord(each):08x}" for each in value if not "\ud800" <= each <= "\udfff") + '"'
        case dict():
            return "{" + ", ".join(f"{as_toml(key)} = {as_toml(each)}" for key, each in value.items()) + "}"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - whatever was drawn
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"  # pyright: ignore[reportUnknownArgumentType] - the same
        case _:
            return str(value)


@tried(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.dictionaries(NAMES, VALUES_OF_TOML | st.dictionaries(NAMES, VALUES_OF_TOML), max_size=6))
def test_any_toml_is_settings_or_a_clear_error(tmp_path: Path, content: dict[str, Any]) -> None:
    tried_as_a_file(tmp_path, "\n".join(f"{as_toml(key)} = {as_toml(each)}" for key, each in content.items()).encode())


ZULIP = "[zulip]\nsite = 'https://z.example.org'\nemail = 'a@z.example.org'\nkey_env = 'HOME'\n"


@pytest.mark.parametrize(
    ("places", "what"),
    [
        ("['zulip:lab/status']", "must be a channel's id and a topic in small letters, such as zulip:4/status"),
        ("['zulip:4/Status']", "must be a channel's id and a topic in small letters"),
        ("['zulip:4/']", "must be a channel's id and a topic in small letters"),
        ("[]", "at least 1"),
        ("['irc:lab']", "must be a network with a section in this file"),
        ("['zulip:lab/*']", "must be a channel's id and a topic in small letters"),
        ("['zulip:/*']", "must be a channel's id and a topic in small letters"),
        ("['zulip:dm/*']", "must be a channel's id and a topic in small letters"),
        ("['zulip:4/status/*']", "must be all topics of a channel, such as zulip:4/*"),
        ("['mqtt:chat/*']", "must be one place: mqtt has no topics that are places of their own"),
        ("['mqtt:tocsin/v1/*']", "must not be under tocsin/v1"),
        ("['zulip:4/*', 'zulip:4/status']", "zulip:4/status is there already, with all topics"),
        ("['zulip:4/status', 'zulip:4/*']", "zulip:4/status is there already, with all topics"),
    ],
)
def test_a_place_of_a_channel_is_written_as_the_bot_calls_it(told: Told, places: str, what: str) -> None:
    assert what in told(f"{MQTT}{ZULIP}[channels.lab]\nplaces = {places}\n")


def test_a_place_is_in_one_channel_only(told: Told) -> None:
    channels = "".join(f"[channels.{name}]\nplaces = ['zulip:4/status']\n" for name in ("lab", "hall"))
    assert "zulip:4/status is in the channel lab already" in told(f"{MQTT}{ZULIP}{channels}")
    assert "zulip:4/* is in the channel lab already" in told(f"{MQTT}{ZULIP}{channels.replace('status', '*')}")


@pytest.mark.parametrize("line", ["alarms = ['zulip:4/*']", "[audit]\nwitness_places = ['zulip:4/*']"])
def test_what_the_bot_says_by_itself_is_said_in_one_place(told: Told, line: str) -> None:
    assert "must be one place, not all topics of a channel" in told(f"{MQTT}{ZULIP}[bot]\n{line}\n")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("only_hear = ['zulip:4/other']", "only_hear names zulip:4/other, which is not among its places"),
        ("only_speak = ['zulip:4/other']", "only_speak names zulip:4/other, which is not among its places"),
        ("passes = {'zulip:4/other' = ['x']}", "passes names zulip:4/other, which is not among its places"),
        ("only_hear = ['lab']", "must be a network and a place on it"),
        ("only_speak = ['irc:lab']", "must be a network with a section in this file"),
        ("only_speak = 'zulip:4/status'", "only_speak"),
        ("passes = {'zulip:4/status' = ['']}", "at least 1 character"),
        ("passes = {'zulip:4/status' = 'x'}", "passes"),
        ("passes = ['zulip:4/status']", "passes"),
        (f"passes = {{'zulip:4/status' = ['{'x' * 201}']}}", "at most 200 characters"),
        ("only_hear = ['zulip:4/*']", "only_hear names zulip:4/*, which is not among its places"),
    ],
)
def test_which_way_words_go_is_said_of_places_of_the_channel(told: Told, line: str, what: str) -> None:
    assert what in told(f"{MQTT}{ZULIP}[channels.lab]\nplaces = ['zulip:4/status', 'zulip:5/lab']\n{line}\n")


def test_all_topics_of_a_channel_are_a_place_of_which_it_is_said_which_way_words_go(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    more = "only_hear = ['zulip:4/*']\nonly_speak = ['zulip:5/lab']\npasses = {'zulip:4/*' = ['status*']}\n"
    path.write_text(f"{MQTT}{ZULIP}[channels.lab]\nplaces = ['zulip:4/*', 'zulip:5/lab']\n{more}")
    loaded = settings.load(path)
    (lab,) = loaded.channels
    assert lab.wholes == (Place("zulip", "4/*"),)
    assert lab.only_hear == frozenset(lab.wholes)
    assert not lab.gives(Place("zulip", "4/anything"), "status: good")
    assert [loaded.place_mistake(Place("zulip", each)) for each in ("4/*", "4/status")] == ["", ""]
    assert "must be all topics" in loaded.place_mistake(Place("zulip", "4/status/*"))
    assert not loaded.is_threaded(Place("zulip", "4/status"))
    assert not loaded.is_threaded(Place("matrix", "!not:configured"))
