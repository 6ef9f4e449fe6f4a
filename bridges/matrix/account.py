"""The bot's login: one device, made once and kept. It never logs in when it need not: homeservers lock out who does."""

import dataclasses
import json
import secrets
from pathlib import Path

import structlog

from bot.private import private_folder, write_private
from bot.words.errors import NetworkError, SettingsError, Unreachable
from bridges.matrix.asking import ask
from bridges.matrix.owed import Owed

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

        A device whose keys are lost is not used again: others would refuse it. A new device takes its place, and the
        old one is owed to be deleted.
        """
        private_folder(self.folder)
        kept = self.kept()
        if kept is not None:
            if (self.folder / kept.store).exists():
                return kept
            log.warning("the keys of the device are lost; logging in as a new one", device=kept.device)
        fresh = await self._log_in(password)
        if kept is not None:
            Owed(self.folder).add(kept.device)
        write_private(self.file, json.dumps(dataclasses.asdict(fresh)).encode())
        log.info("logged in", user=fresh.user, device=fresh.device)
        return fresh

    def kept(self) -> Login | None:
        """The login that is kept here, if there is one."""
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
        answer = await ask(self.homeserver, "POST", "/_matrix/client/v3/login", body)
        if not answer.is_good:
            raise NetworkError(
                f"The homeserver refused the login of {self.user}: {answer.said.get('error', answer.status)}.",
                hint="Look at the user's name and the password file.",
            )
        user, device, token = (answer.said.get(name) for name in ("user_id", "device_id", "access_token"))
        if not (isinstance(user, str) and isinstance(device, str) and isinstance(token, str)):
            raise Unreachable(f"What answers at {self.homeserver} is no homeserver.")
        if user != self.user:
            raise SettingsError(f"The homeserver knows {self.user} as {user}.", hint="Write the account that way.")
        return Login(self.homeserver, self.user, device, token, secrets.token_hex(32))
