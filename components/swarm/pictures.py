"""A study as pictures: its curves with bound and law, and its damage before and after. Each says "simulated"."""

import io
from collections.abc import Sequence
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from PIL import Image

from components.swarm import law
from components.swarm.study import Study
from components.swarm.trial import Case, Outcome

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6D31")
"""Okabe and Ito, Color Universal Design (2008): they are told apart by the colour-blind."""
DASHES = ("-", "--", "-.", ":")
MOST_CURVES = 8
MOST_MARKS = 6
POINTS = 400
DPI = 110
WIDE = 8.0
LONGEST_MARK = 34
LONGEST_ALT = 300
"""Who cannot see it should not have to hear more."""
LEAST = 1e-9
"""What a logarithm can still draw."""
FAR_APART = 6.0
"""The longest run is so many times the shortest: then steps are drawn in powers of ten."""

Series: TypeAlias = NDArray[np.float64]
Axes: TypeAlias = Any
"""matplotlib says too little of what its functions take."""


def pictures_of(study: Study) -> list[tuple[str, bytes]]:
    """Each with what it shows, for who cannot see it, and as PNG. The study is over."""
    return [curves(study), maps(study)]


def curves(study: Study) -> tuple[str, bytes]:
    """What is left of the damage, step by step: the median of the seeds, and their spread as a band."""
    figure: Any = Figure(figsize=(WIDE, 4.8), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    shown = list(enumerate(study.cases))[:MOST_CURVES]
    ends = [max(each.curve_steps[-1] for each in _of(study, index)) for index, _ in shown]
    is_wide = max(ends) > FAR_APART * max(1, min(ends))
    lowest = min((1 - case.until) for _, case in shown) / 2
    for index, case in shown:
        _draw_case(axes, case, _of(study, index), _label(case, study.cases), index, is_wide=is_wide)
    bounds = {(case.bots, case.damage): index for index, case in reversed(shown)}
    for index in sorted(bounds.values()):
        colour = "0.45" if len(bounds) == 1 else COLOURS[index % len(COLOURS)]
        _draw_bound(axes, study.cases[index], _of(study, index), colour, is_first=index == 0)
    _draw_marks(axes, study.outcomes[0].marks)
    axes.axhline(1 - study.cases[0].until, color="0.6", lw=0.8, ls=":")
    axes.set_yscale("log")
    highest = max(max(each.curve_damaged) / max(1, each.damaged_at_start) for each in study.outcomes)
    axes.set_ylim(lowest, max(1.15, highest * 1.15))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    if is_wide:
        axes.set_xscale("log")
    axes.set_xlim(1 if is_wide else 0, max(ends) * (1.3 if is_wide else 1.02))
    axes.xaxis.set_major_formatter(FuncFormatter(_whole))
    axes.set_xlabel("step")
    axes.set_ylabel("damage left")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    seeds = len(study.order.seed_list())
    spread = f"median and spread of {seeds} seeds" if seeds > 1 else "one seed"
    axes.set_title(f"Repair by a swarm (simulated) · {spread}", fontsize=11, loc="left")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    what = "; ".join(_told(case, _of(study, index), _label(case, study.cases)) for index, case in shown)
    alt = f"Damage left by step, simulated. {what}."
    return alt if len(alt) <= LONGEST_ALT else f"{alt[: LONGEST_ALT - 1]}…", _png(figure)


def maps(study: Study) -> tuple[str, bytes]:
    """The lattice of the first run, before and after."""
    first, case = study.outcomes[0], study.cases[0]
    figure: Any = Figure(figsize=(WIDE, 4.4), dpi=DPI, layout="constrained")
    most = max(0.01, float(first.before.max()), float(first.after.max()))
    both = figure.subplots(1, 2)
    shares = (first.damaged_at_start / case.size**2, first.damaged / case.size**2)
    drawn = None
    for axes, picture, name, share in zip(
        both, (first.before, first.after), ("before", f"after {first.steps:,} steps"), shares, strict=True
    ):
        drawn = axes.imshow(picture, cmap="cividis", norm=PowerNorm(0.5, 0, most), interpolation="nearest")
        axes.set_title(f"{name}: {_percent(share)} damaged", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=list(both), shrink=0.85, pad=0.02)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(_percent))
        bar.set_label("damaged cells", fontsize=9)
    what = f"{case.bots:,} bots, {case.size} × {case.size} cells, {case.pattern} damage, seed {first.seed}"
    figure.suptitle(f"Damage (simulated) · {what}", fontsize=11, x=0.02, ha="left")
    before, after = (_percent(each) for each in shares)
    alt = f"The lattice before and after, simulated: {before} of its cells damaged, then {after}. {what}."
    return alt, _png(figure)


