"""`tocsin component check`: judges a component in any language by what it does. It stops nothing but what it started.

It makes a throwaway enrolment for each rule, starts the component with it, and plays the bot.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from components.check.call import Call, arguments_of, broker_of, carried_out, chosen
from components.check.rule import CannotJudge, Outcome
from components.check.show import BAD, harmless, passed, summary, to_json
from wire.errors import WireError

MISSING = 1
NOT_JUDGED = 2
INTERRUPTED = 130
AT_ONCE = 4
MOST_AT_ONCE = 32


def check(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND",
            help="How the component is started. {enrolment} and {latch} are replaced by the paths of its files.",
        ),
    ],
    *,
    broker: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="The broker. Without it a private mosquitto is started.")
    ] = "",
    enrolment: Annotated[
        Path | None, typer.Option(help="Use the broker of this enrolment file, with its account and TLS.")
    ] = None,
    job: Annotated[str, typer.Option(help="The command to try as a job. Else the least dangerous one is taken.")] = "",
    arguments: Annotated[str, typer.Option(metavar="JSON", help="The arguments of that job.")] = "",
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Try this rule alone; may be repeated.")
    ] = None,
    at_once: Annotated[
        int, typer.Option(min=1, max=MOST_AT_ONCE, help="So many components run at once; 1 where it needs a device.")
    ] = AT_ONCE,
    latch_wipes: Annotated[
        bool, typer.Option("--latch-wipes", help="Its disk does not survive a restart: do not try what must.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Judge a component in any language: whether it keeps the contract.

    Such as: tocsin component check -- node walker.mjs {enrolment} {latch}

    It is started many times, with keys and topics of its own, and killed. What it drives may move: judge a
    simulation, or a machine that may move. A command of high danger is not tried unless it is named with --job.

    Exit status: 0 it keeps the contract, 1 something is missing, 2 it could not be judged.
    """
    shown, errors = Console(highlight=False, emoji=False), Console(stderr=True, highlight=False, emoji=False)
    began = time.monotonic()
    try:
        call = Call(
            command=tuple(command),
            broker=broker_of(broker, enrolment),
            rules=chosen(only or ()),
            job=job,
            arguments=arguments_of(arguments, job),
            at_once=at_once,
            wipes=latch_wipes,
        )
        with tempfile.TemporaryDirectory(prefix="tocsin-check-") as folder:
            verdicts = asyncio.run(carried_out(call, Path(folder), Console(quiet=True) if as_json else shown))
    except (CannotJudge, WireError, OSError) as reason:
        errors.print(Text.assemble(("Not judged: ", f"bold {BAD}"), harmless(str(reason))), soft_wrap=True)
        raise typer.Exit(NOT_JUDGED) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None
    seconds = time.monotonic() - began
    if as_json:
        typer.echo(to_json(verdicts, seconds))
    else:
        shown.print(summary(verdicts, seconds), soft_wrap=True)
    tried = any(each.outcome is not Outcome.SKIPPED for each in verdicts)
    raise typer.Exit(0 if passed(verdicts) else MISSING if tried else NOT_JUDGED)
