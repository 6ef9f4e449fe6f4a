"""`python -m bench NAME [--json]`: run one benchmark. It ends with 1 where a goal does not hold.

A benchmark is a module of this package with a `run()` that returns rows. Only the one asked for is imported.
"""

import argparse
import ast
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from bench.measure import Row


def main(arguments: list[str]) -> int:
    """List the benchmarks, or run the one that is named."""
    benchmarks = find_benchmarks(Path(__file__).parent)
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run one benchmark.")
    parser.add_argument("name", nargs="?", choices=sorted(benchmarks), help="none: list them")
    parser.add_argument("--json", action="store_true", help="print a list of rows instead of a table")
    chosen = parser.parse_args(arguments)
    if chosen.name is None:
        for name, summary in sorted(benchmarks.items()):
            print(f"{name:<12}{summary}")
        return 0
    run = cast("Callable[[], list[Row]]", importlib.import_module(f"bench.{chosen.name}").run)
    rows = run()
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)
    return 0 if all(row.holds for row in rows) else 1


def find_benchmarks(folder: Path) -> dict[str, str]:
    """Each module with a `run()`, and the first line of what it says of itself. Nothing is imported."""
    benchmarks: dict[str, str] = {}
    for path in folder.glob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in module.body):
            benchmarks[path.stem] = (ast.get_docstring(module) or "").partition("\n")[0]
    return benchmarks


def show(rows: list[Row]) -> None:
    """Print the numbers as a table, and under it what they are."""
    drawn = Table()
    for heading in ("name", "ours", "reference", "ratio", "goal", "holds"):
        number = heading in {"ours", "reference", "ratio"}
        drawn.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(
            row.name,
            f"{row.ours:,.1f}",
            f"{row.reference:,.1f}",
            f"{row.ratio:.2f}",
            row.goal,
            "yes" if row.holds else "NO",
        )
    console = Console()
    console.print(drawn)
    for row in rows:
        console.print(f"{row.name}: {row.what}", highlight=False, markup=False, soft_wrap=True)


sys.exit(main(sys.argv[1:]))
