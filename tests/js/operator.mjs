// A person with a Matrix client, driven by a test: a line of JSON in, `{"number", "do", ...}`, and a line of JSON out,
// `{"number", "told"}` or `{"number", "error"}`. Several may be under way at once. It ends with its input.
import './log.mjs';
import { createInterface } from 'node:readline';
import { Person } from './person.mjs';

let person;

const COMMANDS = {
  async login(how) {
    person = await Person.online(how);
    return person.whoami();
  },
  identity: (how) => person.identity(how),
  isolate: (how) => person.isolate(how),
  'only-verified': (how) => person.onlyVerified(how),
  'create-room': (how) => person.createRoom(how),
  join: (how) => person.join(how),
  invite: (how) => person.invite(how),
  member: (how) => person.member(how),
  say: (how) => person.say(how),
  user: (how) => person.user(how),
  verified: (how) => person.verified(how),
  signed: (how) => person.signed(how),
  device: (how) => person.device(how),
  wait: ({ wanted, within_ms: withinMs }) => person.messages.wait(wanted, withinMs),
  look: ({ event }) => person.messages.look(event),
  attachment: async ({ event }) => ({ base64: (await person.messages.attachment(event)).toString('base64') }),
  'verify-ask': (how) => person.verifications.ask(how),
  'verify-offered': ({ within_ms: withinMs }) => person.verifications.offered(withinMs),
  'verify-accept': ({ id }) => person.verifications.accept(id),
  'verify-begin': ({ id, within_ms: withinMs }) => person.verifications.begin(id, withinMs),
  'verify-emoji': ({ id, within_ms: withinMs }) => person.verifications.emoji(id, withinMs),
  'verify-confirm': ({ id }) => person.verifications.confirm(id),
  'verify-mismatch': ({ id }) => person.verifications.mismatch(id),
  'verify-cancel': ({ id }) => person.verifications.cancel(id),
  'verify-end': ({ id, within_ms: withinMs }) => person.verifications.end(id, withinMs),
};

async function answer(line) {
  const { number, do: command, ...how } = JSON.parse(line);
  let said;
  try {
    said = { number, told: (await COMMANDS[command](how)) ?? {} };
  } catch (error) {
    console.error(error);
    said = { number, error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

createInterface({ input: process.stdin })
  .on('line', answer)
  .on('close', () => process.exit(0)); // the client alone would go on for ever
