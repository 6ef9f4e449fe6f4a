"""The `tocsin` command. The version is answered before anything large is imported."""

import sys


def main() -> None:
    """Where the console script begins."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from bot import __version__

        sys.stdout.write(f"tocsin {__version__}\n")
        return
    from bot.importing import importing

    try:
        with importing():
            from bot.app import app
    except ModuleNotFoundError as error:
        sys.exit(f"The bot needs {error.name}, which is not installed. Install it whole: pip install 'tocsin[bot]'")
    app()
