"""The configuration: all mistakes at once, each with its key, and no secret that others can read."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Settings
from bot.words.errors import SettingsError
from bot.words.people import Account, Role
from wire.envelope import PrivateKey
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
    assert loaded.bridges == {}


@pytest.mark.parametrize("section", ["", '[bot]\nname = "tocsin"\n'])
def test_little_is_enough(load: Load, tmp_path: Path, section: str) -> None:
    loaded = load(section + '[mqtt]\nhost = "localhost"')
    assert loaded.bot.name == "tocsin"
    assert loaded.bot.folder == tmp_path / "state"
    assert loaded.mqtt.broker().password is None


def test_a_password_is_read_when_it_is_needed(load: Load, tmp_path: Path) -> None:
    loaded = load(GOOD)
    (tmp_path / "secret").write_text("another")
    assert loaded.mqtt.broker().password == "another"  # noqa: S105 - the test's own


BAD = """
surprise = 1
[bot]
name = "Not A Name"
[mqtt]
port = 70000
root = "a/#"
password_file = "nowhere"
[people.alice]
role = "queen"
matrix = "alice"
pigeon = ["alice"]
[people."Bob the great"]
role = "viewer"
[components.walker]
key = "short"
groups = ["not a group"]
[components.crane]
"""


def test_all_mistakes_are_told_at_once_each_with_its_key(load: Load) -> None:
    with pytest.raises(SettingsError) as wrong:
        load(BAD)
    lines = str(wrong.value).splitlines()
    assert "config.toml cannot be used" in lines[0]
    keys = {line.split(":")[0].strip() for line in lines[1:]}
    assert keys == {
        "surprise",
        "bot.name",
        "mqtt.host",
        "mqtt.port",
        "mqtt.root",
        "mqtt.password_file",
        "people.alice.role",
        "people.alice.matrix",
        "people.alice.pigeon",
        "people.Bob the great",
        "components.walker.key",
        "components.walker.groups.0",
        "components.crane.key",
    }


def test_a_mistake_in_a_network_is_told_beside_the_others(load: Load) -> None:
    with pytest.raises(SettingsError) as wrong:
        load('[bot]\nname = "X"\n[mqtt]\nhost = "localhost"\n[matrix]\nsurprise = 1')
    assert "bot.name:" in str(wrong.value)
    assert "matrix.surprise:" in str(wrong.value)


def test_an_unknown_network_is_told_with_those_that_there_are(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"people\.alice\.pigeon: no network is called so; there is .*matrix"):
        load(GOOD.replace("matrix =", "pigeon ="))


def test_an_account_of_two_people_is_refused(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"people\.eve\.matrix: @alice:example\.org is alice's already"):
        load(GOOD + '[people.eve]\nrole = "viewer"\nmatrix = ["@alice:example.org"]')


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(load: Load, tmp_path: Path, mode: int) -> None:
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(SettingsError, match=r"mqtt\.password_file: .*can be read by others; run `chmod 600") as wrong:
        load(GOOD)
    assert "sesame" not in str(wrong.value)


def test_a_secret_in_the_file_itself_is_refused(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"mqtt\.password: ") as wrong:
        load(GOOD.replace("[mqtt]", '[mqtt]\npassword = "sesame"'))
    assert "sesame" not in str(wrong.value)


def test_a_file_that_is_not_there_or_no_toml_is_told(load: Load, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="is not TOML"):
        load("[bot")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        settings.load(tmp_path / "binary.toml")


def test_the_example_is_good(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "matrix-password").touch(mode=0o600)
    loaded = load((Path(__file__).parents[2] / "config.example.toml").read_text())
    assert {person.name: person.role for person in loaded.people.listed} == {
        "alice": Role.OPERATOR,
        "bob": Role.VIEWER,
    }
    assert set(loaded.bridges) == {"matrix"}


def test_the_networks_come_from_what_is_installed() -> None:
    assert "matrix" in {entry.name for entry in importlib.metadata.entry_points(group="tocsin.bridges")}
