"""The people and channels that each new stand-in starts with: those of the lab where the recordings were made.

Alice owns the realm and the bot. The bot is in `incidents` and `Störung / Netz`; `unsubbed` is public without it; Alice
and Bob are in `secret`, and only Bob is in `vault`.
"""

import base64

from tests.zulip.markup import render
from tests.zulip.realm import NOTIFICATION_BOT, Realm
from tests.zulip.things import OWNER, Channel, Group, User

ALICE, BOB, TOCSIN = 6, 7, 8
INCIDENTS, UNSUBBED, SECRET, WEIRD, VAULT = 4, 5, 6, 7, 8
LAST_GROUP_OF_THE_SERVER = 16


def key_of(name: str) -> str:
    return (name + "0" * 32)[:32]


def credentials(email: str, key: str) -> str:
    """The value of the header `Authorization`."""
    return f"Basic {base64.b64encode(f'{email}:{key}'.encode()).decode()}"


def furnish(realm: Realm) -> None:
    now = realm.clock.now()
    realm.keep(
        User(
            id=NOTIFICATION_BOT,
            email="notification-bot@zulip.com",
            full_name="Notification Bot",
            key="",
            is_bot=True,
            of_the_server=True,
        ),
        User(id=ALICE, email="alice@lab.test", full_name="alice", key=key_of("alice"), role=OWNER, joined=now),
        User(id=BOB, email="bob@lab.test", full_name="bob", key=key_of("bob"), joined=now),
        User(
            id=TOCSIN,
            email="tocsin-bot@lab.test",
            full_name="tocsin",
            key=key_of("tocsin"),
            is_bot=True,
            owner_id=ALICE,
            joined=now,
        ),
    )
    realm.start_after(User, TOCSIN)
    everybody = [ALICE, BOB, TOCSIN]
    people = [ALICE, BOB]
    for channel in (
        Channel(id=1, name="Zulip", description="Questions and discussion about using Zulip.", members=people),
        Channel(id=2, name="sandbox", description="Experiment with Zulip here. :test_tube:", members=people),
        Channel(id=3, name="general", description="For team-wide conversations", members=people),
        Channel(id=INCIDENTS, name="incidents", members=everybody, creator_id=ALICE),
        Channel(id=UNSUBBED, name="unsubbed", members=people, creator_id=ALICE),
        Channel(id=SECRET, name="secret", members=people, private=True, creator_id=ALICE),
        Channel(id=WEIRD, name="Störung / Netz", members=everybody, creator_id=ALICE),
        Channel(id=VAULT, name="vault", members=[BOB], private=True, creator_id=BOB),
    ):
        channel.created = now
        channel.rendered_description = render(realm, "", channel.description).html
        realm.keep(channel)
    realm.start_after(Channel, VAULT)
    realm.keep(Group(id=11, name="role:administrators", members=[ALICE], of_the_server=True))
    realm.keep(Group(id=15, name="role:everyone", members=everybody, of_the_server=True))
    realm.start_after(Group, LAST_GROUP_OF_THE_SERVER)
