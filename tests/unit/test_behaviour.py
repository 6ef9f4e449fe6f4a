"""The scripts of docs/behaviour.json, which any component must follow, run with ours."""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.signed import KEYS, sealed
from wire.birth import OnSilence
from wire.chain import read_hand_over
from wire.envelope import PublicKey, unseal
from wire.errors import BadMessage, Rejected
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Drill, Lease, Open, Roster, State, Stop
from wire.work import Command

PLACE = Path(__file__).parents[2] / "docs" / "behaviour.json"
Step = dict[str, Any]
"""As it stands in the file: its fields are what it does."""
WRITTEN = json.loads(PLACE.read_text(encoding="utf-8"))
SCRIPTS: list[dict[str, Any]] = WRITTEN["scripts"]
EXPECTED = {"news", "may_work", "answer", "says"}
KNOWN = {
    "boot": {"disk", "bot_key", "stop_keys"},
    "ask": {"nonce"},
    "lease": {"nonce", "n", "by", "t_ms", "ttl_ms", "stops", "cleared"},
    "stop": {"incident", "target", "by", "padding"},
    "drill": {"id", "target", "by"},
    "key": {"old", "new", "by"},
    "roster": {"serial", "stop_keys", "by"},
    "cmd": {"id", "session", "expires", "by"},
    "down": set[str](),
    "work": {"busy"},
    "disk": {"takes"},
    "look": set[str](),
}


class Names:
    """What a script calls by a name, and the component draws at random: the same name, the same thing."""

    def __init__(self, given: dict[str, str]) -> None:
        self._drawn = dict(given)

    def of(self, name: str | int) -> str:
        """What has this name, or this number; what nothing has drawn is no one's."""
        return f"{name:032}" if isinstance(name, int) else self._drawn.get(name, "f" * 32)

    def meets(self, name: str | int, drawn: str) -> bool:
        """Whether this is what has the name. A new name is given to a new thing only."""
        if isinstance(name, str) and name not in self._drawn and drawn not in self._drawn.values():
            self._drawn[name] = drawn
        return self.of(name) == drawn


def several(names: list[str] | dict[str, int]) -> list[str] | range:
    """Incidents by their names, or numbered ones."""
    return range(names["from"], names["to"] + 1) if isinstance(names, dict) else names


def single(step: Step) -> Iterator[Step]:
    """A step that is for numbered things is one for each."""
    field = next((each for each in ("id", "incident") if isinstance(step.get(each), dict)), None)
    yield from (step | {field: number} for number in several(step[field])) if field else (step,)


