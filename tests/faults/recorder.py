"""Records as fast as it can and says what is on disk, until it is killed: `recorder.py FOLDER LIFE`."""

import asyncio
import itertools
import sys
from pathlib import Path

from bot.record.opening import opened
from bot.store import Store, Tx, audit
from wire.messages import ROOT

AT_ONCE = 16


def say(words: str) -> None:
    """Whoever listens hears it now."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def main(folder: Path, life: str) -> None:
    """Several write at once, so that they share commits."""
    async with opened(folder, ROOT) as store:
        say(f"begun {store.distrusted}")
        await asyncio.gather(*(_record(store, f"{life}-{number}") for number in range(AT_ONCE)))


async def _record(store: Store, who: str) -> None:
    for number in itertools.count():
        name = f"{who}-{number}"

        def write(tx: Tx, name: str = name) -> None:
            audit.record(tx, "noted", audit.about("olga", person="olga"), name=name)

        await store.write(write)
        say(name)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
