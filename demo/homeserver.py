"""A real Synapse in a folder of its own, on a port that the system picks. It never serves other machines."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import aiohttp

from demo.process import Process, on_unused_port

READY_WITHIN_S = 60.0
UNLIMITED = {"per_second": 10_000, "burst_count": 100_000}
LIMITS = (
    "rc_registration",
    "rc_registration_token_validity",
    "rc_admin_redaction",
    "rc_joins_per_room",
    "rc_key_requests",
    "rc_3pid_validation",
    "rc_presence",
    "rc_room_creation",
    "rc_reports",
)


class HomeserverError(Exception):
    """Synapse did not do what the demo needs."""


class Homeserver:
    """One Synapse process. Started again in the same folder, it has the same users and rooms."""

    def __init__(self, folder: Path, *, rc_message: Mapping[str, float] = UNLIMITED) -> None:
        self.folder = folder
        self._rc_message = dict(rc_message)
        """How many messages it takes of one user: so many a second, and so many at once."""
        self._port = 0
        self._secret = ""
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address of its client API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process(self) -> Process:
        """Synapse's process, for those who want to freeze or kill it."""
        if self._process is None:
            raise RuntimeError("the homeserver was not started")
        return self._process

    async def start(self) -> None:
        """Start it and wait until it serves; on the port of the last time, if there was one."""
        if self._port:
            await self._start_on(self._port)
        else:
            await on_unused_port(self._start_on)

    async def stop(self) -> None:
        """End it, and wait until it is gone."""
        if self._process is not None:
            await self._process.stop()

    async def register(self, name: str, password: str) -> str:
        """Make a user and return the whole account name."""
        status, answer = await self._register(name, password)
        if status != HTTPStatus.OK:
            raise HomeserverError(f"The user {name} could not be made: {answer.get('error')}")
        return answer["user_id"]

    async def _register(self, name: str, password: str) -> tuple[int, dict[str, Any]]:
        address = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as http:
            async with http.get(address) as response:
                nonce = (await response.json())["nonce"]
            proof = hmac.new(self._secret.encode(), digestmod=hashlib.sha1)
            proof.update(b"\0".join(part.encode() for part in (nonce, name, password, "notadmin")))
            body = {
                "nonce": nonce,
                "username": name,
                "password": password,
                "admin": False,
                "mac": proof.hexdigest(),
            }
            async with http.post(address, json=body) as response:
                return response.status, await response.json()

    async def _start_on(self, port: int) -> None:
        self._port = port
        self._secret = secrets.token_hex(16)
        self._write_files()
        command = [sys.executable, "-m", "synapse.app.homeserver", "-c", self.folder / "homeserver.yaml"]
        self._process = Process(command, self.folder / "homeserver.log", name="synapse")
        try:
            await self._process.start()
            await self._process.until(self._answers, seconds=READY_WITHIN_S)
            await self._prove()
        except BaseException:
            await self._process.stop()
            raise

    async def _answers(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/_matrix/client/versions") as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def _prove(self) -> None:
        """Who answers takes the secret of this very start; another process on the port would refuse it."""
        status, answer = await self._register("probe", secrets.token_hex(16))
        if status != HTTPStatus.OK and answer.get("errcode") != "M_USER_IN_USE":
            raise HomeserverError(f"Something else than our Synapse answers on {self.url}.")

    def _write_files(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = self.folder / "signing.key"
        if not key.exists():
            # Written here because Synapse would need a run of its own, some two seconds, to write it.
            seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
            _write_secret(key, f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
        log = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"level": "WARNING", "handlers": ["console"]},
        }
        (self.folder / "log.json").write_text(json.dumps(log))
        _write_secret(self.folder / "homeserver.yaml", json.dumps(self._settings(key), indent=1))

    def _settings(self, key: Path) -> dict[str, Any]:
        return {
            "server_name": "localhost",
            "pid_file": str(self.folder / "homeserver.pid"),
            "listeners": [
                {
                    "port": self._port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "log_config": str(self.folder / "log.json"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(key),
            "registration_shared_secret": self._secret,
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "bcrypt_rounds": 4,
            "trusted_key_servers": [],
            "report_stats": False,
            "presence": {"enabled": False},
            "user_directory": {"enabled": False},
            **dict.fromkeys(LIMITS, UNLIMITED),
            "rc_message": self._rc_message,
            "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), UNLIMITED),
            "rc_joins": dict.fromkeys(("local", "remote"), UNLIMITED),
            "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), UNLIMITED),
        }


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
