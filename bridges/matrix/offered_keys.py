"""The keys that the homeserver hands out for our device, so that others can begin to write to it.

None is offered whose private half is not on disk. A fallback key is there for when the others have run out: whoever
claims them all, nobody who writes for the first time becomes unreadable.
"""

from collections.abc import Mapping
from typing import Any, cast

from nio import KeysUploadResponse
from nio.crypto import Olm

from bot.words.errors import Unreachable
from bridges.matrix.disk import on_disk

KIND = "signed_curve25519"
ALGORITHMS = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]


def lacking(olm: Olm, *, fallback: bool) -> dict[str, Any]:
    """What is to be uploaded, kept on disk; `fallback` says that the server needs a fallback key of us.

    Nobody knows what became of an upload that was never confirmed: the same keys are offered again, and no others, or
    the server would refuse them all for good.
    """
    account, found = olm.account, dict[str, Any]()
    inner = account._account  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the library has no words for fallback keys
    if not account.shared:
        found["device_keys"] = _signed(olm, _device(olm))
    if olm.should_upload_keys:
        if not inner.one_time_keys:
            account.generate_one_time_keys(account.max_one_time_keys - (olm.uploaded_key_count or 0))
        found["one_time_keys"] = {
            f"{KIND}:{name}": _signed(olm, {"key": key.to_base64()}) for name, key in inner.one_time_keys.items()
        }
    if fallback or not account.shared:
        if not inner.fallback_key:
            inner.generate_fallback_key()  # keeps the one before: somebody may have claimed it
        found["fallback_keys"] = {
            f"{KIND}:{name}": _signed(olm, {"key": key.to_base64(), "fallback": True})
            for name, key in inner.fallback_key.items()
        }
    if found:
        with on_disk():
            olm.save_account()
    return found


def taken(olm: Olm, answer: Mapping[str, Any]) -> None:
    """The server has taken what was lacking."""
    counts: object = answer.get("one_time_key_counts")
    count: object = cast("Mapping[str, object]", counts).get(KIND, 0) if isinstance(counts, dict) else None
    if not isinstance(count, int):
        raise Unreachable("The homeserver answered an upload of keys with something else.")
    with on_disk():
        olm.handle_response(KeysUploadResponse(0, within(olm, count)))


def within(olm: Olm, count: object) -> int:
    """How many one-time keys the server may have of us, whatever it says."""
    return max(0, min(count, olm.account.max_one_time_keys)) if isinstance(count, int) else 0


def lacks_fallback(body: object) -> bool | None:
    """Whether a sync says that our fallback key is used up, or was never there; nothing where it says neither."""
    unused: object = (
        cast("Mapping[str, object]", body).get("device_unused_fallback_key_types") if isinstance(body, dict) else None
    )
    return KIND not in cast("list[object]", unused) if isinstance(unused, list) else None


def _device(olm: Olm) -> dict[str, Any]:
    own = olm.account.identity_keys
    return {
        "user_id": olm.user_id,
        "device_id": olm.device_id,
        "algorithms": ALGORITHMS,
        "keys": {f"{kind}:{olm.device_id}": key for kind, key in own.items()},
    }


def _signed(olm: Olm, thing: dict[str, Any]) -> dict[str, Any]:
    return {**thing, "signatures": {olm.user_id: {f"ed25519:{olm.device_id}": olm.sign_json(thing)}}}
