"""`python -m components.check`: the judge, where `tocsin` itself is not installed."""

import typer

from components.check import check

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command("check")(check)

if __name__ == "__main__":
    app(prog_name="tocsin component check")
