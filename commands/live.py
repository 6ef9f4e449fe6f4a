"""`!customize`, `!weather`, `!levolution`, `!kill`: change a simulation while it runs, in fewer words than `!run`."""

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Command, Stakes, command
from bot.desk.simulations import simulation_called
from bot.desk.wanted import Wanted, typed, understood
from bot.words.document import Document
from bot.words.people import Role
from commands.run import begin, stakes


def _live(name: str, summary: str) -> Command:
    """A command of the same name that a simulation has in its birth."""

    def wanted(call: Call, simulation: str, words: tuple[str, ...], more: dict[str, str]) -> Wanted:
        birth = simulation_called(call.system.registry, simulation)
        return understood(call.system.registry, birth.id, name, typed(words, more))

    async def takes_two(call: Call, simulation: str, /, *words: str, **more: str) -> bool:
        return wanted(call, simulation, words, more).takes_two

    async def preview(call: Call, simulation: str, /, *words: str, **more: str) -> Stakes:
        return stakes(call, wanted(call, simulation, words, more))

    @command(
        name,
        role=Role.OPERATOR,
        action=Action.RUN,
        summary=summary,
        preview=preview,
        takes_two=takes_two,
        may_take_s=None,
    )
    async def change(call: Call, simulation: str, /, *words: str, **more: str) -> Document:
        """`!run SIMULATION` shows what can be given. It is recorded, and the curve marks the moment."""
        return await begin(call, wanted(call, simulation, words, more))

    return change


customize = _live("customize", "Change how a running simulation works: speed, rates, intelligence")
weather = _live("weather", "Change the conditions of a running simulation: noise, failures, damage")
levolution = _live("levolution", "Have a region of a running simulation collapse")
kill = _live("kill", "Have a part of a running simulation's bots lost")
