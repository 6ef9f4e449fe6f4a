"""How messages, people and channels look in JSON."""

from datetime import UTC, datetime

from tests.zulip.realm import Realm
from tests.zulip.things import ADMIN, GUEST, OWNER, Channel, Group, Message, Reaction, User

Json = dict[str, object]
_COLOURS = ("#76ce90", "#fae589", "#a6c7e5", "#e79ab5")


def version() -> Json:
    return {"zulip_version": "9.2+git", "zulip_feature_level": 278, "zulip_merge_base": ""}


def picture(user: User) -> str:
    return f"/user_avatars/2/{user.id}.png"


def person(user: User, *, with_picture: bool = False) -> Json:
    joined = datetime.fromtimestamp(user.joined, UTC).strftime("%Y-%m-%dT%H:%M+00:00")
    known: Json = {
        "email": user.email,
        "user_id": user.id,
        "avatar_version": 1,
        "is_admin": user.is_admin,
        "is_owner": user.role == OWNER,
        "is_guest": user.role == GUEST,
        "is_billing_admin": False,
        "role": user.role,
        "is_bot": user.is_bot,
        "full_name": user.full_name,
        "timezone": "",
        "is_active": user.is_active,
        "date_joined": joined,
        "delivery_email": user.email,
        "avatar_url": picture(user) if with_picture else None,
    }
    return known | {"bot_type": 1, "bot_owner_id": user.owner_id} if user.is_bot else known


def reaction_with_user(realm: Realm, reaction: Reaction) -> Json:
    user = realm.users[reaction.user_id]
    return {
        "emoji_name": reaction.name,
        "emoji_code": reaction.code,
        "reaction_type": reaction.kind,
        "user": {"email": user.email, "id": user.id, "full_name": user.full_name},
        "user_id": user.id,
    }


def recipients(realm: Realm, message: Message) -> object:
    if message.channel_id is not None:
        return realm.channels[message.channel_id].name
    people = sorted((realm.users[user_id] for user_id in message.people), key=lambda user: user.email)
    return [
        {"id": user.id, "email": user.email, "full_name": user.full_name, "is_mirror_dummy": False} for user in people
    ]


def change(message: Message) -> list[Json]:
    """The history of a message, the newest change first; each entry tells what was before."""
    entries: list[Json] = []
    topic, channel_id = message.topic, message.channel_id
    for each in reversed(message.changes):
        entry: Json = {"user_id": each.user_id, "timestamp": int(each.at)}
        if each.content is not None:
            entry |= {
                "prev_content": each.content,
                "prev_rendered_content": each.rendered,
                "prev_rendered_content_version": 1,
            }
        if each.topic is not None:
            entry |= {"prev_topic": each.topic, "topic": topic}
            topic = each.topic
        if each.channel_id is not None:
            entry |= {"prev_stream": each.channel_id, "stream": channel_id}
            channel_id = each.channel_id
        entries.append(entry)
    return entries


def message(realm: Realm, told: Message, *, rendered: bool, with_picture: bool = False) -> Json:
    sender = realm.users[told.sender_id]
    known: Json = {
        "id": told.id,
        "sender_id": told.sender_id,
        "content": told.rendered if rendered else told.content,
        "recipient_id": 1000 + told.channel_id if told.channel_id is not None else sum(told.people),
        "timestamp": int(told.sent),
        "client": told.client,
        "subject": told.topic,
        "topic_links": [],
        "is_me_message": told.content.startswith("/me "),
        "reactions": [reaction_with_user(realm, each) for each in told.reactions],
        "submessages": told.submessages,
        "sender_full_name": sender.full_name,
        "sender_email": sender.email,
        "sender_realm_str": "zulipinternal" if sender.of_the_server else "zulip",
        "display_recipient": recipients(realm, told),
        "type": "private" if told.is_direct else "stream",
        "avatar_url": picture(sender) if with_picture else None,
        "content_type": "text/html" if rendered else "text/x-markdown",
    }
    if told.channel_id is not None:
        known["stream_id"] = told.channel_id
    if told.last_edit is not None:
        known |= {"last_edit_timestamp": int(told.last_edit), "edit_history": change(told)}
    return known


def flags(message: Message, user_id: int) -> list[str]:
    """The flags of somebody who was given the message; who was not has read it, historically."""
    kept = message.rows.get(user_id, ["read", "historical"])
    called = {"stream_wildcard_mentioned", "topic_wildcard_mentioned"} & set(kept)
    return [*kept, "wildcard_mentioned"] if called else [*kept]


def channel(told: Channel) -> Json:
    return {
        "can_remove_subscribers_group": 11,
        "creator_id": told.creator_id,
        "date_created": int(told.created),
        "description": told.description,
        "first_message_id": told.first_message_id,
        "history_public_to_subscribers": not told.private,
        "invite_only": told.private,
        "is_web_public": False,
        "message_retention_days": None,
        "name": told.name,
        "rendered_description": told.rendered_description,
        "stream_id": told.id,
        "stream_post_policy": told.post_policy,
        "is_announcement_only": told.post_policy == ADMIN // 100,
        "stream_weekly_traffic": None,
    }


def subscription(told: Channel, *, at_register: bool = False) -> Json:
    notify = False if at_register else None
    return channel(told) | {
        "audible_notifications": notify,
        "color": _COLOURS[told.id % len(_COLOURS)],
        "desktop_notifications": notify,
        "email_notifications": notify,
        "in_home_view": True,
        "is_muted": False,
        "pin_to_top": False,
        "push_notifications": notify,
        "wildcard_mentions_notify": None,
    }


def group(told: Group) -> Json:
    return {
        "id": told.id,
        "name": told.name,
        "description": told.description,
        "members": told.members,
        "direct_subgroup_ids": [],
        "is_system_group": told.of_the_server,
        "can_mention_group": 15,
    }
