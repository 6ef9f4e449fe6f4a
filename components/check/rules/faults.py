"""What goes wrong around a component, and what strangers send it. It lives, and stays right."""

import asyncio

import orjson

from components.check.bot import TTL_MS
from components.check.rule import Broken, Chapter, Skipped
from components.check.trial import AT_ONCE_S, DOWN, RHYTHM_S, UP, Trial, names
from wire.birth import OnSilence
from wire.envelope import seal
from wire.messages import Shown

CHAPTER = Chapter("Faults")
SIZES = (900_000, 5 * 1024 * 1024)
"""What a component lets the broker send it, in many cases, and what hardly any does."""
DEEP = 10_000
SHORT_MS = 1000
CUT_S = 2.0
BACK_WITHIN_S = 15.0
SIGNED_KINDS = ("lease", "stop", "key", "roster", "cmd")


def rubbish(nonce: str) -> tuple[bytes, ...]:
    """What nobody should send: too large, not text, not JSON, too deep, ambiguous."""
    deep = b"[" * DEEP + b"]" * DEEP
    return (
        b"",
        b"\x00",
        b"\xff\xfe\xc3\x28",
        b'{"payload":',
        b"null",
        b"[]",
        b'{"payloadType":1,"payload":2,"signatures":3}',
        b'{"payloadType":"x","payload":"!!!","signatures":[{"sig":"!!!"}]}',
        b'{"nonce":"%b","n":NaN,"ttl_ms":Infinity,"t_ms":-1e999}' % nonce.encode(),
        b'{"payloadType":"a","payloadType":"b","payload":"","payload":"e30=","signatures":[],"signatures":[{}]}',
        deep,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    )


def badly_signed(nonce: str) -> tuple[bytes, ...]:
    """What the bot itself would never say, to be signed with its key."""
    return (
        *rubbish(nonce),
        b"{}",
        b'{"nonce":"%b","n":"ff","t_ms":0,"ttl_ms":-5,"stops":[],"cleared":[]}' % nonce.encode(),
        b'{"nonce":"%b","n":"ff","t_ms":0,"ttl_ms":"10000"}' % nonce.encode(),
        b'{"nonce":"%b","n":"ff","t_ms":0,"ttl_ms":true}' % nonce.encode(),
        b'{"nonce":["%b"],"n":"ff","t_ms":0,"ttl_ms":10000}' % nonce.encode(),
        b'{"incident":"../../etc","target":"all","issued":0}',
        b'{"incident":"' + b"a" * 32 + b'","target":"everything","issued":0}',
        b'{"incident":"' + b"a" * 32 + b'","target":"group/","issued":0}',
        b'{"serial":1e300,"stop_keys":[]}',
        b'{"serial":9,"stop_keys":["short"]}',
        b'{"serial":true,"stop_keys":[]}',
        b'{"old":"x","new":"y"}',
        b'{"id":"ff","command":"x","args":[],"targets":[{}],"reply_to":"judge","expires":0}',
        orjson.dumps({"targets": [{"id": "x", "session": "ff"}] * 2000}),
    )


@CHAPTER.rule("Bounds")
async def rubbish_unsigned(trial: Trial) -> None:
    """It lives through rubbish on each of its topics, and stays right."""
    state = await trial.first()
    own = tuple(f"{kind}/{trial.id}" for kind in ("lease", "key", "roster", "cmd"))
    for topic in (*own, "stop/all", f"stop/id/{trial.id}", f"stop/group/{trial.group}"):
        for payload in rubbish(state.nonce):
            await trial.say(topic, payload)
        trial.look_alive()
    await _right(trial, "rubbish")


@CHAPTER.rule("Bounds")
async def rubbish_large(trial: Trial) -> None:
    """It lives through 5 MB on each of its topics, and stays right."""
    await trial.first()
    topics = (*(f"{kind}/{trial.id}" for kind in ("lease", "key", "roster", "cmd")), "stop/all")
    for size in SIZES:
        huge = b'{"payloadType":"' + b"a" * size + b'"}'
        for topic in topics:
            await trial.say(topic, huge)
            trial.look_alive()
    await _right(trial, "5 MB")


@CHAPTER.rule("Bounds")
async def rubbish_signed(trial: Trial) -> None:
    """It lives through rubbish that the bot's own key has signed, and stays right."""
    state = await trial.first()
    for kind in SIGNED_KINDS:
        topic = "stop/all" if kind == "stop" else f"{kind}/{trial.id}"
        for payload in badly_signed(state.nonce):
            await trial.say(topic, seal(trial.bot, trial.root, kind, payload))
        trial.look_alive()
    await _right(trial, "rubbish that was signed")


async def _right(trial: Trial, what: str) -> None:
    """It has neither stopped nor begun to work, it takes a lease, and it takes a stop."""
    began = trial.place_read
    state = await trial.settled()
    if any(each.shown in UP | DOWN for _, each, _ in trial.heard.states(began)):
        trial.broken(f"held: {what} changes nothing", began)
    if len({each.session for _, each, _ in trial.heard.states()}) > 1:
        raise Broken("the session that it had", f"a new session after {what}")
    await trial.lease(state)
    await trial.expect(f"ready after a lease that came after {what}", lambda state: state.shown in UP)
    incident, _ = await trial.stop("id")
    await trial.expect(f"stopping or stopped after {what}", lambda state: incident in names(state))


@CHAPTER.rule("Faults: no broker")
async def broker_cut(trial: Trial) -> None:
    """Cut off from the broker it is held when its lease has run out, and comes back by itself."""
    before = await trial.first()
    if not trial.has_cable:
        raise Skipped("the judge cannot come between it and a broker with TLS")
    await trial.lease(before, ttl_ms=SHORT_MS)
    await trial.need("ready after a lease", lambda state: state.shown in UP)
    trial.cable.cut()
    await trial.need("its will", lambda state: state.shown is Shown.LOST, AT_ONCE_S + RHYTHM_S)
    await asyncio.sleep(CUT_S)
    began = len(trial.heard.said)
    trial.cable.mend()
    trial.place_read = began
    after = await trial.expect("a statement when the broker is back", lambda _: True, BACK_WITHIN_S)
    if after.shown in UP:
        trial.broken(f"held: its lease of {SHORT_MS / 1000:g} s ran out meanwhile", began)
    births = [place for place, *_ in trial.heard.births(began)]
    if not births or births[0] > next(place for place, *_ in trial.heard.states(began)):
        raise Broken("a birth, then a statement", "a statement, and no birth before it")
    if after.session != before.session:
        raise Broken("the session that it had: only a restart and a reset begin a new one", "a new session")
    if trial.birth.on_silence is OnSilence.LATCH:
        trial.place_read = began
        await trial.expect("stopping or stopped by an incident own-…: it stops on silence", trial.silenced)
        return
    trial.answers = True
    await trial.lease(after, ttl_ms=TTL_MS)
    await trial.expect("ready with the next lease", lambda state: state.shown in UP)
