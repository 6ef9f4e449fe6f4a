"""One database, one writer. What belongs together is written in one commit or not at all."""

from bot.store.store import Store, Tx

__all__ = ["Store", "Tx"]
