"""Where the bot is to speak by itself: a place to which no post ever gets is a mistake in the file, with a remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Settings
from bot.settings.mistakes import Mistakes, quoted
from bot.words.message import Place

BEGIN = """\
[mqtt]
host = "localhost"
[zulip]
site = "https://chat.example.org"
email = "b@example.org"
key_file = "zulip-key"
"""
LINES = {"bot.alarms": "[bot]\nalarms", "audit.witness_places": "[audit]\nwitness_places"}
Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    (tmp_path / "zulip-key").write_text("k" * 32)
    (tmp_path / "zulip-key").chmod(0o600)

    def loaded(more: str) -> Settings:
        path = tmp_path / "config.toml"
        path.write_text(f"{BEGIN}{more}\n")
        return settings.load(path)

    return loaded


@pytest.mark.parametrize("key", LINES)
@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("mqtt:tocsin/v1/x", "must not be under tocsin/v1: there the bot talks to components"),
        ("mqtt:tocsin/v1", "must not be under tocsin/v1"),
        ("mqtt:lab/+", "must be one topic, without + and #: such as mqtt:lab/talk"),
        ("mqtt:lab/#", "must be one topic, without + and #: such as mqtt:lab/talk"),
        ("mqtt:$SYS/x", "must not begin with $: such topics are the broker's own"),
        (f"mqtt:{'x' * 256}", "must be a topic of at most 255 bytes"),
        ("zulip:4", "must be a channel and a topic, such as zulip:lab/alarms or zulip:4/alarms, or a person"),
        ("zulip:lab", "or a person, such as zulip:dm/12"),
        ("zulip:/alarms", "must be a channel and a topic"),
    ],
)
def test_a_place_to_which_no_post_gets_is_a_mistake(load: Load, key: str, place: str, what: str) -> None:
    with pytest.raises(Mistakes) as wrong:
        load(f'{LINES[key]} = ["zulip:4/good", "{place}"]')
    (mistake,) = wrong.value.mistakes
    assert (".".join(mistake.path), mistake.line) == (key, 8)
    assert what in mistake.what
    assert mistake.found == quoted(place)


@pytest.mark.parametrize("key", LINES)
@pytest.mark.parametrize(
    "place",
    ["mqtt:lab/alarms", "zulip:lab/Alarms", "zulip:4/Alarms", "zulip:a/b/c", "zulip:dm/12", "zulip:dm/15,12"],
)
def test_a_place_to_which_posts_get_is_taken_however_it_is_called(load: Load, key: str, place: str) -> None:
    loaded = load(f'{LINES[key]} = ["{place}"]')
    assert [*loaded.bot.alarms, *loaded.audit.witness_places] == [Place.parse(place)]


def test_what_is_under_another_root_of_components_is_no_place_either(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[bot]\nalarms = ["mqtt:yard/bots/x"]\n[mqtt]\nhost = "localhost"\nroot = "yard/bots"\n')
    with pytest.raises(Mistakes, match="must not be under yard/bots: there the bot talks to components"):
        settings.load(path)
