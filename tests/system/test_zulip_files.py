"""Files that people send in Zulip, and those that the bot sends on there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.bridge import Keeping
from bot.words.document import Block, Brought, Document, Enclosed, document
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Post
from bot.words.talk import LARGEST_FILE
from tests.system.zulip_stage import TOPIC, Stage, staged
from tests.zulip import api_uploads
from tests.zulip.server import LOOPBACK
from tests.zulip.things import Upload


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.linked.append(TOPIC)
        yield stage


def sends(*blocks: Block | str, edits: str | None = None) -> Post:
    return Post(TOPIC, document(*blocks), Lane.TALK, edits=edits)


def brought(name: str, content: bytes) -> Brought:
    return Brought(Enclosed("matrix", "mxc://elsewhere/1", name, len(content)), content)


def uploads(stage: Stage) -> list[Upload]:
    return list(stage.world.realm.uploads.values())


@pytest.mark.parametrize("name", ["log.txt", "Störung-日本.png"])
async def test_a_file_that_somebody_sends_is_told_and_brought(stage: Stage, name: str) -> None:
    async with stage.online() as bridge:
        address = await stage.bob.put(name, b"what is in it")
        await stage.bob.say(f"look at [the thing]({address})\n[{name}]({address})")
        message = await stage.inbox.next()
        assert isinstance(bridge, Keeping)
        (file,) = message.files
        assert (message.text, file.network, file.name) == ("look at the thing", "zulip", name)
        assert 0 < file.size <= LARGEST_FILE
        assert await bridge.bring(file.reference, LARGEST_FILE) == b"what is in it"


async def test_a_file_that_comes_by_an_edit_is_told_live_and_after_a_gap(stage: Stage) -> None:
    async with stage.online():
        first = await stage.bob.put("first.png", b"1")
        number = (await stage.bob.say("look")).body["id"]
        await stage.inbox.next()
        await stage.bob.ask("PATCH", f"/messages/{number}", {"content": f"look\n[first.png]({first})"})
        change = await stage.inbox.next_change()
        assert (change.text, [each.name for each in change.files]) == ("look", ["first.png"])
    await stage.hand("events", do="kill")
    await stage.hand("events", do="start")
    await stage.bob.ask("PATCH", f"/messages/{number}", {"content": f"[second.png]({first})"})
    async with stage.online():
        change = await stage.inbox.next_change()
    assert (change.text, [each.reference for each in change.files]) == ("", [first])


async def test_a_file_that_is_too_large_or_not_there_is_refused(stage: Stage) -> None:
    async with stage.online() as bridge:
        address = await stage.bob.put("log.txt", b"x" * 1001)
        with pytest.raises(NetworkError) as private:
            await bridge.bring(address, 1001)
        await stage.bob.say(f"[log.txt]({address})")
        await stage.inbox.next()
        assert len(await bridge.bring(address, 1001)) == 1001
        with pytest.raises(NetworkError) as large:
            await bridge.bring(address, 1000)
        with pytest.raises(NetworkError) as missing:
            await bridge.bring("/user_uploads/2/aa/nosuchfile/x.txt", 1000)
    for refused in (private, large, missing):
        assert not isinstance(refused.value, Unreachable)


@pytest.mark.parametrize(
    "reference",
    [
        "/api/v1/users/me",
        "//evil.test/user_uploads/2/a/b",
        "@evil.test/user_uploads/2/a/b",
        "/user_uploads/2/../../api/v1/users/me",
        "/user_uploads/2/%2e%2e/%2e%2e/api/v1/users/me",
        "/user_uploads/2/a/b?x=1",
        "https://evil.test/user_uploads/2/a/b",
        "",
    ],
)
async def test_nothing_but_a_file_of_this_server_is_asked_for(stage: Stage, reference: str) -> None:
    async with stage.online() as bridge:
        before = len(stage.world.requests)
        with pytest.raises(NetworkError):
            await bridge.bring(reference, 1000)
        paths = [each.path for each in list(stage.world.requests)[before:]]
    assert not [path for path in paths if not path.endswith("/events")]


async def test_no_other_host_is_given_the_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization", ""))
        return web.Response(body=b"stolen")

    application = web.Application()
    application.router.add_get("/{path:.*}", elsewhere)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    try:
        address = await stage.tocsin.put("log.txt", b"x")
        away = f"http://{LOOPBACK}:{runner.addresses[0][1]}/log.txt"
        monkeypatch.setattr(api_uploads, "SHOWN_BY", away)
        async with stage.online() as bridge:
            with pytest.raises(NetworkError) as refused:
                await bridge.bring(address, 1000)
        assert not isinstance(refused.value, Unreachable)
        assert asked == []
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("kind", "times"), [("drop_before", 2), ("502_before", 1)])  # a GET may be made twice
async def test_a_file_that_cannot_be_had_now_may_be_had_later(stage: Stage, kind: str, times: int) -> None:
    async with stage.online() as bridge:
        address = await stage.tocsin.put("log.txt", b"x")
        await stage.fault(kind, "GET", "/user_uploads/.*", times=times)
        with pytest.raises(Unreachable):
            await bridge.bring(address, 1000)
        assert await bridge.bring(address, 1000) == b"x"


async def test_a_file_is_put_there_once_and_linked_also_when_connections_break(stage: Stage) -> None:
    async with stage.online() as bridge:
        post = sends("alice sends", brought("a [b](c) `d` @**all**.png", b"\x89PNG"))
        await stage.fault("drop_after", "POST", ".*/messages")
        event = await stage.until_said(bridge, post, "one")
        (upload,) = uploads(stage)
        assert upload.data == b"\x89PNG"
        link = f"](/user_uploads/{upload.path})"
        (said,) = stage.said()
        assert said.endswith(link)
        name = said.removesuffix(link).rpartition("\n[")[2]
        assert not set("[]()`*") & set(name)
        assert await bridge.send(sends("alice sent", post.document.blocks[-1], edits=event), key="two") == event
        (said,) = stage.said()
        assert said.endswith(link)
        assert len(uploads(stage)) == 1
    row = stage.world.realm.messages[int(event)].rows
    assert not [flag for flags in row.values() for flag in flags if flag.endswith("mentioned")]


async def test_a_file_that_the_server_refuses_keeps_no_words_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_uploads, "LARGEST_MIB", 0)
    async with stage.online() as bridge:
        await bridge.send(sends("look", brought("log.txt", b"x")), key="one")
    assert stage.said() == ["look\n\n\u200b(The file log.txt is not taken here.)"]


@pytest.mark.parametrize("name", ["Störung 日本.png", "q\"uo'te\r\n\\x.txt", "../../etc/passwd", ""])
async def test_whatever_a_file_is_called_it_is_put_there(stage: Stage, name: str) -> None:
    async with stage.online() as bridge:
        await bridge.send(sends("look", brought(name, b"x")), key="one")
    (upload,) = uploads(stage)
    assert upload.data == b"x"
    assert f"](/user_uploads/{upload.path})" in stage.said()[0]
    assert name != "Störung 日本.png" or upload.name == "Störung-日本.png"


async def test_two_files_stand_below_the_words(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(sends("look", brought("a.txt", b"a"), brought("b.txt", b"b")), key="one")
    first, second = uploads(stage)
    assert stage.said() == [f"look\n[a.txt](/user_uploads/{first.path})\n[b.txt](/user_uploads/{second.path})"]


async def test_a_post_that_is_a_file_alone_is_its_link(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(Post(TOPIC, Document((brought("a.txt", b"a"),)), Lane.TALK), key="one")
    (upload,) = uploads(stage)
    assert stage.said() == [f"[a.txt](/user_uploads/{upload.path})"]
