"""What names a person, in boxes that only that person's key opens. Where the key is gone, the person is forgotten.

Each box has a key of its own, drawn from the person's: one box can be shown to somebody without the others. A box bears
the tag of its key, which says nothing of whose it is to anybody who does not have the key.
"""

import base64
import os
from hashlib import blake2b

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.audit.opening import NONCE, SALT_LENGTH, box_key, open_with
from bot.store.store import Remembering, Tx

KEY_LENGTH = 32
TAG_LENGTH = 8
MOST_REMEMBERED = 1000
PURPOSE_OF_TAG = b"tocsin tag v1"


def shut(tx: Tx, owner: str, words: bytes) -> tuple[str, str]:
    """Put words about somebody into a box. Returns the tag of their key, and the box."""
    tag, key = _key_of(tx, owner)
    salt = os.urandom(SALT_LENGTH)
    sealed = AESGCM(box_key(key, salt)).encrypt(NONCE, words, tag.encode())
    return tag, base64.b64encode(salt + sealed).decode()


def opened(tx: Tx, tag: str, box: str) -> bytes | None:
    """What is in a box. Nothing where its key is gone, or is not the one that shut it."""
    key = key_of_one(tx, tag, box)
    return None if key is None else open_with(key, tag, box)


def key_of_one(tx: Tx, tag: str, box: str) -> bytes | None:
    """The key of just this box. Nothing where its person was forgotten."""
    found = tx.execute("SELECT key FROM person_key WHERE tag = ?", (tag,)).fetchone()
    if found is None:
        return None
    try:
        salt = base64.b64decode(box, validate=True)[:SALT_LENGTH]
    except ValueError:
        return None
    return box_key(found[0], salt)


def tags(tx: Tx) -> dict[str, str]:
    """The tags of all keys that there are, and whose they are. What somebody has changed there counts for nothing."""
    rows = tx.execute("SELECT owner, tag, key FROM person_key")
    return {tag: owner for owner, tag, key in rows if isinstance(key, bytes) and tag == _tag_of(owner, key)}


def _tag_of(owner: str, key: bytes) -> str:
    """It follows from both, so that nobody can say that a key is somebody else's."""
    name = owner.encode(errors="surrogatepass")
    return blake2b(name, key=key, person=PURPOSE_OF_TAG, digest_size=TAG_LENGTH).hexdigest()


def _key_of(tx: Tx, owner: str) -> tuple[str, bytes]:
    remembered = tx.remembered if isinstance(tx, Remembering) else {}
    if owner in remembered:
        return remembered[owner]
    found = tx.execute("SELECT tag, key FROM person_key WHERE owner = ?", (owner,)).fetchone()
    if found is None:
        key = os.urandom(KEY_LENGTH)
        found = _tag_of(owner, key), key
        tx.execute("INSERT INTO person_key (owner, tag, key) VALUES (?, ?, ?)", (owner, *found))
    if len(remembered) < MOST_REMEMBERED:
        remembered[owner] = found[0], found[1]
    return found[0], found[1]


def forget_remembered(tx: Tx) -> None:
    """Keys have gone, or a transaction was undone: what was remembered may not be there."""
    if isinstance(tx, Remembering):
        tx.remembered.clear()
