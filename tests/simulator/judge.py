"""What must hold in every history, looked at after each step, from what is true and not from what the code believes.

Clocks may run 1 % too fast or too slow. So ten seconds of a component may be 10.1 true ones, and a command may be
taken late by what two clocks differ in twice that time. Nothing else is allowed for.
"""

from tests.simulator.bot import Bot
from tests.simulator.component import Component
from tests.simulator.keys import PAIRS, THIEF, Signed
from tests.simulator.truth import LATE_MS, LONGEST_S, Asked, Broken, Truth
from wire.envelope import PublicKey
from wire.latch import Latch
from wire.messages import HandOver, Lease, Shown, State, Stop, Target
from wire.work import Command


class Judge(Truth):
    """Says where something does not hold that must hold."""

    # What the bot does.

    def the_bot_began(self, bot: Bot) -> None:
        """From now on it knows what is on its disk."""
        books = bot.books
        self.targets = {each.id: None if each.stop is None else each.target for each in books.incidents.values()}
        self.named = set(books.affected)
        self.claimed = {name: set() for name in bot.enrolled}
        missing = [each for each in self.vouched if bot.issuer.known(each) is None]
        if missing:
            raise Broken("an incident survives every crash", f"{missing} were named in a lease and are forgotten")
        for incident, component in books.affected:
            is_let_off = self.is_agreed(incident, component)
            if component in bot.enrolled and (incident in bot.issuer.stopping(component)) is is_let_off:
                raise Broken("an incident survives every crash", f"{incident} of {component}, let off: {is_let_off}")
        for component in self.world.all:
            self._forgive(component, bot)

    def the_bot_ordered(self, event: str, incident: str, target: Target) -> None:
        """An order makes no second incident of the same target, however often it runs."""
        made = self.ordered.setdefault(event, set())
        other = [each for each in made - {incident} if self.targets.get(each) == target]
        if other and self.targets.get(incident) != target:
            raise Broken("an order that runs again is the same", f"{event} was {other} and is {incident} now")
        if self.targets.get(incident) is None:  # else it has joined what somebody else has made
            made.add(incident)
        self.targets[incident] = target
        if (event, incident) not in self.ran:
            self.ran.add((event, incident))
            for name, groups in self.world.bot.enrolled.items():
                if target.meets(name, groups) and self.is_agreed(incident, name):
                    raise Broken(
                        "an order stops its whole target", f"{event} joins {incident}, and {name} is let off it"
                    )

    def the_bot_overheard(self, message: Signed) -> None:
        """A stop on the wire counts as an order."""
        if isinstance(message.what, Stop) and self.world.bot.trusts(message.signer):
            self.learn(message.what)

    def the_bot_heard(self, state: State) -> None:
        """What it must know from now on."""
        bot = self.world.bot
        for each in state.incidents:
            stop = bot.verify(each.stop) if each.stop is not None else None
            if stop is not None and stop.incident == each.incident:
                self.learn(stop)
            self.targets.setdefault(each.incident, None)
            self.named.add((each.incident, state.id))
        self.claimed[state.id].update(state.groups)

    def lease_was_given(self, state: State, lease: Lease) -> None:
        """It names all that stops the component, lets off what two persons have agreed to, and all is on disk."""
        bot, name = self.world.bot, state.id
        if state.nonce in bot.answered:
            raise Broken("a statement is answered once", f"{name} gets a second answer to {state.nonce}")
        bot.answered.add(state.nonce)
        must = self.stopping(name)
        if must != set(lease.stops):
            raise Broken("a lease names all that stops", f"{name} must hear {sorted(must)}, not {lease.stops}")
        may = {each.incident for each in state.incidents if self.is_agreed(each.incident, name)}
        if may != set(lease.cleared):
            raise Broken("only what two persons reset is cleared", f"{name}: {sorted(may)}, not {lease.cleared}")
        unwritten = [each for each in self.targets if each not in bot.books.incidents]
        if unwritten:
            raise Broken("what is known is on disk before a lease", f"{unwritten} are not, and {name} has a lease")
        for incident in must:
            if (incident, name) not in bot.books.affected:
                raise Broken("what is known is on disk before a lease", f"that {incident} stops {name} is not")
        self.vouched |= must
        if not lease.stops:
            self.permit(state.nonce)

    # What a component does.

    def component_asked(self, component: Component, state: State) -> None:
        """What it says is so, and what it knows is on its disk as soon as that takes it."""
        name, floppy = component.name, component.floppy
        self.asked[state.nonce] = Asked(name, component.boots, component.lives, self.world.real, state)
        if state.shown is Shown.STOPPED and component.moves:
            raise Broken("stopped is what does not move", f"{name} says so and its work is not down")
        kept = frozenset(each.incident for each in (floppy.kept.open if floppy.kept is not None else ()))
        if not floppy.refuses and kept != component.names():
            raise Broken("a stop is written as soon as the disk takes it", f"{name} has {sorted(kept)} on its disk")

    def silence_came(self, component: Component) -> None:
        """It has stopped by itself, because nobody lets it work any more."""
        if component.permitted == float("-inf"):
            raise Broken("silence begins after a lease", f"{component.name} has stopped without ever having had one")
        component.received |= component.names()

    def stop_comes(self, component: Component, stop: Stop) -> None:
        """Before it takes a stop that counts."""
        if stop.target.meets(component.name, component.groups) and stop.incident not in component.taken:
            component.received.add(stop.incident)

    def stop_came(self, component: Component, stop: Stop) -> None:
        """Afterwards. What the thief of the bot's key has reset stays reset: the documents say so."""
        if component.robbed and stop.incident not in component.names():
            component.received.discard(stop.incident)
        if stop.incident in component.taken and stop.incident in component.names():
            raise Broken("a replay latches nothing that was reset", f"{component.name} is stopped by {stop.incident}")

    def lease_was_taken(
        self, component: Component, message: Signed, lease: Lease, before: frozenset[str], down: bool, session: str
    ) -> None:
        """It has accepted a lease."""
        component.robbed |= message.forged
        after = component.names()
        component.received |= set(lease.stops)
        if component.robbed:
            component.received &= after
            component.lives += component.latch.session != session
            return
        again = component.taken & (after - before)
        if again:
            raise Broken("a replay latches nothing that was reset", f"{component.name} is stopped by {sorted(again)}")
        gone = before - after
        wrong = [each for each in gone if not self.is_agreed(each, component.name)]
        if wrong or (gone and not down):
            raise Broken("a reset clears where it stands, what was reset", f"{component.name}: {sorted(gone)}")
        component.taken |= gone
        component.received -= gone
        if gone:
            component.lives += 1

    def key_was_taken(self, component: Component, before: PublicKey, link: HandOver) -> None:
        """It has taken a new key for the bot's."""
        if (link.old, link.new) == (before, THIEF.public) and before in self.world.stolen:
            component.robbed = True
        elif (before, link.new) not in PAIRS:
            raise Broken("a key counts that both have signed", f"{component.name} has another key than was handed over")

    @staticmethod
    def roster_was_taken(component: Component, before: int, serial: int) -> None:
        """It has taken a list of stop keys."""
        if serial <= before:
            raise Broken("no roster replaces a newer one", f"{component.name} had {before} and took {serial}")

    def command_was_taken(self, component: Component, command: Command, now: float) -> None:
        """It carries out a command. A process that stood still since it read its clock may be late."""
        name = component.name
        if not component.latch.may_work(now):
            raise Broken("a command needs permission", f"{name} runs {command.id} and may not")
        if command.id in component.ran:
            raise Broken("a command runs once", f"{name} runs {command.id} again")
        component.ran.add(command.id)
        if component.robbed:
            return
        if self.lives.get(f"{command.id}/{name}") != component.lives:
            raise Broken("a command runs in its session", f"{name} runs {command.id} of another session")
        bot_ms = 1000 * self.world.bot.clock.at(self.world.real)
        if now == self.world.now(component) and bot_ms > command.expires_ms + LATE_MS:
            raise Broken(
                "a command runs in its time", f"{name} runs {command.id} {bot_ms - command.expires_ms} ms late"
            )

    def component_began(self, component: Component, *, whole: bool = False, damaged: bool = False) -> None:
        """It knows what is on its disk, and that is all it knew where the disk is whole."""
        has, name = component.names(), component.name
        if damaged and not has:
            raise Broken("a damaged disk is a stop", f"{name} has started without one")
        again = component.taken & has
        if again:
            raise Broken("a replay latches nothing that was reset", f"{name} is stopped by {sorted(again)} anew")
        lost = {each for each in component.received - has if not self.is_agreed(each, name)}
        if whole and lost - component.lost:
            raise Broken("a stop survives a reboot", f"{name} has forgotten {sorted(lost - component.lost)}")
        component.lost |= lost
        component.received |= has
        self._forgive(component, self.world.bot)

    @staticmethod
    def component_kept(component: Component, before: Latch) -> None:
        """Whom it believes outlives a reboot: a key and a roster count only once they are on disk."""
        latch = component.latch
        if latch.key != before.key or latch.roster != before.roster:
            raise Broken("whom it believes survives a reboot", f"{component.name} believes somebody else now")

    def _forgive(self, component: Component, bot: Bot) -> None:
        """The hole that is documented: what it stopped for, lost with its disk, and had told nobody who still lives."""
        name = component.name
        knows = set(bot.issuer.stopping(name)) if name in bot.enrolled else set[str]()
        component.lost -= component.names()
        component.received -= component.lost - knows
        component.lost &= knows

    # What is true after each step.

    def look(self) -> None:
        """After a step of the history."""
        world = self.world
        for component in world.all:
            if component.frozen is None and component.latch.may_work(world.now(component)):
                component.moves = True
                self._look_at_work(component)
        self._look_at_the_room()

    def _look_at_the_room(self) -> None:
        """What the bot would show now."""
        world = self.world
        issuer = world.bot.issuer
        now = world.bot.clock.at(world.real)
        for name in world.bot.heard:
            if name not in self.forged:
                for incident in issuer.stopping(name):
                    if issuer.has_stopped(name, incident, now):
                        self._look_at_stopped(world.components[name], incident)
        for incident, name in self.agreed:
            if name not in self.forged and name in world.bot.heard and issuer.has_resumed(name, incident, now):
                self._look_at_resumed(name, incident)
        for incident in issuer.incidents:
            if issuer.confirmed(incident.id, now):
                self._look_at_confirmed(incident.id)

    def _look_at_work(self, component: Component) -> None:
        name = component.name
        if not component.robbed:
            wrong = [each for each in component.received if not self.is_agreed(each, name)]
            if wrong:
                raise Broken("nothing works that was stopped", f"{name} works, and nobody has reset {wrong}")
        since = self.world.real - component.permitted
        if since > LONGEST_S:
            raise Broken("nothing works longer than its lease", f"{name} works {since:.3f} s after its last lease")

    def _look_at_stopped(self, component: Component, incident: str) -> None:
        world, name = self.world, component.name
        asked = self.asked[world.bot.heard[name].nonce]
        since = world.real - asked.real
        names = [each.incident for each in asked.state.incidents]
        if (
            asked.component != name
            or asked.state.shown is not Shown.STOPPED
            or incident not in names
            or since > LONGEST_S
            or asked.real < world.bot.began
        ):
            raise Broken("shown as stopped is what has just said so", f"{name}, {incident}: said {since:.3f} s ago")
        self._look_at_standing(component, incident)

    def _look_at_resumed(self, name: str, incident: str) -> None:
        asked = self.asked[self.world.bot.heard[name].nonce]
        since = self.world.real - asked.real
        names = [each.incident for each in asked.state.incidents]
        is_new = since <= LONGEST_S and asked.real >= self.world.bot.began
        if asked.component != name or asked.state.shown is Shown.LOST or incident in names or not is_new:
            raise Broken("shown as back is what has just said so", f"{name}, {incident}: said {since:.3f} s ago")

    def _look_at_standing(self, component: Component, incident: str) -> None:
        world = self.world
        if component.frozen is None and not component.robbed and component.latch.may_work(world.now(component)):
            raise Broken("what is shown as stopped does not work", f"{component.name} works, stopped by {incident}")

    def _look_at_confirmed(self, incident: str) -> None:
        for name in self.world.bot.enrolled:
            if name not in self.forged and incident in self.stopping(name):
                self._look_at_standing(self.world.components[name], incident)
