"""`tocsin doctor` says whether a witness of the record is elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.doctor import witnesses
from bot.findings import State
from bot.settings import Settings
from tests.faults import small_disk

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(audit: str = "", host: str = "127.0.0.1") -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(f'[audit]\n{audit}\n[mqtt]\nhost = "{host}"\n[console]\nsocket = "{tmp_path}/socket"\n')
        return settings.load(path)

    return loaded


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_broker_on_this_machine_and_a_file_on_the_same_disk_are_not_elsewhere(load: Load, host: str) -> None:
    found = witnesses.elsewhere(load('witness_files = ["not there yet/checkpoints"]', host))
    assert found.state is State.HINT
    assert "[audit]" in found.do


@pytest.mark.parametrize(
    ("audit", "host", "named"),
    [
        ("", "mqtt.example.org", "the broker on mqtt.example.org"),
        ('witness_places = ["console:ops"]', "::1", "console:ops"),
    ],
)
def test_a_broker_on_another_machine_and_a_room_are(load: Load, audit: str, host: str, named: str) -> None:
    found = witnesses.elsewhere(load(audit, host))
    assert (found.state, named in found.what) == (State.GOOD, True)


def test_a_broker_that_is_no_witness_is_none(load: Load) -> None:
    assert witnesses.elsewhere(load("witness_mqtt = false", "mqtt.example.org")).state is State.HINT


@pytest.mark.skipif(bool(small_disk.impossible()), reason=small_disk.impossible())
def test_a_file_on_another_disk_is(load: Load, tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "small", "64k") as folder:
        found = witnesses.elsewhere(load(f'witness_files = ["{folder}/checkpoints"]'))
    assert (found.state, str(folder) in found.what) == (State.GOOD, True)
