"""Which path is answered by what: each endpoint enters itself here."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.zulip.call import Call

Json = dict[str, Any]
Answer = Json | Awaitable[Json]
Endpoint = Callable[..., Answer]
API = "/api/v1"


@dataclass(frozen=True)
class Route:
    method: str
    path: re.Pattern[str]
    endpoint: Endpoint
    is_open: bool

    def answer(self, call: Call, found: re.Match[str]) -> Answer:
        return self.endpoint(call, *found.groups())


_ROUTES: list[Route] = []


def route(method: str, path: str, *, is_open: bool = False, root: str = API) -> Callable[[Endpoint], Endpoint]:
    """`is_open` is for strangers too. What stands in the path's brackets is given to the endpoint."""

    def enter(endpoint: Endpoint) -> Endpoint:
        _ROUTES.append(Route(method, re.compile(re.escape(root) + path), endpoint, is_open))
        return endpoint

    return enter


def find(path: str) -> list[tuple[Route, re.Match[str]]]:
    """All that answer at this path, whatever the method; what was entered first comes first."""
    found = [(each, each.path.fullmatch(path)) for each in _ROUTES]
    return [(each, match) for each, match in found if match is not None]