class Player:
    """One component, as a script wants it."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.component: dict[str, Any] = WRITTEN["component"] | script.get("component", {})
        self.names = Names(WRITTEN["incidents"])
        self._numbers = itertools.count(1 << 120)
        self._kept: Kept | None = Kept()
        self._takes = True
        self._now = 0.0
        self.latch: Latch

    def play(self, step: Step) -> None:
        """One step, and what must be so after it."""
        self._now = step["at"] / 1000
        if step["do"] != "boot":
            self.latch.silence(self._now)
        news: bool | None = getattr(self, f"_{step['do']}")(step)
        assert news == step.get("news", news)
        if "may_work" in step:
            assert self.latch.may_work(self._now) == step["may_work"]

    def _boot(self, step: Step) -> None:
        if "disk" in step:
            is_new = step["disk"] == "missing" and self.component["disk"] == "new"
            self._kept = Kept() if is_new else None
        trusted = Trusted(
            KEYS[step.get("bot_key", self.component["bot_key"])].public,
            tuple(str(KEYS[name].public) for name in step.get("stop_keys", self.component["stop_keys"])),
        )
        self.latch = Latch(
            self.component["id"],
            self.component["groups"],
            self._kept,
            trusted=trusted,
            write=self._write,
            random=lambda size: next(self._numbers).to_bytes(size, "big"),
            on_silence=OnSilence(self.component["on_silence"]),
        )

    def _write(self, kept: Kept) -> bool:
        if self._takes:
            self._kept = kept
        return self._takes

    def _ask(self, step: Step) -> None:
        state = State.parse(self.latch.ask(self._now).to_bytes())
        assert self.names.meets(step["nonce"], state.nonce)
        for field, expected in step.get("says", {}).items():
            assert self._says(state, field, expected), f"{field} is not {expected} in {state}"

    def _says(self, state: State, field: str, expected: Any) -> bool:
        named = [each.incident for each in state.incidents]
        proven = [each.incident for each in state.incidents if each.stop is not None]
        match field:
            case "session":
                return self.names.meets(expected, state.session)
            case "incidents":
                told = several(expected)
                return len(named) == len(told) and all(map(self.names.meets, told, named))
            case "proofs":
                return proven == [self.names.of(name) for name in several(expected)]
            case "key":
                return state.key == KEYS[expected].public.id
            case _:
                said: dict[str, object] = {
                    "state": state.shown,
                    "re": state.re,
                    "roster": state.roster,
                    "drill": state.drill,
                }
                return (said | {"groups": list(state.groups)})[field] == expected

    def _open(self, kind: str, step: Step, message: dict[str, Any], *keys: PublicKey) -> bytes | None:
        """Sealed by whom the step names, and opened as the component does; nothing where it refuses."""
        try:
            return unseal(sealed(kind, message, *step.get("by", ["bot"])), ROOT, kind, self.latch.key, *keys)
        except BadMessage:
            return None

    def _lease(self, step: Step) -> bool:
        both = {each: several(step.get(each, [])) for each in ("stops", "cleared")}
        incidents = {each: [self.names.of(name) for name in names] for each, names in both.items()}
        message = {"nonce": self.names.of(step["nonce"]), "n": step["n"], "t_ms": step.get("t_ms", 0), **incidents}
        payload = self._open("lease", step, message | {"ttl_ms": step.get("ttl_ms", 10_000)})
        return payload is not None and self.latch.lease(Lease.parse(payload), self._now)

    def _stop(self, step: Step) -> bool:
        message = {"incident": self.names.of(step["incident"]), "target": step["target"], "issued": 0}
        keys = [PublicKey.parse(each) for each in self.latch.roster.stop_keys]
        payload = self._open("stop", step, message, *keys)
        envelope = sealed("stop", message, *step.get("by", ["bot"])) + b" " * step.get("padding", 0)
        return payload is not None and self.latch.stop(Stop.parse(payload), envelope)

    def _drill(self, step: Step) -> bool:
        message = {"drill": step["id"], "target": step["target"], "issued": 0}
        payload = self._open("drill", step, message)
        return payload is not None and self.latch.drill(Drill.parse(payload))

    def _key(self, step: Step) -> bool:
        message = {each: str(KEYS[step[each]].public) for each in ("old", "new")}
        try:
            return self.latch.hand_over(read_hand_over(sealed("key", message, *step["by"]), ROOT, self.latch.key))
        except BadMessage:
            return False

    def _roster(self, step: Step) -> bool:
        keys = [str(KEYS[name].public) for name in step["stop_keys"]]
        payload = self._open("roster", step, {"serial": step["serial"], "stop_keys": keys})
        return payload is not None and self.latch.take_roster(Roster.parse(payload))

    def _cmd(self, step: Step) -> None:
        target = {"id": self.component["id"], "session": self.names.of(step["session"])}
        rest = {"command": "walk", "reply_to": "tocsin", "expires": step["expires"]}
        call = self.names.of(step["id"]) if isinstance(step["id"], int) else step["id"]
        payload = self._open("cmd", step, {"id": call, "targets": [target], **rest})
        answer = None
        if payload is not None:
            try:
                self.latch.take(Command.parse(payload), self._now)
                answer = "taken"
            except Rejected:
                answer = "rejected"
        assert answer == step["answer"]

    def _down(self, _: Step) -> None:
        self.latch.down = True

    def _work(self, step: Step) -> None:
        self.latch.busy = step["busy"]

    def _disk(self, step: Step) -> None:
        self._takes = step["takes"]

    def _look(self, _: Step) -> None:
        pass


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script["name"])
def test_it_behaves_as_the_script_says(script: dict[str, Any]) -> None:
    player = Player(script)
    for number, step in enumerate(script["steps"], 1):
        assert step.keys() <= {"at", "do"} | KNOWN[step["do"]] | EXPECTED
        try:
            for each in single(step):
                player.play(each)
        except AssertionError as error:
            error.add_note(f"Step {number} of {script['name']!r}: {step}")
            raise


def test_no_two_scripts_have_one_name_and_time_never_goes_back() -> None:
    assert len({script["name"] for script in SCRIPTS}) == len(SCRIPTS)
    for script in SCRIPTS:
        times = [step["at"] for step in script["steps"]]
        assert times == sorted(times)


def test_the_scripts_see_each_guard_that_is_gone() -> None:
    """Where a part of the latch is broken on purpose, a script says so."""

    class TellsAll(Latch):
        def _told(self) -> tuple[Open, ...]:
            return self.open

    class TimeFromArrival(Latch):
        def lease(self, lease: Lease, now: float) -> bool:
            self._nonces = dict.fromkeys(self._nonces, now)
            return super().lease(lease, now)

    class ForgetsResets(Latch):
        def stop(self, stop: Stop, signed: bytes) -> bool:
            self._reset.clear()
            return super().stop(stop, signed)

    class SameSession(Latch):
        def _begin_anew(self) -> None:
            pass

    class AnyTime(Latch):
        def take(self, command: Command, now: float) -> None:
            super().take(dataclasses.replace(command, expires_ms=2**52), now)

    class AnyRoster(Latch):
        def take_roster(self, roster: Roster) -> bool:
            return super().take_roster(dataclasses.replace(roster, serial=self.roster.serial + 1))

    class ResetsWhileItMoves(Latch):
        def _clear(self, incidents: list[str]) -> bool:
            self.down = True
            return super()._clear(incidents)

    weak = (TellsAll, TimeFromArrival, ForgetsResets, SameSession, AnyTime, AnyRoster, ResetsWhileItMoves)
    for broken in weak:
        assert any(not follows(script, broken) for script in SCRIPTS), broken


def follows(script: dict[str, Any], latch: type[Latch]) -> bool:
    """Whether a component with this latch follows the script to its end."""
    player = Player(script)
    try:
        for step in itertools.chain.from_iterable(map(single, script["steps"])):
            player.play(step)
            player.latch.__class__ = latch
    except AssertionError:
        return False
    return True
