// The stop machine of a component, and nothing else: it asks with a nonce, and the bot's signed answer lets it work for
// ten seconds from the question. Whoever changes a line here can let a machine run that somebody has stopped.
// It has no clock, no network and no disk of its own. What it hears was verified: who signed it, and each field.
import { createHash, randomBytes } from 'node:crypto';

export const TTL_MS = 10_000;
const [MOST_NONCES, MOST_RESET, MOST_TOLD, MOST_COMMANDS] = [4, 256, 256, 1024];
const [LARGEST_STOP, MOST_SIGNED] = [2048, 16 * 1024]; // bytes of a signed stop that is told, and of all that are

const draw = () => randomBytes(16).toString('hex');

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

  /** `kept` is what the owner's `write` took last; {} before that, null where it is damaged. `halt` ends the work. */
  constructor({ id, groups, bot_key, stop_keys, on_silence }, kept, owner) {
    Object.assign(this, { id, groups, on_silence, owner });
    this.targets = ['all', `id/${id}`, ...groups.map((group) => `group/${group}`)];
    const { open = [], reset = [], enrolled, ...since } = kept ?? {};
    const { key = bot_key, roster } = enrolled === bot_key ? since : {}; // enrolled anew: what came since is void
    this.kept = { open, reset, enrolled: bot_key, key, roster: roster?.serial ? roster : { serial: 0, stop_keys } };
    this.beginSession();
    if (kept === null) this.latch(`own-${draw()}`); // it may have held a stop
    else if (open.length > 0) owner.halt();
  }

  beginSession() {
    [this.session, this.re, this.drilled] = [draw(), null, null];
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

  ask(now) {
    if (!this.isWritten) this.keep();
    const question = this.statement(this.shown(now));
    this.nonces = new Map([...this.nonces, [question.nonce, now]].slice(-MOST_NONCES));
    return question;
  }

  statement(state) {
    const { id, session, re, groups, drilled: drill, kept: { open, key, roster: { serial: roster } } } = this;
    let signed = 0;
    const incidents = open.slice(0, MOST_TOLD).map((each) => {
      signed += Buffer.byteLength(each.stop ?? '', 'base64');
      return signed <= MOST_SIGNED ? each : { id: each.id };
    });
    return { id, session, nonce: draw(), re, state, incidents, groups, key: keyId(key), roster, drill };
  }

  /** Time has passed. Where it was made so, it is a stop when nobody lets it work any more. */
  silence(now) {
    const wasLet = this.until > -Infinity;
    if (this.on_silence === 'latch' && wasLet && this.shown(now) === 'held') this.latch(`own-${draw()}`);
  }

  // What it hears, by kinds. True where that is news: then ask at once, which says so.

  lease({ nonce, n, t_ms, ttl_ms, stops, cleared }, now) {
    const drawn = this.nonces.get(nonce);
    if (drawn === undefined || now - drawn > TTL_MS) return false;
    [this.re, this.heard] = [n, { t_ms, drawn }];
    const { open } = this.kept;
    for (const incident of stops) this.latch(incident); // whatever was reset: the bot says it today
    if (this.reset(cleared.filter((incident) => !stops.includes(incident)))) this.beginSession();
    if (stops.length === 0) this.until = Math.max(this.until, drawn + Math.min(ttl_ms, TTL_MS));
    if (this.kept.open === open) return false;
    this.nonces.clear();
    return true;
  }

  stop({ incident, target }, now, envelope) {
    if (!this.targets.includes(target) || this.kept.reset.includes(incident)) return false;
    return this.latch(incident, envelope.length <= LARGEST_STOP ? envelope.toString('base64') : undefined);
  }

  drill({ drill, target }) {
    if (!this.targets.includes(target) || drill === this.drilled) return false;
    this.drilled = drill;
    return true;
  }

  /** The bot's new key, which both keys have signed. */
  key(link) {
    if (link.old !== this.kept.key || !this.keep({ key: link.new })) return false;
    this.nonces.clear();
    return true;
  }

  roster({ serial, stop_keys }) {
    return serial > this.kept.roster.serial && this.keep({ roster: { serial, stop_keys } });
  }

  /** To be carried out, once. Raises Rejected where it must not be. */
  cmd({ id, targets, expires }, now) {
    const isMeant = targets.some((target) => target.id === this.id && target.session === this.session);
    if (!isMeant) throw new Rejected('it is for another session of this component');
    if (this.commands.has(id)) throw new Rejected('it came before');
    if (!this.mayWork(now) || this.heard === null) throw new Rejected(`the component is ${this.shown(now)}`);
    const botsNow = this.heard.t_ms + now - this.heard.drawn;
    if (expires <= Math.max(botsNow, this.forgotten)) throw new Rejected('it came too late');
    const over = [...this.commands].filter(([, end]) => end <= botsNow);
    this.forgotten = Math.max(this.forgotten, ...over.map(([, end]) => end)); // for when the bot's clock is set back
    for (const [seen] of over) this.commands.delete(seen);
    if (this.commands.size >= MOST_COMMANDS) throw new Rejected('too many commands came before it');
    this.commands.set(id, expires);
  }

  /** Stops first: a disk that fails must not keep it running. */
  latch(id, stop) {
    const { open } = this.kept;
    if (open.some((each) => each.id === id)) return false;
    if (open.length === 0) {
      this.down = false;
      this.owner.halt();
    }
    this.kept = { ...this.kept, open: [...open, { id, stop }] };
    this.keep();
    return true;
  }

  /** Counts only when the work is down. */
  reset(cleared) {
    const done = cleared.filter((incident) => this.kept.open.some(({ id }) => id === incident));
    if (done.length === 0 || !this.down) return false;
    const open = this.kept.open.filter(({ id }) => !done.includes(id));
    return this.keep({ open, reset: [...this.kept.reset, ...done].slice(-MOST_RESET) });
  }

  /** A change counts once it is written. A write that failed may have left it there: so the next ask writes again. */
  keep(change) {
    const kept = { ...this.kept, ...change };
    this.isWritten = this.owner.write(kept);
    if (this.isWritten) this.kept = kept;
    return this.isWritten;
  }
}
