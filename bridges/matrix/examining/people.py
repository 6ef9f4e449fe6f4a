"""The people on the list, as the homeserver shows them: whose identity is known, and which devices count."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bot.bridge import Patient
from bot.findings import Finding, Findings, bad, good, warn
from bot.store.pins import Pinned
from bot.words.people import Account as Holder
from bridges.matrix.identity import Identity, entries_of, identity_of
from bridges.matrix.reading import NETWORK
from bridges.matrix.session import Session, keys_of


async def people(
    session: Session, patient: Patient, by_file: Mapping[str, str], *, compared_only: bool = False
) -> Findings:
    """A finding for each account that counts. Who is suspended counts for nothing, and is not asked for.

    `by_file` has the keys by which accounts are known whatever the database says. `compared_only` says that an identity
    is not enough until people have compared it.
    """
    accounts = sorted(patient.people.accounts_on(NETWORK), key=str)
    if not accounts:
        what = "Nobody on the list has a Matrix account that counts."
        do = 'Write `matrix = ["@alice:example.org"]` into [people.NAME], and run `tocsin reload`.'
        yield warn("people", what, do)
        return
    answer = await keys_of(session, *(account.id for account in accounts))
    for account in accounts:
        person = patient.people.owner_of(account)
        assert person is not None  # noqa: S101 - the account is of the list
        if account.id not in answer.get("device_keys", {}) and answer.get("failures"):
            what = f"The homeserver of {account.id} does not answer: nobody knows what devices there are."
            yield warn(person.name, what, "Try again later. Until then the bot goes by what it knew.")
        else:
            yield _person(person.name, account, answer, _key(account, patient.pins, by_file, enough=not compared_only))


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    """By which key an account is known."""

    key: str
    """Empty where it was never seen."""
    by_file: bool
    suffices: bool = True
    """It need not be compared any more."""


def _key(
    account: Holder, pins: Mapping[Holder, Pinned] | None, by_file: Mapping[str, str], *, enough: bool
) -> _Key | None:
    """By which key an account is known; nothing where nobody can tell."""
    if account.id in by_file:
        return _Key(by_file[account.id], by_file=True)
    if pins is None:
        return None
    if account not in pins:
        return _Key("", by_file=False, suffices=enough)
    return _Key(pins[account].key, by_file=False, suffices=enough or pins[account].is_compared)


def _person(name: str, account: Holder, answer: Mapping[str, Any], known: _Key | None) -> Finding:
    identity = identity_of(answer, account.id)
    unsigned = len(entries_of(answer, account.id)) - (len(identity.devices) if identity else 0)
    if identity is not None:
        return _identified(name, account.id, identity, unsigned, known)
    if not unsigned:
        what = f"{account.id} has no device that can encrypt."
        return warn(name, what, f"Ask {name} to log in with a client that encrypts. Is the account's name right?")
    what = f"{account.id} has no identity of cross-signing: nothing said there counts, but a stop."
    return warn(name, what, f"Ask {name} to set it up in their client, under security or encryption.")


def _identified(name: str, user: str, identity: Identity, unsigned: int, known: _Key | None) -> Finding:
    devices = f"signed devices {len(identity.devices)}, unsigned {unsigned}"
    if known is None:
        what = f"{user}: {devices}. Whether the identity is the one it is known by, the database cannot tell."
        return warn(name, what, "Mend the database first.")
    if known.key not in ("", identity.master):
        return bad(
            name,
            f"{user} shows another identity than it is known by: nothing said there counts, but a stop.",
            f"Ask {name} in person or by phone whether they have reset it. If so: {_renewal(name, known)}. "
            f"If not, the account is in other hands: `!person suspend {name}`.",
        )
    how = "known by this identity" if known.key else "to be known by this identity from the first contact on"
    if not identity.devices:
        what = f"{user}: {how}, and no device is signed by it: {devices}."
        return warn(name, what, f"Ask {name} to verify a device in their client. Till then only a stop counts.")
    if not known.suffices:
        what = f"{user}: {how}; {devices}. Nobody has compared it, and [matrix] asks for that: they may read and stop."
        return warn(name, what, f"A commander compares it with {name}, at the console: `!verify {name}`.")
    if unsigned:
        what = f"{user}: {how}; {devices}. An unsigned one gets no keys, and only its stops count."
        return warn(name, what, f"Ask {name} whose it is: to verify it from a signed device, or to log it out.")
    return good(name, f"{user}: {how}; {devices}.")


def _renewal(name: str, known: _Key) -> str:
    if known.by_file:
        return "change it under `pins` in [matrix], and start the bot again"
    return f"`!trust renew {name}`, by two persons"
