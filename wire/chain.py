"""The keys that the bot has had, each handed over to the next by a message that both have signed.

Whoever knows an older key is led to today's, link by link. A key that is not in the chain leads nowhere.
"""

import base64
from collections.abc import Iterable

import orjson

from wire.envelope import PrivateKey, PublicKey, seal, unseal_by_all
from wire.errors import BadMessage
from wire.messages import HandOver

KIND = "key"


def hand_over(old: PrivateKey, new: PrivateKey, root: str) -> bytes:
    """The signed link from one key to the next."""
    return seal(old, root, KIND, HandOver(old.public, new.public).to_bytes(), new)


def read_hand_over(envelope: bytes, root: str, old: PublicKey) -> HandOver:
    """What a message hands over from this key, where both keys have signed it."""
    unsealed = unseal_by_all(envelope, root, KIND, old)
    link = HandOver.parse(unsealed)
    unseal_by_all(envelope, root, KIND, old, link.new)
    if link.old != old:
        raise BadMessage("A hand-over is from another key than the one that is there.")
    return link


def newest(envelope: bytes) -> PublicKey:
    """To which key a link of our own leads. Whoever has it from elsewhere must verify it first."""
    fields = orjson.loads(envelope)
    return HandOver.parse(base64.b64decode(fields["payload"])).new


class Chain:
    """All links, oldest first."""

    def __init__(self, current: PublicKey, envelopes: Iterable[bytes], root: str) -> None:
        """Read the links back from today's key. Raises BadMessage where they do not lead to it."""
        self._links = tuple(envelopes)
        self.keys = (current,)
        """All keys, oldest first."""
        for envelope in reversed(self._links):
            link = HandOver.parse(unseal_by_all(envelope, root, KIND, self.keys[0]))
            unseal_by_all(envelope, root, KIND, link.old, link.new)
            if link.new != self.keys[0]:
                raise BadMessage("The hand-overs of the bot's key do not lead to the key that it has.")
            self.keys = (link.old, *self.keys)

    def since(self, key_id: str) -> tuple[bytes, ...] | None:
        """The links that lead from this key to today's: none where it is today's; None where it is none of ours."""
        ids = [key.id for key in self.keys]
        return self._links[ids.index(key_id) :] if key_id in ids else None