def _draw_case(axes: Axes, case: Case, outcomes: Sequence[Outcome], label: str, index: int, *, is_wide: bool) -> None:
    colour, dash = COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)]
    end = round(median(each.curve_steps[-1] for each in outcomes))
    grid = _grid(end, is_wide=is_wide)
    seeds = np.maximum([np.interp(grid, each.curve_steps, _left(each)) for each in outcomes], LEAST)
    if len(outcomes) > 1:
        axes.fill_between(grid, seeds.min(axis=0), seeds.max(axis=0), color=colour, alpha=0.25, lw=0)
    axes.plot(grid, np.median(seeds, axis=0), color=colour, ls=dash, lw=2, label=label)
    if case.conditions.intelligence == "blind":
        steps = np.unique(np.round(_grid(end, is_wide=is_wide)).astype(np.int64))
        expected = law.unrepaired(steps, case.density)
        name = "law of a blind walk: exp(-density · S(step))" if index == 0 else None
        axes.plot(steps, expected, color="black", lw=1, ls=(0, (4, 3)), label=name)


def _draw_bound(axes: Axes, case: Case, outcomes: Sequence[Outcome], colour: str, *, is_first: bool) -> None:
    bound = law.bound(outcomes[0].damaged_at_start, case.bots, case.conditions.rate)
    left = np.geomspace(1, LEAST, POINTS)
    name = f"formula's bound, as if nobody searched: {bound:,.3g} steps" if is_first else None
    axes.plot(bound * (1 - left), left, color=colour, lw=1.2, ls="-.", label=name)


def _draw_marks(axes: Axes, marks: Sequence[tuple[int, str]]) -> None:
    for number, (step, words) in enumerate(marks[:MOST_MARKS]):
        said = words if len(words) <= LONGEST_MARK else f"{words[:LONGEST_MARK]}…"
        axes.axvline(step, color="0.3", lw=0.9, ls=(0, (1, 1)))
        axes.annotate(
            f"{number + 1}", (step, 1.0), xycoords=("data", "axes fraction"), xytext=(0, -2),
            textcoords="offset points", fontsize=7, ha="center", va="top",
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "0.3", "lw": 0.7},
        )  # fmt: skip
        axes.plot([], [], color="0.3", lw=0.9, ls=(0, (1, 1)), label=f"{number + 1} · step {step:,}: {said}")


def _of(study: Study, index: int) -> list[Outcome]:
    return [each for each in study.outcomes if each.case == index]


def _left(outcome: Outcome) -> Series:
    return np.asarray(outcome.curve_damaged, np.float64) / max(1, outcome.damaged_at_start)


def _grid(end: int, *, is_wide: bool) -> Series:
    return np.geomspace(1, max(2, end), POINTS) if is_wide else np.linspace(0, end, POINTS)


def _label(case: Case, cases: Sequence[Case]) -> str:
    """What tells it from the others, or what it is where there are none."""
    words = [f"{case.bots:,} bots"] if len(cases) == 1 or len({each.bots for each in cases}) > 1 else []
    if len(cases) == 1 or len({each.conditions.intelligence for each in cases}) > 1:
        words.append(case.conditions.intelligence)
    if len({each.damage for each in cases}) > 1:
        words.append(f"{case.damage:.3g} damaged")
    if len({each.conditions.failures for each in cases}) > 1:
        words.append(f"failures {case.conditions.failures:.3g}")
    return ", ".join(words)


def _told(case: Case, outcomes: Sequence[Outcome], label: str) -> str:
    reached = [each.reached for each in outcomes if each.reached is not None]
    end = f"{_percent(case.until)} repaired after {min(reached):,} to {max(reached):,} steps" if reached else "not done"
    return f"{label}: {end}, law {case.law_steps:,}" if case.conditions.intelligence == "blind" else f"{label}: {end}"


def _percent(value: float, _: object = None) -> str:
    return f"{value * 100:.3g} %"


def _whole(value: float, _: object) -> str:
    return f"{value:,.0f}"


def _png(figure: Figure) -> bytes:
    """With few colours, which takes a third of the room."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    out = io.BytesIO()
    whole.quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
