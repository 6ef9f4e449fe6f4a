"""`python -m bench.wire.one ENROLMENT [--make-latch]`: a component as its author writes it, with one command."""

from components.kit import Component, main

walker = Component(title="A walker", kind="benchmark", version="1")


@walker.command()
async def note(level: int) -> dict[str, int]:
    """Note a level."""
    return {"level": level}


if __name__ == "__main__":
    main(walker)
