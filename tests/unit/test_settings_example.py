"""The example of a configuration: it is good as it is, with all of it in force, and it leaves no key out."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.bridge import find_plugins
from bot.settings import Settings
from bot.settings.sections import (
    AuditSettings,
    BotSettings,
    CommandSettings,
    ComponentSettings,
    HealthSettings,
    MqttSettings,
    PersonSettings,
)
from bot.words.message import Place
from bot.words.people import Role
from demo.certificates import Authority

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
IN_A_COMMENT = re.compile(r"^# (?=\[[a-z.\"\w -]+\]$|[a-z_]+ = )", re.MULTILINE)
OURS = {
    "bot": BotSettings,
    "mqtt": MqttSettings,
    "audit": AuditSettings,
    "health": HealthSettings,
    "people": PersonSettings,
    "components": ComponentSettings,
    "commands": CommandSettings,
}
SECTIONS = OURS | {network: find().settings for network, find in find_plugins().items()}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Settings]:
    (tmp_path / "secrets").mkdir()
    for name in ("mqtt-password", "matrix-password", "zulip-key"):
        secret = tmp_path / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text("sesame")
    Authority.made(tmp_path / "secrets", "mqtt-ca").certify("mqtt")

    def loaded(text: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return settings.load(path)

    return loaded


def test_it_is_good_as_it_is_and_without_its_comments(load: Callable[[str], Settings]) -> None:
    bare = "\n".join(line for line in EXAMPLE.splitlines() if not line.startswith("#"))
    for text in (EXAMPLE, bare):
        loaded = load(text)
        assert {person.name: person.role for person in loaded.people.listed} == {
            "alice": Role.OPERATOR,
            "bob": Role.VIEWER,
        }
        assert set(loaded.bridges) == {"matrix", "mqtt"}
        assert loaded.networks == "matrix"
        assert loaded.health is None


def test_it_is_good_with_everything_in_force(load: Callable[[str], Settings]) -> None:
    loaded = load(IN_A_COMMENT.sub("", EXAMPLE))
    assert set(loaded.bridges) == {"console", "matrix", "mqtt", "zulip"}
    assert loaded.bot.alarms == (Place("matrix", "!room:example.org"),)
    assert loaded.bot.run_from == {"matrix"}
    assert loaded.audit.witness_files == (Path("/mnt/elsewhere/tocsin.checkpoints"),)
    assert loaded.audit.witness_places == (Place("matrix", "!witness:example.org"),)
    assert loaded.health is not None
    assert set(loaded.enrolled) == {"walk-1"}
    assert loaded.commands["person suspend"].two_persons
    broker = loaded.mqtt.broker()
    assert broker.tls is not None
    assert broker.tls.key is not None
    assert set(loaded.stop_keys.values()) == {"alice"}


@pytest.mark.parametrize("section", SECTIONS)
def test_it_has_every_key_of_every_section(section: str) -> None:
    parts = re.split(rf"^(?:# )?\[{section}[.\]].*$", EXAMPLE, flags=re.MULTILINE)
    assert len(parts) > 1
    own = "\n".join(re.split(r"^(?:# )?\[", part, maxsplit=1, flags=re.MULTILINE)[0] for part in parts[1:])
    written = set(re.findall(r"^(?:# (?:or: )?)?([a-z_]+) = ", own, flags=re.MULTILINE))
    assert set(SECTIONS[section].model_fields) <= written


def test_what_is_commented_out_shows_the_default_where_there_is_one() -> None:
    for key, default in (("host", "127.0.0.1"), ("suspended", "false"), ("witness_mqtt", "true")):
        assert re.search(rf'^# {key} = "?{re.escape(default)}"?$', EXAMPLE, flags=re.MULTILINE)
