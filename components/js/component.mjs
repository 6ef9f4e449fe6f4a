// What makes a program a component: signed messages, a file, a broker, and work that goes on step by step while the
// latch lets it. What nobody signed who may is never looked into, and what is not as it must be changes nothing.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname, resolve } from 'node:path';
import mqtt from 'mqtt';
import { Latch, Rejected, TTL_MS, keyId } from './latch.mjs';

const [LARGEST_ENVELOPE, LARGEST_PACKET, LONGEST_LIST, MOST_SIGNATURES] = [64 * 1024, 1024 * 1024, 1024, 4];
const [STEP_MS, PROGRESS_MS, WAIT_MS, LONGEST_WAIT_MS, DAY_S] = [20, 500, 200, 10_000, 24 * 3600];

/** Milliseconds that go on while the machine sleeps and that nobody sets: so it is on Linux. */
const clock = () => Math.round(uptime() * 1000);

// Messages

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

/** What is signed of a message. */
function pae(type, raw) {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${raw.length} `), raw]);
}

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

const parse = (raw) => JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw));

function publicKey(base64) {
  const x = Buffer.from(base64, 'base64').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
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

/** False where the disk did not take it. */
function writeLatch(path, folder, kept) {
  try {
    writeFileSync(`${path}.new`, withDigest(JSON.stringify(kept)), { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    fsyncSync(folder);
    return true;
  } catch (error) {
    console.error(`${path} cannot be written: ${error.message}`);
    return false;
  }
}

/** It has one job at a time, and lets it take a step when it may. */
export class Component {
  client = null; // while there is a connection
  attempts = 0;
  shown = '';
  askAt = 0;
  job = null; // what is said of it
  end = null; // what was said last of the last one, until the broker has it

  /** `what` is the birth, with each command the function that does it, and `halt`, which switches off what moves. */
  constructor(path, latchPath, what) {
    assert((statSync(path).mode & 0o077) === 0, `${path} holds a key, and others can read it. Run: chmod 600 ${path}`);
    const enrolment = JSON.parse(readFileSync(path, 'utf8'), (_, value) => value ?? undefined); // null is left out
    const { root, id, seed, disk, broker: { tls, ...broker } } = enrolment;
    const file = (name) => name && readFileSync(resolve(dirname(path), name));
    const trust = tls && { protocol: 'mqtts', ca: file(tls.ca), cert: file(tls.certificate), key: file(tls.key) };
    Object.assign(this, { what, root, id, seed: Buffer.from(seed, 'base64'), broker: { ...broker, ...trust } });
    const folder = openSync(dirname(resolve(latchPath)), 'r');
    this.latch = new Latch(enrolment, {
      onSilence: what.stop.on_silence,
      kept: readLatch(latchPath, disk === 'kept'),
      write: (kept) => writeLatch(latchPath, folder, kept),
      halt: () => this.halt(),
      random: () => randomBytes(16).toString('hex'),
    });
    assert(this.latch.keep(), 'what cannot keep a stop must not work');
  }

  run() {
    this.connect();
    setInterval(() => {
      this.latch.silence(clock());
      if (this.job) this.step();
      this.look();
    }, STEP_MS);
  }

  // The broker

  /** Each connection is a client of its own, with nothing in it: what was meant for an earlier one is not said. */
  connect() {
    const payload = this.sealed('state', this.latch.statement('lost'));
    const client = mqtt.connect({
      ...this.broker, clientId: `component-${this.id}`, protocolVersion: 5,
      will: { topic: `${this.root}/state/${this.id}`, payload, qos: 0, retain: false },
      keepalive: 10, reschedulePings: false, // what we send proves nothing of the other side
      connectTimeout: 5_000, reconnectPeriod: 0, // we do that
      properties: { maximumPacketSize: LARGEST_PACKET },
    });
    client.once('connect', () => this.greet(client));
    client.on('message', (topic, envelope) => this.receive(topic.slice(this.root.length + 1), envelope));
    client.on('error', (error) => console.error(`broker: ${error.message || error.code}`));
    client.once('close', () => {
      this.client = null;
      client.end(true);
      setTimeout(() => this.connect(), Math.random() * Math.min(LONGEST_WAIT_MS, WAIT_MS * 2 ** ++this.attempts));
    });
  }

  greet(client) {
    this.client = client;
    const stops = this.latch.targets.map((target) => `stop/${target}`);
    const topics = [...stops, ...['lease', 'key', 'roster', 'cmd'].map((kind) => `${kind}/${this.id}`)];
    const refused = (error) => error && console.error(`broker: ${error.message}`);
    client.subscribe(topics.map((each) => `${this.root}/${each}`), { qos: 1 }, refused);
    this.tellBirth();
    this.ask();
    if (this.end) this.tellEnd();
  }

  receive(topic, envelope) {
    const { latch, latch: { session, kept: { key, roster } } } = this;
    const [first] = topic.split('/');
    const signers = first === 'stop' ? { stop: [key, ...roster.stop_keys], drill: [key] } : { [first]: [key] };
    let kind, message;
    try {
      ({ kind, message } = unseal(this.root, signers, envelope));
    } catch (error) {
      return console.error(`refused on ${topic}: ${error.message}`);
    }
    this.attempts = 0; // it is a good connection
    latch.silence(clock());
    const isNews = kind === 'cmd' ? this.obey(message) : latch[kind](message, clock(), envelope);
    if (latch.session !== session) this.tellBirth();
    this.look(isNews);
  }

  say(kind, rest, message, options, then) {
    this.client?.publish(`${this.root}/${kind}/${rest}`, this.sealed(kind, message), options, then);
  }

  sealed(kind, message) {
    return seal(this.root, kind, JSON.stringify(message), this.seed);
  }

  tellBirth() {
    const { id, what, latch: { session, groups } } = this; // JSON leaves out the functions in `what`
    this.say('birth', id, { contract: 1, id, session, groups, ...what }, { qos: 1, retain: true });
  }

  look(isNews) {
    this.latch.busy = this.job !== null;
    if (isNews || this.latch.shown(clock()) !== this.shown || clock() >= this.askAt) this.ask();
  }

  ask() {
    const question = this.latch.ask(clock());
    this.shown = question.state;
    this.askAt = clock() + (TTL_MS / 4) * (0.8 + 0.4 * Math.random());
    this.say('state', this.id, question);
  }

  // The work

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
    const { id: ours, session } = this.latch;
    this.job = { id: ours, job: id, session, seq: -1, state: 'queued', progress: 0, message: '' };
    return { status: 'accepted' };
  }

  /** In the moment of a stop, before it is written. It is down when all that moves has been switched off. */
  async halt() {
    const off = this.what.halt();
    if (this.job) this.finish('stopped');
    await off;
    this.latch.down = true;
    this.look();
  }

  step() {
    const mayWork = this.latch.mayWork(clock());
    if (!mayWork && this.job.state !== 'held') this.tellJob('held');
    if (!mayWork) return;
    try {
      const { done, value } = this.steps.next();
      if (done) return this.finish('done', { progress: 1, result: value });
      Object.assign(this.job, value);
      if (this.job.state !== 'running' || clock() >= this.toldAt + PROGRESS_MS) this.tellJob('running');
    } catch (error) {
      this.finish('failed', { message: error.message.slice(0, 1024) });
    }
  }

  tellJob(state) {
    this.toldAt = clock();
    Object.assign(this.job, { state, seq: this.job.seq + 1 });
    this.say('job', `${this.id}/${this.job.job}`, this.job);
  }

  finish(state, more) {
    this.steps.return();
    this.end = { ...this.job, state, seq: this.job.seq + 1, ...more };
    this.job = null;
    this.tellEnd();
  }

  tellEnd() {
    const { end } = this;
    const isTaken = (error) => {
      if (!error && this.end === end) this.end = null;
    };
    const options = { qos: 1, retain: true, properties: { messageExpiryInterval: DAY_S } };
    this.say('job', `${this.id}/${end.job}`, end, options, isTaken);
  }
}
