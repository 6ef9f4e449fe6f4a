"""What was changed from chat against what the file says, and how both are shown."""

import re
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Effect, Settings, weigh
from bot.settings.effective import effective
from bot.store.overlay import Entry
from bot.words.plain import to_plain

CONFIG = """
[mqtt]
host = "localhost"
[people.alice]
role = "operator"
[people.bob]
role = "viewer"
suspended = false
[people.carol]
role = "commander"
suspended = true
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return settings.load(path)


def changed(key: str, value: str | float | bool = True) -> Entry:
    return Entry(key, value, "carol", 1_793_000_000.0)


@pytest.mark.parametrize(
    ("entry", "effect", "person"),
    [
        (changed("people.alice.suspended"), Effect.APPLIED, "alice"),
        (changed("people.bob.suspended"), Effect.OVERRULED, "bob"),
        (changed("people.carol.suspended", value=False), Effect.OVERRULED, "carol"),
        (changed("people.zoe.suspended"), Effect.UNKNOWN, ""),
        (changed("people.alice.role", "commander"), Effect.UNKNOWN, ""),
        (changed("people.alice.suspended", "yes"), Effect.UNKNOWN, ""),
        (changed("people.alice.suspended", 1), Effect.UNKNOWN, ""),
        (changed("stop_keys.0123456789abcdef.revoked", value=False), Effect.UNKNOWN, ""),
        (changed("stop_keys.0123456789abcdeF.revoked"), Effect.UNKNOWN, ""),
        (changed("stop_keys.alice.revoked"), Effect.UNKNOWN, ""),
        (changed("people"), Effect.UNKNOWN, ""),
        (changed(""), Effect.UNKNOWN, ""),
    ],
)
def test_the_file_wins_and_what_nobody_knows_changes_nothing(
    loaded: Settings, entry: Entry, effect: Effect, person: str
) -> None:
    (weighed,) = weigh([entry], loaded)
    assert (weighed.entry, weighed.effect, weighed.person) == (entry, effect, person)
    assert not loaded.people.is_suspended("alice")


def test_a_revoked_stop_key_stays_revoked_whether_the_file_lists_it_or_not(loaded: Settings) -> None:
    (weighed,) = weigh([changed("stop_keys.0123456789abcdef.revoked")], loaded)
    assert (weighed.effect, weighed.person, weighed.stop_key) == (Effect.APPLIED, "", "0123456789abcdef")


def test_weighing_changes_nothing_by_itself(loaded: Settings) -> None:
    weigh([changed("people.alice.suspended")], loaded)
    assert not loaded.people.is_suspended("alice")
    assert loaded.people.is_suspended("carol")


def rows(loaded: Settings, *entries: Entry) -> set[tuple[str, ...]]:
    text = to_plain(effective(loaded, weigh(entries, loaded)))
    return {tuple(re.split(" {2,}", line)) for line in text.splitlines()}


def test_every_key_is_shown_with_its_value_and_where_it_comes_from(loaded: Settings) -> None:
    shown = rows(loaded)
    assert ("bot.name", "tocsin", "default") in shown
    assert ("bot.folder", "state", "default") in shown
    assert ("bot.alarms", "–", "default") in shown
    assert ("mqtt.host", "localhost", "file") in shown
    assert ("mqtt.port", "1883", "default") in shown
    assert ("people.alice.role", "operator", "file") in shown
    assert ("people.alice.suspended", "false", "default") in shown
    assert ("people.carol.suspended", "true", "file") in shown
    assert ("health", "off", "default") in shown
    assert ("matrix", "off", "default") in shown


def test_what_was_revoked_from_chat_is_shown_beside_what_the_file_lists(loaded: Settings) -> None:
    (revoked,) = [
        row for row in rows(loaded, changed("stop_keys.0123456789abcdef.revoked")) if row[0].startswith("stop_keys")
    ]
    assert revoked[:2] == ("stop_keys.0123456789abcdef.revoked", "true")
    assert re.fullmatch(r"chat \(by carol, .*\)", revoked[2])


def test_what_was_changed_from_chat_is_shown_with_who_and_when(loaded: Settings) -> None:
    shown = rows(loaded, *(changed(f"people.{name}.suspended") for name in ("alice", "bob", "zoe")))
    (alice,) = [row for row in shown if row[0] == "people.alice.suspended"]
    assert alice[1] == "true"
    assert re.fullmatch(r"chat \(by carol, (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\)", alice[2])
    bob = {row[1]: row[2] for row in shown if row[0] == "people.bob.suspended"}
    assert bob["false"] == "file"
    assert re.fullmatch(r"chat \(by carol, .*\), overruled by the file", bob["true"])
    (zoe,) = [row for row in shown if row[0] == "people.zoe.suspended"]
    assert zoe[2].endswith("about nothing that the file has")
