"""Which part of the lattice is meant, as people say it: north, centre, south-east, all, or X,Y,RADIUS."""

import numpy as np
from numpy.typing import NDArray

from components.swarm.lattice import Inside, Places, disc
from components.swarm.sweep import share

DOWN = {"north": 0, "south": 2}
ACROSS = {"west": 0, "east": 2}
MIDDLE = 1
NAMED = ("all", "centre", *DOWN, *ACROSS, *(f"{down}-{across}" for down in DOWN for across in ACROSS))
A_DISC = 3
THIRDS = 3


def region(text: str) -> Inside:
    """The cells that are meant. Raises ValueError where nobody could know."""
    words = text.strip().lower().replace("center", "centre")
    if words.count(",") == A_DISC - 1:
        x, y, radius = (share("region", each) for each in words.split(","))
        return disc(x, y, radius)
    if words not in NAMED:
        raise ValueError(f"region must be one of {', '.join(NAMED)}, or a disc as in 30%,40%,10%, not {text!r}.")
    if words == "all":
        return lambda across, down: (across >= 0) & (down >= 0)
    parts = words.split("-")
    row = next((DOWN[each] for each in parts if each in DOWN), MIDDLE)
    column = next((ACROSS[each] for each in parts if each in ACROSS), MIDDLE)

    def inside(across: Places, down: Places) -> NDArray[np.bool_]:
        return (np.floor(across * THIRDS) == column) & (np.floor(down * THIRDS) == row)

    return inside
