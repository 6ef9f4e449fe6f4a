// What makes a program a component: signed messages, a file, a broker, and work that goes on step by step while the
// latch lets it. What nobody signed who may is never looked into, and what is not as it must be changes nothing.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname, resolve } from 'node:path';
import mqtt from 'mqtt';
import { Latch, Rejected, TTL_MS, keyId } from './latch.mjs';

const [LARGEST_ENVELOPE, LARGEST_PACKET, LONGEST_LIST, MOST_SIGNATURES] = [64 * 1024, 1024 * 1024, 1024, 4];
const [STEP_MS, PROGRESS_MS, WAIT_MS, LONGEST_WAIT_MS, DAY_S] = [20, 500, 200, 10_000, 24 * 3600];

/** Milliseconds that go on while the machine sleeps and that nobody sets: so it is on Linux. */
const clock = () => Math.round(uptime() * 1000);

const text = (form) => (value) => typeof value === 'string' && form.test(value);
const whole = (least) => (value) => Number.isInteger(value) && value >= least && value <= 2 ** 53;
const list = (fits) => (value) => Array.isArray(value) && value.length <= LONGEST_LIST && value.every(fits);
const object = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const [name, hex] = [text(/^[a-z0-9][a-z0-9-]{0,62}$/), text(/^[0-9a-f]{1,64}$/)];
const [incident, key] = [text(/^(own-)?[0-9a-f]{32}$/), text(/^[A-Za-z0-9+/]{43}=$/)];
const target = text(/^(all|(group|id)\/[a-z0-9][a-z0-9-]{0,62})$/);
const called = (value) => object(value) && name(value.id) && hex(value.session);

const FIELDS = {
  lease: { nonce: hex, n: hex, t_ms: whole(0), ttl_ms: whole(1), stops: list(incident), cleared: list(incident) },
  stop: { incident, target, issued: whole(0) },
  drill: { drill: hex, target, issued: whole(0) },
  key: { old: key, new: key },
  roster: { serial: whole(1), stop_keys: list(key) },
  cmd: { id: hex, command: name, args: object, targets: list(called), reply_to: name, expires: whole(0) },
};
const LEFT_OUT = { stops: [], cleared: [], stop_keys: [], args: {} };

const typeOf = (root, kind) => `application/vnd.tocsin.${kind}+json; root=${root}`;
const parse = (raw) => JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw));

