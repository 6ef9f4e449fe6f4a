"""The commands of the stop around a tower, as people in a room call them: what their tests stand on."""

import contextlib
import dataclasses
import os
from collections.abc import AsyncGenerator

from bot.desk.approvals import Approvals
from bot.desk.authority import Authority
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Listed, Registry
from bot.identities import Identities
from bot.store import Store
from bot.system import System
from bot.words.message import Message, Standing
from bot.words.people import Account, People
from bot.words.plain import to_plain
from tests.unit.tower import ALARMS, ORIGIN, Component, Tower, tower
from wire.messages import ROOT


@dataclasses.dataclass
class Office:
    """A room in which people type."""

    tower: Tower
    system: System

    def call(
        self, who: str, *, agreed: str | None = None, event: str = "", standing: Standing = Standing.ATTESTED
    ) -> Call:
        """Somebody says something, with which another person has agreed."""
        by, other = (self.system.people.holder_of(Account("chat", each)) if each else None for each in (who, agreed))
        assert by is not None
        said = event or f"${os.urandom(8).hex()}"
        message = Message(ORIGIN.place, Account("chat", who), said, "", standing, "PHONE", 1, 0.0)
        return Call(os.urandom(16).hex(), by, message, self.system, other)

    async def types(self, command: Command, words: str = "", *, call: Call | None = None) -> str:
        """The answer to what olga types, in words; tables are closed up."""
        call = call or self.call("olga")
        bound = command.signature.bind(words, self.system.names)
        said = to_plain(await command.handler(call, *bound.args, **bound.kwargs))
        return "\n".join(" ".join(line.split()) for line in said.splitlines())

    async def talk(self, *components: Component, rounds: int = 4) -> None:
        """As with a tower, and the registry hears it too."""
        for _ in range(rounds):
            for component in components:
                heard = await self.tower.bell.heard(component.name, component.asks())
                self.system.registry.heard(heard.state, heard.spare_s)
            self.tower.deliver(*components)


@contextlib.asynccontextmanager
async def office(store: Store, people: People, *components: Component) -> AsyncGenerator[Office]:
    """A room, with all commands that come with Tocsin."""
    time = [1000.0]
    registry = Registry({each.name: Listed(each.groups) for each in components}, clock=lambda: time[0])
    maintenance = Maintenance(store, registry.groups_of)
    async with tower(store, *components, alarms=(ALARMS,), remark=maintenance.remark, time=time) as t:
        system = System(
            catalogue=Catalogue.installed(),
            registry=registry,
            bell=t.bell,
            maintenance=maintenance,
            jobs=Jobs(store, t.bell, registry, ROOT, "tocsin", publish=t.broker.publish, queued=lambda: None),
            helm=Helm(store, people, queued=lambda: None),
            plans=Plans(store, people, queued=lambda: None),
            store=store,
            people=people,
            identities=Identities(store, people),
            authority=Authority(frozenset({"trusted"})),
            approvals=Approvals(store, queued=lambda: None),
            rest=Rest(),
            ways_out={},
            file_sets=lambda _: False,
            alarms=(ALARMS,),
        )
        yield Office(t, system)
