"""One message of each kind, signed by keys that everybody knows. These keys must sign nothing else."""

import base64
import dataclasses
import json
from typing import Any

from wire.birth import Birth, Danger, Offer, Stream
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Drill, HandOver, Lease, Open, Roster, Shown, State, Stop, Target
from wire.picture import MediaType, PictureNamed
from wire.work import Alert, Called, Command, Job, JobState, Reply, Severity, Status

NAMES = ("bot", "bot2", "stop", "stop2", "component", "stranger")
SEEDS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, 1)}
KEYS = {name: PrivateKey(seed) for name, seed in SEEDS.items()}
X, Y, SESSION, NONCE, N, CALL = (digit * 32 for digit in "12abce")
NOW_MS = 1_790_000_000_000
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
"""One grey dot, as a PNG."""
PARSERS = {
    "birth": Birth.parse,
    "state": State.parse,
    "lease": Lease.parse,
    "stop": Stop.parse,
    "drill": Drill.parse,
    "key": HandOver.parse,
    "roster": Roster.parse,
    "cmd": Command.parse,
    "reply": Reply.parse,
    "job": Job.parse,
    "alert": Alert.parse,
}
"""How the code reads what is in each kind."""


def sealed(kind: str, payload: bytes | dict[str, Any], *by: str, root: str = ROOT) -> bytes:
    """An envelope by these keys."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
    first, *more = (KEYS[name] for name in by)
    return seal(first, root, kind, raw, *more)


def messages() -> dict[str, tuple[str, bytes, tuple[str, ...]]]:
    """One message of each kind, and more where there are several forms: kind, payload, who signs it."""
    stop = Stop(X, Target(), NOW_MS)
    state = State("walker", SESSION, NONCE, None, Shown.HELD, (), ("walkers",), KEYS["bot"].public.id, 0)
    open_ = (Open(X, sealed("stop", stop.to_bytes(), "stop")), Open(f"own-{Y}"))
    schema = {"type": "object", "properties": {"steps": {"type": "integer", "minimum": 1}}, "required": ["steps"]}
    walk = Offer("Walk some steps", schema, job=True, danger=Danger.CAUTION)
    birth = Birth(
        "walker", SESSION, "A random walk", "simulation", "1.0", ("walkers",), {"walk": walk}, {"x": Stream("x", "m")}
    )
    command = Command(CALL, "walk", {"steps": 8}, (Called("walker", SESSION),), "tocsin", NOW_MS + 9_000, "olga")
    job = Job("walker", CALL, SESSION, 3, JobState.RUNNING, 0.375, "3 of 8 steps")
    done = dataclasses.replace(job, state=JobState.DONE, progress=1.0, message="", result={"x": -2})
    dot = PictureNamed.of("Where it has been", MediaType.PNG, PICTURE)
    both = ("bot", "bot2")
    mine = ("component",)
    return {
        "birth": ("birth", birth.to_bytes(), mine),
        "state, held": ("state", state.to_bytes(), mine),
        "state, stopped": (
            "state",
            dataclasses.replace(state, re=N, shown=Shown.STOPPED, incidents=open_, roster=2, drill=N).to_bytes(),
            mine,
        ),
        "lease": ("lease", Lease(NONCE, N, NOW_MS, 10_000).to_bytes(), ("bot",)),
        "lease, of a reset": ("lease", Lease(NONCE, N, NOW_MS, 10_000, (Y,), (X, f"own-{Y}")).to_bytes(), ("bot",)),
        "stop, by the bot": ("stop", stop.to_bytes(), ("bot",)),
        "stop, by a stop key": ("stop", Stop(X, Target(group="walkers"), NOW_MS).to_bytes(), ("stop",)),
        "drill": ("drill", Drill(N, Target(id="walker"), NOW_MS).to_bytes(), ("bot",)),
        "key": ("key", HandOver(KEYS["bot"].public, KEYS["bot2"].public).to_bytes(), both),
        "roster": ("roster", Roster(2, (str(KEYS["stop2"].public),)).to_bytes(), ("bot",)),
        "cmd": ("cmd", command.to_bytes(), ("bot",)),
        "reply, accepted": ("reply", Reply(CALL, "walker", Status.ACCEPTED).to_bytes(), mine),
        "reply, rejected": (
            "reply",
            Reply(CALL, "walker", Status.REJECTED, error="the component is held").to_bytes(),
            mine,
        ),
        "job, running": ("job", job.to_bytes(), mine),
        "job, done": ("job", done.to_bytes(), mine),
        "job, done, with a picture": ("job", dataclasses.replace(done, pictures=(dot,)).to_bytes(), mine),
    }


def plain() -> dict[str, tuple[str, bytes]]:
    """Messages that are not signed."""
    alert = Alert(f"{7:032x}", f"{ROOT}/walker", "2026-11-21T12:00:00Z", Severity.WARNING, "Far from home.", "far")
    return {
        "alert": ("alert", alert.to_bytes()),
        "alert, once": ("alert", dataclasses.replace(alert, key="").to_bytes()),
        "tele": ("tele", b'{"t_ms":1790000000000,"value":-2}'),
    }


def kind_of(kind: str) -> str:
    """The payload type of a kind under the usual root."""
    return f"application/vnd.tocsin.{kind}+json; root={ROOT}"


def b64(raw: bytes) -> str:
    """As the contract writes bytes."""
    return base64.b64encode(raw).decode()
