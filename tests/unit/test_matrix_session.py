"""What a homeserver says to who asks it by HTTP alone, and what is made of it when it is odd."""

from typing import Any

import pytest

from bot.words.errors import NetworkError, SettingsError, Unreachable
from bridges.matrix import secret_storage
from bridges.matrix.account import Login
from bridges.matrix.connection import Denied, LoginLost
from bridges.matrix.devices import ListedDevice, other_devices
from bridges.matrix.recovery_key import ALGORITHM, RecoveryKey
from bridges.matrix.session import Session, with_password
from demo.odd import BOT, Odd

DATA = f"/user/{BOT}/account_data/"
DEFAULT, MASTER = f"{DATA}{secret_storage.DEFAULT}", f"{DATA}m.cross_signing.master"
KEY = RecoveryKey(bytes(32))
ADDRESS = "https://account.example.org/?action=org.matrix.cross_signing_reset"


@pytest.fixture
def session(odd: Odd) -> Session:
    return Session(Login(odd.url, BOT, "OURS", "token", "pickle"))


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (429, {"retry_after_ms": 1500}, Unreachable),
        (502, {}, Unreachable),
        (200, ["no", "object"], Unreachable),
        (401, {"errcode": "M_UNKNOWN_TOKEN"}, LoginLost),
        (403, {"errcode": "M_FORBIDDEN", "error": "no"}, Denied),
    ],
)
async def test_each_refusal_is_known_for_what_it_is(
    odd: Odd, session: Session, status: int, answer: object, error: type[Exception]
) -> None:
    odd.status = status
    odd.answers = {"/devices": answer}
    with pytest.raises(error) as raised:
        await session.request("GET", "/_matrix/client/v3/devices")
    if status == 429:
        assert isinstance(raised.value, Unreachable)
        assert raised.value.retry_after == 1.5


async def test_a_homeserver_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        await Session(Login("http://127.0.0.1:1", BOT, "OURS", "token", "pickle")).request("GET", "/")


@pytest.mark.parametrize("way", ["m.oauth", "org.matrix.cross_signing_reset"])
async def test_where_a_browser_is_needed_its_address_is_told_and_no_password_is_sent(
    odd: Odd, session: Session, way: str
) -> None:
    challenge = {"flows": [{"stages": [way]}], "params": {way: {"url": ADDRESS}}, "session": "dummy"}
    odd.status = 401
    odd.answers = {"/keys/": challenge}
    with pytest.raises(NetworkError, match="takes no password") as raised:
        await with_password(session, "POST", "/_matrix/client/v3/keys/x", {"a": 1}, "sesame")
    assert ADDRESS in raised.value.hint
    assert odd.bodies("/keys/") == [{"a": 1}]


async def test_the_password_is_said_once_and_one_that_is_refused_is_told(odd: Odd, session: Session) -> None:
    odd.status = 401
    odd.answers = {"/keys/": {"flows": [{"stages": ["m.login.password"]}], "session": "s"}}
    with pytest.raises(NetworkError, match=f"does not take the password of {BOT}"):
        await with_password(session, "POST", "/_matrix/client/v3/keys/x", {"a": 1}, "sesame")
    first, second = odd.bodies("/keys/")
    assert "auth" not in first
    assert (second["a"], second["auth"]["password"], second["auth"]["session"]) == (1, "sesame", "s")


async def test_what_is_no_device_is_passed_over_and_our_own_is_none_of_the_others(odd: Odd, session: Session) -> None:
    odd.answers = {
        "/devices": {
            "devices": [
                {"device_id": "OURS"},
                {"device_id": "OLD", "display_name": 5, "last_seen_ts": "x"},
                {"device_id": "PHONE", "display_name": "Phone", "last_seen_ts": 1500},
                {"device_id": None},
                None,
            ]
        }
    }
    assert await other_devices(session) == (ListedDevice("PHONE", "Phone", 1.5), ListedDevice("OLD", "", None))
    odd.answers = {"/devices": {"devices": None}}
    with pytest.raises(Unreachable):
        await other_devices(session)


def kept(**changed: Any) -> dict[str, object]:
    """Account data with the whole identity under a key, or what a test makes of it."""
    key_id = changed.pop("key_id", "k")
    data: dict[str, object] = {secret_storage.DEFAULT: {"key": key_id}, "m.secret_storage.key.k": KEY.description()}
    for name in secret_storage.SECRETS.values():
        data[name] = {"encrypted": {"k": KEY.encrypt(name, b"A" * 43)}}
    return {f"{DATA}{name}": content for name, content in (data | changed).items()}


async def test_what_another_client_has_kept_is_read(odd: Odd, session: Session) -> None:
    odd.answers = kept()
    assert await secret_storage.is_recoverable(session)
    assert await secret_storage.restore(session, KEY) == dict.fromkeys(secret_storage.SECRETS, bytes(32))


@pytest.mark.parametrize(
    "changed",
    [
        {"key_id": 5},
        {"key_id": ""},
        {secret_storage.DEFAULT: {}},
        {"m.secret_storage.key.k": {}},
        {"m.cross_signing.user_signing": {}},
        {"m.cross_signing.user_signing": {"encrypted": None}},
        {"m.cross_signing.user_signing": {"encrypted": ["k"]}},
        {"m.cross_signing.user_signing": {"encrypted": {"k": "x"}}},
        {"m.cross_signing.user_signing": {"encrypted": {"older": KEY.encrypt("x", b"x")}}},
    ],
)
async def test_what_is_not_whole_recovers_nothing(odd: Odd, session: Session, changed: dict[str, Any]) -> None:
    odd.answers = kept(**changed)
    assert not await secret_storage.is_recoverable(session)
    with pytest.raises(SettingsError, match=r"no secret storage|whole identity"):
        await secret_storage.restore(session, KEY)


@pytest.mark.parametrize("secret", [b"", b"A" * 42, b"A" * 44, b"?" * 43, b"\xff" * 43])
async def test_a_secret_that_is_no_seed_is_damaged(odd: Odd, session: Session, secret: bytes) -> None:
    odd.answers = kept(
        **{"m.cross_signing.master": {"encrypted": {"k": KEY.encrypt("m.cross_signing.master", secret)}}}
    )
    with pytest.raises(SettingsError, match="is damaged"):
        await secret_storage.restore(session, KEY)


async def test_a_kind_of_storage_that_is_not_known_is_told(odd: Odd, session: Session) -> None:
    odd.answers = kept(**{"m.secret_storage.key.k": {**KEY.description(), "algorithm": f"{ALGORITHM}.new"}})
    with pytest.raises(SettingsError, match="not known here"):
        await secret_storage.restore(session, KEY)


async def test_a_homeserver_that_forbids_is_not_taken_for_one_that_has_nothing(odd: Odd, session: Session) -> None:
    odd.status = 403
    odd.answers = {DATA: {"errcode": "M_FORBIDDEN"}}
    with pytest.raises(Denied):
        await secret_storage.is_recoverable(session)
