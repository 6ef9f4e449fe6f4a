"""Endpoints of people, groups, custom emoji, and the realm's settings."""

import json
import re
from typing import Any

from tests.zulip import emoji, wire
from tests.zulip.api_events import emoji_list
from tests.zulip.call import Call
from tests.zulip.refusal import Page, Refusal
from tests.zulip.routes import route
from tests.zulip.things import Emoji, Group, Json, Settings, User


@route("GET", "/server_settings", is_open=True)
def server_settings(call: Call) -> Json:
    url = call.world.url
    return {
        "authentication_methods": {"password": True, "email": True, "dev": False, "ldap": False, "saml": False},
        **wire.version(),
        "push_notifications_enabled": False,
        "is_incompatible": False,
        "email_auth_enabled": True,
        "require_email_format_usernames": True,
        "realm_url": url,
        "realm_uri": url,
        "realm_name": "Lab",
        "realm_icon": f"{url}/static/images/icon.png",
        "realm_description": "<p>The coolest place in the universe.</p>",
        "realm_web_public_access_enabled": False,
        "external_authentication_methods": [],
    }


@route("GET", "/users/me")
def me(call: Call) -> Json:
    call.takes_anything()
    ids = [each.id for each in call.realm.messages.values() if call.user.id in each.rows]
    known = wire.person(call.user, with_picture=True) | {"max_message_id": max(ids, default=-1)}
    return known if call.user.is_bot else known | {"profile_data": {}}


@route("GET", "/users")
def everybody(call: Call) -> Json:
    with_picture = not call.yes("client_gravatar", default=True)
    with_profile = call.yes("include_custom_profile_fields")
    return {
        "members": [
            wire.person(each, with_picture=with_picture)
            | ({"profile_data": {}} if with_profile and not each.is_bot else {})
            for each in call.realm.users.values()
            if not each.of_the_server
        ]
    }


@route("GET", r"/users/([^/]+)")
def somebody(call: Call, name: str) -> Json:
    user = call.realm.users.get(int(name)) if name.isdigit() else call.realm.user_by_email(name)
    if user is None:
        raise Refusal("No such user")
    return {"user": wire.person(user, with_picture=not call.yes("client_gravatar", default=True))}


def _other(call: Call, user_id: str) -> User:
    user = call.realm.users.get(int(user_id))
    if user is None:
        raise Refusal("No such user")
    if not call.user.is_admin:
        raise Refusal("Insufficient permission")
    return user


@route("PATCH", r"/users/(\d+)")
def change_person(call: Call, user_id: str) -> Json:
    user = _other(call, user_id)
    full_name, role = call.maybe("full_name"), call.data("role")
    if full_name is not None:
        if re.search(r'[*`\\>"@|]', full_name):
            raise Refusal("Invalid characters in name!")
        user.full_name = full_name
        call.world.teller.person(user, full_name=full_name)
    if role is not None:
        user.role = int(role)
        call.world.teller.person(user, role=user.role)
    call.realm.keep(user)
    return {}


@route("DELETE", r"/(?:users|bots)/(\d+)")
def deactivate(call: Call, user_id: str) -> Json:
    """A poll that waits already is not sent away."""
    user = _other(call, user_id)
    user.is_active = False
    call.realm.keep(user)
    call.world.teller.person(user, is_active=False)
    return {}


@route("POST", r"/users/(\d+)/reactivate")
def reactivate(call: Call, user_id: str) -> Json:
    user = _other(call, user_id)
    user.is_active = True
    call.realm.keep(user)
    call.world.teller.person(user, is_active=True)
    public = [each.id for each in call.realm.channels.values() if user.id in each.members and not each.private]
    event = {"type": "subscription", "op": "peer_add", "stream_ids": public, "user_ids": [user.id]}
    call.world.teller.some(event, set(call.realm.users) - {user.id})
    return {}


@route("GET", "/user_groups")
def groups(call: Call) -> Json:
    call.no_bots()
    return {"user_groups": [wire.group(each) for each in call.realm.groups.values() if not each.of_the_server]}


@route("POST", "/user_groups/create")
def create_group(call: Call) -> Json:
    call.no_bots()
    name = call.need("name")
    if call.realm.group_by_name(name) is not None:
        raise Refusal(f"User group '{name}' already exists.")
    members: list[int] = call.data("members") or []
    group = Group(id=call.realm.next_id(Group), name=name, description=call.maybe("description") or "", members=members)
    call.realm.keep(group)
    call.world.teller.everybody({"type": "user_group", "op": "add", "group": wire.group(group)})
    return {}


@route("GET", "/realm/emoji")
def custom_emoji(call: Call) -> Json:
    return {"emoji": emoji_list(call)}


@route("GET", "", is_open=True, root=emoji.TABLE)
def emoji_table(_: Call) -> Json:
    raise Page(200, json.dumps({"code_to_names": emoji.NAMES}).encode(), "application/json")


@route("POST", r"/realm/emoji/([^/]+)")
def add_emoji(call: Call, name: str) -> Json:
    if not re.fullmatch(r"[a-z0-9 _-]+", name):
        raise Refusal(
            "Emoji names must contain only lowercase English letters, digits, spaces, dashes, and underscores."
        )
    if any(each.name == name and not each.deactivated for each in call.realm.emoji.values()):
        raise Refusal("A custom emoji with this name already exists.")
    if len(call.files) != 1:
        raise Refusal("You must upload exactly one file.")
    call.realm.keep(Emoji(id=call.realm.next_id(Emoji), name=name, author_id=call.user.id))
    return {}


@route("DELETE", r"/realm/emoji/([^/]+)")
def remove_emoji(call: Call, name: str) -> Json:
    for each in call.realm.emoji.values():
        if each.name == name:
            each.deactivated = True
            call.realm.keep(each)
    return {}


@route("PATCH", "/realm")
def change_settings(call: Call) -> Json:
    call.only_admins()
    changed: Json = {}
    for name in Settings.model_fields:
        text = call.maybe(name)
        if text is None:
            continue
        changed[name] = _setting(name, text)
    call.world.change_settings(changed)
    return changed


def _setting(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        raise Refusal(f"{name} is not valid JSON") from None
    if value == "unlimited":
        return None
    if name.endswith("_seconds") and value == 0:
        raise Refusal(f"Bad value for '{name}': 0", "REQUEST_VARIABLE_INVALID", var_name=name, bad_value=0)
    return value
