"""Reactions and files on a real homeserver: what reaches the inbox, and what the bot shows, sends and takes back."""

import json
from typing import Any

import pytest

from bot.words.document import OCTETS, Brought, Document, Enclosed, Reacts, TakenBack
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post, Reaction, Standing
from bot.words.people import Account
from demo.beside import content, react, sealed, sees_reaction, sees_removal, send_file, upload
from demo.operator import Operator
from demo.stage import Stage, says

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
PLENTY = 100_000
THUMB = "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}"
WORDS = b"what was measured"


def shows(room: str, event: str | None, emoji: str = THUMB, *, gone: bool = False, edits: str | None = None) -> Post:
    return Post(Place("matrix", room), Document((Reacts(emoji, gone),)), Lane.TALK, reply_to=event, edits=edits)


def brings(room: str, name: str, data: bytes, type_: str) -> Post:
    file = Brought(Enclosed("zulip", "elsewhere", name, len(data), type_), data)
    return Post(Place("matrix", room), Document((file,)), Lane.TALK)


async def met(stage: Stage, alice: Operator) -> str:
    """A room of which the bot has heard."""
    room = await stage.room_of(alice)
    await alice.say(room, "hello")
    await stage.inbox.next()
    return room


async def test_what_people_show_beside_a_message_and_take_back_reaches_the_inbox(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "look")
        own = await react(alice, room, event, THUMB)
        place, account = Place("matrix", room), Account("matrix", stage.alice)
        assert await stage.inbox.next_reaction() == Reaction(place, event, account, THUMB, own)
        await alice.remove(room, own)
        change = await stage.inbox.next_change()
        assert (change.event, change.removed) == (own, True)
        await react(alice, room, event, "two\nlines")
        inside = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": ":sealed:"}}
        hidden = alice.connection.olm.group_encrypt(room, {"type": "m.reaction", "content": inside})
        sent = await alice.put(room, "m.room.encrypted", hidden)
        assert await stage.inbox.next_reaction() == Reaction(place, event, account, ":sealed:", sent)
        assert bot.health().counts == {"unreadable_events": 1}


