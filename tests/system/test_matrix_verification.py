"""Verification by emoji between the bot and a Matrix client of today. Both people look; neither program decides."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest
import structlog
from structlog.typing import EventDict

from bot.bridge import Comparison
from bot.words.errors import UsageError
from bot.words.message import Standing
from bot.words.people import Account
from bridges.matrix.account import Account as BotAccount
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.session import Session
from bridges.matrix.signing import is_signed
from demo.stage import SOON_S, Stage, says
from tests.js.told import JsVerification, Shield
from tests.system.js_operator import JsOperator, online

pytestmark = pytest.mark.usefixtures("js_client")


@pytest.fixture
async def alice(stage: Stage) -> AsyncGenerator[JsOperator]:
    async with online(stage, stage.alice) as alice:
        yield alice


async def room_with_bot(stage: Stage, alice: JsOperator) -> str:
    """A room where the bot knows alice's device by now."""
    room = await alice.create_room("ops", stage.bot)
    await alice.joined(room, stage.bot)
    await alice.say(room, "hello")
    assert (await stage.inbox.next()).standing is Standing.ATTESTED
    return room


class Told:
    """Notes when the bot says something in its log: of each step of a verification it does."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        self._news.set()
        return event

    async def comparison(self, bot: MatrixBridge, state: str) -> Comparison:
        """The newest one, once it is in this state."""
        async with asyncio.timeout(SOON_S):
            while not (found := bot.comparisons()) or found[0].state != state:
                self._news.clear()
                await self._news.wait()
        return found[0]


@pytest.fixture
def told() -> Iterator[Told]:
    before = structlog.get_config()
    told = Told()
    structlog.configure(processors=[told, *before["processors"]])
    yield told
    structlog.configure(**before)


async def both_see_the_same(told: Told, bot: MatrixBridge, alice: JsOperator, request: JsVerification) -> Comparison:
    seen = await alice.emoji(request)
    shown = await told.comparison(bot, "shown")
    assert tuple(symbol for symbol, _ in shown.symbols) == seen.symbols
    return shown


async def has_signed(stage: Stage, user: str) -> bool:
    """Whether the bot's user-signing key has signed somebody's identity, as the bot itself sees it."""
    login = BotAccount(stage.homeserver.url, stage.bot, "Tocsin", stage.folder / "bot").kept()
    assert login is not None
    asked: dict[str, list[str]] = {user: [], stage.bot: []}
    seen = await Session(login).request("POST", "/_matrix/client/v3/keys/query", {"device_keys": asked})
    (signing,) = seen["user_signing_keys"][stage.bot]["keys"].values()
    return is_signed(seen["master_keys"][user], by=signing, user=stage.bot)


@pytest.mark.parametrize("where", ["in a room", "to a device"])
@pytest.mark.parametrize("first", ["the bot", "the person"])
async def test_what_a_person_has_begun_ends_with_both_verified(
    stage: Stage, alice: JsOperator, told: Told, where: str, first: str
) -> None:
    async with stage.bot_online() as bot:
        room = await room_with_bot(stage, alice)
        (device,) = (await alice.knows(stage.bot)).devices
        to = {"room": room} if where == "in a room" else {"device": device}
        request = await alice.verify(stage.bot, **to)
        await told.comparison(bot, "ready")
        await alice.begin(request)
        shown = await both_see_the_same(told, bot, alice, request)
        confirm = [lambda: bot.decide(shown.code, same=True), lambda: alice.confirm(request)]
        for each in confirm if first == "the bot" else reversed(confirm):
            await each()
        assert (await alice.end_of(request)).phase == "done"
        await told.comparison(bot, "done")
        await alice.verified(stage.bot)
        assert (await alice.knows_device(stage.bot, device)).verified


async def test_what_the_bot_has_begun_ends_with_both_verified_and_the_bot_reads_where_only_the_verified_do(
    stage: Stage, alice: JsOperator, told: Told
) -> None:
    account = Account("matrix", stage.alice)
    async with stage.bot_online() as bot:
        room = await room_with_bot(stage, alice)
        await alice.only_verified()
        await bot.ask_to_compare(account)
        offered = await alice.offered()
        assert offered.user == stage.bot
        await alice.accept(offered)
        shown = await both_see_the_same(told, bot, alice, offered)
        await alice.confirm(offered)
        await bot.decide(shown.code.lower(), same=True)
        await told.comparison(bot, "done")
        await alice.verified(stage.bot)
        event = await alice.say(room, "!status")
        message = await stage.inbox.next()
        assert (message.event, message.standing) == (event, Standing.ATTESTED)
        await bot.send(says(room, "well", event), key="1")
        answer = await alice.answer_to(event)
        assert (answer.words.body, answer.shield) == ("well", Shield("none", None))
        known = (await stage.identities.known())[account]
        assert known.verified is not None
        assert await has_signed(stage, stage.alice)


@pytest.mark.parametrize("who", ["the bot", "the person"])
async def test_who_sees_other_emoji_ends_it_and_nobody_is_verified(
    stage: Stage, alice: JsOperator, told: Told, who: str
) -> None:
    async with stage.bot_online() as bot:
        room = await room_with_bot(stage, alice)
        request = await alice.verify(stage.bot, room=room)
        await told.comparison(bot, "ready")
        await alice.begin(request)
        shown = await both_see_the_same(told, bot, alice, request)
        if who == "the bot":
            await bot.decide(shown.code, same=False)
        else:
            await alice.mismatch(request)
        end = await alice.end_of(request)
        assert (end.phase, end.code) == ("cancelled", "m.mismatched_sas")
        await told.comparison(bot, "ended")
        assert not (await alice.knows(stage.bot)).verified
        assert not await has_signed(stage, stage.alice)
        assert (await stage.identities.known())[Account("matrix", stage.alice)].verified is None
        with pytest.raises(UsageError, match="nothing to compare"):
            await bot.decide(shown.code, same=True)


async def test_who_is_not_listed_gets_no_answer(stage: Stage, alice: JsOperator, told: Told) -> None:
    async with stage.bot_online() as bot, online(stage, stage.mallory) as mallory:
        room = await alice.create_room("ops", stage.bot, stage.mallory)
        await mallory.join(room)
        await alice.joined(room, stage.bot)
        (device,) = (await mallory.knows(stage.bot)).devices
        asked = await mallory.verify(stage.bot, device=device)
        request = await alice.verify(stage.bot, room=room)
        await told.comparison(bot, "ready")
        assert [each.account.id for each in bot.comparisons()] == [stage.alice]
        assert asked.phase == "requested"
        await alice.cancel(request)
        await told.comparison(bot, "ended")
