"""The bot's own account: its identity, its login, its device, and what the homeserver keeps for them."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from bot.findings import Findings, bad, good, warn
from bot.words.errors import Unreachable
from bot.words.glyphs import one_line
from bridges.matrix import secret_storage
from bridges.matrix.account import Account
from bridges.matrix.connection import LoginLost
from bridges.matrix.cross_signing import FILE, CrossSigning, another_identity, kept, shown_master
from bridges.matrix.devices import other_devices
from bridges.matrix.identity import entries_of, identity_of
from bridges.matrix.offered_keys import KIND
from bridges.matrix.seeds import SeedFile
from bridges.matrix.session import Session, keys_of
from bridges.matrix.settings import MatrixSettings

RECOVER = "Put it back from a backup, or run `tocsin matrix recover` with the recovery key."
MOST_NAMED = 3


class Examined:
    """The account, as far as it is known by now."""

    def __init__(self, section: MatrixSettings, folder: Path) -> None:
        self.session: Session | None = None
        """The login, once the homeserver has said that it knows it."""
        self._section = section
        self._account = Account(section.homeserver, section.user, section.device_name, folder)
        self._keys: CrossSigning | None = None

    async def identity(self) -> Findings:
        """Whether the identity is here, and opens with the password that is configured."""
        account = self._account
        path = account.folder / FILE
        password = self._section.password()
        self._keys = await asyncio.to_thread(kept, account.folder, account.user, password)
        if self._keys is not None and SeedFile(path, account.user, password).is_plain():
            yield warn("identity", f"{path} lies there in clear.", "Run `tocsin matrix recover`: it encrypts the file.")
        elif self._keys is not None:
            yield good("identity", f"{FILE} is here, and opens with the account's password.")
        elif account.file.exists():
            yield bad("identity", f"{path} is missing.", RECOVER)
        else:
            yield warn("identity", f"{account.user} has no identity here yet.", "Start the bot: it makes it.")

    async def login(self) -> Findings:
        """Whether the login is kept here, and the homeserver still knows it."""
        account = self._account
        login = account.kept()
        if login is None:
            yield warn("login", f"{account.user} is not logged in here.", "Start the bot: it logs in.")
            return
        anew = f"Stop the bot, remove {account.file} and start it: a new device is made, the identity stays."
        session = Session(login)
        try:
            known = await session.request("GET", "/_matrix/client/v3/account/whoami")
        except LoginLost as lost:
            yield bad("login", lost.what, anew)
            return
        if known.get("user_id") != login.user or known.get("device_id") != login.device:
            shown = f"{known.get('user_id')} on {known.get('device_id')}"
            yield bad("login", f"The login kept here is not that of {login.user} on {login.device}, but {shown}.", anew)
            return
        self.session = session
        if (account.folder / login.store).exists():
            yield good("login", f"The homeserver knows {login.user} on the device {login.device}.")
        else:
            what = f"The keys of the device {login.device} are lost: {account.folder / login.store} is gone."
            yield bad("login", what, "Start the bot again: it logs in as a new device, signs it and deletes this one.")

    async def device(self, session: Session) -> Findings:
        """Whether the homeserver shows our identity, and our device as signed by it."""
        user, device = session.login.user, session.login.device
        answer = await keys_of(session, user)
        identity, shown = identity_of(answer, user), await shown_master(session)
        if shown is None:
            yield bad("device", f"The homeserver shows no identity of {user}.", "Start the bot again: it uploads it.")
        elif self._keys is not None and shown != self._keys.master.public:
            error = another_identity(user, f"and not the one in {self._account.folder / FILE}")
            yield bad("device", error.what, f"Find out who made it. {error.hint}")
        elif identity is None:
            what = f"The signatures of the identity that the homeserver shows for {user} do not hold."
            yield bad(
                "device", what, "Somebody has changed them on the homeserver. Find out who, before anything else."
            )
        elif device not in entries_of(answer, user):
            what = f"The homeserver has no keys of the device {device}: nobody can write to it."
            anew = f"If that does not help: stop it, remove {self._account.file}, and start it."
            yield bad("device", what, f"Start the bot again: it uploads them. {anew}")
        elif device not in {each.id for each in identity.devices}:
            what = f"The device {device} is not signed by the bot's identity: many clients send it no keys."
            yield bad("device", what, "Start the bot again: it signs its device.")
        else:
            yield good("device", f"{device} is signed by the bot's identity, and everybody can see that.")

    async def recovery(self, session: Session) -> Findings:
        """Whether the identity outlives this disk."""
        if await secret_storage.is_recoverable(session):
            yield good(
                "recovery key", "There is one, for the whole identity. Whether you still have it, only you know."
            )
        else:
            what = "The identity has none: it would be lost with this disk."
            yield warn("recovery key", what, "Run `tocsin matrix recovery-key`. The bot may run.")

    async def others(self, session: Session) -> Findings:
        """Whether anybody else is logged in as the bot."""
        others = await other_devices(session)
        if not others:
            yield good("other devices", "There are none: nobody else is logged in as the bot.")
            return
        named = ", ".join(f"{each.id} ({each.name})" if each.name else each.id for each in others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        yield warn(
            "other devices",
            f"The account has {one_line(named)}{more} beside the bot's own.",
            "Whose are they? To log them out: stop the bot, run `tocsin matrix recover --delete-others`, and start it.",
        )

    async def offered(self, session: Session) -> Findings:
        """Whether somebody who writes to the bot for the first time finds a key for it.

        Only a sync tells of the fallback key. One without a cursor takes nothing from the bot: the homeserver forgets
        what it keeps for a device only when a cursor comes that is behind it.
        """
        answer = await session.request("GET", f"/_matrix/client/v3/sync?{urlencode(_sync_of_nothing())}")
        counts, unused = answer.get("device_one_time_keys_count"), answer.get("device_unused_fallback_key_types")
        left = cast("Mapping[str, Any]", counts).get(KIND, 0) if isinstance(counts, dict) else 0
        if not isinstance(left, int) or not (unused is None or isinstance(unused, list)):
            raise Unreachable("The homeserver does not say how many keys of the bot it has.")
        again = "The bot makes new ones as soon as it runs. If it does run: start it again."
        has_fallback = unused is not None and KIND in cast("list[object]", unused)
        if left:
            yield good("one-time keys", f"{left} are left for those who write to the bot for the first time.")
        elif has_fallback:
            yield warn("one-time keys", "None is left; the fallback key serves.", again)
        else:
            yield bad("one-time keys", "None is left: who writes for the first time may not be read.", again)
        if unused is not None:
            if has_fallback:
                yield good("fallback key", "It is there, and unused.")
            else:
                yield warn("fallback key", "It is used up, or was never there.", again)


def _sync_of_nothing() -> dict[str, str]:
    """A sync that brings no room. It is never the same twice: Synapse would answer as it did up to two minutes ago."""
    nothing = {"not_types": ["*"]}
    only = {"room": {"rooms": [f"!{secrets.token_hex(8)}:nowhere"]}, "presence": nothing, "account_data": nothing}
    return {"timeout": "0", "set_presence": "offline", "filter": json.dumps(only)}
