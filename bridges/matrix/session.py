"""A login without its device: words with the homeserver by HTTP alone. It never opens the device's keys.

So it works beside the bot that runs: two that open the same keys would spoil them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from bot.words.errors import NetworkError
from bridges.matrix.account import Login
from bridges.matrix.asking import ask
from bridges.matrix.connection import Denied, LoginLost

PASSWORD = "m.login.password"  # noqa: S105 - the name of a way to log in


class Asks(Protocol):
    """Whoever may ask the homeserver in the name of the account."""

    login: Login

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the homeserver. Raises Denied where it refuses."""
        ...


class Session:
    """A login, and nothing else of its device."""

    def __init__(self, login: Login) -> None:
        self.login = login

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the homeserver. Raises Denied where it refuses."""
        login = self.login
        answer = await ask(login.homeserver, method, path, body, token=login.token)
        if answer.is_good:
            return dict(answer.said)
        if answer.said.get("errcode") == "M_UNKNOWN_TOKEN":
            raise LoginLost(
                f"The homeserver no longer knows the login of {login.user}.",
                hint="Start the bot: it says what to do.",
            )
        said = f"{answer.said.get('errcode')}: {answer.said.get('error')}"
        what = f"The homeserver refused it ({answer.status} {said})."
        raise Denied(what, status=answer.status, answer=answer.said)


async def keys_of(asks: Asks, *users: str) -> dict[str, Any]:
    """What the homeserver shows of the keys of some users. What it says of them is not looked at yet."""
    return await asks.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {user: [] for user in users}})


async def with_password(asks: Asks, method: str, path: str, body: Mapping[str, Any], password: str) -> None:
    """Ask for something that the homeserver does only for who says the password once more."""
    user = asks.login.user
    try:
        await asks.request(method, path, body)
    except Denied as denied:
        if "flows" not in denied.answer:
            raise
        challenge = denied.answer
    else:
        return
    if PASSWORD not in str(challenge["flows"]):
        address = _address(challenge)
        raise NetworkError(
            f"The homeserver takes no password of {user} for this.",
            hint=f"Agree to it in a browser, at {address}, and try again." if address else "",
        )
    proof = {
        "type": PASSWORD,
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
        "session": challenge.get("session"),
    }
    try:
        await asks.request(method, path, {**body, "auth": proof})
    except Denied as denied:
        if "flows" not in denied.answer:
            raise
        raise NetworkError(
            f"The homeserver does not take the password of {user}.", hint="Look at the password file in [matrix]."
        ) from denied


def _address(challenge: Mapping[str, Any]) -> str:
    """Where a homeserver that leaves logins to another service wants a person to agree."""
    for way in ("m.oauth", "org.matrix.cross_signing_reset"):
        try:
            return str(challenge["params"][way]["url"])
        except (KeyError, TypeError):
            continue
    return ""
