"""The bot's login: one device, made once and kept. It never logs in when it need not: homeservers lock out who does."""

import dataclasses
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
import structlog

from bot.private import private_folder, write_private
from bot.words.errors import NetworkError, SettingsError, Unreachable
from bridges.matrix.patience import asked_wait_s

LOGIN_TIMEOUT_S = 30.0

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """A device of an account, and what opens it."""

    homeserver: str
    user: str
    device: str
    token: str = dataclasses.field(repr=False)
    pickle_key: str = dataclasses.field(repr=False)
    """Encrypts the device's keys at rest."""

    @property
    def store(self) -> str:
        """The name of the file that holds the device's keys. Another device never uses it."""
        return f"keys-{self.device}.db"


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Whose login it is, and where it is kept."""

    homeserver: str
    user: str
    device_name: str
    folder: Path

    @property
    def file(self) -> Path:
        """Where the login is kept."""
        return self.folder / "login.json"

    async def login(self, password: str) -> Login:
        """The login that is kept here, or a new one where there is none or its keys are lost.

        A device whose keys are lost is not used again: others would refuse it. A new device takes its place.
        """
        private_folder(self.folder)
        kept = self._kept()
        if kept is not None:
            if (self.folder / kept.store).exists():
                return kept
            log.warning("the keys of the device are lost; logging in as a new one", device=kept.device)
        fresh = await self._log_in(password)
        write_private(self.file, json.dumps(dataclasses.asdict(fresh)).encode())
        log.info("logged in", user=fresh.user, device=fresh.device)
        return fresh

    def _kept(self) -> Login | None:
        try:
            kept = Login(**json.loads(self.file.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise SettingsError(
                f"The login in {self.file} cannot be read.",
                hint="Remove that file; a new device is made then.",
            ) from error
        if kept.user != self.user:
            raise SettingsError(
                f"The folder {self.folder} belongs to {kept.user}, not to {self.user}.",
                hint="Give each account a folder of its own.",
            )
        return dataclasses.replace(kept, homeserver=self.homeserver)

    async def _log_in(self, password: str) -> Login:
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user},
            "password": password,
            "initial_device_display_name": self.device_name,
        }
        address = f"{self.homeserver}/_matrix/client/v3/login"
        try:
            timeout = aiohttp.ClientTimeout(total=LOGIN_TIMEOUT_S)
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(address, json=body) as response,
            ):
                status = response.status
                said: object = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(f"The homeserver {self.homeserver} does not answer.") from error
        if not isinstance(said, dict):
            raise Unreachable(f"What answers at {self.homeserver} is no homeserver.")
        answer = cast("Mapping[str, Any]", said)
        if status == 429:  # noqa: PLR2004 - the status that says "too many"
            raise Unreachable(
                "The homeserver takes no more logins for now.",
                retry_after=asked_wait_s(answer.get("retry_after_ms")),
            )
        if status >= 500:  # noqa: PLR2004 - the server's own faults
            raise Unreachable(f"The homeserver {self.homeserver} answered with an error ({status}).")
        if status != 200:  # noqa: PLR2004 - all the rest is a refusal
            raise NetworkError(
                f"The homeserver refused the login of {self.user}: {answer.get('error', status)}.",
                hint="Look at the user's name and the password file.",
            )
        user, device, token = (answer.get(name) for name in ("user_id", "device_id", "access_token"))
        if not (isinstance(user, str) and isinstance(device, str) and isinstance(token, str)):
            raise Unreachable(f"What answers at {self.homeserver} is no homeserver.")
        if user != self.user:
            raise SettingsError(f"The homeserver knows {self.user} as {user}.", hint="Write the account that way.")
        return Login(self.homeserver, self.user, device, token, secrets.token_hex(32))
