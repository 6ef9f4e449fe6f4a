"""Installs the wheel where the checkout cannot be seen, as a user has it.

What comes from the checkout all the same fails the test.
"""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import bot

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "bot", "bridges", "commands", "components", "tocsin", "demo")
GROUPS = ("tocsin.bridges", "tocsin.commands", "console_scripts")

# Runs inside the new environment: imports all, and says where each of it was found.
LOOK = f"""
import importlib, importlib.metadata, json, sys
found = {{name: importlib.import_module(name).__file__ for name in {PACKAGES!r}}}
ours = importlib.metadata.distribution("tocsin")
for point in ours.entry_points:
    if point.group in {GROUPS!r}:
        point.load()
        found[f"{{point.group}}:{{point.name}}"] = sys.modules[point.module].__file__
print(json.dumps(found))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command as a stranger would: elsewhere, and without this process's Python settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(  # noqa: S603 - every command is written in this file
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has our wheel, and sees the libraries of this one.

    It sees them by a path in a .pth file. Python reads no .pth files in such a folder, so the editable
    install of the checkout, which is one, is out of sight.
    """
    home = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    python = home / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install"),
        *("--quiet", "--no-deps", "--no-index", "--no-compile", wheel),
        cwd=home,
    )
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (packages / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    return home


def test_the_wheel_holds_the_typed_packages_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    folders = {name.partition("/")[0] for name in names}
    assert folders == {*PACKAGES, f"tocsin-{bot.__version__}.dist-info"}


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert bot.__version__ in run(installed / "bin" / "tocsin", "--version", cwd=tmp_path)


def test_every_package_and_entry_point_is_found_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    found: dict[str, str] = json.loads(run(installed / "bin" / "python", "-I", "-c", LOOK, cwd=tmp_path))
    assert {name.partition(":")[0] for name in found} == {*PACKAGES, *GROUPS}
    strangers = {name: file for name, file in found.items() if not Path(file).is_relative_to(installed)}
    assert strangers == {}
