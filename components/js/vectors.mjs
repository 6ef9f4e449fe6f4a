// Holds this component against the vectors and scripts of the documents: node vectors.mjs DOCS. For another language,
// write this file anew: it is short. Exit status 1 where one does not hold.
import { readFileSync } from 'node:fs';
import { seal, unseal } from './component.mjs';
import { Latch, Rejected } from './latch.mjs';

const [{ root, keys, signed, read }, behaviour] = ['vectors', 'behaviour'].map((name) => {
  return JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`, 'utf8'));
});

function same(a, b, what) {
  const [is, should] = [JSON.stringify(a), JSON.stringify(b)];
  if (is !== should) throw new Error(`${what}: ${is} is not ${should}`);
}

/** Incidents by their names, or numbered ones: `{ from, to }`. */
function several(names) {
  return names.from ? Array.from({ length: names.to - names.from + 1 }, (_, i) => names.from + i) : names;
}

/** A step that is for numbered things is one for each. */
function single(step) {
  const field = ['id', 'incident'].find((each) => step[each]?.from);
  return field ? several(step[field]).map((number) => ({ ...step, [field]: number })) : [step];
}

function sealed(kind, json, signers) {
  const all = signers.map((name) => JSON.parse(seal(root, kind, json, Buffer.from(keys[name].seed, 'base64'))));
  return Buffer.from(JSON.stringify({ ...all[0], signatures: all.flatMap(({ signatures }) => signatures) }));
}

function trySigned({ kind, signed_by, payload, envelope }) {
  same(JSON.parse(sealed(kind, payload, signed_by)), JSON.parse(envelope), 'envelope');
}

function tryRead({ kind, keys: signers, refused, envelope_b64, spaces }) {
  const envelope = Buffer.concat([Buffer.from(envelope_b64, 'base64'), Buffer.alloc(spaces, ' ')]);
  const trusted = signers.map((name) => keys[name].public);
  let isTaken = true;
  try {
    const { message } = unseal(root, { [kind]: trusted }, envelope);
    if (kind === 'key') isTaken = message.old === trusted[0];
  } catch {
    isTaken = false;
  }
  same(isTaken, refused === null, 'taken');
}

class Player {
  names = new Map(Object.entries(behaviour.incidents)); // what a script calls by a name and we draw at random
  takes = true;

  constructor(component) {
    this.component = { ...behaviour.component, ...component };
  }

  play(step) {
    if (step.do !== 'boot') this.latch.silence(step.at);
    const result = step.do in MESSAGES ? this.hear(step) : this[step.do](step);
    for (const expected of ['news', 'answer']) if (expected in step) same(result, step[expected], expected);
    if ('may_work' in step) same(this.latch.mayWork(step.at), step.may_work, 'may work');
  }

  of = (name) => (typeof name === 'number' ? String(name).padStart(32, '0') : (this.names.get(name) ?? 'f'.repeat(32)));

  meets(name, drawn) {
    const isNew = typeof name === 'string' && !this.names.has(name) && ![...this.names.values()].includes(drawn);
    if (isNew) this.names.set(name, drawn);
    same(drawn, this.of(name), name);
  }

  boot({ disk, bot_key = this.component.bot_key, stop_keys = this.component.stop_keys }) {
    const { id, groups, on_silence } = this.component;
    if (disk !== undefined) this.kept = disk === 'missing' && this.component.disk === 'new' ? {} : null;
    const [bot, ...stops] = [bot_key, ...stop_keys].map((name) => keys[name].public);
    const enrolment = { id, groups, bot_key: bot, stop_keys: stops, on_silence };
    this.latch = new Latch(enrolment, this.kept && JSON.parse(JSON.stringify(this.kept)), this);
  }

  write(kept) {
    if (this.takes) this.kept = kept;
    return this.takes;
  }

  halt() {}

  ask({ at, nonce, says = {} }) {
    const said = this.latch.ask(at);
    const ids = said.incidents.map(({ id }) => id);
    const proofs = said.incidents.filter(({ stop }) => stop).map(({ id }) => id);
    this.meets(nonce, said.nonce);
    for (const [field, expected] of Object.entries(says)) {
      if (field === 'session') this.meets(expected, said.session);
      else if (field === 'incidents') same(ids.length, several(expected).length, field);
      else if (field === 'proofs') same(proofs, several(expected).map(this.of), field);
      else same(said[field], field === 'key' ? keys[expected].keyid : expected, field);
    }
    several(says.incidents ?? []).forEach((name, i) => this.meets(name, ids[i]));
  }

  hear(step) {
    const { latch } = this;
    const { by = ['bot'], padding = 0, at } = step;
    const { key, roster } = latch.kept;
    const signers = { [step.do]: step.do === 'stop' ? [key, ...roster.stop_keys] : [key] };
    const message = MESSAGES[step.do](step, this);
    const envelope = Buffer.concat([sealed(step.do, JSON.stringify(message), by), Buffer.alloc(padding, ' ')]);
    const [silent, taken, rejected] = step.do === 'cmd' ? [null, 'taken', 'rejected'] : [false];
    let heard;
    try {
      heard = unseal(root, signers, envelope).message;
    } catch {
      return silent;
    }
    try {
      return latch[step.do](heard, at, envelope) ?? taken;
    } catch (error) {
      if (error instanceof Rejected) return rejected;
      throw error;
    }
  }

  down() {
    this.latch.down = true;
  }

  work({ busy }) {
    this.latch.busy = busy;
  }

  disk({ takes }) {
    this.takes = takes;
  }

  look() {}
}

const MESSAGES = {
  lease({ nonce, n, t_ms = 0, ttl_ms = 10_000, stops = [], cleared = [] }, { of }) {
    return { nonce: of(nonce), n, t_ms, ttl_ms, stops: several(stops).map(of), cleared: several(cleared).map(of) };
  },
  stop: ({ incident, target }, { of }) => ({ incident: of(incident), target, issued: 0 }),
  drill: ({ id, target }) => ({ drill: id, target, issued: 0 }),
  key: ({ old, new: next }) => ({ old: keys[old].public, new: keys[next].public }),
  roster: ({ serial, stop_keys }) => ({ serial, stop_keys: stop_keys.map((name) => keys[name].public) }),
  cmd({ id, session, expires }, { of, component }) {
    const [call, target] = [typeof id === 'number' ? of(id) : id, { id: component.id, session: of(session) }];
    return { id: call, command: 'walk', targets: [target], reply_to: 'tocsin', expires };
  },
};

function tryScript({ component, steps }) {
  const player = new Player(component);
  for (const step of steps.flatMap(single)) {
    try {
      player.play(step);
    } catch (error) {
      throw new Error(`${error.message} at ${JSON.stringify(step)}`, { cause: error });
    }
  }
}

let [held, failed] = [0, 0];
for (const [all, tried] of [[signed, trySigned], [read, tryRead], [behaviour.scripts, tryScript]]) {
  for (const each of all) {
    try {
      tried(each);
      held += 1;
    } catch (error) {
      failed += 1;
      console.error(`✗ ${each.name}: ${error.message}`);
    }
  }
}
console.log(`${held} hold, ${failed} do not`);
process.exitCode = failed > 0 ? 1 : 0;
