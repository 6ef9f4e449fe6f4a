"""`tocsin component new`: a file to begin with. It never writes over one that is there."""

import importlib.util
import json
import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from wire.errors import WireError
from wire.fields import ID

STARTER = Path(__file__).parent.parent / "starter.py"


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and hyphens.")],
    *,
    kind: Annotated[str, typer.Option("--kind", help="What it is, as the bot shows it.")] = "simulation",
) -> None:
    """Write the file of a new component, which runs as it is."""
    if not ID.fullmatch(name):
        raise WireError(f"{name!r} is no name. Use small letters, digits and hyphens, up to 63.")
    module = name.replace("-", "_")
    path = Path(f"{module}.py")
    if not path.exists() and importlib.util.find_spec(module) is not None:
        raise WireError(f"{module!r} is the name of a module that is installed. Choose another name.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_filled(STARTER.read_text(encoding="utf-8"), name, module, kind))
    except FileExistsError:
        raise WireError(f"{path} is there already, and is not written over. Choose another name.") from None
    except OSError as error:
        raise WireError(f"{path} cannot be written: {error.strerror}.") from error
    typer.echo(f"{path} is made: a component that runs as it is.\n")
    typer.echo(f"  tocsin component enrol {name}")
    typer.echo("      makes its key, and says what to add to the configuration of the bot")
    typer.echo(f"  tocsin component run {path} {name}.json")
    typer.echo("      starts it; until the bot knows it, it is held\n")
    typer.echo("Then change what it does: docs/write-a-component.md.")


def _filled(text: str, name: str, module: str, kind: str) -> str:
    """The example under another name, as which nothing else in it is known."""
    is_free = module.isidentifier() and not keyword.iskeyword(module) and not re.search(rf"\b{module}\b", text)
    title = name.replace("-", " ").capitalize()
    filled = text.replace("A starter (simulated)", f"{title} (simulated)").replace('"simulation"', json.dumps(kind))
    return re.sub(r"\bstarter\b", module if is_free else f"the_{module}", filled)
