"""What a command may look at and act on."""

import dataclasses

from bot.desk.catalogue import Catalogue
from bot.fleet.registry import Registry
from bot.stop.bell import Bell


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """The parts of a running bot."""

    catalogue: Catalogue
    registry: Registry
    bell: Bell
