"""Uploaded files: who may fetch them, and addresses that work without authentication for a while."""

import re
import secrets
from urllib.parse import unquote

from tests.zulip.call import Call
from tests.zulip.refusal import Page, Refusal, unauthorized
from tests.zulip.routes import route
from tests.zulip.things import Json, Upload, User

LARGEST_MIB = 25
TOLD_AS = ("uri", "url")
"""The older word for where a file is now, and the newer one."""
SHOWN_BY = ""
"""Whoever else has the files: the one who asks is sent there."""
SHOWN_INLINE = ("image/", "audio/", "video/")


@route("POST", "/user_uploads")
def upload(call: Call) -> Json:
    if not call.files:
        raise Refusal("You must specify a file to upload")
    if len(call.files) > 1:
        raise Refusal("You may only upload one file at a time")
    file = call.files[0]
    if len(file.data) > LARGEST_MIB * 1024 * 1024:
        raise Refusal(f"Uploaded file is larger than the allowed limit of {LARGEST_MIB} MiB")
    name = clean_name(file.name)
    kept = Upload(
        id=call.realm.next_id(Upload),
        path=f"2/{secrets.token_hex(1)}/{secrets.token_urlsafe(18)}/{name}",
        name=name,
        owner_id=call.user.id,
        content_type=file.content_type,
        data=file.data,
        made=call.world.clock.now(),
    )
    call.realm.keep(kept)
    return dict.fromkeys(TOLD_AS, f"/user_uploads/{kept.path}")


def clean_name(name: str) -> str:
    """What is left of a name that somebody gave a file."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\-. ]", "", last)).strip() or "uploaded-file"


@route("GET", r"/user_uploads/temporary/([^/]+)/([^/]+)", is_open=True, root="")
def fetch_for_a_while(call: Call, token: str, _: str) -> Json:
    path = call.world.temporary.get(token)
    if path is None:
        raise Refusal("Invalid token")
    raise _page(_find(call, path))


@route("GET", r"/user_uploads/(2/.+)", is_open=True, root="")
def fetch(call: Call, path: str) -> Json:
    """The file itself: by basic authentication, or by the key as a parameter."""
    user = call.somebody or _by_parameter(call)
    if user is None:
        raise Page(302, location=f"/login/?next={call.path}")
    found = _find(call, path)
    _check(call, user, found)
    raise _page(found)


def _by_parameter(call: Call) -> User | None:
    key = call.maybe("api_key")
    return next((user for user in call.realm.users.values() if key and user.key == key), None)


@route("GET", r"/user_uploads/(2/.+)", is_open=True)
def address_for_a_while(call: Call, path: str) -> Json:
    if call.somebody is None:
        raise unauthorized("Not logged in: API authentication or user session required")
    found = _find(call, path)
    _check(call, call.somebody, found)
    token = secrets.token_urlsafe(24)
    call.world.temporary[token] = path
    return {"url": f"/user_uploads/temporary/{token}/{found.name}"}


def _find(call: Call, path: str) -> Upload:
    for each in call.realm.uploads.values():
        if each.path == unquote(path) and not each.deleted:
            return each
    raise Page(404, b"<p>This file does not exist or has been deleted.</p>")


def _check(call: Call, user: User, found: Upload) -> None:
    """Whoever may see a message that links a file may fetch it."""
    shared = any(
        found.path in message.content and call.realm.may_see(user, message) for message in call.realm.messages.values()
    )
    if user.id != found.owner_id and not shared:
        raise Page(403, b"<p>You are not authorized to view this file.</p>")


def _page(found: Upload) -> Page:
    if SHOWN_BY:
        return Page(302, location=SHOWN_BY)
    inline = found.content_type.startswith(SHOWN_INLINE)
    shown = "inline" if inline else "attachment"
    return Page(200, found.data, found.content_type, content_disposition=f'{shown}; filename="{found.name}"')
