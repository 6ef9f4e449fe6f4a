"""What the newest entries of the record are about, for those who must act on it soon. It opens nothing of them."""

import dataclasses

from bot.store.store import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What an entry is about."""

    kind: str
    id: str
    """Of the command or the incident. Empty where it belongs to none."""


def since(tx: Tx, seq: int) -> list[About]:
    """The entries after this number, oldest first."""
    rows = tx.execute(
        "SELECT coalesce(json_extract(words, '$.kind'), ''), coalesce(json_extract(words, '$.id'), '')"
        " FROM (SELECT seq, CAST(entry AS TEXT) AS words FROM audit WHERE seq > ?)"
        " WHERE json_valid(words) ORDER BY seq",
        (seq,),
    )
    return [About(kind, about) for kind, about in rows]
