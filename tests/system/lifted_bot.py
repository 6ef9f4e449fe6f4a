"""The bot as it is, but for how much a channel passes on: a test says in a minute what people say in an hour."""

import sys

from bot.channels import allowance

if __name__ == "__main__":
    allowance.AT_ONCE = allowance.OF_ONE_AT_ONCE = 100_000
    from bot.cli import main

    sys.argv[0] = "tocsin"
    main()
