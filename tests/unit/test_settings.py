"""The configuration: what a good file becomes, and that every mistake in a bad one is told at once, with its key."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Settings
from bot.settings.mistakes import Mistakes
from bot.words.errors import SettingsError
from bot.words.message import Place
from bot.words.people import Account, Role
from wire.envelope import PrivateKey, PublicKey
from wire.messages import ROOT

KEY = PrivateKey(b"k" * 32).public
GOOD = f"""
[bot]
name = "tocsin"
folder = "here"

[mqtt]
host = "mqtt.example.org"
username = "tocsin"
password_file = "secret"

[people.alice]
role = "commander"
matrix = ["@alice:example.org", "@alice:home.example.org"]

[components.walker]
key = "{KEY}"
groups = ["legs"]
"""
MQTT = '[mqtt]\nhost = "localhost"\n'
Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)

    def loaded(text: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return settings.load(path)

    return loaded


def mistakes(load: Load, text: str) -> dict[str, str]:
    """What is wrong, by key."""
    with pytest.raises(Mistakes) as wrong:
        load(text)
    return dict(str(each).split(": ", maxsplit=1) for each in wrong.value.mistakes)


def test_a_good_file_is_read(load: Load, tmp_path: Path) -> None:
    loaded = load(GOOD)
    assert loaded.bot.folder == tmp_path / "here"
    broker = loaded.mqtt.broker()
    assert (broker.host, broker.port, broker.username, broker.password) == (
        "mqtt.example.org", 1883, "tocsin", "open sesame",
    )  # fmt: skip
    assert loaded.mqtt.root == ROOT
    alice = loaded.people.holder_of(Account("matrix", "@alice:home.example.org"))
    assert alice is not None
    assert (alice.name, alice.role) == ("alice", Role.COMMANDER)
    assert loaded.people.holder_of(Account("zulip", "@alice:home.example.org")) is None
    assert loaded.enrolled["walker"].key == KEY
    assert loaded.enrolled["walker"].groups == {"legs"}
    assert set(loaded.bridges) == {"mqtt"}, "the broker is there, and no chat network"
    assert loaded.networks == "none"


@pytest.mark.parametrize("section", ["", '[bot]\nname = "tocsin"\n'])
def test_little_is_enough(load: Load, tmp_path: Path, section: str) -> None:
    loaded = load(section + MQTT)
    assert loaded.bot.name == "tocsin"
    assert loaded.bot.folder == tmp_path / "state"
    assert loaded.mqtt.broker().password is None
    assert (loaded.bot.alarms, loaded.bot.run_from, loaded.health, loaded.commands) == ((), frozenset(), None, {})


def test_what_is_asked_of_commands_is_read_also_of_those_of_two_words(load: Load) -> None:
    loaded = load(MQTT + '[commands.status]\nrole = "commander"\n[commands."person suspend"]\ntwo_persons = true')
    status, suspend = loaded.commands["status"], loaded.commands["person suspend"]
    assert (status.role, status.two_persons) == (Role.COMMANDER, False)
    assert (suspend.role, suspend.two_persons) == (None, True)


def test_places_and_networks_must_have_a_section(load: Load, tmp_path: Path) -> None:
    bot = '[bot]\nalarms = ["console:alice", "console:bob:b", "console:alice"]\nrun_from = ["console"]\n'
    loaded = load(f'{bot}{MQTT}[console]\nsocket = "{tmp_path}/s"')
    assert loaded.bot.alarms == (Place("console", "alice"), Place("console", "bob:b"))
    assert loaded.bot.run_from == {"console"}
    told = mistakes(load, bot + MQTT)
    assert told.keys() == {"bot.alarms", "bot.run_from"}
    assert "must be a network with a section in this file" in told["bot.run_from"]
    assert (
        "nothing that is said on mqtt is ever a command"
        in mistakes(load, f'[bot]\nrun_from = ["mqtt"]\n{MQTT}')["bot.run_from"]
    )


@pytest.mark.parametrize(
    "place", ['"console"', '"console:"', '":alice"', '""', '"console: "', "3", '"console:\\u0007"']
)
def test_what_is_no_place_is_refused(load: Load, tmp_path: Path, place: str) -> None:
    told = mistakes(load, f'[bot]\nalarms = [{place}]\n{MQTT}[console]\nsocket = "{tmp_path}/s"')
    assert "must be a network and a place on it" in told["bot.alarms"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_health_is_told_on_this_machine(load: Load, host: str) -> None:
    health = load(f'{MQTT}[health]\nport = 0\nhost = "{host}"').health
    assert health is not None
    assert (health.host, health.port) == (host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", ""])  # noqa: S104 - refused
def test_health_is_told_nowhere_else_and_the_reason_is_given(load: Load, host: str) -> None:
    told = mistakes(load, f'{MQTT}[health]\nport = 9464\nhost = "{host}"')
    assert "this machine alone" in told["health.host"]
    assert "nobody is asked who they are" in told["health.host"]


def test_who_is_suspended_in_the_file_counts_for_nothing(load: Load) -> None:
    people = load(GOOD.replace('role = "commander"', 'role = "commander"\nsuspended = true')).people
    assert people.is_suspended("alice")
    assert people.holder_of(Account("matrix", "@alice:example.org")) is None


STOP_KEYS = tuple(PrivateKey(number.to_bytes(32)).public for number in range(257))


def with_stop_keys(**people: str) -> str:
    return MQTT + "".join(f'[people.{name}]\nrole = "operator"\nstop_keys = {keys}\n' for name, keys in people.items())


def test_stop_keys_are_read_and_are_no_network(load: Load) -> None:
    one, two, three = map(str, STOP_KEYS[:3])
    loaded = load(with_stop_keys(alice=f'["{one}", "{two}"]', bob=f'["{three}"]', carol="[]"))
    assert loaded.stop_keys == {one: "alice", two: "alice", three: "bob"}
    assert all(person.accounts == frozenset() for person in loaded.people.listed)


def test_a_stop_key_in_another_spelling_is_the_same_key(load: Load) -> None:
    key = str(STOP_KEYS[0])
    other = f"{key[:42]}{chr(ord(key[42]) + 1)}="  # the last two bits of the last digit say nothing
    assert (other != key, PublicKey.parse(other)) == (True, STOP_KEYS[0])
    told = mistakes(load, with_stop_keys(alice=f'["{key}"]', bob=f'["{other}"]'))
    assert told["people.bob.stop_keys"] == f"{key} is alice's already"


def test_a_stop_key_has_one_holder_and_one_role(load: Load) -> None:
    key = STOP_KEYS[0]
    told = mistakes(load, with_stop_keys(alice=f'["{key}", "{key}"]', bob=f'["{KEY}"]') + GOOD[GOOD.index("[comp") :])
    assert told["people.alice.stop_keys"] == f"{key} is alice's already"
    assert told["people.bob.stop_keys"] == f"{KEY} is the component walker's already"


def test_there_may_not_be_more_stop_keys_than_one_message_holds(load: Load) -> None:
    told = mistakes(load, with_stop_keys(alice=str([*map(str, STOP_KEYS)])))
    assert told["people"] == "there may be 256 stop keys, of all people together"


@pytest.mark.parametrize("keys", ['"key"', '["key"]', "3", "[3]", f'["{KEY}="]'])
def test_what_is_no_stop_key_is_told(load: Load, keys: str) -> None:
    assert mistakes(load, with_stop_keys(alice=keys)).keys() == {"people.alice.stop_keys"}


BAD = """
surprise = 1
[bot]
name = "Not A Name"
alarms = ["pigeon:loft"]
[mqtt]
port = 70000
root = "a/#"
password_file = "nowhere"
[people.alice]
role = "queen"
matrix = "alice"
pigeon = ["alice"]
suspended = "yes"
[people."Bob the great"]
role = "viewer"
[people.carl]
matrix = ["@carl:example.org"]
[components.walker]
key = "short"
groups = ["legs", "not a group"]
[components.crane]
[commands.run]
role = 3
two_persons = 1
[commands."too many words"]
[health]
host = "example.org"
[matrix]
surprise = 1
"""


def test_all_mistakes_are_told_at_once_each_with_its_key(load: Load) -> None:
    assert mistakes(load, BAD).keys() == {
        "surprise",
        "bot.name",
        "bot.alarms",
        "mqtt.host",
        "mqtt.port",
        "mqtt.root",
        "mqtt.password_file",
        "people.alice.role",
        "people.alice.matrix",
        "people.alice.pigeon",
        "people.alice.suspended",
        'people."Bob the great"',
        "people.carl.role",
        "components.walker.key",
        "components.walker.groups",
        "components.crane.key",
        "commands.run.role",
        "commands.run.two_persons",
        'commands."too many words"',
        "health.port",
        "health.host",
        "matrix.surprise",
        "matrix.homeserver",
        "matrix.user",
        "matrix.password_file",
    }


def test_an_account_of_two_people_is_refused_whatever_else_is_wrong(load: Load) -> None:
    told = mistakes(load, GOOD + '[people.eve]\nrole = "viewer"\nmatrix = ["@alice:example.org"]\n[people.x]')
    assert told["people.eve.matrix"] == "@alice:example.org is alice's already"
    assert "people.x.role" in told


@pytest.mark.parametrize("section", ["bot = 3", "mqtt = []", "people = 'x'", "[people]\nalice = 1", "[[components]]"])
def test_what_is_no_section_is_told_and_the_rest_is_still_looked_at(load: Load, section: str) -> None:
    told = mistakes(load, f"{section}\n[health]\nport = true")
    assert "health.port" in told
    assert any("must be a section: [" in each for each in told.values())


def test_a_plugin_that_cannot_be_loaded_is_told(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tocsin.bridges]\nbroken = is_not_there:plugin\npath = pathlib:Path\n")
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType] - pytest does not say its type
    told = mistakes(load, f"{MQTT}[broken]\n[path]")
    assert "its plugin cannot be loaded: No module named 'is_not_there'" in told["broken"]
    assert "no plugin" in told["path"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        settings.load(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        settings.load(tmp_path)


def test_the_networks_come_from_what_is_installed() -> None:
    assert {"console", "matrix"} <= {entry.name for entry in entry_points(group="tocsin.bridges")}