const pae = (type, raw) =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${raw.length} `), raw]);
const base64url = (base64) => Buffer.from(base64, 'base64').toString('base64url');
const publicKey = (key) => ({ key: { kty: 'OKP', crv: 'Ed25519', x: base64url(key) }, format: 'jwk' });

/** A message as it travels, signed with the key of this seed. */
export function seal(root, kind, json, seed) {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const ours = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const [payloadType, payload] = [typeOf(root, kind), Buffer.from(json)];
  const keyid = keyId(createPublicKey(ours).export({ format: 'jwk' }).x);
  const sig = sign(null, pae(payloadType, payload), ours).toString('base64');
  return JSON.stringify({ payloadType, payload: payload.toString('base64'), signatures: [{ keyid, sig }] });
}

/** What is in an envelope, where it is of a kind that belongs here and signed by who may sign that: see `signers`. */
export function unseal(root, signers, envelope) {
  assert(envelope.length <= LARGEST_ENVELOPE, 'it is too large');
  const { payloadType, payload, signatures } = parse(envelope);
  const kind = Object.keys(signers).find((each) => payloadType === typeOf(root, each));
  assert(kind, 'it is of another kind or root');
  const [raw, given] = [decode(payload), signatures.slice(0, MOST_SIGNATURES).map(({ sig }) => decode(sig))];
  const isBy = (signer) => given.some((each) => verify(null, pae(payloadType, raw), publicKey(signer), each));
  assert(signers[kind].some(isBy), `nobody has signed it who may sign a ${kind}`);
  const message = { ...LEFT_OUT, ...parse(raw) };
  for (const [field, fits] of Object.entries(FIELDS[kind])) assert(fits(message[field]), `its ${field} is not right`);
  assert(kind !== 'key' || isBy(message.new), 'the new key has not signed it');
  return { kind, message };
}

function decode(base64) {
  const raw = Buffer.from(base64, 'base64'); // which takes nearly everything
  assert(raw.toString('base64') === base64, 'it is not base64');
  return raw;
}

// The file of the latch: a line of JSON, and a line with the version of its form and its digest. Replaced as a whole.

const withDigest = (line) => `${line}\n1 ${createHash('sha256').update(line).digest('hex')}\n`;

/** What the latch kept, {} where there is no file yet, null where it is not as it was written. */
function readLatch(path, wasThere) {
  try {
    const content = readFileSync(path, 'utf8');
    const [line] = content.split('\n');
    assert(content === withDigest(line), 'its digest is another one');
    return JSON.parse(line);
  } catch (error) {
    if (error.code === 'ENOENT' && !wasThere) return {};
    console.error(`${path} is damaged and may have held a stop: ${error.message}`);
    return null;
  }
}

/** It has one job at a time, and lets it take a step when it may. */
export class Component {
  client = null; // while there is a connection
  asked = {}; // what it asked last on this connection
  attempts = 0;
  job = null; // what is said of it
  ends = new Set(); // each says how a job ended, until the broker has it

  /** `what` is the birth, with each command the function that does it, and `halt`, which switches off what moves. */
  constructor(path, latchPath, what) {
    assert((statSync(path).mode & 0o077) === 0, `${path} holds a key, and others can read it. Run: chmod 600 ${path}`);
    const enrolment = JSON.parse(readFileSync(path, 'utf8'), (_, value) => value ?? undefined); // null is left out
    const { root, id, seed, disk, broker: { tls, ...broker } } = enrolment;
    const file = (name) => name && readFileSync(resolve(dirname(path), name));
    const trust = tls && { protocol: 'mqtts', ca: file(tls.ca), cert: file(tls.certificate), key: file(tls.key) };
    Object.assign(this, { root, id, what, latchPath, broker: { ...broker, ...trust } });
    this.sealed = (kind, message) => seal(root, kind, JSON.stringify(message), Buffer.from(seed, 'base64'));
    this.folder = openSync(dirname(resolve(latchPath)), 'r');
    this.latch = new Latch({ ...enrolment, ...what.stop }, readLatch(latchPath, disk === 'kept'), this);
    assert(this.latch.keep(), 'what cannot keep a stop must not work');
  }

  run() {
    this.connect();
    setInterval(() => {
      this.latch.silence(clock());
      if (this.job) this.step();
      this.ask();
    }, STEP_MS);
  }

  /** False where the disk did not take it. */
  write(kept) {
    try {
      writeFileSync(`${this.latchPath}.new`, withDigest(JSON.stringify(kept)), { mode: 0o600, flush: true });
      renameSync(`${this.latchPath}.new`, this.latchPath);
      fsyncSync(this.folder);
      return true;
    } catch (error) {
      console.error(`${this.latchPath} cannot be written: ${error.message}`);
      return false;
    }
  }

  /** Each connection is a client of its own, with nothing in it: what was meant for an earlier one is not said. */
  connect() {
    const { root, id, latch } = this;
    const hears = [...latch.targets.map((to) => `stop/${to}`), `lease/${id}`, `key/${id}`, `roster/${id}`, `cmd/${id}`];
    const log = (error) => error && console.error(`broker: ${error.message || error.code}`);
    const payload = this.sealed('state', latch.statement('lost'));
    const client = mqtt.connect({
      ...this.broker, clientId: `component-${id}`, protocolVersion: 5,
      will: { topic: `${root}/state/${id}`, payload, qos: 0, retain: false },
      keepalive: 10, reschedulePings: false, // what we send proves nothing of the other side
      connectTimeout: 5_000, reconnectPeriod: 0, // we do that
      properties: { maximumPacketSize: LARGEST_PACKET },
    });
    client.once('connect', () => {
      [this.client, this.asked] = [client, {}];
      client.subscribe(hears.map((each) => `${root}/${each}`), { qos: 1 }, log);
      this.ask();
      for (const tell of this.ends) tell();
    });
    client.on('message', (topic, envelope) => this.receive(topic.slice(root.length + 1), envelope));
    client.on('error', log);
    client.once('close', () => {
      this.client = null;
      client.end(true);
      setTimeout(() => this.connect(), Math.random() * Math.min(LONGEST_WAIT_MS, WAIT_MS * 2 ** ++this.attempts));
    });
  }

  receive(topic, envelope) {
    const { latch, latch: { kept: { key, roster } } } = this;
    const stops = { stop: [key, ...roster.stop_keys], drill: [key] };
    const signers = topic.startsWith('stop/') ? stops : { [topic.split('/')[0]]: [key] };
    let kind, message;
    try {
      ({ kind, message } = unseal(this.root, signers, envelope));
    } catch (error) {
      return console.error(`refused on ${topic}: ${error.message}`);
    }
    this.attempts = 0; // it is a good connection
    latch.silence(clock());
    this.ask(kind === 'cmd' ? this.obey(message) : latch[kind](message, clock(), envelope));
  }

  say(kind, rest, message, options, then) {
    this.client?.publish(`${this.root}/${kind}/${rest}`, this.sealed(kind, message), options, then);
  }

  /** When it is time, and at once where there is news. The birth of a session comes first. */
  ask(isNews) {
    const { id, what, latch, asked: { session, state } } = this;
    latch.busy = this.job !== null;
    if (!isNews && latch.shown(clock()) === state && clock() < this.askAt) return;
    this.asked = latch.ask(clock());
    this.askAt = clock() + (TTL_MS / 4) * (0.8 + 0.4 * Math.random());
    const birth = { contract: 1, id, session: latch.session, groups: latch.groups, ...what }; // JSON has no functions
    if (latch.session !== session) this.say('birth', id, birth, { qos: 1, retain: true });
    this.say('state', id, this.asked);
  }

  obey(command) {
    let answer;
    try {
      this.latch.cmd(command, clock());
      answer = this.carryOut(command);
    } catch (error) {
      answer = { status: error instanceof Rejected ? 'rejected' : 'error', error: error.message.slice(0, 1024) };
    }
    this.say('reply', command.reply_to, { id: command.id, from: this.id, ...answer }, { qos: 1 });
  }

  carryOut({ id, command, args }) {
    const { job, what: { commands } } = this;
    if (command === 'cancel') {
      if (job === null || job.job !== args.job) throw new Rejected('there is no such job');
      this.finish('cancelled');
      return { status: 'done' };
    }
    if (!Object.hasOwn(commands, command)) throw new Rejected(`there is no command ${command}`);
    if (!commands[command].job) return { status: 'done', result: commands[command].run(args) };
    if (job) throw new Rejected(`the job ${job.job} is not over`);
    this.steps = commands[command].run(args);
    this.job = { id: this.id, job: id, session: this.latch.session, seq: -1, progress: 0, message: '' };
    return { status: 'accepted' };
  }

  /** In the moment of a stop, before it is written. It is down when all that moves has been switched off. */
  async halt() {
    const off = this.what.halt();
    if (this.job) this.finish('stopped');
    await off;
    this.latch.down = true;
    this.ask();
  }

  step() {
    if (!this.latch.mayWork(clock())) return this.tellJob('held');
    try {
      const { done, value } = this.steps.next();
      if (done) return this.finish('done', { progress: 1, result: value });
      Object.assign(this.job, value);
      this.tellJob('running');
    } catch (error) {
      this.finish('failed', { message: error.message.slice(0, 1024) });
    }
  }

  tellJob(state) {
    if (state === this.job.state && (state === 'held' || clock() < this.toldAt + PROGRESS_MS)) return;
    this.toldAt = clock();
    Object.assign(this.job, { state, seq: this.job.seq + 1 });
    this.say('job', `${this.id}/${this.job.job}`, this.job);
  }

  finish(state, more) {
    const end = { ...this.job, state, seq: this.job.seq + 1, ...more };
    const options = { qos: 1, retain: true, properties: { messageExpiryInterval: DAY_S } };
    const rest = `${this.id}/${end.job}`;
    const tell = () => this.say('job', rest, end, options, (error) => !error && this.ends.delete(tell));
    this.steps.return();
    this.job = null;
    this.ends.add(tell);
    tell();
  }
}
