"""What `tocsin stop` takes from a configuration, and what a word means. A wrong file keeps no stop from going out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.errors import UsageError
from bridges.console.stop_known import LARGEST, Known, read, resolve
from wire.envelope import PrivateKey
from wire.messages import ROOT, Target

KEY, STOP_KEY = (PrivateKey(bytes([number]) * 32).public for number in (1, 2))
CONFIG = f"""
[mqtt]
root = "plant/v1"
[console]
socket = "run/chat.sock"
[people.alice]
stop_keys = ["{STOP_KEY}", "no key", 3]
[components.walk-1]
key = "{KEY}"
groups = ["sims", 3]
[components.broken]
key = "no key"
[components.keyless]
[components."No Name"]
key = "{KEY}"
"""
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.fixture
def known(tmp_path: Path) -> Known:
    (tmp_path / "config.toml").write_text(CONFIG)
    return read(tmp_path / "config.toml")


def test_what_is_right_counts_and_what_is_wrong_is_told(known: Known, tmp_path: Path) -> None:
    assert known.socket == tmp_path / "run" / "chat.sock"
    assert known.root == "plant/v1"
    assert {name: each.key for name, each in known.listed.items()} == {"walk-1": KEY}
    assert known.groups == {"sims"}
    assert known.stop_keys == {STOP_KEY.id}
    assert [note.partition(" for ")[2].partition(":")[0] for note in known.notes] == ["broken", "keyless"]


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("all", Target()),
        ("EVERYTHING!", Target()),
        ("Walk-1", Target(id="walk-1")),
        ("sims.", Target(group="sims")),
        ("group/other", Target(group="other")),
        ("id/other", Target(id="other")),
    ],
)
def test_a_word_means_what_the_configuration_says(known: Known, word: str, target: Target) -> None:
    assert resolve(word, known) == target


@pytest.mark.parametrize(("word", "line"), [("walk1", "tocsin stop walk-1"), ("simz", "tocsin stop sims")])
def test_what_nobody_is_called_is_answered_with_the_line_to_send(known: Known, word: str, line: str) -> None:
    with pytest.raises(UsageError) as wrong:
        resolve(word, known)
    assert wrong.value.hint.startswith(f"To stop, run: {line} or tocsin stop all.")
    assert f"id/{word} or group/{word}" in wrong.value.hint


def test_without_a_list_a_name_is_a_component() -> None:
    assert resolve("walk1", Known()) == Target(id="walk1")
    for word in ("", "walk 1", "rig/one", "group/", "ü"):
        with pytest.raises(UsageError, match="Nothing was stopped"):
            resolve(word, Known())


@given(ANY_TEXT)
def test_no_word_raises_anything_but_a_usage_error(word: str) -> None:
    try:
        target = resolve(word, Known())
    except UsageError:
        return
    assert Target.parse(str(target)) == target


@given(ANY_TEXT.map(str.encode) | st.binary())
def test_any_configuration_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    config = tmp_path_factory.getbasetemp() / "stop.toml"
    config.write_bytes(content)
    known = read(config)
    assert known.listed == {}
    assert known.root == ROOT or known.config == config


def test_what_is_no_file_or_too_large_is_told(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"\n" * (LARGEST + 1))
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "large"):
        (note,) = read(path).notes
        assert "nobody's word can be verified" in note


@pytest.mark.parametrize(
    "section", ["components = 3", "[[components]]", "components.a = 3", "people = [1]", "mqtt = 1"]
)
def test_a_section_of_another_form_is_passed_over(tmp_path: Path, section: str) -> None:
    (tmp_path / "config.toml").write_text(section)
    known = read(tmp_path / "config.toml")
    assert (known.listed, known.stop_keys, known.socket) == ({}, frozenset(), None)
