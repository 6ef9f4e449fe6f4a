"""`tocsin doctor` on Zulip: a healthy account is all good, and each broken thing is found with its remedy."""

import asyncio
import collections
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest

from bot.bridge import Patient
from bot.findings import Finding, State
from bot.words.message import Place, Post
from bot.words.people import Account, People, Person, Role
from bridges.zulip import plugin
from bridges.zulip.settings import ZulipSettings
from demo.broker import LocalBroker
from tests.system.zulip_stage import TOPIC, Stage, says, staged
from tests.typed import tocsin
from tests.zulip import api_events, wire
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN, UNSUBBED, WEIRD, key_of
from tests.zulip.things import ADMIN, MEMBER, MODERATOR

TO_BOB = Place("zulip", f"dm/{BOB}")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The bot of somebody who can do little, on a server that the bridge was tried with."""
    async with staged(tmp_path) as stage:
        stage.world.realm.users[ALICE].role = MEMBER
        (stage.folder / "zulip").mkdir(mode=0o700)
        (stage.folder / "key").touch(mode=0o600)
        (stage.folder / "key").write_text(key_of("tocsin"))
        yield stage


async def look(
    stage: Stage,
    *alarms: str | Place,
    people: People | None = None,
    site: str = "",
    email: str = "tocsin-bot@lab.test",
    linked: Sequence[str] = (),
) -> list[Finding]:
    section = ZulipSettings(site=site or stage.world.url, email=email, key_file=stage.folder / "key")
    places = tuple(each if isinstance(each, Place) else Place("zulip", each) for each in alarms)
    among = tuple(map(Place.parse, linked))
    patient = Patient(stage.folder / "zulip", people or stage.people, {}, places, among)
    assert plugin.examine is not None
    return [each async for each in plugin.examine(section, patient)]


async def found(stage: Stage, about: str, *alarms: str | Place, people: People | None = None) -> Finding:
    """The one finding about something."""
    (only,) = [each for each in await look(stage, *alarms, people=people) if each.about == about]
    return only


async def places(stage: Stage, *linked: str) -> list[Finding]:
    """What is found about the places of channels."""
    return [each for each in await look(stage, linked=linked) if each.about == "places"]


def listing(**accounts: str) -> People:
    return People(
        tuple(Person(name, Role.OPERATOR, frozenset({Account("zulip", number)})) for name, number in accounts.items())
    )


def not_good(findings: Sequence[Finding]) -> list[Finding]:
    return [each for each in findings if each.state is not State.GOOD]


def files(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


async def test_a_healthy_account_is_all_good_and_nothing_is_changed(stage: Stage) -> None:
    before = files(stage.folder)
    findings = await look(stage, TOPIC, TO_BOB, "incidents/by its name", Place("console", "alice"))
    assert not_good(findings) == []
    assert [each.about for each in findings] == [
        *("server", "key", "owner", "channels", "alarms", "alice", "bob"),
        *("requests", "editing", "deleting", "lengths"),
    ]
    assert files(stage.folder) == before
    assert stage.said() == []
    assert not queues(stage)


def queues(stage: Stage) -> list[str]:
    asked = [(each.method, each.path.rpartition("/")[2]) for each in stage.world.requests]
    count = collections.Counter(asked)
    return ["left"] * (count["POST", "register"] - count["DELETE", "events"])


async def test_a_bot_that_runs_is_not_disturbed(stage: Stage) -> None:
    async with stage.online() as bridge:
        assert not_good(await look(stage, TOPIC)) == []
        await stage.bob.say("said after the look")
        assert (await stage.inbox.next()).text == "said after the look"
        assert bridge.health().counts["lost_queues"] == 0
    assert len(queues(stage)) == 1


async def test_a_server_that_is_away_is_told_once_and_nothing_else_is_asked(stage: Stage) -> None:
    (only,) = await look(stage, site="http://127.0.0.1:9")
    assert (only.about, only.state) == ("server", State.BAD)
    assert "http://127.0.0.1:9 does not answer" in only.what
    assert "Look whether it runs" in only.do


@pytest.mark.parametrize("kind", ["502_before", "drop_before", "401_before"])
async def test_a_server_that_does_not_answer_as_zulip_is_bad(stage: Stage, kind: str) -> None:
    await stage.fault(kind, "GET", ".*/server_settings", times=3)  # the client library tries a GET again
    (only,) = await look(stage)
    assert (only.about, only.state) == ("server", State.BAD)
    assert "`site` in [zulip]" in only.do


async def test_the_address_of_something_else_is_no_zulip_server(stage: Stage) -> None:
    (only,) = await look(stage, site=f"{stage.world.url}/elsewhere")
    assert "is no Zulip server (status 404)" in only.what


@pytest.mark.parametrize(
    ("level", "about", "state"),
    [(173, "server", State.BAD), (450, "version", State.HINT), (277, "version", State.HINT)],
)
async def test_a_server_that_the_bridge_was_not_tried_with_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, level: int, about: str, state: State
) -> None:
    monkeypatch.setattr(wire, "version", lambda: {"zulip_version": "x", "zulip_feature_level": level})
    assert (await found(stage, about)).state is state


async def test_a_key_that_the_server_does_not_take_is_bad_and_the_rest_is_not_asked(stage: Stage) -> None:
    stage.world.realm.users[TOCSIN].key = key_of("another")
    good, key = await look(stage)
    assert (good.about, key.about, key.state) == ("server", "key", State.BAD)
    assert "Zulip does not take the bot's key" in key.what
    assert "key_file of [zulip]" in key.do
    assert stage.tocsin.email not in {each.who for each in stage.world.requests if "server_settings" in each.path}


async def test_what_is_no_key_is_bad_and_no_key_goes_out(stage: Stage) -> None:
    (stage.folder / "key").write_text("no key")
    assert "is no key" in (await found(stage, "key")).what
    assert {each.who for each in stage.world.requests} == {""}


async def test_a_persons_own_key_and_a_bot_with_rights_are_told(stage: Stage) -> None:
    stage.world.realm.users[TOCSIN].role = MODERATOR
    key = await found(stage, "key")
    assert (key.state, "has many rights" in key.what) == (State.WARN, True)
    (stage.folder / "key").write_text(key_of("bob"))
    findings = await look(stage, email="bob@lab.test")
    (key,) = [each for each in findings if each.about == "key"]
    assert (key.state, "a person's account" in key.what) == (State.WARN, True)
    assert "owner" not in {each.about for each in findings}


@pytest.mark.parametrize("role", [ADMIN, MODERATOR])
async def test_an_owner_who_can_do_much_is_told(stage: Stage, role: int) -> None:
    stage.world.realm.users[ALICE].role = role
    owner = await found(stage, "owner")
    assert (owner.state, f"'alice' ({ALICE}) owns the bot and has many rights" in owner.what) == (State.WARN, True)
    assert "an account that can do little" in owner.do


async def test_an_owner_who_cannot_be_seen_is_a_hint(stage: Stage) -> None:
    stage.world.realm.users[TOCSIN].owner_id = None
    assert (await found(stage, "owner")).state is State.HINT
    stage.world.realm.users[TOCSIN].owner_id = 999
    assert (await found(stage, "owner")).state is State.HINT


async def test_the_channels_that_the_bot_is_in_are_named(stage: Stage) -> None:
    channels = await found(stage, "channels")
    assert channels.what == "The bot is in 2: 'incidents' (4), 'Störung / Netz' (7)."
    await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents", "Störung / Netz"]})
    assert (await found(stage, "channels")).state is State.HINT


@pytest.mark.parametrize(
    ("place", "state", "said"),
    [
        ("unsubbed/topic", State.BAD, "The bot is in no channel that zulip:unsubbed/topic could mean"),
        (f"{UNSUBBED}/topic", State.BAD, f"The bot is not in the channel of zulip:{UNSUBBED}/topic"),
        ("lab", State.BAD, "zulip:lab is no place in Zulip"),
        ("dm/999", State.BAD, "no active account 999"),
        (f"{INCIDENTS}/{'t' * 61}", State.WARN, "longer than the server takes (60 characters)"),
    ],
)
async def test_a_place_where_no_alarm_is_heard_whole_is_found(
    stage: Stage, place: str, state: State, said: str
) -> None:
    alarms = await found(stage, "alarms", place)
    assert alarms.state is state
    assert said in alarms.what


async def test_the_channels_of_places_that_are_one_conversation_are_looked_at(stage: Stage) -> None:
    assert await places(stage) == []
    assert await places(stage, "console:alice", "zulip:dm/12") == []
    sound = (f"zulip:{INCIDENTS}/lab", f"zulip:{WEIRD}/*", "matrix:!room:example.org")
    (good,) = await places(stage, *sound)
    assert (good.state, good.what) == (State.GOOD, "The bot is in the channel of each place in [channels]: 2.")
    away, gone = await places(stage, *sound, f"zulip:{UNSUBBED}/lab", f"zulip:{UNSUBBED}/hall", "zulip:99/lab")
    assert away.state is gone.state is State.BAD
    assert away.what.startswith(f"The bot is not in the channel of zulip:{UNSUBBED}/lab and zulip:{UNSUBBED}/hall, or")
    assert away.do == "Subscribe it there, or mend the place in [channels], and run `tocsin reload`."
    assert gone.what.startswith("The bot is not in the channel of zulip:99/lab, or that one is archived, or there is")
    stage.world.realm.channels[INCIDENTS].post_policy = 2
    (shut,) = await places(stage, *sound)
    assert (shut.state, f"zulip:{INCIDENTS}/lab" in shut.what) == (State.HINT, True)
    stage.world.realm.channels[INCIDENTS].archived = True
    (archived,) = await places(stage, *sound)
    assert (archived.state, f"zulip:{INCIDENTS}/lab" in archived.what) == (State.BAD, True)


async def test_two_names_of_one_place_are_told(stage: Stage) -> None:
    alarms = await found(stage, "alarms", "incidents/Alarms", f"{INCIDENTS}/alarms", TO_BOB)
    assert alarms.state is State.WARN
    assert alarms.what.startswith(f"zulip:incidents/Alarms and zulip:{INCIDENTS}/alarms are one place")
    assert alarms.do == "Leave one of them in `alarms` of [bot], and run `tocsin reload`."


async def test_a_name_that_means_a_channel_of_an_earlier_run_is_that_one_still(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(said_by_name(), key="one")
    await stage.alice.ask("PATCH", f"/streams/{INCIDENTS}", {"new_name": "accidents"})
    assert (await found(stage, "alarms", "incidents/topic")).state is State.GOOD


def said_by_name() -> Post:
    return says("hello", Place("zulip", "incidents/topic"))


async def test_a_channel_where_not_everybody_may_post_is_a_hint(stage: Stage) -> None:
    stage.world.realm.channels[INCIDENTS].post_policy = 2
    assert (await found(stage, "alarms", TOPIC)).state is State.HINT


async def test_accounts_of_people_that_cannot_speak_for_them_are_found(stage: Stage) -> None:
    stage.world.realm.users[BOB].is_active = False
    other = await stage.hand("person", full_name="other bot", is_bot=True)
    listed = listing(alice=str(ALICE), bob=str(BOB), carol="999", dan="dan", eve=str(TOCSIN), fred=str(other["id"]))
    by_name = {each.about: each for each in await look(stage, people=listed)}
    states = {name: by_name[name].state for name in ("alice", "bob", "carol", "dan", "eve", "fred")}
    assert states == {
        "alice": State.GOOD,
        "bob": State.WARN,
        "carol": State.BAD,
        "dan": State.BAD,
        "eve": State.BAD,
        "fred": State.WARN,
    }
    assert "is deactivated" in by_name["bob"].what
    assert "`zulip` of [people.carol]" in by_name["carol"].do
    nobody = await found(stage, "people", people=People())
    assert (nobody.state, "run `tocsin reload`" in nobody.do) == (State.WARN, True)


async def test_of_many_people_the_first_are_looked_at(stage: Stage) -> None:
    many = listing(**{f"p{number}": str(number) for number in range(100, 160)})
    findings = await look(stage, people=many)
    assert sum(each.about.startswith("p1") for each in findings) == 40
    assert any(each.about == "people" and "60 accounts are listed" in each.what for each in findings)


@pytest.mark.parametrize(
    ("changed", "about", "state", "said"),
    [
        ({"allow_message_editing": False}, "editing", State.WARN, "Nobody may edit"),
        ({"message_content_edit_limit_seconds": 60}, "editing", State.HINT, "for 1 min"),
        ({"message_content_edit_limit_seconds": None}, "editing", State.GOOD, "for ever"),
        ({"delete_own_message_policy": 2}, "deleting", State.HINT, "may not delete"),
        ({"delete_own_message_policy": 3}, "deleting", State.HINT, "does not show"),
        ({"message_content_delete_limit_seconds": None}, "deleting", State.GOOD, "for ever"),
    ],
)
async def test_what_the_organization_lets_be_done_is_told(
    stage: Stage, changed: dict[str, object], about: str, state: State, said: str
) -> None:
    await stage.hand("settings", **changed)
    finding = await found(stage, about)
    assert finding.state is state
    assert said in finding.what


async def test_a_server_that_takes_little_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.world.limits.requests = 100
    monkeypatch.setattr(api_events, "LONGEST_CONTENT", 500)
    by_name = {each.about: each for each in await look(stage)}
    assert (by_name["requests"].state, "100 requests a minute" in by_name["requests"].what) == (State.WARN, True)
    assert (by_name["lengths"].state, "500 characters" in by_name["lengths"].what) == (State.HINT, True)


async def test_the_command_tells_all_of_it_beside_the_other_parts(stage: Stage, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    (tmp_path / "broker").mkdir()
    async with LocalBroker(tmp_path / "broker") as broker:
        config.write_text(
            f"""
[bot]
folder = "state"
alarms = ["zulip:{UNSUBBED}/alarms"]
[mqtt]
host = "{broker.address.host}"
port = {broker.address.port}
[zulip]
site = "{stage.world.url}"
email = "tocsin-bot@lab.test"
key_file = "key"
[people.alice]
role = "operator"
zulip = ["{ALICE}"]
[channels.lab]
places = ["zulip:{UNSUBBED}/lab"]
"""
        )
        done = await asyncio.to_thread(tocsin, "doctor", "--json", "-c", config)
    rows = {each["about"]: each for each in orjson.loads(done.stdout) if each["part"] == "zulip"}
    assert done.returncode == 1
    assert rows["alarms"]["do"].startswith("Subscribe it there")
    assert {about for about, each in rows.items() if each["state"] != "good"} == {"alarms", "places"}
