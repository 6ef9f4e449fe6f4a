"""TLS in the `[mqtt]` section: what is taken, and that a file that cannot work is told before anything connects."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Settings
from bot.settings.mistakes import Mistakes
from demo.certificates import Authority, Certificate
from wire.mqtt import Broker, Tls

Load = Callable[[str], Settings]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.made(tmp_path, "ca")


@pytest.fixture
def own(authority: Authority) -> Certificate:
    return authority.certify("own")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(lines: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(f'[mqtt]\nhost = "localhost"\n{lines}')
        return settings.load(path)

    return loaded


def told(load: Load, lines: str) -> dict[str, str]:
    """What is wrong, by key."""
    with pytest.raises(Mistakes) as wrong:
        load(lines)
    return dict(str(each).split(": ", maxsplit=1) for each in wrong.value.mistakes)


def test_without_tls_there_is_none(load: Load) -> None:
    assert load("").mqtt.broker() == Broker("localhost", 1883)


def test_with_tls_the_port_is_the_one_for_tls_unless_another_is_named(load: Load) -> None:
    assert load("tls = true").mqtt.broker() == Broker("localhost", 8883, tls=Tls())
    assert load("tls = true\nport = 1884").mqtt.broker() == Broker("localhost", 1884, tls=Tls())


@pytest.mark.usefixtures("own")
def test_files_are_seen_from_the_folder_of_the_configuration(load: Load, tmp_path: Path) -> None:
    loaded = load('tls = true\nca_file = "ca.pem"\ncertificate_file = "own.pem"\nkey_file = "own.key"').mqtt
    tls = Tls(tmp_path / "ca.pem", tmp_path / "own.pem", tmp_path / "own.key")
    assert loaded.broker() == Broker("localhost", 8883, tls=tls)


@pytest.mark.usefixtures("own")
def test_what_others_are_told_is_the_authority_and_nothing_of_the_bots_own(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_PASSWORD", "sesame")
    loaded = load(
        'tls = true\nca_file = "ca.pem"\ncertificate_file = "own.pem"\nkey_file = "own.key"\n'
        'username = "me"\npassword_env = "OUR_PASSWORD"'
    ).mqtt
    assert loaded.address() == Broker("localhost", 8883, tls=Tls(tmp_path / "ca.pem"))
    assert load("").mqtt.address() == Broker("localhost", 1883)


@pytest.mark.usefixtures("own")
def test_a_file_for_tls_without_tls_is_a_mistake(load: Load) -> None:
    wrong = told(load, 'ca_file = "ca.pem"\ncertificate_file = "own.pem"\nkey_file = "own.key"')
    assert wrong.keys() == {"mqtt.ca_file", "mqtt.certificate_file"}
    assert "say tls = true" in wrong["mqtt.ca_file"]
    assert "say tls = true" in told(load, 'tls = false\nca_file = "ca.pem"')["mqtt.ca_file"]


@pytest.mark.usefixtures("own")
def test_a_certificate_without_its_key_and_a_key_without_its_certificate_are_mistakes(load: Load) -> None:
    assert "is missing" in told(load, 'tls = true\ncertificate_file = "own.pem"')["mqtt.key_file"]
    assert "certificate_file" in told(load, 'tls = true\nkey_file = "own.key"')["mqtt.key_file"]


def test_a_key_that_others_can_read_is_refused_with_what_to_do(load: Load, own: Certificate) -> None:
    own.key.chmod(0o640)
    lines = 'tls = true\ncertificate_file = "own.pem"\nkey_file = "own.key"'
    assert f"Run `chmod 600 {own.key}`" in told(load, lines)["mqtt.key_file"]


def test_a_file_that_cannot_be_used_is_told_by_its_key(load: Load, authority: Authority, own: Certificate) -> None:
    assert "No such file" in told(load, 'tls = true\nca_file = "nowhere"')["mqtt.ca_file"]
    assert "holds no certificate" in told(load, 'tls = true\nca_file = "own.key"')["mqtt.ca_file"]
    authority.certify("other").key.replace(own.key)
    lines = 'tls = true\ncertificate_file = "own.pem"\nkey_file = "own.key"'
    assert "is not the key of" in told(load, lines)["mqtt.key_file"]


def test_a_tls_that_is_no_yes_and_no_no_is_one_mistake(load: Load) -> None:
    assert told(load, 'tls = "yes"').keys() == {"mqtt.tls"}
