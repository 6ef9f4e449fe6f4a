"""By which identities people are known, and what happens when one changes."""

from collections.abc import Callable

import pytest

from bot.desk.call import Call
from bot.identities import Identities, grouped
from bot.store import Store, audit, outbox
from bot.system import System
from bot.words.errors import Refused, UsageError
from bot.words.message import Lane, Place
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from commands.trust import renew, show_trust

OLGA = Account("chat", "olga")
ALARMS = Place("chat", "alarms")
KEY, OTHER = "riV3RMhzQ9aHctjNa1WYORxIsokR4nOiXmpRac6agT0", "FrE5o8xHuUjqK9jx14kNuvlMbXJ9PTAESz1x8dU6SiY"
Ask = Callable[[str], Call]


@pytest.fixture
def identities(store: Store) -> Identities:
    people = People((Person("olga", Role.OPERATOR, frozenset({OLGA})),))
    return Identities(store, people, (ALARMS,))


async def alarms(store: Store) -> list[tuple[Lane, str]]:
    heads = await store.read(lambda tx: outbox.heads(tx, "chat", (), 10))
    return [(each.lane, to_plain(each.post.document)) for each in heads]


async def test_the_first_identity_holds_and_stays(identities: Identities, store: Store) -> None:
    assert await identities.holds(OLGA, KEY)
    assert await identities.holds(OLGA, KEY)
    assert {account: pinned.key for account, pinned in (await identities.known()).items()} == {OLGA: KEY}
    assert await alarms(store) == []


async def test_another_identity_does_not_hold_and_is_told_of_once(identities: Identities, store: Store) -> None:
    await identities.holds(OLGA, KEY)
    assert not await identities.holds(OLGA, OTHER)
    assert not await identities.holds(OLGA, OTHER)
    ((lane, words),) = await alarms(store)
    assert lane is Lane.ALERT
    assert "ALARM: the identity of olga (olga) has changed" in words
    assert grouped(KEY) in words
    assert grouped(OTHER) in words
    assert f"!trust renew olga {OTHER[:12]}" in words
    recorded = await store.read(lambda tx: audit.last(tx, 10))
    assert ["an identity has changed" in str(entry) for entry in recorded].count(True) == 1


async def test_each_other_identity_is_told_of(identities: Identities) -> None:
    await identities.holds(OLGA, KEY)
    for other in (OTHER, "third", OTHER):
        assert not await identities.holds(OLGA, other)
    (pinned,) = (await identities.known()).values()
    assert (pinned.key, pinned.shown) == (KEY, OTHER)


async def test_the_old_identity_holds_again(identities: Identities) -> None:
    await identities.holds(OLGA, KEY)
    await identities.holds(OLGA, OTHER)
    assert await identities.holds(OLGA, KEY)
    (pinned,) = (await identities.known()).values()
    assert pinned.shown is None
    assert identities.take_changed("chat") == set()


async def test_what_two_have_agreed_to_holds_from_then_on(identities: Identities) -> None:
    await identities.holds(OLGA, KEY)
    await identities.holds(OLGA, OTHER)
    await identities.renew(OLGA, OTHER)
    assert identities.take_changed("mail") == set()
    assert identities.take_changed("chat") == {OLGA}
    assert identities.take_changed("chat") == set()
    assert await identities.holds(OLGA, OTHER)
    assert not await identities.holds(OLGA, KEY)


async def test_what_the_file_says_holds_from_the_start_and_nothing_else(identities: Identities, store: Store) -> None:
    identities.set_by_file({OLGA: KEY})
    assert [(each.key, each.by_file) for each in (await identities.known()).values()] == [(KEY, True)]
    assert not await identities.holds(OLGA, OTHER)
    assert not await identities.holds(OLGA, OTHER)
    ((lane, words),) = await alarms(store)
    assert lane is Lane.ALERT
    assert "the file says by which identity they are known; change it there" in words
    assert "!trust renew" not in words
    (pinned,) = (await identities.known()).values()
    assert (pinned.key, pinned.shown, pinned.by_file) == (KEY, OTHER, True)
    assert await identities.holds(OLGA, KEY)
    (pinned,) = (await identities.known()).values()
    assert pinned.shown is None


async def test_what_the_file_says_takes_the_place_of_what_was_known(identities: Identities, store: Store) -> None:
    await identities.holds(OLGA, OTHER)
    identities.set_by_file({OLGA: KEY})
    assert [each.key for each in (await identities.known()).values()] == [KEY]
    assert not await identities.holds(OLGA, OTHER)
    assert await identities.holds(OLGA, KEY)
    anew = Identities(store, People())
    assert await anew.holds(OLGA, KEY)
    assert not await anew.holds(OLGA, OTHER)


