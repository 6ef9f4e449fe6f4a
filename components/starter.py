"""A starter (simulated). `tocsin component new` has made this file out of an example that runs as it is."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from components.kit import Between, Component, Danger, Job, main

starter = Component(title="A starter (simulated)", kind="simulation", version="0.1")
temperature = starter.stream("temperature", title="Temperature", unit="°C")


@dataclass
class Oven:
    """What would be a machine."""

    celsius: float = 20.0
    heats: bool = False


oven = Oven()


@starter.command(danger=Danger.CAUTION)
async def warm(job: Job, to: Annotated[float, Between(20, 90)], rate: Annotated[float, Between(0.1, 5)] = 0.5) -> Any:
    """Warm up to a temperature."""
    while oven.celsius < to:
        await job.step(oven.celsius / to, f"{oven.celsius:.1f} °C")  # before every step: returns when it may be taken
        oven.heats = True
        oven.celsius += rate
        temperature.send(oven.celsius)
        await asyncio.sleep(0.05)
    oven.heats = False
    return {"reached": oven.celsius}


@starter.command()
async def read() -> Any:
    """Read the thermometer."""
    return {"temperature": oven.celsius, "heats": oven.heats}


@starter.on_stop
def power_off() -> None:
    """Switch off what heats. Before this has returned, nobody hears that it has stopped."""
    oven.heats = False


if __name__ == "__main__":
    main(starter)
