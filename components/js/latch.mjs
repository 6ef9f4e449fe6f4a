// The stop machine of a component, and nothing else: it asks with a nonce, and the bot's signed answer lets it work for
// ten seconds from the question. Whoever changes a line here can let a machine run that somebody has stopped.
// It has no clock, no network and no disk of its own. What it hears was verified: who signed it, and each field.
import { createHash } from 'node:crypto';

export const TTL_MS = 10_000;
const [MOST_NONCES, MOST_RESET, MOST_TOLD, MOST_COMMANDS] = [4, 256, 256, 1024];
const [LARGEST_STOP, MOST_SIGNED] = [2048, 16 * 1024]; // bytes of a signed stop that is told, and of all that are

/** How others call a public key in base64. */
export const keyId = (key) => createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 16);

/** A command that is not carried out, for the reason in the text. */
export class Rejected extends Error {}

/** Whoever does the work sets `busy`, and `down` when something is open and nothing moves any more. */
export class Latch {
  busy = false;
  down = false;
  until = -Infinity;
  nonces = new Map(); // when each was drawn

  /** `kept` is what `write` got last; {} before that, null where it is damaged. `write` says if the disk has it. */
  constructor({ id, groups, bot_key, stop_keys }, { onSilence, kept, write, halt, random }) {
    Object.assign(this, { id, groups, onSilence, write, halt, random });
    this.targets = ['all', `id/${id}`, ...groups.map((group) => `group/${group}`)];
    const { open = [], reset = [], enrolled, ...since } = kept ?? {};
    const { key = bot_key, roster } = enrolled === bot_key ? since : {}; // enrolled anew: what came since is void
    this.kept = { open, reset, enrolled: bot_key, key, roster: roster?.serial ? roster : { serial: 0, stop_keys } };
    this.beginSession();
    if (kept === null) this.latch(`own-${random()}`); // it may have held a stop
    else if (open.length > 0) halt();
  }

  beginSession() {
    [this.session, this.re, this.drilled] = [this.random(), null, null];
    this.heard = null; // the bot's clock in the last lease, and when the question for it was drawn
    this.commands = new Map(); // when those that were seen expire
    this.forgotten = 0; // what expires by then may have been seen, too
  }

  /** To be asked before every step of work. */
  mayWork(now) {
    return this.kept.open.length === 0 && now < this.until;
  }

  shown(now) {
    if (this.kept.open.length > 0) return this.down ? 'stopped' : 'stopping';
    if (now >= this.until) return 'held';
    return this.busy ? 'busy' : 'ready';
  }

  /** The question for the next lease. */
  ask(now) {
    if (this.isBehind) this.keep();
    const question = this.statement(this.shown(now));
    const drawn = [...this.nonces, [question.nonce, now]].slice(-MOST_NONCES);
    this.nonces = new Map(drawn.filter(([, then]) => now - then <= TTL_MS));
    return question;
  }

  statement(state) {
    const { id, session, re, groups, drilled: drill, kept } = this;
    let signed = 0;
    const incidents = kept.open.slice(0, MOST_TOLD).map((each) => {
      signed += Buffer.byteLength(each.stop ?? '', 'base64');
      return signed <= MOST_SIGNED ? each : { id: each.id };
    });
    const known = { key: keyId(kept.key), roster: kept.roster.serial, drill };
    return { id, session, nonce: this.random(), re, state, incidents, groups, ...known };
  }

  /** Time has passed. Where it was made so, it is a stop when nobody lets it work any more. */
  silence(now) {
    const isOver = this.until > -Infinity && now >= this.until;
    if (this.onSilence === 'latch' && isOver && this.kept.open.length === 0) this.latch(`own-${this.random()}`);
  }

  // What it hears, by kinds. True where that is news: then ask at once, which says so.

  lease({ nonce, n, t_ms, ttl_ms, stops, cleared }, now) {
    const drawn = this.nonces.get(nonce);
    if (drawn === undefined || now - drawn > TTL_MS) return false;
    [this.re, this.heard] = [n, { t_ms, drawn }];
    const missed = stops.filter((incident) => !this.isOpen(incident)); // whatever was reset: the bot says it today
    for (const incident of missed) this.latch(incident);
    const isReset = this.reset(cleared.filter((incident) => this.isOpen(incident) && !stops.includes(incident)));
    if (stops.length === 0) this.until = Math.max(this.until, drawn + Math.min(ttl_ms, TTL_MS));
    if (isReset) this.beginSession();
    if (isReset || missed.length > 0) this.nonces.clear();
    return isReset || missed.length > 0;
  }

  stop({ incident, target }, now, envelope) {
    if (!this.targets.includes(target) || this.isOpen(incident) || this.kept.reset.includes(incident)) return false;
    this.latch(incident, envelope.length <= LARGEST_STOP ? envelope.toString('base64') : undefined);
    return true;
  }

  drill({ drill, target }) {
    if (!this.targets.includes(target) || drill === this.drilled) return false;
    this.drilled = drill;
    return true;
  }

  /** The bot's new key, which both keys have signed. */
  key(link) {
    if (link.old !== this.kept.key || !this.change({ key: link.new })) return false;
    this.nonces.clear();
    return true;
  }

  roster({ serial, stop_keys }) {
    return serial > this.kept.roster.serial && this.change({ roster: { serial, stop_keys } });
  }

  /** To be carried out, once. Raises Rejected where it must not be. */
  cmd({ id, targets, expires }, now) {
    const isMeant = targets.some((target) => target.id === this.id && target.session === this.session);
    if (!isMeant) throw new Rejected('it is for another session of this component');
    if (this.commands.has(id)) throw new Rejected('it came before');
    if (!this.mayWork(now) || this.heard === null) throw new Rejected(`the component is ${this.shown(now)}`);
    const botsNow = this.heard.t_ms + now - this.heard.drawn;
    if (expires <= Math.max(botsNow, this.forgotten)) throw new Rejected('it came too late');
    for (const [seen, end] of this.commands) {
      if (end > botsNow) continue;
      this.commands.delete(seen);
      this.forgotten = Math.max(this.forgotten, end); // for when the bot's clock is set back
    }
    if (this.commands.size >= MOST_COMMANDS) throw new Rejected('too many commands came before it');
    this.commands.set(id, expires);
  }

  // What must survive

  isOpen(incident) {
    return this.kept.open.some(({ id }) => id === incident);
  }

  /** Stops first: a disk that fails must not keep it running. */
  latch(id, stop) {
    if (this.kept.open.length === 0) {
      this.down = false;
      this.halt();
    }
    this.kept = { ...this.kept, open: [...this.kept.open, { id, stop }] };
    this.keep();
  }

  /** Counts once it is written, and only when the work is down. */
  reset(incidents) {
    if (incidents.length === 0 || !this.down) return false;
    const open = this.kept.open.filter(({ id }) => !incidents.includes(id));
    return this.change({ open, reset: [...this.kept.reset, ...incidents].slice(-MOST_RESET) });
  }

  change(change) {
    const kept = { ...this.kept, ...change };
    if (!this.write(kept)) return false;
    [this.kept, this.isBehind] = [kept, false];
    return true;
  }

  keep() {
    this.isBehind = !this.write(this.kept);
    return !this.isBehind;
  }
}