async def test_nobody_can_renew_from_chat_what_the_file_says(ask: Ask, system: System) -> None:
    assert renew.preview is not None
    system.identities.set_by_file({OLGA: KEY})
    assert "set by the file" in to_plain(await show_trust.handler(ask("olga")))
    assert "set by the file" in to_plain(await show_trust.handler(ask("olga"), "olga"))
    for shown in (KEY, OTHER):
        await system.identities.holds(OLGA, shown)
        with pytest.raises(UsageError, match="the file says so: change it there"):
            await renew.preview(ask("carol"), "olga", OTHER[:12])
        with pytest.raises(UsageError, match="the file says so: change it there"):
            await renew.handler(ask("carol"), "olga", OTHER[:12])
    with pytest.raises(UsageError, match="the file says so: change it there"):
        await system.identities.renew(OLGA, OTHER)
    assert not await system.identities.holds(OLGA, OTHER)


async def test_where_it_is_asked_for_an_identity_is_enough_once_it_is_compared(identities: Identities) -> None:
    await identities.holds(OLGA, KEY)
    assert await identities.suffices(OLGA, KEY)
    identities.ask_for_comparison("chat")
    assert not await identities.suffices(OLGA, KEY)
    await identities.verified(OLGA, OTHER)  # not the one that they are known by
    assert not await identities.suffices(OLGA, KEY)
    identities.take_changed("chat")
    await identities.verified(OLGA, KEY)
    assert identities.take_changed("chat") == {OLGA}
    assert await identities.suffices(OLGA, KEY)
    assert not await identities.suffices(OLGA, OTHER)
    await identities.holds(OLGA, OTHER)
    await identities.renew(OLGA, OTHER)
    assert not await identities.suffices(OLGA, OTHER)


async def test_what_the_file_says_was_compared_by_its_writer(identities: Identities) -> None:
    identities.ask_for_comparison("chat")
    identities.set_by_file({OLGA: KEY})
    await identities.holds(OLGA, KEY)
    assert await identities.suffices(OLGA, KEY)
    assert not await identities.suffices(OLGA, OTHER)


async def test_who_is_verified_is_shown_and_what_that_is_needed_for(ask: Ask, system: System) -> None:
    await system.identities.holds(OLGA, KEY)
    for who in ((), ("olga",)):
        shown = to_plain(await show_trust.handler(ask("olga"), *who))
        assert "holds" in shown
        assert "verif" not in shown
    system.identities.ask_for_comparison("chat")
    for who in ((), ("olga",)):
        asks = to_plain(await show_trust.handler(ask("olga"), *who))
        assert "On chat who is not verified may only read and stop" in asks
        assert "!verify NAME" in asks
    await system.identities.verified(OLGA, KEY)
    assert "holds" not in to_plain(await show_trust.handler(ask("olga")))
    await system.identities.holds(OLGA, OTHER)
    assert "has changed" in to_plain(await show_trust.handler(ask("olga")))


async def test_everybody_can_be_shown_and_one_with_the_whole_key(ask: Ask, system: System) -> None:
    assert to_plain(await show_trust.handler(ask("olga"))) == "Nobody has shown an identity yet."
    await system.identities.holds(OLGA, KEY)
    shown = to_plain(await show_trust.handler(ask("olga")))
    assert KEY[:12] in shown
    assert KEY not in shown
    assert "holds" in shown
    await system.identities.holds(OLGA, OTHER)
    assert "has changed" in to_plain(await show_trust.handler(ask("olga")))
    whole = to_plain(await show_trust.handler(ask("olga"), "olga"))
    assert grouped(KEY) in whole
    assert grouped(OTHER) in whole
    assert "shown now" in whole
    assert "carol has not shown" in to_plain(await show_trust.handler(ask("olga"), "carol"))


async def test_what_has_changed_is_renewed_and_nothing_else(ask: Ask, system: System) -> None:
    assert renew.demand.two_persons
    assert renew.preview is not None
    await system.identities.holds(OLGA, KEY)
    with pytest.raises(UsageError, match="has not changed"):
        await renew.preview(ask("carol"), "olga", OTHER[:12])
    await system.identities.holds(OLGA, OTHER)
    stakes = await renew.preview(ask("carol"), "olga", OTHER[:12])
    assert [(hit.target, hit.now) for hit in stakes.hits] == [("olga", f"shows {grouped(OTHER)}")]
    assert "Renewed: olga" in to_plain(await renew.handler(ask("carol"), "olga", OTHER[:12]))
    assert await system.identities.holds(OLGA, OTHER)


async def test_what_comes_after_two_have_agreed_is_not_taken(ask: Ask, system: System) -> None:
    await system.identities.holds(OLGA, KEY)
    await system.identities.holds(OLGA, OTHER)
    await system.identities.holds(OLGA, "third" + "x" * 38)
    with pytest.raises(UsageError, match=r"no identity now that begins so\. Send: !trust renew olga thirdxxxxxxx"):
        await renew.handler(ask("carol"), "olga", OTHER[:12])
    with pytest.raises(UsageError, match="begins so"):
        await renew.handler(ask("carol"), "olga", "third")  # too little to say which
    with pytest.raises(Refused, match="another identity by now"):
        await system.identities.renew(OLGA, OTHER)
    assert not await system.identities.holds(OLGA, OTHER)
