"""Where requests come in: authentication, limits, what a test has broken, and the form of every answer."""

import asyncio
import base64
import binascii
import contextlib
import inspect
import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from tests.zulip import api_channels, api_events, api_messages, api_people, api_uploads, editing
from tests.zulip.call import Call, File
from tests.zulip.limits import Verdict
from tests.zulip.refusal import GATEWAY, Page, Refusal, bad_gateway, unauthorized
from tests.zulip.routes import API, Route, find
from tests.zulip.things import Json, User
from tests.zulip.world import Request, World

ENDPOINTS = (api_channels, api_events, api_messages, api_people, api_uploads, editing)
EVENTS = f"{API}/events"
KEY_LENGTH = 32
_NOWHERE = b'<!DOCTYPE html>\n<html lang="en">\n<title>Page not found</title>\n</html>\n'
LARGEST_BODY = 40 * 1024 * 1024


def nowhere() -> Page:
    return Page(404, _NOWHERE)


class Door:
    def __init__(self, world: World) -> None:
        self._world = world

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._world.requests.append(Request(request.method, request.path, who_asks(request.headers)))
        kind = self._world.broken.take(request.method, request.path)
        if kind is not None and kind.endswith("_before"):
            return await self._break(request, kind)
        try:
            answer = await self._answer_in_time(request)
        except Page as page:
            answer = web.Response(status=page.status, body=page.body, headers=page.headers)
        except Refusal as refusal:
            answer = _refused(refusal, {})
        return answer if kind is None else await self._break(request, kind)

    async def _break(self, request: web.Request, kind: str) -> web.StreamResponse:
        """`drop` ends the connection without an answer, `hang` never ends it; what was taken before stays taken.

        `late` does not end it either, and takes the request only when a test says so. `401` is what something before
        Zulip says that wants a password of its own.
        """
        if kind.startswith("late"):
            await request.read()
            self._world.broken.late.append(lambda: self._answer_in_time(request))
        if kind.startswith(("hang", "late")):
            await asyncio.Event().wait()
        if kind.startswith("drop") and request.transport is not None:
            request.transport.abort()
        status = _UNAUTHORIZED if kind.startswith("401") else 502
        return web.Response(status=status, body=GATEWAY, content_type="text/html")

    async def _answer_in_time(self, request: web.Request) -> web.StreamResponse:
        if self._world.broken.events_are_down if request.path == EVENTS else self._world.broken.web_is_down:
            raise bad_gateway()
        found = find(request.path)
        if not found:
            raise nowhere()
        method = "GET" if request.method == "HEAD" else request.method
        fitting = next((each for each in found if each[0].method == method), None)
        if fitting is None:
            return _wrong_method(request.method, [each[0] for each in found])
        route, match = fitting
        call = await read_call(self._world, request)
        call.somebody = self._authenticate(request.headers, route)
        return await self._call(call, route, match, self._take(call))

    def _take(self, call: Call) -> Verdict | None:
        if (
            call.somebody is None
            or call.path == f"{API}/server_settings"
            or not call.path.startswith(API)
            or call.path.startswith(f"{API}/user_uploads/")
        ):
            return None
        limits = self._world.limits
        take = limits.take_event if call.path == EVENTS else limits.take_web
        return take(call.somebody.id)

    async def _call(self, call: Call, route: Route, match: re.Match[str], verdict: Verdict | None) -> web.Response:
        """A poll that has waited is counted a second time, and its answer tells nothing of the limits."""
        headers = verdict.headers() if verdict else {}
        try:
            _check(verdict)
            answer = route.answer(call, match)
            body: Json = await answer if inspect.isawaitable(answer) else answer
            if call.waited:
                headers = {}
                _check(self._take(call))
        except Refusal as refusal:
            return _refused(refusal, headers)
        ignored = {"ignored_parameters_unsupported": call.ignored()} if call.ignored() else {}
        return _json({"result": "success", "msg": "", **body, **ignored}, 200, headers)

    def _authenticate(self, headers: Mapping[str, str], route: Route) -> User | None:
        credentials = headers.get("Authorization")
        if credentials is None:
            if route.is_open:
                return None
            raise unauthorized("Not logged in: API authentication or user session required")
        return authenticate(self._world, credentials)


_UNAUTHORIZED = 401


def who_asks(headers: Mapping[str, str]) -> str:
    """Without any check."""
    coded = headers.get("Authorization", "").removeprefix("Basic ")
    with contextlib.suppress(ValueError):
        return base64.b64decode(coded).decode().partition(":")[0]
    return ""


def authenticate(world: World, credentials: str) -> User:
    scheme, _, coded = credentials.partition(" ")
    if scheme.lower() != "basic":
        raise Refusal("This endpoint requires HTTP basic authentication.")
    try:
        email, _, key = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized("Invalid authorization header for basic auth") from None
    if len(key) != KEY_LENGTH:
        raise unauthorized("Malformed API key")
    user = world.realm.user_by_email(email)
    if user is None or user.key != key:
        raise unauthorized("Invalid API key")
    if not user.is_active:
        raise unauthorized("Account is deactivated")
    return user


async def read_call(world: World, request: web.Request) -> Call:
    """The parameters of the address and of the form together. A body in JSON is not looked at."""
    params = dict(parse_qsl(request.query_string, keep_blank_values=True, errors="replace"))
    files: list[File] = []
    if request.content_type == "application/x-www-form-urlencoded":
        text = (await request.read()).decode("ascii", "replace")
        params |= dict(parse_qsl(text, keep_blank_values=True, errors="replace"))
    elif request.content_type == "multipart/form-data":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files.append(File(value.filename, value.content_type, value.file.read()))
            elif isinstance(value, str):
                params[name] = value
    return Call(world, request.method, request.path, params, files, request.headers)


def _check(verdict: Verdict | None) -> None:
    if verdict is not None and verdict.retry_after is not None:
        raise Refusal("API usage exceeded rate limit", "RATE_LIMIT_HIT", 429, **{"retry-after": verdict.retry_after})


def _wrong_method(method: str, found: list[Route]) -> web.Response:
    allowed = sorted({route.method for route in found}, key=("GET", "PUT", "POST", "PATCH", "DELETE").index)
    if "GET" in allowed:
        allowed.append("HEAD")
    headers = {"Allow": ", ".join(allowed), "Content-Type": "text/html; charset=utf-8"}
    if method == "OPTIONS":
        return web.Response(status=204, headers=headers)
    body = {"result": "error", "msg": "Method Not Allowed", "allowed_methods": allowed}
    return web.Response(status=405, body=json.dumps(body).encode(), headers=headers)


def _refused(refusal: Refusal, headers: Mapping[str, str]) -> web.Response:
    known = {"WWW-Authenticate": 'Basic realm="zulip"'} if refusal.status == _UNAUTHORIZED else headers
    return _json(refusal.body, refusal.status, known)


def _json(body: Json, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        headers={"Content-Type": "application/json", **headers},
    )
