"""opsdroid: from `parse` to the end of the skill that matched. Each skill has one anchored expression, the cheapest."""
# pyright: basic, reportMissingImports=false
# (opsdroid is not in our environment, and types almost nothing.)

import asyncio
import gettext

gettext.install("opsdroid")  # its modules take `_` from the builtins

from opsdroid.core import OpsDroid  # noqa: E402 - see above
from opsdroid.events import Message  # noqa: E402
from opsdroid.matchers import match_regex  # noqa: E402

from bench.peers.watch import Watch  # noqa: E402


async def measure(watch: Watch) -> None:
    """Call each skill by its name alone, and answer nothing."""
    bot = OpsDroid(loopless=True)
    bot.eventloop = asyncio.get_running_loop()
    for name in watch.names:

        @match_regex(f"!{name}$")
        async def skill(_message: Message) -> None:
            watch.called += 1

        bot.register_skill(skill, {"name": name})
    lines = [f"!{name}" for name in watch.names]
    while watch.goes_on():
        for line in lines:
            await bot.parse(Message(line, user="anna", target="ops"))
    watch.report()


asyncio.run(measure(Watch("opsdroid")))
