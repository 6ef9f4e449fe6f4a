# What Tocsin's benchmark uses of mesa.

from random import Random

class Agents:
    def do(self, method: str) -> object: ...

class Model:
    random: Random
    agents: Agents

    def __init__(self, *, seed: int | None = ...) -> None: ...
