"""Where commands meet the study that runs: changes wait here for its thread, and its state is kept from here."""

import time
from collections import deque
from pathlib import Path
from typing import Any

from components.kit import Cancelled, Job, Stopped, ThreadStep
from components.swarm import keeping
from components.swarm.live import Change
from components.swarm.order import Order
from components.swarm.pictures import curves, maps
from components.swarm.results import result_of
from components.swarm.study import Study

BLOCK_S = 0.03
KEEP_EVERY_S = 10.0
MOST_WAITING = 16


class Desk:
    """One study at a time."""

    def __init__(self, *, threads: int) -> None:
        self.path: Path | None = None
        """Where the state is kept; None: nowhere."""
        self.study: Study | None = None
        """The last one, also when it is over."""
        self._threads = threads
        self._runs = False
        self._changes: deque[Change] = deque()

    def ordered(self, order: Order) -> Study:
        """A new study. Raises ValueError where it cannot be one."""
        return Study(order, threads=self._threads)

    def kept(self, of: str = "") -> Study:
        """The one that was ended before its end, and only that of a job where one is named.

        Raises ValueError where there is none.
        """
        study = self.study if self.study is not None and not self.study.is_over else self._from_disk()
        if study is None:
            raise ValueError("There is nothing to go on with. Begin with repair.")
        if of not in ("", study.job):
            raise ValueError("What is kept is of another job. To go on with it: resume.")
        return study

    def _from_disk(self) -> Study | None:
        kept = keeping.load(self.path) if self.path is not None else None
        return None if kept is None else Study.restored(*kept, threads=self._threads)

    def change(self, change: Change) -> dict[str, Any]:
        """Have it made by the study that runs. Raises ValueError where there is none."""
        if not self._runs:
            raise ValueError("No simulation runs that could be changed. Begin with repair.")
        if len(self._changes) >= MOST_WAITING:
            raise ValueError(f"{MOST_WAITING} changes wait already. Wait until they are made.")
        self._changes.append(change)
        return {"change": change.words, "when": "before the next step"}

    async def carry_out(self, job: Job, study: Study) -> dict[str, Any]:
        """Run it to its end, in a thread."""

        def run(step: ThreadStep) -> dict[str, Any]:
            self.study, self._runs, study.job = study, True, job.id
            kept_at = float("-inf")
            try:
                while not study.is_over:
                    step(study.progress, study.message)
                    self._make_changes(study)
                    study.advance(BLOCK_S)
                    if time.monotonic() > kept_at + KEEP_EVERY_S:
                        self._keep(study)
                        kept_at = time.monotonic()
            except (Stopped, Cancelled):
                self._keep(study)
                raise
            finally:
                self._runs = False
                self._changes.clear()
            for draw in (curves, maps):
                step(1.0, "drawing")
                job.picture(*draw(study))
            if self.path is not None:
                self.path.unlink(missing_ok=True)
            return result_of(study)

        return await job.in_thread(run)

    def look(self) -> dict[str, Any]:
        """How it is now, in a few numbers."""
        if self.study is None:
            return {"runs": False}
        trial, done = self.study.trial, len(self.study.outcomes)
        told: dict[str, Any] = {"runs": self._runs, "runs_done": done, "runs_ordered": len(self.study.runs)}
        if trial is None:
            return told
        swarm, now = trial.swarm, trial.swarm.conditions
        return told | {
            "seed": trial.seed,
            "step": swarm.step,
            "bots": swarm.alive,
            "bots_lost": swarm.lost,
            "damaged": swarm.damaged,
            "repaired": swarm.repaired,
            "unrepaired": round(trial.unrepaired, 6),
            "intelligence": now.intelligence,
            "speed": now.speed,
            "rate": now.rate,
            "noise": now.noise,
            "failures": now.failures,
            "damage_per_step": now.damage,
        }

    def _make_changes(self, study: Study) -> None:
        while self._changes and study.trial is not None:
            self._changes.popleft().made(study.trial)

    def _keep(self, study: Study) -> None:
        if self.path is not None:
            keeping.save(self.path, *study.state())
