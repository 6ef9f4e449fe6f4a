"""What may stand in `[audit]`, and what is said of what may not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.record.witnesses.configured import configured
from bot.settings import Settings
from bot.settings.effective import effective
from bot.settings.mistakes import Mistakes, key
from bot.store import Store
from bot.words.message import Place
from bot.words.plain import to_plain
from wire.mqtt import Link

CONSOLE = '[mqtt]\nhost = "localhost"\n[console]\nsocket = "/run/tocsin/chat.sock"\n'
Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(text + CONSOLE)
        return settings.load(path)

    return loaded


def mistakes(load: Load, text: str) -> dict[str, str]:
    with pytest.raises(Mistakes) as caught:
        load(text)
    return {key(each.path): str(each) for each in caught.value.mistakes}


@pytest.mark.parametrize("section", ["", "[audit]\n"])
def test_without_a_word_the_broker_is_the_witness(load: Load, section: str) -> None:
    audit = load(section).audit
    assert (audit.witness_files, audit.witness_mqtt, audit.witness_places) == ((), True, ())


def test_all_witnesses_are_read_each_once(load: Load, tmp_path: Path) -> None:
    audit = load(
        '[audit]\nwitness_files = ["/mnt/a", "b", "/mnt/a"]\nwitness_mqtt = false\n'
        'witness_places = ["console:ops", "console:ops"]\n'
    ).audit
    assert audit.witness_files == (Path("/mnt/a"), tmp_path / "b")
    assert (audit.witness_mqtt, audit.witness_places) == (False, (Place("console", "ops"),))


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("state", "state/checkpoints"),
        ("state", "elsewhere/../state/deep/checkpoints"),
        ("state", "./state"),
        ("/var/lib/tocsin", "/var/lib/tocsin/checkpoints"),
        ("a/../state", "state/x"),
    ],
)
def test_a_file_in_the_bots_own_folder_is_refused_with_the_reason(load: Load, folder: str, file: str) -> None:
    told = mistakes(load, f'[bot]\nfolder = "{folder}"\n[audit]\nwitness_files = ["/mnt/a", "{file}"]\n')
    assert told.keys() == {"audit.witness_files"}
    assert "must not be in the bot's own folder: whoever changes the record" in told["audit.witness_files"]
    assert f'found "{Path(file)}"' in told["audit.witness_files"]


@pytest.mark.parametrize("file", ["state-of-elsewhere/checkpoints", "../state/checkpoints", "checkpoints"])
def test_a_file_beside_the_folder_is_taken(load: Load, file: str) -> None:
    assert load(f'[audit]\nwitness_files = ["{file}"]\n').audit.witness_files


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('witness_files = "/mnt/a"', "must be a list"),
        ("witness_files = [3]", "must be a path"),
        ('witness_files = [""]', "must be a path"),
        ('witness_mqtt = "yes"', "must be true or false"),
        ('witness_places = ["ops"]', "must be a network and a place on it"),
        ('witness_places = ["zulip:ops"]', "must be a network with a section in this file"),
        ('witness_file = "/mnt/a"', "did you mean witness_files?"),
    ],
)
def test_what_is_wrong_is_told_under_its_key(load: Load, line: str, mistake: str) -> None:
    ((name, told),) = mistakes(load, f"[audit]\n{line}\n").items()
    assert name == f"audit.{line.split(' ', maxsplit=1)[0]}"
    assert mistake in told


def test_a_mistake_beside_it_is_told_too(load: Load) -> None:
    told = mistakes(load, '[bot]\nname = "A B"\n[audit]\nwitness_files = ["state/x"]\nwitness_mqtt = 1\n')
    assert told.keys() == {"bot.name", "audit.witness_mqtt"}


def test_what_is_in_force_is_shown(load: Load) -> None:
    shown = to_plain(effective(load('[audit]\nwitness_files = ["b"]\n'), []))
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith("audit")}
    assert lines == {
        "audit.witness_files": ["b", "file"],
        "audit.witness_mqtt": ["true", "default"],
        "audit.witness_places": ["–", "default"],
    }


async def test_the_witnesses_are_those_that_are_named(load: Load, store: Store, tmp_path: Path) -> None:
    loaded = load('[audit]\nwitness_files = ["b"]\nwitness_places = ["console:ops"]\n[bot]\nname = "harbour"\n')
    link = Link(loaded.mqtt.broker(), "bot", receive=lambda _: None)
    named = [(each.name, each.quick) for each in configured(loaded, store, link, queued=lambda: None)]
    assert named == [
        (str(tmp_path / "b"), True),
        ("mqtt:tocsin/v1/audit/harbour", True),
        ("console:ops", False),
    ]
    bare = load("[audit]\nwitness_mqtt = false\n")
    assert configured(bare, store, link, queued=lambda: None) == []
