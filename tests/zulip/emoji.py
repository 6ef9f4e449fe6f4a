"""The names of emoji that the stand-in knows, with their codes. Aliases share a code, whose own name is the first."""

from tests.zulip.realm import Realm
from tests.zulip.refusal import Refusal

_BY_CODE = {
    "1f44d": "+1 thumbs_up",
    "1f44e": "-1 thumbs_down",
    "2705": "check all_good",
    "2714": "check_mark",
    "274c": "cross_mark",
    "274e": "x",
    "1f440": "eyes looking",
    "1f525": "fire lit hot",
    "26a0": "warning caution",
    "1f514": "bell notification",
    "1f6a8": "rotating_light siren",
    "1f389": "tada",
    "2764": "heart love",
    "1f6e0": "working_on_it hammer_and_wrench",
    "1f3d7": "construction",
    "2753": "question",
    "1f198": "sos",
    "231b": "hourglass_done",
    "23f3": "hourglass",
    "1f557": "clock",
    "1f642": "smile",
    "1f501": "repeat",
    "1f4a4": "zzz",
    "1f522": "1234",
    "0031-20e3": "one",
    "1f6d1": "stop_sign octagonal_sign",
    "270b": "raised_hand hand stop",
    "1f44c": "ok got_it",
    "1f648": "see_no_evil",
    "1f419": "octopus",
    "1f44f": "clap",
    "1f9ea": "test_tube",
    "1f680": "rocket",
    "1f692": "fire_truck fire_engine",
    "1f469-200d-1f692": "woman_firefighter",
}
NAMES = {code: names.split() for code, names in _BY_CODE.items()}
CODES = {name: code for code, names in _BY_CODE.items() for name in names.split()}
OWN_NAMES = {code: names.split()[0] for code, names in _BY_CODE.items()}


TABLE = "/static/generated/emoji/emoji_api.json"
"""Where anybody may read which names a code has."""


def check(name: str, code: str) -> None:
    """Refuses a name that is none of the code's."""
    if code not in NAMES:
        raise Refusal("Invalid emoji code.")
    if name not in NAMES[code]:
        raise Refusal("Invalid emoji name.")


def find(realm: Realm, name: str) -> tuple[str, str]:
    """The code and the kind of an emoji that is used now."""
    for emoji in realm.emoji.values():
        if emoji.name == name and not emoji.deactivated:
            return str(emoji.id), "realm_emoji"
    if name == "zulip":
        return "zulip", "zulip_extra_emoji"
    if name not in CODES:
        raise Refusal(f"Emoji '{name}' does not exist")
    return CODES[name], "unicode_emoji"
