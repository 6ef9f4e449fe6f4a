"""Holds together what is said twice: versions, pins and commands. It installs and downloads nothing."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bot

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named_by_the_project() -> list[Requirement]:
    """What pyproject.toml asks for, of all extras, without the extras' references to one another."""
    project: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    everything = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    return [needed for line in everything if (needed := Requirement(line)).name != "tocsin"]


def pins() -> dict[str, str]:
    """The version that constraints.txt names for each distribution."""
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; .+)?", line)] == []
    return dict(line.partition(" ;")[0].split("==") for line in lines)


def come_along(needed: Requirement, seen: set[str]) -> Iterator[str]:
    """A distribution and all that it needs, as far as this environment has them."""
    for extra in ("", *sorted(needed.extras)):
        if (step := f"{canonicalize_name(needed.name)}[{extra}]") in seen:
            continue
        seen.add(step)
        yield canonicalize_name(needed.name)
        for line in importlib.metadata.requires(needed.name) or []:
            inner = Requirement(line)
            if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                yield from come_along(inner, seen)


def test_the_version_is_the_newest_of_the_changelog() -> None:
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == bot.__version__


def test_every_named_dependency_is_pinned_within_its_bounds() -> None:
    pinned = pins()
    for needed in named_by_the_project():
        assert needed.specifier.contains(pinned[canonicalize_name(needed.name)]), needed


def test_every_distribution_that_comes_along_is_pinned() -> None:
    seen: set[str] = set()
    names = {name for needed in named_by_the_project() for name in come_along(needed, seen)}
    assert names - pins().keys() == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/performance.md", ".ci/run"])
def test_a_command_that_a_page_gives_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    given = set(re.findall(r"(?:^|`|step )make ([a-z]+)", read(page), re.MULTILINE))
    assert given
    assert given - targets == set()
