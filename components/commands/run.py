"""`tocsin component run`: a component from its file, as `python FILE` runs it."""

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer

from components import program
from components.component import Component
from components.trouble import told
from wire.errors import WireError

MODULE = "component_that_runs"


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="The file of the component.")],
    enrolment: Annotated[Path, typer.Argument(metavar="ENROLMENT", help="The file that it was enrolled with.")],
    *,
    latch: Annotated[
        Path | None, typer.Option("--latch", help="Its latch, which must survive a restart. ENROLMENT.latch by itself.")
    ] = None,
    make_latch: Annotated[
        bool, typer.Option("--make-latch", help="The latch file is not lost: there was none yet.")
    ] = False,
) -> None:
    """Run a component until SIGTERM or Ctrl-C."""
    component = _component_in(file)
    program.set_up_log()
    program.run(component, enrolment, latch, make_latch=make_latch)


def _component_in(file: Path) -> Component:
    """The one that the file makes. The file finds what lies beside it, and is the only one that is run."""
    spec = importlib.util.spec_from_file_location(MODULE, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise WireError(f"{file} is no file of Python. `tocsin component new` makes one.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise WireError(f"{file} cannot be run: {told(error)}. `python {file}` shows where.") from error
    except SystemExit as error:
        raise WireError(f'{file} ends by itself: call main() below `if __name__ == "__main__":` only.') from error
    made = {id(each): each for each in vars(module).values() if isinstance(each, Component)}
    if len(made) != 1:
        raise WireError(f"{file} makes {len(made) or 'no'} components, and one can be run.")
    return next(iter(made.values()))
