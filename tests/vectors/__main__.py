"""Makes docs/vectors.json: what the contract signs, to the byte, for whoever writes it anew in another language.

Run: python -m tests.vectors
"""

import json
import sys
from pathlib import Path

from tests.vectors.signed import KEYS, PICTURE, SEEDS, b64, kind_of, messages, plain, sealed
from tests.vectors.tried import reads
from wire.envelope import pae
from wire.messages import ROOT

PLACE = Path(__file__).parents[2] / "docs" / "vectors.json"


def made() -> str:
    """The file."""
    signed = [
        {
            "name": name,
            "kind": kind,
            "signed_by": by,
            "payload": payload.decode(),
            "pae": pae(kind_of(kind), payload).decode(),
            "envelope": sealed(kind, payload, *by).decode(),
        }
        for name, (kind, payload, by) in messages().items()
    ]
    document = {
        "contract": 1,
        "root": ROOT,
        "keys": {
            name: {"seed": b64(SEEDS[name]), "public": str(key.public), "keyid": key.public.id}
            for name, key in KEYS.items()
        },
        "signed": signed,
        "plain": [{"name": name, "kind": kind, "payload": raw.decode()} for name, (kind, raw) in plain().items()],
        "picture": {"name": "the one that is named in 'job, done, with a picture'", "payload_b64": b64(PICTURE)},
        "read": [
            {
                "name": each.name,
                "kind": each.kind,
                "keys": each.keys,
                "refused": each.refused,
                "envelope_b64": b64(each.envelope),
                "spaces": each.spaces,
            }
            for each in reads()
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PLACE.write_text(made(), encoding="utf-8")
    sys.stdout.write(f"{PLACE} is written.\n")
