"""What a component says beside its statements: replies, jobs, alerts, values. It never keeps the stop machine waiting.

What must arrive is kept until the broker has it, within a bound; what would be stale is dropped. Before the component
has said who it is, nothing is said.
"""

import asyncio
import dataclasses
import datetime as dt
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping

import orjson

from components.pace import Paced
from components.post import MOST_UNSENT, Post, Unsent
from components.trouble import readable, told
from wire import work
from wire.enrolment import Enrolment
from wire.envelope import seal
from wire.fields import LONGEST_TEXT
from wire.mqtt import Link
from wire.picture import picture_topic
from wire.work import Alert, Reply, Severity

MOST_ACTIVE = 64
ALERTS_AT_ONCE = 10
ALERT_EVERY_S = 1.0
"""So often one alert more may be raised, and one that is active may change."""
VALUE_EVERY_S = 0.1
PICTURES_LOST = "Its pictures could not be sent."
MOST_PACED = 256
"""Streams and keys of alerts whose last time is remembered."""

log = logging.getLogger(__name__)


class Voice:
    """Says things, each as surely as it has to be."""

    def __init__(self, enrolment: Enrolment, link: Link, spawn: Callable[[str, bytes], None]) -> None:
        self._me = enrolment.id
        self._root = enrolment.root
        self._key = enrolment.key
        self._post = Post(link)
        self._drop = spawn
        """Publishes with QoS 0."""
        self._active: dict[str, Alert] = {}
        self._cleared: set[str] = set()
        """Keys that this run has taken back."""
        self._paced: dict[str, Paced] = {}
        self._alerts_left = float(ALERTS_AT_ONCE)
        self._alerts_seen = 0.0

    @property
    def waiting(self) -> tuple[str, ...]:
        """The topics of what waits to be sent, the oldest first."""
        return self._post.waiting

    def sealed(self, kind: str, payload: bytes) -> bytes:
        """Signed with the component's own key."""
        return seal(self._key, self._root, kind, payload)

    def be_silent(self) -> None:
        """There is a new connection, to which the component has not said yet who it is."""
        self._post.close()

    def introduced(self) -> None:
        """It has said who it is."""
        if not self._post.is_open:
            for key in self._active:
                self._tell_active(key)
            self._post.open()

    async def run(self) -> None:
        """Send what must arrive, until cancelled."""
        await self._post.run()

    def reply(self, to: str, reply: Reply) -> None:
        """Answer a command."""
        reply = dataclasses.replace(reply, error=_short(reply.error))
        self._post.keep(Unsent(f"{self._root}/reply/{to}", self.sealed("reply", reply.to_bytes())))

    def progress(self, job: work.Job) -> None:
        """How far a job is."""
        if self._post.is_open:
            self._drop(f"{self._root}/job/{self._me}/{job.job}", self.sealed("job", job.to_bytes()))

    def ended(self, job: work.Job, pictures: Mapping[str, bytes]) -> None:
        """How a job ended, with its pictures by their digests."""
        topic = f"{self._root}/job/{self._me}/{job.job}"
        sealed = self.sealed("job", job.to_bytes())
        end = Unsent(topic, sealed, retain=True, expiry_s=work.KEPT_S)
        if pictures:
            before = {picture_topic(self._root, self._me, digest): data for digest, data in pictures.items()}
            without = self.sealed("job", _without_pictures(job).to_bytes())
            end = dataclasses.replace(end, pictures=before, without=without)
        self._post.keep(end, name=topic)

    def value(self, stream: str, value: float) -> None:
        """A value of now. The newest is said, ten times a second at most."""
        payload = orjson.dumps({"t_ms": time.time_ns() // 1_000_000, "value": value})
        topic = f"{self._root}/tele/{self._me}/{stream}"
        self._pace(topic, VALUE_EVERY_S, lambda: self._drop(topic, payload) if self._post.is_open else None)

    def alert(self, severity: Severity, message: str, key: str = "") -> None:
        """Have people know. With a key it lasts until it is cleared."""
        now = dt.datetime.now(dt.UTC).isoformat()
        alert = Alert(uuid.uuid4().hex, f"{self._root}/{self._me}", now, severity, _short(message), key)
        if not key:
            if self._has_alert_left():
                self._post.keep(Unsent(f"{self._root}/alert/{self._me}", alert.to_bytes()))
            else:
                log.error("too many alerts at once; not raised: %s", alert.message)
            return
        same = self._active.get(key)
        if same is not None and (same.severity, same.message) == (severity, alert.message):
            return
        if same is None and len(self._active) >= MOST_ACTIVE:
            log.error("more than %d alerts are active; not raised: %s", MOST_ACTIVE, alert.message)
            return
        self._active[key] = alert
        self._pace(f"alert {key}", ALERT_EVERY_S, lambda: self._tell_active(key))

    def clear(self, key: str) -> None:
        """What lasted is over. What an earlier run may have left with the broker is taken back, too, once."""
        is_left = key not in self._cleared and len(self._cleared) < MOST_PACED
        if self._active.pop(key, None) is not None or is_left:
            if is_left:
                self._cleared.add(key)
            self._pace(f"alert {key}", ALERT_EVERY_S, lambda: self._tell_active(key))

    def failed(self, what: str, error: BaseException) -> None:
        """Somebody's code has raised something."""
        log.error("%s", what, exc_info=error)
        self.alert(Severity.WARNING, f"{what}: {told(error)}")

    def _tell_active(self, key: str) -> None:
        """As it is now: nothing where it is over."""
        topic = f"{self._root}/alert-active/{self._me}/{key}"
        alert = self._active.get(key)
        self._post.keep(Unsent(topic, b"" if alert is None else alert.to_bytes(), retain=True), name=topic)

    def _pace(self, name: str, every_s: float, say: Callable[[], None]) -> None:
        if name not in self._paced:
            if len(self._paced) >= MOST_PACED:
                self._paced = {name: each for name, each in self._paced.items() if each.is_waiting}
            self._paced[name] = Paced(every_s)
        self._paced[name].offer(say)

    def _has_alert_left(self) -> bool:
        now = time.monotonic()
        gained = (now - self._alerts_seen) / ALERT_EVERY_S
        self._alerts_left = min(ALERTS_AT_ONCE, self._alerts_left + gained)
        self._alerts_seen = now
        if self._alerts_left < 1:
            return False
        self._alerts_left -= 1
        return True


def _without_pictures(job: work.Job) -> work.Job:
    return dataclasses.replace(job, message=f"{job.message} {PICTURES_LOST}".strip(), pictures=())


def _short(text: str) -> str:
    text = readable(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


class FromAnywhere:
    """A voice for the code of the component, in any thread. What waits for the event loop is bounded.

    Of a value and of an alert with a key the newest wins, so that a busy thread does not bury what the loop must hear.
    """

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[], None]] = {}
        self._numbers = itertools.count()

    def value(self, stream: str, value: float) -> None:
        """A value of now."""
        self._say(f"value {stream}", lambda: self._voice.value(stream, value))

    def alert(self, severity: Severity, message: str, key: str) -> None:
        """Have people know."""
        name = f"alert {key or next(self._numbers)}"
        self._say(name, lambda: self._voice.alert(severity, message, key))

    def clear(self, key: str) -> None:
        """It is over."""
        self._say(f"alert {key}", lambda: self._voice.clear(key))

    def _say(self, name: str, say: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            say()
            return
        with self._lock:
            is_first = not self._waiting
            self._waiting.pop(name, None)
            if len(self._waiting) < MOST_UNSENT:
                self._waiting[name] = say
        if is_first:
            self._loop.call_soon_threadsafe(self._say_all)

    def _say_all(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for say in waiting.values():
            say()
