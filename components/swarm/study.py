"""A study: all cases of an order, each with all seeds, one run after the other. It can be kept and taken up again."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.swarm.order import Order
from components.swarm.swarm import Arrays
from components.swarm.trial import Outcome, Trial

FORM = 1
MAPS = ("before", "after")


class Study:
    """What was ordered, what has come of it, and the run that goes on."""

    def __init__(self, order: Order, *, threads: int) -> None:
        self.order = order
        self.cases = order.cases()
        self.runs = [(case, seed) for case in range(len(self.cases)) for seed in order.seed_list()]
        self.outcomes: list[Outcome] = []
        self._threads = threads
        self._began = time.monotonic()
        self._had = 0.0
        """How far it was when it was begun here."""
        self.trial: Trial | None = None
        self.job = ""
        """The id of the job that carries it out."""

    @property
    def is_over(self) -> bool:
        """All runs are done."""
        return len(self.outcomes) == len(self.runs)

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return (len(self.outcomes) + (self.trial.progress if self.trial else 0.0)) / len(self.runs)

    @property
    def message(self) -> str:
        """How it is now, in a line."""
        if self.trial is None:
            return "The lattice is being made."
        swarm = self.trial.swarm
        words = [
            f"{swarm.alive:.1e} bots".replace("e+0", "e"),
            f"step {swarm.step:,}",
            f"{100 * max(0.0, 1 - self.trial.unrepaired):.1f} % repaired",
        ]
        if len(self.runs) > 1:
            words.append(f"run {len(self.outcomes) + 1} of {len(self.runs)}")
        if (left := self._seconds_left()) is not None:
            words.append(f"ETA {left:.0f} s")
        return " · ".join(words)

    def advance(self, seconds: float) -> None:
        """Go on for about so long: a run is begun, or takes steps, or comes to its end."""
        case, seed = self.runs[len(self.outcomes)]
        if self.trial is None:
            self.trial = Trial.begun(self.cases[case], seed, threads=self._threads)
            return
        self.trial.advance(seconds)
        if self.trial.is_over:
            self.outcomes.append(self.trial.outcome(case))
            self.trial = None

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """All that it is, to go on from."""
        arrays: dict[str, Any] = {}
        outcomes: list[dict[str, Any]] = []
        for index, outcome in enumerate(self.outcomes):
            fields = {each.name: getattr(outcome, each.name) for each in dataclasses.fields(outcome)}
            arrays |= {f"{name}-{index}": fields.pop(name) for name in MAPS}
            outcomes.append(fields)
        kept: dict[str, Any] = {"form": FORM, "order": self.order.texts, "outcomes": outcomes, "trial": None}
        kept["job"] = self.job
        if self.trial is not None:
            kept["trial"], running = self.trial.state()
            arrays |= running
        return kept, arrays

    @classmethod
    def restored(cls, kept: Mapping[str, Any], arrays: Arrays, *, threads: int) -> "Study":
        """As it was. Raises ValueError where another version has kept it."""
        if kept.get("form") != FORM:
            raise ValueError("Another version has kept what was stopped. Begin anew with repair.")
        study = cls(Order.of(kept["order"]), threads=threads)
        for index, fields in enumerate(kept["outcomes"]):
            marks = tuple((step, words) for step, words in fields.pop("marks"))
            curve: dict[str, Any] = {name: tuple(fields.pop(name)) for name in ("curve_steps", "curve_damaged")}
            before, after = (np.asarray(arrays[f"{name}-{index}"], np.float32) for name in MAPS)
            study.outcomes.append(Outcome(**fields, **curve, marks=marks, before=before, after=after))
        if kept["trial"] is not None:
            case, _ = study.runs[len(study.outcomes)]
            study.trial = Trial.restored(study.cases[case], kept["trial"], arrays, threads=threads)
        study._had = study.progress
        study.job = kept.get("job", "")
        return study

    def _seconds_left(self) -> float | None:
        done = self.progress - self._had
        return (time.monotonic() - self._began) / done * (1 - self.progress) if done > 0 else None
