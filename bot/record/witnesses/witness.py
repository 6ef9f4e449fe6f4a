"""What a witness is. Another kind of witness is another module beside this one."""

from typing import Protocol

from bot.words.errors import TocsinError


class NotWitnessed(TocsinError):
    """A witness did not take a checkpoint, or does not say which one it has. The same again later may work."""


class Witness(Protocol):
    """Somebody or something that holds checkpoints of the record where nobody can change them together with it."""

    name: str
    """What people call it."""
    quick: bool
    """Whether it is given checkpoints within seconds. Else within minutes: people read along there."""

    async def publish(self, note: bytes, size: int) -> None:
        """Have it hold this checkpoint, a signed note over so many entries. Raises NotWitnessed."""
        ...

    async def latest(self) -> bytes | None:
        """The newest note that it holds. Nothing, where it holds none or cannot be asked. Raises NotWitnessed."""
        ...
