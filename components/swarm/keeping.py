"""Keeps what a simulation has come to in one file, which is always whole: a new one takes the place of the old.

It is not forced onto the disk, because a stop would wait for that. After a power cut the state may be gone, and is
never half there.
"""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
META = "meta"


def save(path: Path, meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Write it."""
    beside = path.with_name(f"{path.name}.new")
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with open(beside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        np.savez(file, allow_pickle=False, **{META: text}, **arrays)
    beside.replace(path)


def load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """What was kept; None where nothing is. Raises ValueError where it cannot be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        return json.loads(arrays.pop(META).tobytes()), arrays
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read, so nothing can go on: {error}. Begin anew with repair.") from error