async def test_the_bot_shows_takes_back_and_shows_again_also_after_a_restart(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online() as bot:
            room = await stage.room_of(alice)
            event = await alice.say(room, "look")
            await stage.inbox.next()
            shown = await bot.send(shows(room, event), key="one")
            assert await sees_reaction(alice, room, event, THUMB, stage.bot) == shown
            assert await bot.send(shows(room, event), key="one") == shown
            assert await bot.send(shows(room, event), key="beside it") == shown
            assert await bot.send(shows(room, event, gone=True), key="never shown") == ""
        async with stage.bot_online() as bot:
            assert await bot.send(shows(room, event, gone=True, edits=shown), key="two") == shown
            await sees_removal(alice, room, shown)
            again = await bot.send(shows(room, event, edits=shown), key="three")
            assert again != shown
            await alice.sees(lambda _, each: each.source["event_id"] == again, "the reaction again")
            with pytest.raises(NetworkError, match="no message"):
                await bot.send(shows(room, None), key="four")
        assert stage.inbox.reacted.empty()


async def test_the_bot_shows_nothing_in_a_room_in_which_it_says_nothing(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await alice.create_open_room("open", stage.bot)
        await alice.joined(room, stage.bot)
        event = await alice.put(room, "m.room.message", {"msgtype": "m.text", "body": "look"})
        await stage.inbox.next()
        with pytest.raises(NetworkError, match="not encrypted"):
            await bot.send(shows(room, event), key="one")


async def test_what_the_bot_said_is_taken_back_with_its_edits(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await met(stage, alice)
        first = await bot.send(says(room, "one"), key="one")
        await bot.send(says(room, "two", edits=first), key="two")
        edit = await alice.wait_for(lambda heard: heard.edits == first)
        back = Post(Place("matrix", room), Document((TakenBack(taken_back=True),)), Lane.TALK, edits=first)
        assert await bot.send(back, key="three") == first
        assert await bot.send(back, key="three") == first
        await sees_removal(alice, room, edit.event)
        await sees_removal(alice, room, first)


async def test_files_that_people_send_are_brought_as_they_were_also_after_a_restart(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online() as bot:
            room = await stage.room_of(alice)
            event = await send_file(alice, room, "a.png", PNG, kind="m.image", type_="image/png", caption="!stop all")
            message = await stage.inbox.next()
            assert (message.event, message.text, message.caption) == (event, "", "!stop all")
            assert (message.standing, message.device) == (Standing.ATTESTED, alice.device)
            assert not message.addressed
            (file,) = message.files
            assert (file.network, file.name, file.size, file.type) == ("matrix", "a.png", len(PNG), "image/png")
            assert await bot.bring(file.reference, len(PNG)) == PNG
            with pytest.raises(NetworkError, match="larger than"):
                await bot.bring(file.reference, len(PNG) - 1)
        async with stage.bot_online() as bot:
            assert await bot.bring(file.reference, PLENTY) == PNG
            await alice.edit(room, event, "only words")
            assert (await stage.inbox.next_change()).files == ()
            new = content("a.png", PNG, {"file": json.loads(file.reference)}, caption="a curve")
            relation = {"rel_type": "m.replace", "event_id": event}
            await alice.say(room, "* a curve", **new, **{"m.new_content": new, "m.relates_to": relation})
            change = await stage.inbox.next_change()
            assert (change.text, change.standing) == ("a curve", Standing.ATTESTED)
            assert [each.name for each in change.files] == ["a.png"]


async def test_a_file_sent_in_clear_is_unproven_and_brought_all_the_same(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        said = content("notes.txt", WORDS, {"url": await upload(alice, WORDS, "text/plain")})
        await alice.put(room, "m.room.message", said)
        message = await stage.inbox.next()
        assert (message.standing, message.caption) == (Standing.UNPROVEN, "")
        assert await bot.bring(message.files[0].reference, PLENTY) == WORDS


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"hashes": {"sha256": "A" * 43}}, "cannot be opened"),
        ({"url": "mxc://localhost/nothere"}, "M_NOT_FOUND"),
        ({"url": "mxc://nowhere.invalid/file"}, "refused"),
    ],
    ids=["another digest", "gone", "of a homeserver that is away"],
)
async def test_a_file_that_is_not_what_was_sent_is_not_brought(stage: Stage, change: dict[str, Any], why: str) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        file = await sealed(alice, WORDS) | change
        said = content("notes.txt", WORDS, {"file": file})
        await alice.say(room, said.pop("body"), **said)
        message = await stage.inbox.next()
        with pytest.raises(NetworkError, match=why) as raised:
            await bot.bring(message.files[0].reference, PLENTY)
        assert not isinstance(raised.value, Unreachable)


async def test_a_file_whose_address_leads_elsewhere_is_passed_over_and_counted(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        file = await sealed(alice, WORDS) | {"url": "mxc://../../v3/account/whoami"}
        said = content("notes.txt", WORDS, {"file": file})
        await alice.say(room, said.pop("body"), **said)
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"
        assert bot.health().counts == {"unreadable_events": 1}


async def test_the_bot_sends_a_picture_and_a_file_encrypted(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await met(stage, alice)
        for name, data, type_, kind in (("a.png", PNG, "image/png", "m.image"), ("a.svg", WORDS, OCTETS, "m.file")):
            event = await bot.send(brings(room, name, data, type_), key=name)
            assert await bot.send(brings(room, name, data, type_), key=name) == event
            heard = await alice.wait_for(lambda each, event=event: each.event == event)
            assert (heard.body, heard.decrypted) == (name, True)
            assert heard.file is not None
            assert "key" in heard.file
            assert await alice.open(heard) == data
            assert await kind_of(alice, event) == kind
            back = Post(Place("matrix", room), Document((TakenBack(taken_back=True),)), Lane.TALK, edits=event)
            await bot.send(back, key=f"{name} gone")
            await sees_removal(alice, room, event)


async def kind_of(who: Operator, event: str) -> str:
    """Which kind of message it was that somebody heard."""
    kinds: list[str] = []

    def is_it(_: str, each: Any) -> bool:
        if each.source["event_id"] != event:
            return False
        kinds.append(each.source["content"]["msgtype"])
        return True

    await who.sees(is_it, event)
    return kinds[0]


async def test_a_room_that_may_be_in_clear_gets_files_in_clear(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        room = await alice.create_open_room("hall", stage.bot)
        async with stage.bot_online(unencrypted_rooms=[room]) as bot:
            await alice.joined(room, stage.bot)
            await alice.put(room, "m.room.message", {"msgtype": "m.text", "body": "hello"})
            await stage.inbox.next()
            event = await bot.send(brings(room, "a.png", PNG, "image/png"), key="one")
            heard = await alice.wait_for(lambda each: each.event == event)
            assert heard.file is not None
            assert [*heard.file] == ["url"]
            assert await alice.open(heard) == PNG
            shown = await bot.send(shows(room, event), key="two")
            assert await sees_reaction(alice, room, event, THUMB, stage.bot) == shown


async def test_a_file_that_the_homeserver_does_not_take_stays_behind_as_words(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await met(stage, alice)
        data = bytes(60 * 1024 * 1024)
        event = await bot.send(brings(room, "large.bin", data, OCTETS), key="one")
        heard = await alice.wait_for(lambda each: each.event == event)
        assert (heard.body, heard.file) == ("File: large.bin, 62.9 MB", None)
