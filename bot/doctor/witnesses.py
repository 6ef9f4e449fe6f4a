"""Whether checkpoints of the record are held where nobody can change them together with it."""

import ipaddress
from pathlib import Path

from bot.findings import Finding, good, hint
from bot.settings import Settings

ABOUT = "witnesses"


def elsewhere(settings: Settings) -> Finding:
    """How many witnesses are not on the disk and the machine that the record is on, as far as that can be seen."""
    home = _device(settings.bot.folder)
    found = [str(place) for place in settings.audit.witness_places]
    found += [str(path) for path in settings.audit.witness_files if _device(path) != home]
    if settings.audit.witness_mqtt and not _is_this_machine(settings.mqtt.host):
        found.append(f"the broker on {settings.mqtt.host}")
    if found:
        return good(ABOUT, f"Checkpoints of the record are held elsewhere: {', '.join(found)}.")
    return hint(
        ABOUT,
        "No witness of the record is elsewhere: who changes the record here can change what would show it.",
        "Name a file on another disk or machine, or a room, in [audit].",
    )


def _device(path: Path) -> int:
    """The disk that something is on, or will be."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists()).stat().st_dev


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
