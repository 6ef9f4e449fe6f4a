"""simplematrixbotlib: from a Matrix event that was read to the end of the listener that wants it, without a server."""
# pyright: basic, reportMissingImports=false
# (simplematrixbotlib is not in our environment, and has no types.)

import asyncio
from typing import Any

import simplematrixbotlib as botlib
from nio import AsyncClient, MatrixRoom, RoomMessageText

from bench.peers.watch import Watch

BOT = "@bot:example.org"


async def measure(watch: Watch) -> None:
    """Each listener asks what the library's documents let it ask, and answers nothing."""
    bot = botlib.Bot(botlib.Creds("https://example.org", "bot", "no password", session_stored_file=""))
    client: Any = AsyncClient("https://example.org", BOT)
    client.user_id = BOT
    bot.async_client = client
    for name in watch.names:

        @bot.listener.on_message_event
        async def listener(room: MatrixRoom, message: RoomMessageText, name: str = name) -> None:
            match = botlib.MessageMatch(room, message, bot, "!")
            if match.is_not_from_this_bot() and match.prefix() and match.command(name):
                watch.called += 1

    await botlib.Callbacks(client, bot).setup_callbacks()
    room = MatrixRoom("!ops:example.org", BOT)
    events = [_said(f"!{name}") for name in watch.names]
    while watch.goes_on():
        for event in events:
            await client._on_event(event, room)  # noqa: SLF001 - what a sync calls for each event
    watch.report()


def _said(text: str) -> RoomMessageText:
    event = RoomMessageText.from_dict(
        {
            "type": "m.room.message",
            "event_id": "$said",
            "sender": "@anna:example.org",
            "origin_server_ts": 0,
            "content": {"msgtype": "m.text", "body": text},
        }
    )
    if not isinstance(event, RoomMessageText):
        raise SystemExit(f"nio does not read {text!r}: {event}")
    return event


asyncio.run(measure(Watch("simplematrixbotlib")))
