"""Who somebody is on Matrix, when that changes."""

from bot.store import outbox
from bot.words.message import Standing
from bot.words.people import Account as Holder
from bot.words.plain import to_plain
from bridges.matrix.cross_signing import CrossSigning, publish, sign_device
from demo.stage import ALARMS, Stage, says


async def test_who_shows_another_identity_counts_for_nothing_until_it_is_renewed(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "!status")
        assert (await stage.inbox.next()).standing is Standing.ATTESTED
        swapped = CrossSigning.fresh()
        await publish(alice.connection, swapped, f"secret of {stage.alice}")
        await sign_device(alice.connection, swapped)
        await alice.say(room, "!status, please")
        assert (await stage.inbox.next()).standing is Standing.UNPROVEN
        (alarm,) = await stage.store.read(lambda tx: outbox.heads(tx, ALARMS.network, (), 10))
        assert "the identity of alice" in to_plain(alarm.post.document)
        await bot.send(says(room, "not for a stranger"), key="1")
        await stage.identities.renew(Holder("matrix", stage.alice), swapped.master.public)
        await bot.send(says(room, "for alice"), key="2")
        assert (await alice.wait_for(lambda heard: heard.sender == stage.bot)).body == "for alice"
        await alice.say(room, "!status again")
        assert (await stage.inbox.next()).standing is Standing.ATTESTED
