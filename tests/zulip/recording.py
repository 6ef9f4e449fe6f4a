"""The recorded exchanges with a real server: data that lies beside the project, and is only read."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
FOLDER = Path(__file__).parents[3] / "shared" / "zulip"
RECORDED_IN_THIS_ORDER = (
    "01-auth",
    "02-register",
    "03-send",
    "04-edit",
    "05-delete",
    "06-reactions",
    "07-markdown",
    "08-upload",
    "09-get-messages",
    "12-subscriptions",
    "14-typing-presence-flags",
    "15-concurrent",
    "10-event-queue",
    "04b-edit-limits",
    "10b-heartbeat",
    "13-users",
    "11-rate-limit",
    "17-all-public-streams",
    "20-linkifiers-emoji",
    "16-restart",
    "18-mention-flags",
)
_RUN = re.compile(r"@RUN:(.):(\d+)@", re.DOTALL)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `events`: the answer is what a client that polls all the time was told."""

    step: str
    who: str
    method: str
    path: str
    asked: Json
    status: int
    headers: dict[str, str]
    body: Any
    events: bool


def expanded(value: Any) -> Any:
    """The recording writes a long run of one character as `@RUN:x:10000@`."""
    text = _RUN.sub(lambda run: json.dumps(run[1])[1:-1] * int(run[2]), json.dumps(value, ensure_ascii=False))
    return json.loads(text)


def read(name: str) -> list[Exchange]:
    lines = (FOLDER / "recordings" / f"{name}.jsonl").read_text("utf-8").splitlines()
    entries = [expanded(json.loads(line)) for line in lines]
    return [
        Exchange(
            step=entry["step"].removesuffix(" +events"),
            who=entry["as"],
            method=entry["method"],
            path=entry["path"],
            asked={key: entry[key] for key in ("params", "form", "raw", "files", "request_headers") if key in entry},
            status=entry["status"],
            headers=entry.get("headers", {}),
            body=entry.get("body"),
            events=entry["step"].endswith(" +events"),
        )
        for entry in entries
        if entry.get("status") is not None
    ]
